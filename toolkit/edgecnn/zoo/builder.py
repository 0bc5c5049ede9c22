"""Stages -> Keras layers."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from edgecnn.tensorflow_setup import import_keras
from edgecnn.zoo.stages import (
    STEPS_LEFT,
    Conv,
    Dense,
    Dilated,
    Dropout,
    FittedPool,
    Flatten,
    GlobalPool,
    Inception,
    Pool,
    Residual,
    Separable,
    Stage,
)
from edgecnn_firmware.errors import ModelError

if TYPE_CHECKING:
    import keras

NORM_MOMENTUM: Final = 0.9
"""Small data sets have a few hundred steps in all; Keras' default of 0.99 would still hold the initial statistics."""


def build(name: str, stages: Sequence[Stage], input_shape: tuple[int, int], num_classes: int) -> "keras.Model":
    """Build a network `name` of `stages` and the output layer the number of classes asks for.

    Args:
        name: the model's name.
        stages: from the input on, without the output layer.
        input_shape: `(window_samples, channels)`.
        num_classes: two classes give one sigmoid output, more give one softmax output each.

    Raises:
        ModelError: the window is too short for a `valid` convolution.
    """
    keras = import_keras()
    inputs = keras.Input(input_shape, name="window")
    x = inputs
    for number, stage in enumerate(stages, start=1):
        x = _apply(stage, x, f"s{number}", name, input_shape[0])
    units, activation = (1, "sigmoid") if num_classes == 2 else (num_classes, "softmax")
    outputs = keras.layers.Dense(units, activation=activation, name="output")(x)
    return keras.Model(inputs, outputs, name=name)


def _fitted_size(window_samples: int, number: int, stages: int) -> int:
    """Pool size of one stage of `FittedPool`."""
    halvings = max(0, round(math.log2(window_samples / STEPS_LEFT)))
    return int(2 ** (halvings // stages + (number < halvings % stages)))


def _apply(stage: Stage, x: Any, at: str, model: str, window_samples: int) -> Any:  # noqa: C901
    """Add the layers of one stage to `x` `(batch, length, channels)`; `at` begins the layers' names."""
    layers = import_keras().layers
    match stage:
        case Conv():
            return _conv_stage(stage, x, at, model)
        case Separable(filters, kernel, stride):
            options = {"padding": "same", "use_bias": False}
            x = layers.DepthwiseConv1D(kernel, stride, **options, name=f"{at}_depthwise")(x)
            x = _norm_relu(x, f"{at}_depthwise")
            x = layers.Conv1D(filters, 1, use_bias=False, name=f"{at}_pointwise")(x)
            return _norm_relu(x, f"{at}_pointwise")
        case Residual(filters, kernel, stride):
            y = _norm_relu(_conv(x, filters, kernel, f"{at}_conv1", strides=stride), f"{at}_conv1")
            y = _norm(_conv(y, filters, kernel, f"{at}_conv2"), f"{at}_conv2")
            return _join(x, y, filters, stride, at)
        case Dilated(filters, kernel, dilation):
            return _dilated(x, filters, kernel, dilation, at)
        case Inception():
            return _inception(stage, x, at)
        case Pool(size, kind):
            if size < 2 or x.shape[1] < size:
                return x
            pool = layers.MaxPooling1D if kind == "max" else layers.AveragePooling1D
            return pool(size, name=f"{at}_pool")(x)
        case FittedPool(number, stages):
            return _apply(Pool(_fitted_size(window_samples, number, stages)), x, at, model, window_samples)
        case GlobalPool(kind):
            return _global_pool(x, kind, at)
        case Flatten():
            return layers.Flatten(name=f"{at}_flatten")(x)
        case Dense(units):
            return layers.Dense(units, activation="relu", name=f"{at}_dense")(x)
        case Dropout(rate, whole_channels):
            if rate == 0:
                return x
            dropout = layers.SpatialDropout1D if whole_channels else layers.Dropout
            return dropout(rate, name=f"{at}_dropout")(x)


def _conv_stage(stage: Conv, x: Any, at: str, model: str) -> Any:
    length = x.shape[1]
    if stage.padding == "valid" and length < stage.kernel:
        raise ModelError(
            f"model '{model}': the window is too short: {length} samples reach a kernel of {stage.kernel} "
            f"(stage {at[1:]}); use longer windows, a smaller kernel_size or fewer filters"
        )
    if stage.norm:
        x = _conv(x, stage.filters, stage.kernel, f"{at}_conv", strides=stage.stride, padding=stage.padding)
        return _norm_relu(x, f"{at}_conv")
    conv = import_keras().layers.Conv1D
    options = {"strides": stage.stride, "padding": stage.padding, "activation": "relu"}
    return conv(stage.filters, stage.kernel, **options, name=f"{at}_conv")(x)


def _dilated(x: Any, filters: int, kernel: int, dilation: int, at: str) -> Any:
    # A dilation that reaches past the window would only multiply padding.
    dilation = max(1, min(dilation, (x.shape[1] - 1) // (kernel - 1)))
    y = x
    for name in (f"{at}_conv1", f"{at}_conv2"):
        y = _conv(y, filters, kernel, name, padding="causal", dilation_rate=dilation)
        y = _norm_relu(y, name) if name.endswith("1") else _norm(y, name)
    return _join(x, y, filters, 1, at)


def _inception(stage: Inception, x: Any, at: str) -> Any:
    layers = import_keras().layers
    narrow = x
    if x.shape[2] > stage.bottleneck:
        # No ReLU here: the bottleneck only changes the basis, as in the paper.
        narrow = _norm(_conv(x, stage.bottleneck, 1, f"{at}_bottleneck"), f"{at}_bottleneck")
    pooled = layers.MaxPooling1D(3, strides=1, padding="same", name=f"{at}_pooled")(x)
    # Normalized in each branch and not after the concatenation, where it could not be folded into a convolution.
    branches = [_norm_relu(_conv(pooled, stage.filters, 1, f"{at}_branch0"), f"{at}_branch0")]
    for number, kernel in enumerate(stage.kernels, start=1):
        name = f"{at}_branch{number}"
        branches.append(_norm_relu(_conv(narrow, stage.filters, kernel, name), name))
    return layers.Concatenate(name=f"{at}_concat")(branches)


def _global_pool(x: Any, kind: str, at: str) -> Any:
    layers = import_keras().layers
    pools = {"avg": layers.GlobalAveragePooling1D, "max": layers.GlobalMaxPooling1D}
    parts = [pools[part](name=f"{at}_{part}")(x) for part in kind.split("+")]
    return parts[0] if len(parts) == 1 else layers.Concatenate(name=f"{at}_concat")(parts)


def _join(shortcut: Any, y: Any, filters: int, stride: int, at: str) -> Any:
    layers = import_keras().layers
    if stride != 1 or shortcut.shape[2] != filters:
        shortcut = _norm(_conv(shortcut, filters, 1, f"{at}_shortcut", strides=stride), f"{at}_shortcut")
    return layers.ReLU(name=f"{at}_out")(layers.Add(name=f"{at}_add")([shortcut, y]))


def _conv(x: Any, filters: int, kernel: int, name: str, **options: Any) -> Any:
    conv = import_keras().layers.Conv1D
    return conv(filters, kernel, use_bias=False, name=name, **({"padding": "same"} | options))(x)


def _norm(x: Any, name: str) -> Any:
    return import_keras().layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"{name}_norm")(x)


def _norm_relu(x: Any, name: str) -> Any:
    return import_keras().layers.ReLU(name=f"{name}_relu")(_norm(x, name))
