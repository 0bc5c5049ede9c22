"""Keras model -> `.tflite` bytes: int8 in and out, and variants for comparison."""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn.project import Variant
from edgecnn.quantization.int8_only import require_int8_only
from edgecnn.tensorflow_setup import import_keras, import_tensorflow, quiet
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.progress import Progress, silent

if TYPE_CHECKING:
    import keras

Windows = npt.NDArray[np.float32]

_MAX_REASON: Final = 300


def convert(
    model: "keras.Model", representative: Windows, variants: Sequence[Variant] = (), *, progress: Progress = silent
) -> dict[str, bytes]:
    """Convert a trained model, with batch 1, by TensorFlow's own converter.

    Args:
        model: one input `(None, window_samples, channels)`, one output of probabilities.
        representative: `(n, window_samples, channels)`, normalized training windows that set the int8 ranges.
        variants: further files; all of them take and give float32.
        progress: told after every file.

    Returns:
        `int8` (int8 input and output; weights with one scale a channel in convolutions, one scale a layer in dense
        layers) and each variant -> the bytes of its file. The same weights and windows give the same bytes.

    Raises:
        ModelError: the representative windows do not fit the model, an op has no int8 form, or the converter fails.
    """
    _require_fitting(model, representative)
    single = _with_batch_1(model)
    names = ["int8", *dict.fromkeys(variants)]
    files: dict[str, bytes] = {}
    for number, name in enumerate(names):
        progress("quantize", number, len(names), name)
        files[name] = _convert(single, name, representative)
    progress("quantize", len(names), len(names))
    require_int8_only(files["int8"], f"the int8 form of model '{model.name}'")
    return files


def _require_fitting(model: "keras.Model", representative: Windows) -> None:
    expected = tuple(model.input_shape[1:])
    if representative.shape[1:] != expected or len(representative) == 0:
        raise ModelError(
            f"model '{model.name}' takes windows of shape {expected}, "
            f"but the representative windows have shape {representative.shape}"
        )
    if not np.isfinite(representative).all():
        raise ModelError(f"model '{model.name}': the representative windows hold NaN or infinity")


def _with_batch_1(model: "keras.Model") -> "keras.Model":
    """Wrap the model so that its batch is known: no SHAPE, PACK or STRIDED_SLICE is left around a Flatten."""
    keras = import_keras()
    window = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="window")
    return keras.Model(window, model(window, training=False), name="single")


def _convert(single: "keras.Model", name: str, representative: Windows) -> bytes:
    tf = import_tensorflow()
    try:
        with quiet() as muted, contextlib.redirect_stdout(io.StringIO()):
            converter = tf.lite.TFLiteConverter.from_keras_model(single)
            # One scale a dense layer: TFLite Micro before late 2024 and tflite-runtime 2.14 take the first of several
            # scales for all outputs, without an error. Convolutions keep one scale a channel, which all of them know.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001
            _CONFIGURE[name](tf, converter, representative)
            return bytes(converter.convert())
    except Exception as error:
        # The converter raises whatever its layers raise.
        reason = _reason(str(error), muted.text)
        raise ModelError(f"the TFLite converter cannot make the {name} file: {reason}") from error


def _reason(message: str, log: str) -> str:
    """The first line that says something, of the converter's error or else of its log."""
    lines = (line.strip() for line in f"{message}\n{log}".splitlines())
    text = next((line for line in lines if len(line) > 10), "it gave no reason")
    return text if len(text) <= _MAX_REASON else text[:_MAX_REASON] + "..."


def _one_by_one(representative: Windows) -> Callable[[], Iterator[list[Windows]]]:
    def generate() -> Iterator[list[Windows]]:
        for window in representative:
            yield [np.ascontiguousarray(window[None], dtype=np.float32)]

    return generate


def _full_integer(tf: Any, converter: Any, representative: Windows, ops: Iterable[Any]) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _one_by_one(representative)
    converter.target_spec.supported_ops = list(ops)


def _int8(tf: Any, converter: Any, representative: Windows) -> None:
    _full_integer(tf, converter, representative, [tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8


def _int16x8(tf: Any, converter: Any, representative: Windows) -> None:
    ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    _full_integer(tf, converter, representative, ops)


def _float32(_tf: Any, _converter: Any, _representative: Windows) -> None:
    """The converter's default."""


def _dynamic(tf: Any, converter: Any, _representative: Windows) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _float16(tf: Any, converter: Any, _representative: Windows) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


_CONFIGURE: Final[dict[str, Callable[[Any, Any, Windows], None]]] = {
    "int8": _int8,
    "float32": _float32,
    "dynamic": _dynamic,
    "float16": _float16,
    "int16x8": _int16x8,
}
