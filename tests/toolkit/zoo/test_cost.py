"""Costs against sums worked out by hand and against Keras' own count of parameters."""

from pathlib import Path

import pytest

from edgecnn.project import ModelSettings
from edgecnn.tensorflow_setup import import_keras
from edgecnn.zoo import PRESETS, build_model
from edgecnn.zoo.cost import macs, parameters, weight_bytes_int8


def sequential(*layers):
    keras = import_keras()
    return keras.Sequential([keras.Input((20, 3)), *layers])


def test_a_convolution_and_a_dense_layer():
    layers = import_keras().layers
    model = sequential(layers.Conv1D(5, 4, strides=2), layers.Flatten(), layers.Dense(7))
    assert model.output_shape == (None, 7)
    assert macs(model) == 9 * 4 * 3 * 5 + 45 * 7
    assert parameters(model) == 4 * 3 * 5 + 5 + 45 * 7 + 7
    assert weight_bytes_int8(model) == 4 * 3 * 5 + 4 * 5 + 45 * 7 + 4 * 7


def test_depthwise_and_separable():
    layers = import_keras().layers
    model = sequential(layers.DepthwiseConv1D(5, padding="same", depth_multiplier=2))
    assert macs(model) == 20 * 5 * 3 * 2
    assert weight_bytes_int8(model) == 5 * 3 * 2 + 4 * 6
    model = sequential(layers.SeparableConv1D(8, 5, padding="same"))
    assert macs(model) == 20 * (5 * 3 + 3 * 8)
    assert weight_bytes_int8(model) == 5 * 3 + 4 * 3 + 3 * 8 + 4 * 8


def test_groups_and_transposed():
    layers = import_keras().layers
    model = sequential(layers.Conv1D(6, 3, groups=3, padding="same"))
    assert macs(model) == 20 * 3 * 1 * 6
    model = sequential(layers.Conv1DTranspose(6, 3, strides=2, padding="same"))
    assert macs(model) == 20 * 3 * 3 * 6
    assert weight_bytes_int8(model) == 3 * 3 * 6 + 4 * 6


def test_layers_inside_a_nested_model_count():
    keras = import_keras()
    inner = sequential(keras.layers.Conv1D(5, 4))
    window = keras.Input((20, 3))
    assert macs(keras.Model(window, inner(window))) == macs(inner) > 0


@pytest.mark.parametrize("name", PRESETS)
def test_folding_leaves_a_weight_and_a_bias_for_each_preset(name):
    """Int8 bytes are the kernels' values plus four for each channel that a kernel writes."""
    model = build_model(ModelSettings(name=name), (64, 3), 4, base=Path())
    kernels = [weight for weight in model.weights if "kernel" in weight.name]
    values = sum(int(weight.numpy().size) for weight in kernels)
    channels = sum(weight.shape[-2] if "depthwise" in weight.path else weight.shape[-1] for weight in kernels)
    assert weight_bytes_int8(model) == values + 4 * channels
