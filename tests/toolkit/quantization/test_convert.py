"""Conversion: int8 throughout, close to Keras, the same bytes every time."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.project import ModelSettings
from edgecnn.quantization import convert
from edgecnn.tensorflow_setup import import_keras, quiet
from edgecnn.zoo import PRESETS, build_model
from edgecnn_firmware.errors import ModelError

VARIANTS = ("float32", "dynamic", "float16", "int16x8")


def lively(name, window_samples, channels, classes, options=None):
    """A preset whose weights are as uneven as trained ones, so that its answers differ from window to window."""
    model = build_model(
        ModelSettings(name=name, options=options or {}), (window_samples, channels), classes, base=Path(), seed=1
    )
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name == "gamma":
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "bias"):
            weight.assign(rng.normal(0, 0.2, weight.shape))
        elif name == "vgg1d":  # without normalization, the signal keeps its size by the weights alone
            weight.assign(weight * 1.4)
    windows = windows_of(model)
    for _ in range(30):
        model(windows, training=True)  # fits the moving statistics
    # Spread the answers: scale the last layer until the logits have a deviation of 2 over the windows.
    keras = import_keras()
    last = model.layers[-1]
    hidden = keras.Model(model.input, last.input).predict_on_batch(windows)
    centered = hidden - hidden.mean(axis=0)
    scale = 2 / (centered @ last.kernel.numpy()).std()
    last.kernel.assign(last.kernel * scale)
    last.bias.assign(-(hidden.mean(axis=0) @ last.kernel.numpy()))
    return model


def windows_of(model, count=60):
    """Sines of many amplitudes, frequencies and offsets in noise: pooling over time still tells them apart."""
    _, length, channels = model.input_shape
    rng = np.random.default_rng(7)
    time = np.arange(length)[None, :, None] / length
    shape = (count, 1, channels)
    waves = np.sin(2 * np.pi * (rng.uniform(0.5, 12, shape) * time + rng.uniform(0, 1, shape)))
    windows = rng.uniform(0.2, 2, shape) * waves + rng.normal(0, 1, shape)
    return (windows + rng.normal(0, 0.2, windows.shape)).astype(np.float32)


def run(data, windows):
    """Outputs `(n, outputs)` as real numbers, by LiteRT's reference kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet():
        interpreter = Interpreter(
            model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
        )
        interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for window in windows:
        values = window[None]
        if source["dtype"] == np.int8:
            scale, zero = source["quantization"]
            values = np.clip(np.round(values / scale) + zero, -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        output = interpreter.get_tensor(target["index"])[0].astype(np.float64)
        if target["dtype"] == np.int8:
            scale, zero = target["quantization"]
            output = scale * (output - zero)
        outputs.append(output)
    return np.array(outputs)


def details(data):
    import tensorflow as tf

    with quiet():
        interpreter = tf.lite.Interpreter(model_content=data)
        ops = [op["op_name"] for op in interpreter._get_ops_details()]
        return interpreter.get_tensor_details(), ops, interpreter.get_input_details()[0]


CASES = [(name, 72, 3, 4) for name in PRESETS] + [("small", 140, 1, 2), ("tcn", 33, 1, 5), ("inception", 50, 6, 2)]


@pytest.mark.parametrize(("name", "window_samples", "channels", "classes"), CASES)
def test_every_preset_is_int8_throughout_and_close_to_keras(name, window_samples, channels, classes):
    model = lively(name, window_samples, channels, classes)
    windows = windows_of(model)
    data = convert(model, windows)["int8"]

    tensors, ops, source = details(data)
    assert {tensor["dtype"] for tensor in tensors} <= {np.int8, np.int32}
    assert not {"SHAPE", "STRIDED_SLICE", "PACK", "QUANTIZE", "DEQUANTIZE", "MUL", "SUB"} & set(ops)
    assert source["shape"].tolist() == [1, window_samples, channels]
    assert source["name"] == "serving_default_window:0"

    expected = model.predict_on_batch(windows)
    assert expected.std(axis=0).max() > 0.1  # the windows are told apart, so that a wrong file would show
    found = run(data, windows)
    assert np.abs(found - expected).mean() < 0.03
    labels = [values[:, 0] > 0.5 if classes == 2 else values.argmax(axis=1) for values in (found, expected)]
    assert (labels[0] == labels[1]).mean() >= 0.9


def test_convolutions_have_a_scale_per_channel_and_dense_layers_one():
    model = lively("small", 64, 3, 5, {"dense": (12,)})
    tensors, _, _ = details(convert(model, windows_of(model))["int8"])
    scales = {tuple(tensor["shape"]): len(tensor["quantization_parameters"]["scales"]) for tensor in tensors}
    assert scales[24, 1, 7, 3] == 24
    assert scales[64, 1, 3, 48] == 64
    assert scales[12, 128] == 1
    assert scales[5, 12] == 1


def test_variants_are_as_close_as_their_precision():
    model = lively("small", 64, 3, 4)
    windows = windows_of(model)
    files = convert(model, windows, VARIANTS)
    assert list(files) == ["int8", *VARIANTS]
    expected = model.predict_on_batch(windows)
    errors = {name: np.abs(run(files[name], windows) - expected).max() for name in VARIANTS}
    assert errors["float32"] < 1e-5
    assert errors["float16"] < 2e-2
    assert errors["int16x8"] < 0.1
    assert errors["dynamic"] < 0.2
    for name in VARIANTS:
        source = details(files[name])[2]
        assert source["dtype"] == np.float32
        assert source["shape"].tolist() == [1, 64, 3]
    assert len(files["float32"]) > len(files["float16"]) > len(files["int8"])


SCRIPT = """
import hashlib, sys
from pathlib import Path
import numpy as np
from edgecnn.project import ModelSettings
from edgecnn.quantization import convert
from edgecnn.zoo import build_model

model = build_model(ModelSettings(name="tiny"), (64, 3), 4, base=Path(), seed=1)
windows = np.load("windows.npy")
files = convert(model, windows, ("float32", "float16", "int16x8", "dynamic"))
print({name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
"""


def test_same_bytes_twice_in_a_process_and_in_another_one_without_a_word_on_stderr(tmp_path):
    variants = ("float32", "float16", "int16x8", "dynamic")
    expected = {}
    for _ in range(2):
        model = build_model(ModelSettings(name="tiny"), (64, 3), 4, base=Path(), seed=1)
        files = convert(model, windows_of(model), variants)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        assert hashes == (expected or hashes)
        expected = hashes
    np.save(tmp_path / "windows.npy", windows_of(model))
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == str(expected)
    assert done.stderr == ""


def test_converting_leaves_the_model_as_it_was():
    model = lively("tiny", 40, 2, 3)
    windows = windows_of(model)
    before = model.predict_on_batch(windows)
    convert(model, windows)
    assert np.array_equal(model.predict_on_batch(windows), before)


def head(keras, x):
    return keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))


def test_an_op_without_an_int8_form_is_refused():
    keras = import_keras()
    window = keras.Input((16, 2))
    model = keras.Model(window, head(keras, keras.ops.cos(window)), name="wavy")
    with pytest.raises(ModelError, match=r"int8|floating point") as caught:
        convert(model, windows_of(model))
    assert "\n" not in str(caught.value)


def test_float_ops_that_the_converter_lets_pass_are_listed_with_their_numbers():
    from edgecnn.quantization.int8_only import require_int8_only

    model = lively("tiny", 40, 2, 3)
    data = convert(model, windows_of(model), ("float32",))["float32"]
    with pytest.raises(
        ModelError, match=r"the file still computes in floating point: op #0 RESHAPE, op #1 CONV_2D,.* more"
    ):
        require_int8_only(data, "the file")


def test_representative_windows_must_fit():
    model = lively("tiny", 40, 2, 3)
    with pytest.raises(ModelError, match=r"takes windows of shape \(40, 2\), but the representative .* \(5, 39, 2\)"):
        convert(model, np.zeros((5, 39, 2), np.float32))
    with pytest.raises(ModelError, match=r"shape \(0, 40, 2\)"):
        convert(model, np.zeros((0, 40, 2), np.float32))
    with pytest.raises(ModelError, match="hold NaN or infinity"):
        convert(model, np.full((5, 40, 2), np.nan, np.float32))


def test_progress_is_told_of_every_file():
    model = lively("tiny", 40, 2, 3)
    calls = []
    convert(model, windows_of(model), ("float32",), progress=lambda *call: calls.append(call[:3]))
    assert calls == [("quantize", 0, 2), ("quantize", 1, 2), ("quantize", 2, 2)]
