"""Saved models: the same bytes for the same weights."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.keras_io import load_model, save_model_deterministic
from edgecnn.project import ModelSettings
from edgecnn.tensorflow_setup import import_keras
from edgecnn.zoo import PRESETS, build_model

SCRIPT = """
import sys
from pathlib import Path
from edgecnn.keras_io import save_model_deterministic
from edgecnn.project import ModelSettings
from edgecnn.zoo import build_model

model = build_model(ModelSettings(name="resnet"), (48, 3), 4, base=Path(), seed=1)
save_model_deterministic(model, Path("other.keras"))
"""


def model_of(name="resnet", seed=1):
    return build_model(ModelSettings(name=name), (48, 3), 4, base=Path(), seed=seed)


def saved(model, path):
    save_model_deterministic(model, path)
    return path.read_bytes()


def test_same_weights_same_bytes_here_and_in_another_process(tmp_path):
    first = saved(model_of(), tmp_path / "model.keras")
    model_of("small")  # models built in between must not show
    assert saved(model_of(), tmp_path / "model.keras") == first
    assert saved(model_of(seed=2), tmp_path / "model.keras") != first
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, cwd=tmp_path)
    assert (tmp_path / "other.keras").read_bytes() == first


def test_nothing_in_the_file_tells_when_or_where(tmp_path):
    data = saved(model_of(), tmp_path / "model.keras")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"date_saved" not in archive.read("metadata.json")
    assert str(tmp_path).encode() not in data
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("name", PRESETS)
def test_loaded_model_answers_as_before(tmp_path, name):
    model = model_of(name)
    save_model_deterministic(model, tmp_path / "model.keras")
    window = np.random.default_rng(0).normal(size=(5, 48, 3)).astype(np.float32)
    expected = model.predict_on_batch(window)
    assert np.array_equal(load_model(tmp_path / "model.keras").predict_on_batch(window), expected)
    plain = import_keras().models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(plain.predict_on_batch(window), expected)


def test_loading_and_saving_again_gives_the_same_bytes(tmp_path):
    first = saved(model_of(), tmp_path / "model.keras")
    assert saved(load_model(tmp_path / "model.keras"), tmp_path / "again.keras") == first


def test_shared_layers_stay_shared(tmp_path):
    keras = import_keras()
    window = keras.Input((8, 2), name="window")
    shared = keras.layers.Dense(3, name="shared", kernel_regularizer=keras.regularizers.L2(0.1))
    both = keras.layers.Concatenate(name="both")([shared(window), shared(keras.layers.ReLU(name="relu")(window))])
    head = keras.layers.Dense(3, activation="softmax", name="output")(keras.layers.Flatten(name="flat")(both))
    model = keras.Model(window, head, name="shared_model")
    save_model_deterministic(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.count_params() == model.count_params()
    values = np.ones((1, 8, 2), np.float32)
    assert np.array_equal(loaded(values), model(values))
