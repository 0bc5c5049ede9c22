"""`card.json`: all that anyone must know to use a bundle, as one validated document.

The card of an untrusted bundle is input like any other: pydantic checks every field, and nothing in it is evaluated.
"""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgecnn_firmware.errors import BundleError

SCHEMA_VERSION: Final = 1
MAX_CARD_BYTES: Final = 16 << 20

_SHOWN_CHARACTERS: Final = 200

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}){0,4}$")
]
Fraction = Annotated[float, Field(ge=0, le=1)]


class CardPart(BaseModel):
    """Base of the card's tables: unknown keys are refused, values cannot change, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ChannelCard(CardPart):
    """One input channel, in physical units."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    unit: Annotated[str, Field(max_length=32)] = ""


class InputCard(CardPart):
    """The window the model takes: `(window_samples, len(channels))`, in physical units, oldest sample first."""

    window_samples: Annotated[int, Field(ge=1, le=1 << 24)]
    hop_samples: Annotated[int, Field(ge=1, le=1 << 24)]
    sample_rate_hz: Annotated[float, Field(gt=0)]
    """0 < rate; 1.0 where the data have no time axis (`rate_known` is then false)."""
    rate_known: bool = True
    channels: Annotated[tuple[ChannelCard, ...], Field(min_length=1, max_length=4096)]


class NormalizationCard(CardPart):
    """`normalized = (x - offset) * gain` per channel, in float32, each operation rounded once."""

    method: Literal["standard", "none", "constants"]
    offset: tuple[float, ...]
    gain: tuple[float, ...]


class TensorQuantization(CardPart):
    """`real = scale * (quantized - zero_point)`; `scale` is the float32 of the file written as a decimal."""

    scale: Annotated[float, Field(gt=0)]
    zero_point: Annotated[int, Field(ge=-128, le=127)]


class QuantizationCard(CardPart):
    """Quantization of the model's input and output tensors, and what it was calibrated on."""

    input: TensorQuantization
    output: TensorQuantization
    representative_windows: Annotated[int, Field(ge=0)] = 0


class Interval(CardPart):
    """A proportion with its Wilson score interval at 95 %."""

    value: Fraction
    low: Fraction
    high: Fraction
    n: Annotated[int, Field(ge=0)]


class ScoreCard(CardPart):
    """How one form of the model did on the held-out test part."""

    accuracy: Interval
    balanced_accuracy: Fraction
    macro_f1: Fraction
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true class, columns: predicted class, in the order of `labels`."""


class PartCard(CardPart):
    """One part of the split."""

    windows: Annotated[int, Field(ge=0)]
    recordings: Annotated[int, Field(ge=0)]
    groups: tuple[str, ...]
    class_windows: tuple[int, ...]
    """Windows per class, in the order of `labels`."""


class DataCard(CardPart):
    """Where the model's numbers come from, and the proof that the parts share nothing."""

    name: str
    format: str
    fingerprint: Sha256
    """SHA-256 over names and contents of the source files, or over the simulator's settings."""
    split_method: str
    parts: dict[Literal["train", "validation", "test"], PartCard]
    proof: tuple[str, ...]
    """Sentences with figures: what was compared between the parts and that nothing was shared."""
    notes: tuple[str, ...] = ()


class EpochCard(CardPart):
    """One epoch of the training history."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    learning_rate: float


class TrainingCard(CardPart):
    """How the model was fitted."""

    model: str
    """Preset of the zoo, or the user's file and function."""
    parameters: Annotated[int, Field(ge=0)]
    macs: Annotated[int, Field(ge=0)]
    """Multiply-accumulates of one inference."""
    best_epoch: Annotated[int, Field(ge=0)]
    epochs: tuple[EpochCard, ...]
    refit_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs of the second fit, on the training and validation parts together; 0 where there was none."""
    settings: dict[str, Any]
    """The `[model]`, `[training]` and `[quantization]` tables that were used."""


class ArenaCard(CardPart):
    """Bytes of tensor arena TFLite Micro asks for."""

    measured_bytes: Annotated[int, Field(ge=0)]
    word_bits: Literal[32, 64]
    kernels: str
    runtime: str
    """Package and version that measured it."""


class CompiledCard(CardPart):
    """The network as C files in `firmware/c/`."""

    target: str
    """The compiler's target, whose kernels are used."""
    constant_bytes: Annotated[int, Field(ge=0)]
    """Weights and tables; code comes on top."""
    arena_bytes: Annotated[int, Field(ge=0)]
    """Working memory of one call."""
    state_bytes: Annotated[int, Field(ge=0)]
    """What lives from one call to the next."""
    macs: Annotated[int, Field(ge=0)]
    """Multiply-accumulates of one call."""
    checked_windows: Annotated[int, Field(ge=0)]
    """Test windows on which the compiler's arithmetic gave the reference's bytes when the bundle was written."""


class CountsCard(CardPart):
    """How a sensor's raw int16 counts become physical units: `(count - zero_count) * unit_per_count`, per channel."""

    unit_per_count: tuple[float, ...]
    zero_count: tuple[float, ...]


class DeploymentCard(CardPart):
    """What the firmware does with results that follow each other."""

    smoothing: Literal["none", "majority", "mean"] = "none"
    """`majority`: the label that most of the last results have; `mean`: that of the mean probabilities."""
    results: Annotated[int, Field(ge=1, le=100)] = 1
    """How many of the last results are smoothed over."""
    debounce: Annotated[int, Field(ge=1, le=100)] = 1
    """How many results in a row must agree before the label changes."""
    counts: CountsCard | None = None
    """None where raw counts are not classified."""


class StatisticsCard(CardPart):
    """Mean and standard deviation of each channel over the training windows, in physical units."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class Card(CardPart):
    """The bundle's card."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    description: str = ""
    labels: Annotated[tuple[str, ...], Field(min_length=2, max_length=65536)]
    output: Literal["softmax", "sigmoid"]
    """`sigmoid`: one output, the probability of `labels[1]`; `softmax`: one probability per label."""
    input: InputCard
    normalization: NormalizationCard
    quantization: QuantizationCard
    deployment: DeploymentCard = DeploymentCard()
    statistics: StatisticsCard | None = None
    """Of the training part; None where no data were given."""
    metrics: dict[Literal["float", "int8"], ScoreCard] = {}
    arena: ArenaCard | None = None
    arena_note: str = ""
    """Why `arena` is missing, where it is."""
    compiled: CompiledCard | None = None
    compiled_note: str = ""
    """Why `compiled` is missing, where it is."""
    data: DataCard | None = None
    training: TrainingCard | None = None
    seed: int | None = None
    libraries: dict[str, str] = {}
    """Package -> version of what trained, converted and measured."""
    files: dict[FileName, Sha256] = {}
    """SHA-256 of every file of the bundle except the card itself and the report, which holds timings."""

    @model_validator(mode="after")
    def _parts_agree(self) -> "Card":
        channels = len(self.input.channels)
        if len(self.normalization.offset) != channels or len(self.normalization.gain) != channels:
            raise ValueError(f"normalization must have one offset and one gain for each of the {channels} channels")
        counts, statistics = self.deployment.counts, self.statistics
        if counts and not len(counts.unit_per_count) == len(counts.zero_count) == channels:
            raise ValueError(
                f"deployment.counts must have one unit_per_count and zero_count for each of {channels} channels"
            )
        if statistics and not len(statistics.mean) == len(statistics.deviation) == channels:
            raise ValueError(f"statistics must have one mean and one deviation for each of {channels} channels")
        if self.output == "sigmoid" and len(self.labels) != 2:
            raise ValueError("output 'sigmoid' goes with exactly two labels")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be different from each other")
        return self

    @property
    def output_count(self) -> int:
        """How many outputs the model has."""
        return 1 if self.output == "sigmoid" else len(self.labels)

    def to_json(self) -> str:
        """Serialize deterministically (field order of this file, two-space indent, final newline)."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def parse_card(data: bytes, name: str) -> Card:
    """Validate the bytes of a `card.json`; `name` is used in errors.

    Raises:
        BundleError: too large, no JSON, another schema version, or a wrong field (named).
    """
    if len(data) > MAX_CARD_BYTES:
        raise BundleError(f"{name}: {len(data)} bytes; a card has at most {MAX_CARD_BYTES}")
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _shown(".".join(str(part) for part in first["loc"])) or "the document"
        if where == "schema_version":
            found = _shown(repr(first["input"]))
            raise BundleError(f"{name}: schema_version {found}; this edgecnn reads {SCHEMA_VERSION}") from error
        raise BundleError(f"{name}: {where}: {first['msg'].removeprefix('Value error, ')}") from error


def _shown(text: str) -> str:
    """What a stranger's card calls something, short and on one line."""
    return "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_CHARACTERS])
