"""The main job as a list of steps: prepare -> train -> quantize -> export -> benchmark.

Each step's output stays in `BUILD/.NAME.steps/STEP`; a step whose inputs did not change is not run again.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgecnn import __version__
from edgecnn.data.fingerprint import dataset_fingerprint
from edgecnn.data.prepare import Prepared, load_prepared, prepare
from edgecnn.project import BenchmarkSettings, Project, TrainingSettings, load_project
from edgecnn.steps import DATA_LIBRARIES, NUMERIC_LIBRARIES, digest, is_current, library_versions, run_step
from edgecnn_bench.results import Report
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.card import TrainingCard
from edgecnn_firmware.errors import BundleError, ModelError
from edgecnn_firmware.progress import Progress, silent

if TYPE_CHECKING:
    import keras

_KERAS: Final = "model.keras"
_INT8: Final = "model.tflite"
_TRAINING: Final = "training.json"


@dataclass(frozen=True)
class Job:
    """What to build, where, and how to tell of it. `base` is the folder that relative model files refer to."""

    project: Project
    base: Path
    build_dir: Path
    force: bool = False
    progress: Progress = silent

    @property
    def bundle(self) -> Path:
        """The folder of the finished bundle."""
        return self.build_dir / self.project.project.name

    @property
    def seed(self) -> int:
        """The project's seed."""
        return self.project.project.seed

    @property
    def training(self) -> TrainingSettings:
        """The `[training]` table with the learning rate that will be used: a step's inputs must say which."""
        from edgecnn.zoo import with_learning_rate

        return with_learning_rate(self.project.training, self.project.model)

    def step(self, name: str) -> Path:
        """The folder of one step's output."""
        return self.build_dir / f".{self.project.project.name}.steps" / name


@dataclass(frozen=True)
class PreparedData:
    """Windows on disk; `key` stands for all that they were made from."""

    key: str
    prepared: Prepared


@dataclass(frozen=True)
class Trained:
    """A trained Keras model; `key` stands for all that it was made from."""

    key: str
    data: PreparedData
    model_path: Path
    card: TrainingCard


@dataclass(frozen=True)
class Quantized:
    """The `.tflite` files: `int8` and the variants asked for."""

    key: str
    trained: Trained
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Exported:
    """A finished bundle and its report."""

    bundle: Path
    report: Report


def without_training(job: Job) -> Job:
    """The same job with the model's weights taken as they are."""
    training = job.project.training.model_copy(update={"enabled": False})
    return Job(job.project.model_copy(update={"training": training}), job.base, job.build_dir, job.force, job.progress)


def prepare_data(job: Job) -> PreparedData:
    """Read the recordings, cut windows, split them and fit the normalization.

    Raises:
        EdgeCnnError: the recordings cannot be used; the line says where and why.
    """
    from edgecnn.data.readers import read_dataset

    project = job.project
    dataset = read_dataset(project.data)
    inputs = {
        "step": "prepare",
        "edgecnn": __version__,
        "fingerprint": dataset_fingerprint(dataset),
        "seed": job.seed,
        "data": project.data.model_dump(mode="json", exclude={"path"}),
        **{
            name: getattr(project, name).model_dump(mode="json")
            for name in ("labels", "windows", "split", "normalization")
        },
        "libraries": library_versions(*DATA_LIBRARIES),
    }
    folder = job.step("prepare")
    run_step(folder, inputs, lambda partial: prepare(project, partial, dataset, job.progress), force=job.force)
    return PreparedData(digest(inputs), load_prepared(folder))


def train_model(job: Job) -> Trained:
    """Train the project's model, or take a `.keras` file's weights as they are where training is off.

    An interrupted training left its state beside the step; the same job continues from it.

    Raises:
        EdgeCnnError: the data or the model cannot be used.
    """
    from edgecnn.zoo import options_of

    data = prepare_data(job)
    project = job.project
    inputs = {
        "step": "train",
        "options": options_of(project.model, data.prepared.input.window_samples),
        "data": data.key,
        "model": project.model.model_dump(mode="json", exclude={"name"}),
        "model_source": _model_source(job),
        "training": job.training.model_dump(mode="json"),
        "seed": job.seed,
        "libraries": library_versions(*NUMERIC_LIBRARIES),
    }
    folder = job.step("train")
    if job.force:
        for state in ("training_state", "refit_state"):
            shutil.rmtree(job.step(state), ignore_errors=True)
    run_step(folder, inputs, lambda partial: _train(job, data.prepared, partial), force=job.force)
    card = TrainingCard.model_validate_json((folder / _TRAINING).read_bytes())
    return Trained(digest(inputs), data, folder / _KERAS, card)


def _train(job: Job, prepared: Prepared, folder: Path) -> None:
    from edgecnn.keras_io import save_model_deterministic
    from edgecnn.zoo.cost import macs, parameters

    project = job.project
    model = _new_model(job, prepared)
    card = TrainingCard(
        model=_model_title(project),
        parameters=parameters(model),
        macs=macs(model),
        best_epoch=0,
        epochs=(),
        settings={
            "model": project.model.model_dump(mode="json"),
            "training": job.training.model_dump(mode="json"),
            "quantization": project.quantization.model_dump(mode="json"),
        },
    )
    if project.training.enabled:
        model, card = _fit(job, prepared, model, card)
    save_model_deterministic(model, folder / _KERAS)
    (folder / _TRAINING).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _new_model(job: Job, prepared: Prepared) -> "keras.Model":
    from edgecnn.zoo import build_model

    shape = (prepared.window_samples, len(prepared.channels))
    return build_model(job.project.model, shape, len(prepared.classes), base=job.base, seed=job.seed)


def _fit(job: Job, prepared: Prepared, model: "keras.Model", card: TrainingCard) -> tuple["keras.Model", TrainingCard]:
    """Fit on the training part, watched on the validation part; then, with `refit`, on both from the start."""
    from edgecnn.training import train
    from edgecnn.training.refit import join, refit_settings, with_enough_steps

    training, validation = prepared.parts["train"], prepared.parts["validation"]
    settings = with_enough_steps(job.training, len(training))
    fit = partial(
        train, normalization=prepared.normalization, seed=job.seed, class_names=prepared.classes, progress=job.progress
    )
    first = fit(model, training, validation, settings=settings, checkpoint_dir=job.step("training_state"))
    card = card.model_copy(update={"best_epoch": first.best_epoch, "epochs": first.history})
    if not settings.refit or not len(validation):
        return first.model, card
    again = refit_settings(settings, len(first.history), first.best_epoch)
    both, fresh = join(training, validation), _new_model(job, prepared)
    second = fit(fresh, both, None, settings=again, checkpoint_dir=job.step("refit_state"))
    return second.model, card.model_copy(update={"refit_epochs": len(second.history)})


def quantize_model(job: Job) -> Quantized:
    """Convert the trained model to full int8, and to the variants asked for.

    Raises:
        EdgeCnnError: as `train_model`, or an op of the model has no int8 form.
    """
    trained = train_model(job)
    settings = job.project.quantization
    inputs = {
        "step": "quantize",
        "trained": trained.key,
        "quantization": settings.model_dump(mode="json"),
        "libraries": library_versions(*NUMERIC_LIBRARIES),
    }
    folder = job.step("quantize")
    run_step(folder, inputs, lambda partial: _quantize(job, trained, partial), force=job.force)
    files = {"int8": folder / _INT8} | {name: folder / f"model_{name}.tflite" for name in settings.variants}
    return Quantized(digest(inputs), trained, files)


def _quantize(job: Job, trained: Trained, folder: Path) -> None:
    from edgecnn.keras_io import load_model
    from edgecnn.quantization import choose_representative, convert
    from edgecnn_firmware.numerics import normalize

    settings = job.project.quantization
    part = trained.data.prepared.parts["train"]
    chosen = choose_representative(part.labels, settings.representative_windows, job.seed)
    representative = normalize(part.windows[chosen], trained.data.prepared.normalization)
    files = convert(load_model(trained.model_path), representative, settings.variants, progress=job.progress)
    for name, data in files.items():
        (folder / (_INT8 if name == "int8" else f"model_{name}.tflite")).write_bytes(data)


def export_project(job: Job) -> Exported:
    """Do the whole job and return the bundle with its report.

    Raises:
        EdgeCnnError: the line says what is wrong; an older bundle of that name is left as it was.
    """
    from edgecnn.bundling import INTERPRETERS, write_bundle

    quantized = quantize_model(job)
    inputs = {
        "step": "export",
        "edgecnn": __version__,
        "quantized": quantized.key,
        "project": job.project.project.model_dump(mode="json"),
        "firmware": job.project.firmware.model_dump(mode="json"),
        "max_windows": job.project.benchmark.max_windows,
        "libraries": library_versions("numpy", *INTERPRETERS),
    }
    record = job.step("export")
    if job.force or not is_current(record, digest(inputs)) or not _is_whole(job.bundle):
        write_bundle(job, quantized)
        run_step(record, inputs, lambda _: None, force=True)
    return Exported(job.bundle, measure_bundle(job))


def measure_bundle(job: Job) -> Report:
    """Benchmark the bundle with the project's settings and write its report; an unchanged bundle keeps its report.

    Raises:
        EdgeCnnError: the bundle cannot be read or the report cannot be written.
    """
    from edgecnn_bench.benchmark import benchmark
    from edgecnn_bench.environment import measure_environment
    from edgecnn_bench.report.files import load_report, write_report

    settings = job.project.benchmark
    limits = job.project.gate.model_dump(exclude_none=True)
    inputs = {
        "step": "benchmark",
        "edgecnn": __version__,
        "bundle": read_bundle(job.bundle).card.to_json(),
        "benchmark": settings.model_dump(mode="json"),
        "gate": limits,
        "environment": measure_environment().model_dump(mode="json"),
    }
    record = job.step("benchmark")
    if not job.force and is_current(record, digest(inputs)) and (job.bundle / "report.json").is_file():
        return load_report(job.bundle)
    report = benchmark(
        job.bundle,
        timed_runs=settings.timed_runs,
        warmup_runs=settings.warmup_runs,
        seed=job.seed,
        gates=limits,
        progress=job.progress,
    )
    write_report(job.bundle, report)
    run_step(record, inputs, lambda _: None, force=True)
    return report


def export_tflite(model: Path, project_path: Path | None, build_dir: Path | None, progress: Progress) -> Exported:
    """Make a bundle of a ready int8 `.tflite` file, with a project's data or, without one, with random windows.

    Raises:
        EdgeCnnError: the file is no full int8 model of one window, or the project's data do not fit it.
    """
    from edgecnn.ready_model import bundle_ready_model
    from edgecnn_bench.benchmark import benchmark
    from edgecnn_bench.report.files import write_report

    job = None
    if project_path is not None:
        project = load_project(project_path)
        base = project_path if project_path.is_dir() else project_path.parent
        job = Job(project, base, build_dir or base / "build", progress=progress)
    data = prepare_data(job).prepared if job else None
    bundle = bundle_ready_model(model, job, data, build_dir or model.parent / "build", progress)
    settings = job.project.benchmark if job else BenchmarkSettings()
    limits = job.project.gate.model_dump(exclude_none=True) if job else {}
    report = benchmark(
        bundle, timed_runs=settings.timed_runs, warmup_runs=settings.warmup_runs, gates=limits, progress=progress
    )
    write_report(bundle, report)
    return Exported(bundle, report)


def _is_whole(bundle: Path) -> bool:
    try:
        read_bundle(bundle, verify=True)
    except BundleError:
        return False
    return True


def _model_title(project: Project) -> str:
    """The model's name for the card: a preset, or the file name without its folder."""
    return Path(project.model.name).name


def _model_source(job: Job) -> str:
    """What stands for the model's definition: the preset's name, or the content of the user's file."""
    name = job.project.model.name
    file = name.rpartition(":")[0] or name
    if not file.endswith((".keras", ".py")):
        return name
    path = job.base / file
    if not path.is_file():
        raise ModelError(f"{path}: no such file; [model] name is a preset, a .keras file or file.py:build_model")
    return hashlib.sha256(path.read_bytes()).hexdigest() + name.rpartition(":")[2]
