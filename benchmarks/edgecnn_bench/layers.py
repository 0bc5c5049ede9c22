"""What happens inside the int8 network: how far each op is from float, and where two engines begin to differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.alignment import align_ops
from edgecnn_bench.engines.cut import RunsAnyModel, cut_after
from edgecnn_bench.engines.interpreter import open_interpreter, why_no_interpreter
from edgecnn_bench.engines.protocol import EngineRun, Windows
from edgecnn_bench.results import FirstDifference, LayerNoise
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import MAX_MODEL_BYTES, MODEL, Bundle
from edgecnn_firmware.errors import EdgeCnnError, ModelError
from edgecnn_firmware.progress import Progress, silent
from edgecnn_firmware.tflite.model import Operator, Quantization, Subgraph
from edgecnn_firmware.tflite.reader import read_model

FLOAT_MODEL: Final = "model_float32.tflite"
NOISE_WINDOWS: Final = 64
DIFFERENCE_WINDOWS: Final = 32
MAX_SQNR_DB: Final = 200.0
"""Stands for outputs without any difference: float32 itself has about 150 dB."""


def layer_noise(
    bundle: Bundle, windows: Windows, *, most: int = NOISE_WINDOWS, progress: Progress = silent
) -> tuple[LayerNoise, ...] | str:
    """Signal-to-quantization-noise ratio at the outputs of the int8 network's ops.

    `model_float32.tflite` and `model.tflite` run on the same windows with reference kernels, and every tensor is read.
    The noise is what all quantization up to an op adds to its output, that of the input included; the ratio is over
    all elements and windows. A float value is clipped if it rounds to an int8 outside -128 to 127.

    Args:
        bundle: with both files.
        windows: `(n, window_samples, channels)` in physical units; up to `most`, evenly spread, are used.
        most: see `windows`.
        progress: told of the windows.

    Returns:
        One row for each op of the int8 network that was found in the float one and whose output is not all zero; or
        the reason why there is none.

    Raises:
        BundleError: a file was changed.
        ModelError: a file is malformed, or the interpreter refuses it.
    """
    if not len(windows):
        return "there are no windows"
    if FLOAT_MODEL not in bundle.card.files:
        return f"{FLOAT_MODEL} is not in the bundle"
    if reason := why_no_interpreter():
        return reason
    files = [bundle.read(file, MAX_MODEL_BYTES) for file in (MODEL, FLOAT_MODEL)]
    int8, real = (read_model(data, file).main for data, file in zip(files, (MODEL, FLOAT_MODEL), strict=True))
    pairs = align_ops(int8, real)
    if not pairs:
        return f"no op of {MODEL} was found in {FLOAT_MODEL}"
    chosen = windows[_spread(len(windows), most)]
    normalized = numerics.normalize(chosen, bundle.card.normalization)
    inputs = numerics.quantize(normalized, bundle.card.quantization.input)
    opened = [open_interpreter(data, "reference", keep_tensors=True) for data in files]
    sums = [_Sums(int8.tensors[one.outputs[0]].quantization) for one, _ in pairs]
    for number, both in enumerate(zip(inputs, normalized, strict=True)):
        try:
            _add_window(opened, both, pairs, sums)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{MODEL} and {FLOAT_MODEL} do not run on the same window: {error}") from error
        progress("layer noise", number + 1, len(chosen))
    rows = tuple(
        _row(int8, one, total, len(chosen)) for (one, _), total in zip(pairs, sums, strict=True) if total.signal > 0
    )
    return rows or "every op's output is zero on these windows"


@dataclass
class _Sums:
    """Sums over the elements of one op's output."""

    quantization: Quantization | None
    signal: float = 0.0
    noise: float = 0.0
    clipped: int = 0
    elements: int = 0

    def add(self, quantized: npt.NDArray[np.int8], real: npt.NDArray[np.float32]) -> None:
        if self.quantization is None:
            return
        scale, zero_point = self.quantization.scales[0], self.quantization.zero_points[0]
        wanted = real.astype(np.float64)
        steps = wanted / scale + zero_point
        self.signal += float(np.square(wanted).sum())
        self.noise += float(np.square(wanted - scale * (quantized.astype(np.float64) - zero_point)).sum())
        self.clipped += int(np.count_nonzero((steps < numerics.INT8_MIN - 0.5) | (steps > numerics.INT8_MAX + 0.5)))
        self.elements += wanted.size


def _add_window(
    opened: Sequence[Any],
    both: Sequence[npt.NDArray[Any]],
    pairs: Sequence[tuple[Operator, Operator]],
    sums: Sequence[_Sums],
) -> None:
    """Run one window, int8 and float, and add every pair of outputs."""
    for interpreter, window in zip(opened, both, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window[np.newaxis])
        interpreter.invoke()
    for total, (one, other) in zip(sums, pairs, strict=True):
        total.add(_read(opened[0], one), _read(opened[1], other))


def _read(interpreter: Any, op: Operator) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = interpreter.get_tensor(op.outputs[0]).reshape(-1)
    return found


def _row(graph: Subgraph, op: Operator, total: _Sums, windows: int) -> LayerNoise:
    ratio = 10 * float(np.log10(total.signal / total.noise)) if total.noise > 0 else MAX_SQNR_DB
    return LayerNoise(
        index=op.index,
        op=op.code.label,
        name=graph.tensors[op.outputs[0]].name,
        sqnr_db=min(MAX_SQNR_DB, ratio),
        clipped_share=total.clipped / total.elements,
        windows=windows,
    )


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """Numbers of up to `most` of `count` windows, evenly spread."""
    chosen = min(count, most)
    return (np.arange(chosen, dtype=np.int64) * count) // chosen


def differing_windows(
    reference: EngineRun, candidate: EngineRun, most: int = DIFFERENCE_WINDOWS
) -> npt.NDArray[np.int64]:
    """Numbers of up to `most` windows on which raw outputs differ: those to look at with `first_difference`."""
    apart = (reference.outputs.raw != candidate.outputs.raw).any(axis=1)
    return np.flatnonzero(apart).astype(np.int64)[:most]


def first_difference(
    bundle: Bundle, reference: RunsAnyModel, candidate: RunsAnyModel, windows: Windows, *, progress: Progress = silent
) -> FirstDifference | None:
    """The first op of the int8 model whose output two engines compute differently.

    Both engines run the file cut after one op after another, in order, until outputs differ; an engine that compiles
    does so once for each. An engine may run a cut network in another way than the whole one (see `engines.cut`), so
    that this is the first op that can make a difference; ops whose output is not int8 are passed over.

    Args:
        bundle: with the int8 model.
        reference: an engine for int8 files.
        candidate: another one.
        windows: `(n, window_samples, channels)` in physical units; a few are enough, best those of `differing_windows`.
        progress: told of the ops.

    Returns:
        None where the outputs of all ops are equal on these windows, or there are no windows.

    Raises:
        EdgeCnnError: an engine refuses a cut file.
    """
    if not len(windows):
        return None
    model = bundle.model_bytes
    graph = read_model(model, MODEL).main
    normalized = numerics.normalize(windows, bundle.card.normalization)
    inputs = numerics.quantize(normalized, bundle.card.quantization.input)
    for op in graph.operators:
        progress("first difference", op.index, len(graph.operators))
        if not op.outputs or graph.tensors[op.outputs[0]].type != "INT8":
            continue
        cut = cut_after(model, op.index, MODEL)
        one, other = (engine.run_model(cut, inputs) for engine in (reference, candidate))
        if one.shape != other.shape:
            raise EdgeCnnError(f"op #{op.index} {op.code.label}: outputs of shape {one.shape} and {other.shape}")
        apart = np.abs(one.astype(np.int16) - other.astype(np.int16))
        if apart.any():
            return FirstDifference(
                index=op.index,
                op=op.code.label,
                name=graph.tensors[op.outputs[0]].name,
                windows=len(windows),
                values=apart.size,
                differing=int(np.count_nonzero(apart)),
                max_lsb=int(apart.max()),
                mean_lsb=float(apart.mean()),
            )
    return None
