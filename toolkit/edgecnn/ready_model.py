"""A bundle around an int8 `.tflite` file that somebody else trained."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgecnn.bundling import (
    INTERPRETERS,
    Output,
    choose_windows,
    commit_bundle,
    deployment_card,
    int8_metrics,
    int8_model,
)
from edgecnn.steps import library_versions
from edgecnn_bench.engines.litert import reference_outputs
from edgecnn_firmware import numerics
from edgecnn_firmware.arena import measure_arena
from edgecnn_firmware.bundle import Vectors
from edgecnn_firmware.card import ArenaCard, Card, ChannelCard, DeploymentCard, InputCard, NormalizationCard
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.progress import Progress
from edgecnn_firmware.tflite.inspect import ModelSummary

if TYPE_CHECKING:
    from edgecnn.data.prepare import Prepared
    from edgecnn.pipeline import Job

RANDOM_WINDOWS: Final = 500
"""Windows that stand in for data where none are given, uniform over the input's int8 range."""


def bundle_ready_model(
    path: Path, job: "Job | None", data: "Prepared | None", build_dir: Path, progress: Progress
) -> Path:
    """Make the bundle; without data, labels are `class 0`, `class 1`, ... and channels `c0`, `c1`, ...

    Raises:
        ModelError: the model is not full int8, not of one window, or does not fit the data.
    """
    model = path.read_bytes()
    summary, quantization = int8_model(model, str(path))
    window_samples, channels = _window_shape(summary, path)
    outputs = _outputs(summary, path)
    output: Output = "sigmoid" if outputs == 1 else "softmax"
    arena = measure_arena(model)
    card = Card(
        name=job.project.project.name if job else _name_of(path),
        version=job.project.project.version if job else "0.1.0",
        description=job.project.project.description if job else "",
        labels=data.classes if data else tuple(f"class {number}" for number in range(max(2, outputs))),
        output=output,
        input=data.input if data else _unknown_input(window_samples, channels),
        normalization=data.normalization if data else _no_normalization(channels),
        quantization=quantization,
        deployment=deployment_card(job.project.firmware, channels) if job else DeploymentCard(),
        statistics=data.statistics if data else None,
        arena=arena if isinstance(arena, ArenaCard) else None,
        arena_note="" if isinstance(arena, ArenaCard) else arena,
        data=data.data if data else None,
        seed=job.seed if job else 0,
        libraries=library_versions("numpy", *INTERPRETERS),
    )
    _require_fit(card, (window_samples, channels), outputs, path)
    vectors = (
        _data_vectors(data, card, job, model, progress) if data and job else _random_vectors(card, model, progress)
    )
    if data:
        card = card.model_copy(update={"metrics": {"int8": int8_metrics(vectors, card)}})
    target = build_dir / card.name
    commit_bundle(target, card, model, summary, vectors, {"model.tflite": path})
    return target


def _window_shape(summary: ModelSummary, path: Path) -> tuple[int, int]:
    shape = summary.inputs[0].shape
    sizes = [size for size in shape[1:] if size != 1]
    if not shape or shape[0] != 1 or len(shape) < 2 or len(sizes) > 2 or len(shape) != 3:
        raise ModelError(f"{path}: its input is {list(shape)}; expected [1, window_samples, channels]")
    return shape[1], shape[2]


def _outputs(summary: ModelSummary, path: Path) -> int:
    shape = summary.outputs[0].shape
    if len(shape) != 2 or shape[0] != 1 or shape[1] < 1:
        raise ModelError(f"{path}: its output is {list(shape)}; expected [1, classes], or [1, 1] for a probability")
    return shape[1]


def _name_of(path: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")[:60]
    return name if name[:1].isalpha() else f"model_{name}"


def _unknown_input(window_samples: int, channels: int) -> InputCard:
    names = tuple(ChannelCard(name=f"c{number}") for number in range(channels))
    return InputCard(
        window_samples=window_samples, hop_samples=window_samples, sample_rate_hz=1.0, rate_known=False, channels=names
    )


def _no_normalization(channels: int) -> NormalizationCard:
    return NormalizationCard(method="none", offset=(0.0,) * channels, gain=(1.0,) * channels)


def _require_fit(card: Card, shape: tuple[int, int], outputs: int, path: Path) -> None:
    asked = (card.input.window_samples, len(card.input.channels))
    if asked != shape:
        raise ModelError(
            f"{path}: takes windows of {shape[0]} x {shape[1]}, but the project cuts {asked[0]} x {asked[1]}"
        )
    if outputs != card.output_count or (card.output == "sigmoid" and len(card.labels) != 2):
        raise ModelError(f"{path}: has {outputs} outputs, but the project has {len(card.labels)} classes")


def _data_vectors(data: "Prepared", card: Card, job: "Job", model: bytes, progress: Progress) -> Vectors:
    part = data.parts["test"]
    chosen = choose_windows(part, job.project.benchmark.max_windows, job.seed)
    windows = np.ascontiguousarray(part.windows[chosen], np.float32)
    inputs = numerics.quantize(numerics.normalize(windows, card.normalization), card.quantization.input)
    outputs = reference_outputs(model, inputs, progress)
    return Vectors(windows, part.labels[chosen].astype(np.int64), part.groups[chosen], inputs, outputs)


def _random_vectors(card: Card, model: bytes, progress: Progress) -> Vectors:
    shape = (RANDOM_WINDOWS, card.input.window_samples, len(card.input.channels))
    inputs = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    windows = numerics.dequantize(inputs, card.quantization.input)
    labels = np.full(RANDOM_WINDOWS, -1, np.int64)
    groups = np.full(RANDOM_WINDOWS, "random")
    return Vectors(windows, labels, groups, inputs, reference_outputs(model, inputs, progress))
