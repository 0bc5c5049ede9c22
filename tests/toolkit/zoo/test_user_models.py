"""Models that users bring: files and functions, good and bad."""

import contextlib
import json
import textwrap
import zipfile

import numpy as np
import pytest

from edgecnn.keras_io import save_model_deterministic
from edgecnn.project import ModelSettings
from edgecnn.tensorflow_setup import import_keras
from edgecnn.zoo import build_model
from edgecnn_firmware.errors import ModelError, SettingsError

GOOD = """
    import keras

    def build_model(input_shape, num_classes):
        return keras.Sequential([
            keras.Input(input_shape),
            keras.layers.Conv1D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(num_classes, activation="softmax"),
        ])
"""


def from_source(folder, source, classes=3, name="net.py:build_model", **options):
    (folder / "net.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return build_model(ModelSettings(name=name, options=options), (32, 2), classes, base=folder)


def returning(expression):
    return f"""
        import keras
        from keras import layers

        def build_model(input_shape, num_classes):
            x = keras.Input(input_shape)
            flat = layers.Flatten()(x)
            return {expression}
    """


def test_function_builds_the_model_with_the_same_names_each_time(tmp_path):
    names = [[layer.name for layer in from_source(tmp_path, GOOD).layers] for _ in range(2)]
    assert names[0] == names[1]


def test_function_gives_the_same_weights_for_the_same_seed(tmp_path):
    kernels = [from_source(tmp_path, GOOD).layers[0].kernel.numpy() for _ in range(2)]
    assert (kernels[0] == kernels[1]).all()


def test_sigmoid_and_softmax_are_both_fine_for_two_classes(tmp_path):
    sigmoid = "keras.Model(x, layers.Dense(1, activation='sigmoid')(flat))"
    assert from_source(tmp_path, returning(sigmoid), classes=2).output_shape == (None, 1)
    softmax = "keras.Model(x, layers.Softmax()(layers.Dense(2)(flat)))"
    assert from_source(tmp_path, returning(softmax), classes=2).output_shape == (None, 2)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "keras.Model(x, layers.Dense(3)(flat))",
            r"end it with Dense\(3, activation='softmax'\) \(it ends with linear\)",
        ),
        ("keras.Model(x, layers.Dense(3, activation='relu')(flat))", "it ends with relu"),
        (
            "keras.Model(x, layers.Dense(3, activation='sigmoid')(flat))",
            r"activation='softmax'\) \(it ends with sigmoid\)",
        ),
        (
            "keras.Model(x, layers.Dense(4, activation='softmax')(flat))",
            r"output has shape \(4,\), 3 classes need \(3,\)",
        ),
        ("keras.Model(x, layers.Softmax()(x))", r"output has shape \(32, 2\), 3 classes need \(3,\)"),
        ("keras.Model(x, [flat, flat])", "must have one input and one output"),
        ("keras.Model(x, layers.Dense(3, activation='softmax')(layers.Lambda(lambda v: v)(flat)))", "is a Lambda"),
        ("42", "expected a Keras model, got int"),
        ("None", "expected a Keras model, got NoneType"),
        ("1 / 0", "net.py, line 8: ZeroDivisionError: division by zero"),
        ("undefined", "net.py, line 8: NameError: name 'undefined'"),
        ("layers.Dense('a')(x)", "net.py, line 8: "),
    ],
)
def test_unusable_results_say_what_to_change(tmp_path, expression, message):
    with pytest.raises(ModelError, match=message) as caught:
        from_source(tmp_path, returning(expression))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def build_model(:", "net.py, line 1: SyntaxError"),
        ("x = 1\nimport no_such_module_at_all", "net.py, line 2: ModuleNotFoundError"),
        ("x = 1", r"has no function 'build_model\(input_shape, num_classes\)'"),
        ("def build_model(): pass", "TypeError"),
    ],
)
def test_unusable_files_name_the_line(tmp_path, source, message):
    with pytest.raises(ModelError, match=message):
        from_source(tmp_path, source)


def test_own_layers_are_refused(tmp_path):
    source = """
        import keras

        class Mine(keras.layers.Layer):
            def call(self, x):
                return x

        def build_model(input_shape, num_classes):
            head = keras.layers.Dense(num_classes, activation="softmax")
            return keras.Sequential([keras.Input(input_shape), Mine(name="mine"), keras.layers.Flatten(), head])
    """
    with pytest.raises(ModelError, match=r"layer 'mine' \(Mine\) is not part of Keras"):
        from_source(tmp_path, source)


def test_own_model_classes_are_refused(tmp_path):
    source = """
        import keras

        class Mine(keras.Model):
            def call(self, x):
                return x

        def build_model(input_shape, num_classes):
            return Mine()
    """
    with pytest.raises(ModelError, match="Mine is a class of your own"):
        from_source(tmp_path, source)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("GRU(4, name='loop')", r"layer 'loop' \(GRU\) cannot be converted to int8 as a loop; set unroll=True"),
        ("Bidirectional(keras.layers.LSTM(4))", r"\(LSTM\) cannot be converted to int8 as a loop; set unroll=True"),
        ("TimeDistributed(keras.layers.Lambda(lambda x: x))", "is a Lambda, which is code"),
        ("SimpleRNN(4, unroll=True)", None),
    ],
)
def test_layers_that_cannot_go_on(tmp_path, layer, message):
    source = f"""
        import keras

        def build_model(input_shape, num_classes):
            inner = [keras.layers.{layer}, keras.layers.Flatten()]
            head = keras.layers.Dense(num_classes, activation="softmax")
            return keras.Sequential([keras.Input(input_shape), *inner, head])
    """
    if message is None:
        assert from_source(tmp_path, source).output_shape[-1] > 1
        return
    with pytest.raises(ModelError, match=message):
        from_source(tmp_path, source)


def test_options_are_for_presets_only(tmp_path):
    with pytest.raises(SettingsError, match="options are for presets"):
        from_source(tmp_path, GOOD, filters=3)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"other\.py: no such file"):
        from_source(tmp_path, GOOD, name="other.py:build_model")


def saved(folder, window_samples=32, name="mine.keras"):
    keras = import_keras()
    layers = keras.layers
    body = [layers.Conv1D(4, 3), layers.Flatten(), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((window_samples, 2)), *body])
    save_model_deterministic(model, folder / name)
    return model


def load(folder, classes=3, window_samples=32):
    return build_model(ModelSettings(name="mine.keras"), (window_samples, 2), classes, base=folder)


def test_keras_file_keeps_its_weights(tmp_path):
    model, window = saved(tmp_path), np.ones((1, 32, 2), np.float32)
    assert np.array_equal(load(tmp_path)(window), model(window))


def test_keras_file_that_does_not_fit_names_both_shapes(tmp_path):
    saved(tmp_path)
    with pytest.raises(ModelError, match=r"takes windows of shape \(32, 2\), the data have \(40, 2\)"):
        load(tmp_path, window_samples=40)
    with pytest.raises(ModelError, match=r"output has shape \(3,\), 5 classes need \(5,\)"):
        load(tmp_path, classes=5)


def rewritten(folder, change=None, leave_out=()):
    """Change the saved file's config, or leave members out."""
    saved(folder, name="original.keras")
    with zipfile.ZipFile(folder / "original.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name not in leave_out}
    if change:
        config = json.loads(members["config.json"])
        change(config["config"]["layers"])
        members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(folder / "mine.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_huge_layer_in_a_small_file_is_refused_before_it_takes_memory(tmp_path):
    rewritten(tmp_path, lambda layers: layers[3]["config"].update(units=1 << 24))
    with pytest.raises(ModelError, match=r"its layers ask for 2\d{9} weights, the file holds 391"):
        load(tmp_path)


def test_lambda_in_a_file_is_refused(tmp_path):
    rewritten(tmp_path, lambda layers: layers[2].update({"class_name": "Lambda", "module": "keras.layers"}))
    with pytest.raises(ModelError, match=r"mine\.keras: holds a Lambda layer"):
        load(tmp_path)


def test_foreign_class_in_a_file_is_refused(tmp_path):
    rewritten(tmp_path, lambda layers: layers[2].update({"class_name": "system", "module": "os"}))
    with pytest.raises(ModelError, match=r"holds os\.system, which is not part of Keras"):
        load(tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "metadata.json", "model.weights.h5"])
def test_incomplete_file_is_refused(tmp_path, missing):
    rewritten(tmp_path, leave_out=(missing,))
    with pytest.raises(ModelError, match=f"not a .keras file of Keras 3 \\(no {missing} in it\\)"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "mine.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"mine\.keras: no zip archive; save the model with"):
        load(tmp_path)


def test_missing_keras_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"mine\.keras: cannot be read \(No such file"):
        load(tmp_path)


def test_every_truncation_is_refused(tmp_path):
    saved(tmp_path)
    whole = (tmp_path / "mine.keras").read_bytes()
    for size in range(0, len(whole), len(whole) // 12):
        (tmp_path / "mine.keras").write_bytes(whole[:size])
        with pytest.raises(ModelError):
            load(tmp_path)


def test_damaged_bytes_never_escape_as_another_error(tmp_path):
    saved(tmp_path)
    whole = (tmp_path / "mine.keras").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            damaged[place] = int(rng.integers(256))
        (tmp_path / "mine.keras").write_bytes(damaged)
        with contextlib.suppress(ModelError):
            load(tmp_path)
