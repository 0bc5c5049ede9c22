"""What is measured with engines that are loaded, beside their outputs on the test windows."""

from dataclasses import dataclass, field

from edgecnn_bench.calibration import calibration
from edgecnn_bench.engines import recorded
from edgecnn_bench.layers import layer_noise
from edgecnn_bench.results import Calibration, LayerNoise, Robustness
from edgecnn_bench.robustness import pick_engines, robustness
from edgecnn_bench.running import Findings, one_line
from edgecnn_firmware.bundle import Bundle, Vectors
from edgecnn_firmware.errors import EdgeCnnError
from edgecnn_firmware.progress import Progress

_NOISE_ENGINES = ("litert-reference", "litert-float32")
"""Whose native code runs for the noise of layers: both have been tried in a process of their own."""
_CALIBRATED = (("keras", recorded.KERAS), ("litert-reference", recorded.REFERENCE))


@dataclass
class Conditions:
    """Parts of the report; `not_measured` says why one is empty."""

    layer_noise: tuple[LayerNoise, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    not_measured: dict[str, str] = field(default_factory=dict)


def measure_conditions(bundle: Bundle, vectors: Vectors, found: Findings, seed: int, progress: Progress) -> Conditions:
    """Noise of layers, accuracy under disturbances, and calibration."""
    made = Conditions()
    _add_layer_noise(made, bundle, vectors, found, progress)
    _add_robustness(made, bundle, vectors, found, seed, progress)
    runs = [next((found.runs[key] for key in keys if key in found.runs), None) for keys in _CALIBRATED]
    rows = [calibration(run, vectors.labels, bundle.card) for run in runs if run is not None]
    made.calibration = tuple(row for row in rows if row is not None)
    if not made.calibration:
        made.not_measured["calibration"] = (
            "no window has a label" if rows else "no engine ran whose probabilities are looked at"
        )
    return made


def _add_layer_noise(made: Conditions, bundle: Bundle, vectors: Vectors, found: Findings, progress: Progress) -> None:
    missing = [key for key in _NOISE_ENGINES if key not in found.loaded]
    if missing:
        made.not_measured["layer_noise"] = f"{missing[0]} did not run"
        return
    try:
        rows = layer_noise(bundle, vectors.windows, progress=progress)
    except EdgeCnnError as error:
        rows = one_line(error, bundle.path)
    if isinstance(rows, str):
        made.not_measured["layer_noise"] = rows
    else:
        made.layer_noise = rows


def _add_robustness(
    made: Conditions, bundle: Bundle, vectors: Vectors, found: Findings, seed: int, progress: Progress
) -> None:
    here = {key: engine for key, engine in found.loaded.items() if not found.rows[key].place}
    float_run, int8_run = pick_engines(here)
    made.robustness = robustness(bundle, vectors.windows, vectors.labels, float_run, int8_run, seed, progress)
    if not made.robustness:
        reason = "no int8 engine ran" if int8_run is None else "no window has a label"
        made.not_measured["robustness"] = reason
