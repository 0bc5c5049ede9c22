"""From a quantized model to a bundle: test windows and their reference outputs, metrics, the C header, the card."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from edgecnn.steps import NUMERIC_LIBRARIES, library_versions
from edgecnn_bench.engines.litert import reference_outputs
from edgecnn_bench.statistics import score
from edgecnn_firmware import numerics
from edgecnn_firmware.arena import measure_arena
from edgecnn_firmware.bundle import BundleWriter, Vectors
from edgecnn_firmware.card import (
    ArenaCard,
    Card,
    CountsCard,
    DeploymentCard,
    QuantizationCard,
    ScoreCard,
    TensorQuantization,
)
from edgecnn_firmware.classifier.bundled import compile_for_bundle
from edgecnn_firmware.errors import ModelError, SettingsError
from edgecnn_firmware.header import write_header
from edgecnn_firmware.progress import Progress
from edgecnn_firmware.tflite.inspect import ModelSummary, TensorSummary, require_full_int8, summarize
from edgecnn_firmware.tflite.reader import read_model

if TYPE_CHECKING:
    from edgecnn.data.prepare import PreparedPart
    from edgecnn.pipeline import Job, Quantized
    from edgecnn.project import FirmwareSettings

INTERPRETERS: Final = ("ai-edge-litert", "tflite-runtime", "tflite-micro")
"""Packages that measure; the card lists their versions too."""

_BATCH: Final = 256

Output = Literal["softmax", "sigmoid"]


def write_bundle(job: "Job", quantized: "Quantized") -> None:
    """Assemble the bundle beside its place and put it there whole.

    Raises:
        EdgeCnnError: the model does not do what the bundle promises, or the folder cannot be written.
    """
    prepared = quantized.trained.data.prepared
    model = quantized.files["int8"].read_bytes()
    summary, quantization = int8_model(model, str(quantized.files["int8"]))
    representative = min(job.project.quantization.representative_windows, len(prepared.parts["train"]))
    quantization = quantization.model_copy(update={"representative_windows": representative})
    vectors = _test_vectors(job, quantized, model, quantization)
    output: Output = "sigmoid" if vectors.outputs.shape[1] == 1 else "softmax"
    arena = measure_arena(model)
    card = Card(
        name=job.project.project.name,
        version=job.project.project.version,
        description=job.project.project.description,
        labels=prepared.classes,
        output=output,
        input=prepared.input,
        normalization=prepared.normalization,
        quantization=quantization,
        deployment=deployment_card(job.project.firmware, len(prepared.input.channels)),
        statistics=prepared.statistics,
        metrics=_metrics(vectors, output, quantization, prepared.classes),
        arena=arena if isinstance(arena, ArenaCard) else None,
        arena_note="" if isinstance(arena, ArenaCard) else arena,
        data=prepared.data,
        training=quantized.trained.card,
        seed=job.seed,
        libraries=library_versions(*NUMERIC_LIBRARIES, *INTERPRETERS),
    )
    files = {"model.keras": quantized.trained.model_path} | {path.name: path for path in quantized.files.values()}
    commit_bundle(job.bundle, card, model, summary, vectors, files)


def deployment_card(settings: "FirmwareSettings", channels: int) -> DeploymentCard:
    """The card's form of the project file's `[firmware]`.

    Raises:
        SettingsError: a list does not have one value for each channel.
    """
    counts = None
    if settings.unit_per_count is not None:
        unit = _per_channel("unit_per_count", settings.unit_per_count, channels)
        counts = CountsCard(unit_per_count=unit, zero_count=_per_channel("zero_count", settings.zero_count, channels))
    return DeploymentCard(
        smoothing=settings.smoothing, results=settings.results, debounce=settings.debounce, counts=counts
    )


def _per_channel(name: str, given: float | tuple[float, ...], channels: int) -> tuple[float, ...]:
    values = given if isinstance(given, tuple) else (given,) * channels
    if len(values) != channels:
        raise SettingsError(f"firmware.{name}: {len(values)} values for {channels} channels")
    return values


def commit_bundle(
    target: Path, card: Card, model: bytes, summary: ModelSummary, vectors: Vectors, files: dict[str, Path]
) -> None:
    """Write the bundle's files, the C header and the compiled C among them, and put the bundle in its place."""
    compiled, compiled_card, note = compile_for_bundle(model, card, vectors.inputs, vectors.outputs)
    card = card.model_copy(update={"compiled": compiled_card, "compiled_note": note})
    with BundleWriter(target) as bundle:
        for name, data in compiled.items():
            bundle.add(name, data)
        for name, path in files.items():
            bundle.add_file(name, path)
        bundle.add(f"firmware/{card.name}_model.h", write_header(model, card, summary).encode("utf-8"))
        bundle.add_vectors(vectors)
        bundle.commit(card)


def int8_model(model: bytes, name: str) -> tuple[ModelSummary, QuantizationCard]:
    """Check that a model is full int8 and take its input and output quantization.

    Raises:
        ModelError: it is not; the line says where.
    """
    summary = summarize(read_model(model, name))
    require_full_int8(summary, name)
    ends = [_tensor_quantization(tensor) for tensor in (summary.inputs[0], summary.outputs[0])]
    return summary, QuantizationCard(input=ends[0], output=ends[1])


def _tensor_quantization(tensor: TensorSummary) -> TensorQuantization:
    if tensor.scale is None or tensor.zero_point is None:
        raise ModelError(f"tensor '{tensor.name}' carries no scale and zero point")
    return TensorQuantization(scale=tensor.scale, zero_point=tensor.zero_point)


def _test_vectors(job: "Job", quantized: "Quantized", model: bytes, quantization: QuantizationCard) -> Vectors:
    prepared = quantized.trained.data.prepared
    part = prepared.parts["test"]
    chosen = choose_windows(part, job.project.benchmark.max_windows, job.seed)
    windows = np.ascontiguousarray(part.windows[chosen], np.float32)
    normalized = numerics.normalize(windows, prepared.normalization)
    inputs = numerics.quantize(normalized, quantization.input)
    return Vectors(
        windows=windows,
        labels=part.labels[chosen].astype(np.int64),
        groups=part.groups[chosen],
        inputs=inputs,
        outputs=reference_outputs(model, inputs, job.progress),
        keras_outputs=_keras_outputs(quantized.trained.model_path, normalized, job.progress),
    )


def choose_windows(part: "PreparedPart", most: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose test windows: all of them, or a seeded choice of `most`, in their order."""
    if len(part) <= most:
        return np.arange(len(part), dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(len(part), most, replace=False)).astype(np.int64)


def _keras_outputs(path: Path, normalized: npt.NDArray[np.float32], progress: Progress) -> npt.NDArray[np.float32]:
    from edgecnn.keras_io import load_model
    from edgecnn.tensorflow_setup import make_deterministic

    make_deterministic(0)
    model: Any = load_model(path)
    found = []
    for start in range(0, len(normalized), _BATCH):
        found.append(np.asarray(model(normalized[start : start + _BATCH], training=False), np.float32))
        progress("Keras outputs", min(start + _BATCH, len(normalized)), len(normalized))
    return np.concatenate(found)


def _metrics(
    vectors: Vectors, output: Output, quantization: QuantizationCard, labels: tuple[str, ...]
) -> dict[Literal["float", "int8"], ScoreCard]:
    metrics: dict[Literal["float", "int8"], ScoreCard] = {}
    if vectors.keras_outputs is not None:
        metrics["float"] = score(vectors.labels, numerics.decide(vectors.keras_outputs, output), labels)
    metrics["int8"] = _int8_score(vectors, output, quantization, labels)
    return metrics


def int8_metrics(vectors: Vectors, card: Card) -> ScoreCard:
    """How the int8 model's reference outputs do on labelled vectors."""
    return _int8_score(vectors, card.output, card.quantization, card.labels)


def _int8_score(vectors: Vectors, output: Output, quantization: QuantizationCard, labels: tuple[str, ...]) -> ScoreCard:
    probabilities = numerics.probabilities(vectors.outputs, quantization.output)
    return score(vectors.labels, numerics.decide(probabilities, output), labels)
