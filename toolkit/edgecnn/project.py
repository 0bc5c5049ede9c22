"""`edgecnn.toml` -> validated, frozen settings.

Every key a project file may hold is declared here, with its unit, its default and what it accepts; nothing else in the
toolkit reads TOML. A wrong file gives one `SettingsError` line that names the key and the accepted values.
"""

import difflib
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edgecnn_firmware.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT_FILE: Final = "edgecnn.toml"
MAX_PROJECT_BYTES: Final = 1 << 20
LEARNING_RATE: Final = 2e-3
"""Peak learning rate where neither the project file nor the preset says another."""

Names = tuple[str, ...]
Share = Annotated[float, Field(gt=0, lt=1)]
Extent = Annotated[int | str, Field(description="samples (128), or a duration with its unit ('2.56 s', '400 ms')")]

_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|ms)\s*")


class Settings(BaseModel):
    """Base of every table of the project file: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProjectSettings(Settings):
    """`[project]`: what the bundle is called and the seed everything random derives from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
    """Names the bundle's folder and the C symbols: a letter, then at most 62 letters, digits or underscores."""
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = "0.1.0"
    """Of the model, as MAJOR.MINOR.PATCH."""
    description: Annotated[str, Field(max_length=500)] = ""
    """A sentence for the card and the header."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Split, initial weights, order, augmentation and choice of representative windows derive from it."""


class DataSettings(Settings):
    """`[data]`: where the recordings are and how to read them; paths are relative to the project file."""

    path: Path
    """Folder or file of the recordings."""
    format: Literal["auto", "csv", "npz", "parquet", "wav", "ucr", "wfdb", "uci-har", "uci-hapt", "demo"] = "auto"
    """How the files are read; `auto` looks at their names and content."""
    pattern: str | None = None
    """Path pattern that carries label and group, such as `{group}/{label}_{take}.csv`; a folder per class if unset."""
    channels: Names | None = None
    """Columns or signals to use, in order; all numeric ones if unset."""
    units: dict[str, str] = {}
    """Unit of each channel (`{ax = "g"}`), shown in the card and the header."""
    time_column: str | None = None
    """Column of time stamps; found by its name (`time`, `timestamp_ms`, ...) if unset."""
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    """Unit of numeric time stamps; `auto` takes it from the column's name or the step between stamps."""
    label_column: str | None = None
    """Column of labels; equal labels in a row are one segment, an empty label is none."""
    group_column: str | None = None
    """Column that names the subject, device or session."""
    recording_column: str | None = None
    """Column that tells recordings in one file apart."""
    sample_rate_hz: Annotated[float, Field(gt=0, le=1e7)] | None = None
    """The rate of files that carry no time."""
    resample_hz: Annotated[float, Field(gt=0, le=1e7)] | None = None
    """Resample every recording to this rate."""
    max_gap_s: Annotated[float, Field(gt=0)] | None = None
    """Longest step between time stamps that is bridged; 5 sample periods if unset."""
    missing: Literal["error", "interpolate"] = "error"
    """What a missing value (empty, NaN) is: an error that names file and row, or bridged linearly."""
    rows_per_recording: Annotated[int, Field(ge=2)] | None = None
    """Cut files that hold several recordings run together every this many rows."""
    annotator: str = "atr"
    """WFDB annotation file extension."""


class LabelSettings(Settings):
    """`[labels]`: which class a window belongs to."""

    rule: Literal["majority", "center", "any-of"] = "majority"
    """`majority`: the class that covers most of the window; `center`: that of its middle sample; `any-of`: the first of
    `classes` that occurs in it."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    """`majority`: the least share of the window's samples that the class must cover; other windows are left out."""
    classes: Names | dict[str, Names] | None = None
    """Labels to keep, in order, or class -> the labels it gathers; every label found if unset."""
    background: str | None = None
    """`any-of`: the class of windows that hold none of the `classes`; it becomes class 0."""

    @model_validator(mode="after")
    def _rule_has_what_it_needs(self) -> "LabelSettings":
        if self.rule == "any-of" and (self.classes is None or self.background is None):
            raise ValueError("rule 'any-of' needs classes and background")
        if self.rule != "any-of" and self.background is not None:
            raise ValueError("background is used by rule 'any-of' only")
        return self


class WindowSettings(Settings):
    """`[windows]`: how recordings are cut."""

    length: Extent
    """Samples (128) or a duration with its unit (`"2.56 s"`, `"400 ms"`)."""
    hop: Extent
    """Step from one window to the next, like `length`."""
    train_hop: Extent | None = None
    """Smaller step for the training and validation parts: more windows to learn from; the test part keeps `hop`."""
    align: Literal["recording", "segment"] = "recording"
    """`segment`: windows start at each labelled segment's first sample and stay inside it."""
    short: Literal["error", "skip", "pad"] = "skip"
    """What happens to a recording or segment shorter than one window; `pad` repeats its last sample."""

    @field_validator("length", "hop", "train_hop")
    @classmethod
    def _is_an_extent(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be at least 1 sample")
        if isinstance(value, str) and not _DURATION.fullmatch(value):
            raise ValueError("must be samples (128) or a duration with its unit ('2.56 s', '400 ms')")
        return value


class SplitSettings(Settings):
    """`[split]`: who is in the training, validation and test parts."""

    method: Literal["official", "group"] = "group"
    """`official`: the publisher's test part; `group`: whole groups, stratified by class."""
    test: Share | Names = 0.2
    """Share of the windows, or the names of the groups; ignored where the split is official."""
    validation: Share | Names = 0.2
    """Share of the windows outside the test part, or the names of the groups."""


class NormalizationSettings(Settings):
    """`[normalization]`: constants fitted on the training part; `normalized = (x - offset) * gain` per channel."""

    method: Literal["standard", "none", "constants"] = "standard"
    """`standard`: mean and standard deviation of the training part; `constants`: `offset` and `gain` as given."""
    offset: tuple[float, ...] | None = None
    """`constants`: one value per channel, in the channel's unit."""
    gain: tuple[float, ...] | None = None
    """`constants`: one value per channel."""

    @model_validator(mode="after")
    def _constants_come_with_values(self) -> "NormalizationSettings":
        given = self.offset is not None and self.gain is not None
        if (self.method == "constants") != given or (self.offset is None) != (self.gain is None):
            raise ValueError("offset and gain go with method 'constants', one value per channel each")
        return self


class ModelSettings(Settings):
    """`[model]`: a preset of the zoo, a `.keras` file, or `file.py:build_model`."""

    name: str = "small"
    """`vgg1d`, `small`, `tiny`, `ds`, `resnet`, `tcn`, `inception`, `fcn`, a `.keras` file, or
    `file.py:build_model`."""
    options: dict[str, int | float | str | tuple[int, ...]] = {}
    """Options of the preset, such as `{ filters = [16, 32, 64], dropout = 0.3 }`."""


class AugmentSettings(Settings):
    """`[training.augment]`: random changes to training windows, each relative to the normalized signal; 0 is off."""

    jitter: Annotated[float, Field(ge=0, le=10)] = 0.03
    """Standard deviation of additive Gaussian noise."""
    scaling: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Standard deviation of a gain per window, the same for all channels."""
    offset: Annotated[float, Field(ge=0, le=10)] = 0.05
    """Standard deviation of a constant added to each channel of a window."""
    wander: Annotated[float, Field(ge=0, le=10)] = 0.05
    """Standard deviation of the amplitude of a slow sine, 0.2 to 2 periods a window, added to each channel."""
    stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Largest change of tempo of a whole window."""
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Largest time shift, as a share of the window."""
    filter: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the windows that pass a random smooth filter: the same events with another shape, as on another body."""
    warp: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest local change of speed."""
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest random rotation of tri-axial sensors (`rotation_axes`)."""
    rotation_axes: tuple[tuple[int, int, int], ...] = ()
    """Channel numbers of each tri-axial sensor; one rotation turns all of them."""
    mixup: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Alpha of the Beta distribution that mixes pairs of windows and their labels."""


class TrainingSettings(Settings):
    """`[training]`: how the model is fitted."""

    enabled: bool = True
    """false: take the weights of a `.keras` model as they are."""
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Most passes over the training part."""
    min_steps: Annotated[int, Field(ge=0, le=10_000_000)] = 1000
    """Least optimizer steps: `epochs` is raised to reach them, since few windows need more passes."""
    refit: bool = True
    """Fit once more, from the start, on the training and validation parts together; the history shows the first fit."""
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 64
    """Windows per step."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    """Peak learning rate of AdamW; if unset, the preset's own: 0.002, except for `vgg1d` (see models.md)."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """`cosine`: short warm-up, then down to zero over `epochs`."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Decoupled weight decay of AdamW."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of each label that is spread over all classes."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: weight classes by the inverse of their frequency in the training part."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Epochs without a better validation loss before training stops; 0: train all epochs."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Momentum of an exponential moving average of the weights, used for validation and the result; 0 is off."""
    augment: AugmentSettings = AugmentSettings()

    @property
    def peak_learning_rate(self) -> float:
        """The peak learning rate, also where none is set."""
        return LEARNING_RATE if self.learning_rate is None else self.learning_rate


Variant = Literal["float32", "dynamic", "float16", "int16x8"]


class QuantizationSettings(Settings):
    """`[quantization]`: full int8 after training, per channel, batch 1."""

    representative_windows: Annotated[int, Field(ge=10, le=100_000)] = 500
    """Training windows that calibrate the activations, stratified by class."""
    variants: tuple[Variant, ...] = ("float32",)
    """Further files written for comparison."""


class FirmwareSettings(Settings):
    """`[firmware]`: what the exported C does with the sensor's samples and with results that follow each other."""

    smoothing: Literal["none", "majority", "mean"] = "none"
    """`majority`: the label that most of the last `results` have; `mean`: that of their mean probabilities."""
    results: Annotated[int, Field(ge=1, le=100)] = 1
    """How many of the last results are smoothed over."""
    debounce: Annotated[int, Field(ge=1, le=100)] = 1
    """How many results in a row must agree before the label changes."""
    unit_per_count: float | tuple[float, ...] | None = None
    """Physical units of one raw int16 count of the sensor, for all channels or one for each; classifies counts if set."""
    zero_count: float | tuple[float, ...] = 0.0
    """The count that stands for 0 in physical units, for all channels or one for each."""

    @model_validator(mode="after")
    def _smoothing_has_results(self) -> "FirmwareSettings":
        if (self.smoothing == "none") != (self.results == 1):
            raise ValueError("smoothing 'majority' or 'mean' goes with results of 2 or more, 'none' with results = 1")
        return self


class BenchmarkSettings(Settings):
    """`[benchmark]`: what is measured on this machine."""

    timed_runs: Annotated[int, Field(ge=30, le=1_000_000)] = 500
    """Timed calls of each engine."""
    warmup_runs: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Calls of each engine before timing starts."""
    max_windows: Annotated[int, Field(ge=10, le=10_000_000)] = 20_000
    """Most test windows stored in the bundle and run through every engine; a seeded choice if there are more."""


class GateSettings(Settings):
    """`[gate]`: limits that end `edgecnn export` with exit code 3 when missed; unset limits are not checked."""

    min_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    min_balanced_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    max_accuracy_drop: Annotated[float, Field(ge=0, le=1)] | None = None
    """Float accuracy less int8 accuracy, as a fraction (0.01 is one point)."""
    min_label_agreement: Annotated[float, Field(ge=0, le=1)] | None = None
    max_model_bytes: Annotated[int, Field(gt=0)] | None = None
    max_arena_bytes: Annotated[int, Field(gt=0)] | None = None
    max_median_latency_us: Annotated[float, Field(gt=0)] | None = None


class Project(Settings):
    """One `edgecnn.toml`."""

    project: ProjectSettings
    data: DataSettings
    windows: WindowSettings
    labels: LabelSettings = LabelSettings()
    split: SplitSettings = SplitSettings()
    normalization: NormalizationSettings = NormalizationSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    quantization: QuantizationSettings = QuantizationSettings()
    firmware: FirmwareSettings = FirmwareSettings()
    benchmark: BenchmarkSettings = BenchmarkSettings()
    gate: GateSettings = GateSettings()


def to_samples(extent: int | str, sample_rate_hz: float) -> int:
    """Convert a window length or hop to samples at `sample_rate_hz` (rounded to the nearest sample, at least 1).

    Raises:
        SettingsError: the text is no duration.
    """
    if isinstance(extent, int):
        return extent
    match = _DURATION.fullmatch(extent)
    if match is None:
        raise SettingsError(f"'{extent}': expected samples (128) or a duration with its unit ('2.56 s', '400 ms')")
    seconds = float(match[1]) / (1000.0 if match[2] == "ms" else 1.0)
    return max(1, round(seconds * sample_rate_hz))


def load_project(path: Path) -> Project:
    """Read a project file (or the `edgecnn.toml` inside a folder); relative data paths are resolved against it.

    Raises:
        SettingsError: the file is missing, too large, no TOML, or holds a wrong key or value.
    """
    file = path / PROJECT_FILE if path.is_dir() else path
    try:
        if file.stat().st_size > MAX_PROJECT_BYTES:
            raise SettingsError(f"{file}: larger than {MAX_PROJECT_BYTES} bytes; a project file is a few kilobytes")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        hint = f"; 'edgecnn init DATA_DIR' writes an {PROJECT_FILE}" if isinstance(error, FileNotFoundError) else ""
        raise SettingsError(f"{file}: cannot be read ({error.strerror}){hint}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8 text (byte {error.start})") from error
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from error
    return parse_project(raw, file)


def parse_project(raw: dict[str, Any], file: Path) -> Project:
    """Validate the content of a project file; `file` names it in errors and anchors relative paths.

    Raises:
        SettingsError: naming the key, the value and what is accepted.
    """
    try:
        project = Project.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(f"{file}: {_one_line(error)}") from error
    data = project.data
    if not data.path.is_absolute():
        data = data.model_copy(update={"path": file.parent / data.path})
    return project.model_copy(update={"data": data})


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"] if not _is_union_tag(str(part))]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        accepted = sorted(_table_at(location[:-1]).model_fields)
        close = difflib.get_close_matches(location[-1], accepted, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        return f"unknown key '{key}'; {hint}accepted: {', '.join(accepted)}"
    if first["type"] == "missing":
        return f"'{key}' is missing"
    reason = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    value = first["input"]
    shown = "" if isinstance(value, dict) else f" = {value!r}"
    where = f"'{key}'{shown}" if key else "the file"
    return f"{where}: {reason}"


def _is_union_tag(part: str) -> bool:
    return part in {"int", "str", "float", "constrained-float", "constrained-int"} or "[" in part or "(" in part


def _table_at(location: list[str]) -> type[BaseModel]:
    table: type[BaseModel] = Project
    for part in location:
        annotation = table.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        table = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return table
