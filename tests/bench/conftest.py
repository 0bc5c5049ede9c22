"""Small real bundles: one trained here with TensorFlow, one around a shared int8 model with random windows."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from edgecnn_bench.engines import reference_outputs
from edgecnn_bench.engines.interpreter import open_interpreter
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import BundleWriter, Vectors
from edgecnn_firmware.card import (
    ArenaCard,
    Card,
    ChannelCard,
    InputCard,
    NormalizationCard,
    QuantizationCard,
    TensorQuantization,
)

OFFSET, GAIN = 0.25, 1.5


def write_bundle(
    folder: Path,
    files: Mapping[str, bytes],
    windows: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    names: tuple[str, ...],
    *,
    output: Literal["softmax", "sigmoid"] = "softmax",
    keras_outputs: npt.NDArray[np.float32] | None = None,
    arena_bytes: int | None = None,
) -> Path:
    """Write card, files and vectors as an export does; `files` holds at least model.tflite."""
    _, length, channels = windows.shape
    normalization = NormalizationCard(method="constants", offset=(OFFSET,) * channels, gain=(GAIN,) * channels)
    into, out = _quantization(files["model.tflite"])
    inputs = numerics.quantize(numerics.normalize(windows, normalization), into)
    vectors = Vectors(
        windows=windows,
        labels=labels,
        groups=np.array([f"person {index % 3}" for index in range(len(windows))]),
        inputs=inputs,
        outputs=reference_outputs(files["model.tflite"], inputs),
        keras_outputs=keras_outputs,
    )
    arena = None
    if arena_bytes is not None:
        arena = ArenaCard(measured_bytes=arena_bytes, word_bits=64, kernels="reference", runtime="a test")
    card = Card(
        name="waves",
        version="1.2.3",
        labels=names,
        output=output,
        input=InputCard(
            window_samples=length,
            hop_samples=length,
            sample_rate_hz=50.0,
            channels=tuple(ChannelCard(name=f"a{index}", unit="g") for index in range(channels)),
        ),
        normalization=normalization,
        quantization=QuantizationCard(input=into, output=out),
        arena=arena,
    )
    with BundleWriter(folder) as bundle:
        for name, data in files.items():
            bundle.add(name, data)
        bundle.add("firmware/waves_model.h", b"/* a header */")
        bundle.add_vectors(vectors)
        return bundle.commit(card)


def _quantization(model: bytes) -> tuple[TensorQuantization, TensorQuantization]:
    interpreter = open_interpreter(model, "reference")
    found = []
    for (details,) in (interpreter.get_input_details(), interpreter.get_output_details()):
        scale, zero_point = details["quantization"]
        found.append(TensorQuantization(scale=float(str(np.float32(scale))), zero_point=zero_point))
    return found[0], found[1]


def waves(n: int, length: int = 32) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Noisy waves of two channels: slow, fast, none; and their labels."""
    choice = np.random.default_rng(7)
    labels = choice.integers(0, 3, n)
    phase = choice.uniform(0, 2 * np.pi, (n, 1))
    cycles = np.array([1.0, 5.0, 0.0])[labels][:, np.newaxis]
    wave = np.sin(2 * np.pi * cycles * np.arange(length) / length + phase) * (cycles > 0)
    windows = np.stack([wave, -wave], axis=-1) + choice.normal(0, 1.5, (n, length, 2))
    return windows.astype(np.float32), labels.astype(np.int64)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Conv1D trained for a moment on `waves`, in Keras and in every .tflite variant, with 90 labelled windows."""
    pytest.importorskip("tensorflow", reason="TensorFlow makes the bundle")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    windows, labels = waves(400)
    normalized = (windows - np.float32(OFFSET)) * np.float32(GAIN)
    layers = [
        keras.layers.Conv1D(8, 5, activation="relu"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    model = keras.Sequential([keras.Input((32, 2)), *layers])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(normalized, labels, epochs=4, batch_size=32, verbose=0)
    # A fixed batch of one, as an export makes it: without it the converter adds shape arithmetic.
    single = keras.Sequential([keras.Input((32, 2), batch_size=1), *layers])
    folder = tmp_path_factory.mktemp("keras")
    model.save(folder / "model.keras")
    files = {"model.keras": (folder / "model.keras").read_bytes()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own
        for name in ("model", "model_float32", "model_float16", "model_dynamic", "model_int16x8"):
            files[f"{name}.tflite"] = _convert(tf, single, name, normalized)
    recorded = np.asarray(model(normalized[:90], training=False), np.float32)
    return write_bundle(
        tmp_path_factory.mktemp("bundle") / "waves",
        files,
        windows[:90],
        labels[:90],
        ("slow", "fast", "none"),
        keras_outputs=recorded,
        arena_bytes=4000,
    )


def _convert(tf: Any, model: Any, name: str, samples: npt.NDArray[np.float32]) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
    if name == "model_float32":
        converter.representative_dataset = None
        return bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if name == "model":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    elif name == "model_float16":
        converter.representative_dataset = None
        converter.target_spec.supported_types = [tf.float16]
    elif name == "model_dynamic":
        converter.representative_dataset = None
    else:
        ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [ops]
    return bytes(converter.convert())


@pytest.fixture(scope="session")
def har_bundle(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared `har` network with 40 random windows that have no labels."""
    windows = np.random.default_rng(5).normal(0, 1, (40, 128, 9)).astype(np.float32)
    return write_bundle(
        tmp_path_factory.mktemp("har") / "waves",
        {"model.tflite": (shared_models / "har_b1.tflite").read_bytes()},
        windows,
        np.full(40, -1, np.int64),
        tuple(f"class {index}" for index in range(6)),
    )


@pytest.fixture(scope="session")
def ecg_bundle(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared `ecg` network, whose one output is a sigmoid, with 30 random windows, of which 20 have labels."""
    choice = np.random.default_rng(6)
    labels = np.concatenate([choice.integers(0, 2, 20), np.full(10, -1)]).astype(np.int64)
    return write_bundle(
        tmp_path_factory.mktemp("ecg") / "waves",
        {"model.tflite": (shared_models / "ecg_b1.tflite").read_bytes()},
        choice.normal(0, 1, (30, 1000, 1)).astype(np.float32),
        labels,
        ("normal", "pvc"),
        output="sigmoid",
    )
