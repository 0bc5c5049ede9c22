"""Outputs that were recorded in the bundle at export: they stand in for engines that cannot run on this machine."""

from edgecnn_bench.engines.protocol import EngineRun, RunOutputs, decided
from edgecnn_bench.results import EngineResult
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import VECTORS, Bundle, Vectors

KERAS = "keras-recorded"
REFERENCE = "reference-recorded"


def recorded_keras(bundle: Bundle, vectors: Vectors) -> EngineRun | None:
    """What Keras gave at export; None where the bundle has no such outputs."""
    if vectors.keras_outputs is None:
        return None
    outputs = RunOutputs(vectors.keras_outputs, vectors.keras_outputs)
    return decided(KERAS, outputs, len(vectors.windows), bundle.card)


def recorded_reference(bundle: Bundle, vectors: Vectors) -> EngineRun:
    """What LiteRT's reference kernels gave at export."""
    quantization = bundle.card.quantization.output
    outputs = RunOutputs(vectors.outputs, numerics.probabilities(vectors.outputs, quantization), quantization)
    return decided(REFERENCE, outputs, len(vectors.windows), bundle.card)


def recorded_row(run: EngineRun, bundle: Bundle) -> EngineResult:
    """The report's row, without score and latency."""
    size = (bundle.path / VECTORS).stat().st_size
    if run.key == KERAS:
        title = "Keras, float32, outputs recorded at export"
        return EngineResult(key=KERAS, title=title, precision="float32", file=VECTORS, file_bytes=size, status="run")
    title = "LiteRT, int8, reference kernels, outputs recorded at export"
    return EngineResult(key=REFERENCE, title=title, precision="int8", file=VECTORS, file_bytes=size, status="run")
