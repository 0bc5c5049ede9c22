"""What a model costs, counted from its Keras layers."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgecnn.tensorflow_setup import import_keras

if TYPE_CHECKING:
    import keras


def macs(model: "keras.Model") -> int:
    """Multiply-accumulates of one inference: those of convolutions and dense layers.

    A kernel is applied once for every position of the output in time (for a transposed convolution: of the input).
    Pooling, additions and activations are not counted; batch normalization is folded away before it runs.
    """
    total = 0
    for layer in _layers(model):
        sizes = _kernel_sizes(layer)
        if sizes:
            shape = layer.input.shape if "Transpose" in type(layer).__name__ else layer.output.shape
            total += math.prod(shape[1:-1]) * sum(sizes)
    return total


def parameters(model: "keras.Model") -> int:
    """Parameters as Keras counts them, batch normalization's four per channel among them."""
    return int(model.count_params())


def weight_bytes_int8(model: "keras.Model") -> int:
    """Bytes of weights after int8 quantization: 1 a kernel value, 4 (int32) an output channel for its bias.

    Batch normalization is folded into the convolution before it and adds nothing.
    """
    total = 0
    for layer in _layers(model):
        sizes = _kernel_sizes(layer)
        outputs = _bias_sizes(layer)
        total += sum(sizes) + 4 * sum(outputs)
    return total


def _layers(model: "keras.Model") -> Iterator[Any]:
    """All layers, those of models used as layers included."""
    keras = import_keras()
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _kernels(layer: Any) -> list[Any]:
    keras = import_keras()
    kinds = keras.layers
    if isinstance(layer, (kinds.SeparableConv1D, kinds.SeparableConv2D)):
        return [layer.depthwise_kernel, layer.pointwise_kernel]
    with_kernel = (
        *(kinds.Conv1D, kinds.Conv2D, kinds.Conv1DTranspose, kinds.Conv2DTranspose),
        *(kinds.DepthwiseConv1D, kinds.DepthwiseConv2D, kinds.Dense),
    )
    return [layer.kernel] if isinstance(layer, with_kernel) else []


def _kernel_sizes(layer: Any) -> list[int]:
    return [math.prod(kernel.shape) for kernel in _kernels(layer)]


def _bias_sizes(layer: Any) -> list[int]:
    kinds = import_keras().layers
    kernels = _kernels(layer)
    if not kernels:
        return []
    if isinstance(layer, (kinds.DepthwiseConv1D, kinds.DepthwiseConv2D)):
        return [kernels[0].shape[-2] * kernels[0].shape[-1]]
    if len(kernels) == 2:
        return [kernels[0].shape[-2] * kernels[0].shape[-1], kernels[1].shape[-1]]
    if "Transpose" in type(layer).__name__:
        return [kernels[0].shape[-2]]
    return [kernels[0].shape[-1]]
