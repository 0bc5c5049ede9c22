"""Random 1-D networks, each known by its seed: all ops and options that are compiled, ordinary and extreme quantization."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .networks import NetworkWriter

Draw = np.random.Generator


@dataclass
class Flow:
    """The tensor that the next layer reads."""

    tensor: int
    length: int
    channels: int
    scale: float
    zero_point: int


class Architect:
    """Draws one network."""

    def __init__(self, seed: int) -> None:
        self.draw: Draw = np.random.default_rng(seed)
        self.net = NetworkWriter()
        self.extreme = bool(self.draw.random() < 0.2)
        self.axis_h = bool(self.draw.random() < 0.3)

    def shape(self, length: int, channels: int) -> tuple[int, ...]:
        """Time runs along H or along W."""
        return (1, length, 1, channels) if self.axis_h else (1, 1, length, channels)

    def zero_point(self) -> int:
        """Often an end of the range, as after ReLU."""
        ends = self.draw.choice([-128, 127, 0, int(self.draw.integers(-128, 128))], p=[0.4, 0.05, 0.1, 0.45])
        return int(ends)

    def scale(self, around: float = 0.05) -> float:
        """A float32 scale; extreme ones lie decades apart."""
        decades = self.draw.uniform(-2.5, 2.5) if self.extreme else self.draw.uniform(-0.4, 0.4)
        return float(np.float32(around * 10**decades))

    def make(self, length: int, channels: int, *, like: Flow | None = None, scale: float | None = None) -> Flow:
        """A new tensor for a layer's output."""
        found = like.scale if like else scale or self.scale()
        zero_point = like.zero_point if like else self.zero_point()
        tensor = self.net.tensor(self.shape(length, channels), found, zero_point)
        return Flow(tensor, length, channels, found, zero_point)

    def weights(self, shape: tuple[int, ...], channels: int, axis: int, flow: Flow) -> tuple[int, int, float]:
        """Weights, bias and a sensible output scale for a layer on `flow`."""
        per_channel = bool(self.draw.random() < 0.7)
        magnitude = self.scale(0.01)
        scales = magnitude * self.draw.uniform(0.3, 1, channels if per_channel else 1).astype(np.float32)
        kind = self.draw.random()
        if kind < 0.1:
            values = self.draw.choice(np.array([-127, 0, 127], np.int8), shape)
        else:
            values = self.draw.integers(-127, 128, shape).astype(np.int8)
        if kind > 0.97:
            values.reshape(-1)[0] = -128
        products = values.size / channels
        spread = 60 * 60 * math.sqrt(products)
        bias = self.draw.normal(0, spread, channels).astype(np.int32)
        weights = self.net.const(values, scales, axis=axis)
        bias_tensor = self.net.const(bias, np.float32(flow.scale) * scales)
        real = float(flow.scale * scales.max() * spread)
        out = float(np.float32(real * self.draw.uniform(0.5, 3) / 60))
        if self.extreme and self.draw.random() < 0.3:
            out *= 10 ** self.draw.uniform(-1, 2)
        return weights, bias_tensor, float(np.float32(out))

    def conv(self, flow: Flow) -> Flow:
        """CONV_2D."""
        kernel = int(self.draw.integers(1, min(6, flow.length) + 1))
        stride = int(self.draw.choice([1, 1, 1, 2, 3]))
        dilation = int(self.draw.choice([1, 1, 2, 3])) if stride == 1 else 1
        span = (kernel - 1) * dilation + 1
        same = bool(self.draw.random() < 0.5) or span > flow.length
        rows = -(-flow.length // stride) if same else (flow.length - span) // stride + 1
        out = int(self.draw.choice([1, 2, 3, 4, 5, 7, 8, 12, 16]))
        shape = (out, kernel, 1, flow.channels) if self.axis_h else (out, 1, kernel, flow.channels)
        weights, bias, scale = self.weights(shape, out, 0, flow)
        made = self.make(rows, out, scale=scale)
        self.net.op("CONV_2D", [flow.tensor, weights, bias], [made.tensor], **self._window(stride, dilation, same=same))
        return made

    def depthwise(self, flow: Flow) -> Flow:
        """DEPTHWISE_CONV_2D."""
        kernel = int(self.draw.integers(1, min(5, flow.length) + 1))
        stride = int(self.draw.choice([1, 1, 2]))
        dilation = int(self.draw.choice([1, 1, 2])) if stride == 1 else 1
        span = (kernel - 1) * dilation + 1
        same = bool(self.draw.random() < 0.5) or span > flow.length
        rows = -(-flow.length // stride) if same else (flow.length - span) // stride + 1
        multiplier = int(self.draw.choice([1, 1, 1, 2])) if flow.channels < 9 else 1
        out = flow.channels * multiplier
        shape = (1, kernel, 1, out) if self.axis_h else (1, 1, kernel, out)
        weights, bias, scale = self.weights(shape, out, 3, flow)
        made = self.make(rows, out, scale=scale)
        options = self._window(stride, dilation, same=same)
        self.net.op(
            "DEPTHWISE_CONV_2D", [flow.tensor, weights, bias], [made.tensor], depthMultiplier=multiplier, **options
        )
        return made

    def _window(self, stride: int, dilation: int, *, same: bool) -> dict[str, int]:
        along, across = ("H", "W") if self.axis_h else ("W", "H")
        return {
            "padding": 0 if same else 1,
            f"stride{along}": stride,
            f"stride{across}": 1,
            f"dilation{along}Factor": dilation,
            f"dilation{across}Factor": 1,
            "fusedActivationFunction": int(self.draw.choice([0, 1, 1, 3, 2])),
        }

    def pad(self, flow: Flow) -> Flow:
        """PAD, as before a causal convolution."""
        before, after = int(self.draw.integers(0, 4)), int(self.draw.integers(0, 3))
        made = self.make(flow.length + before + after, flow.channels, like=flow)
        rows = [[0, 0], [0, 0], [0, 0], [0, 0]]
        rows[1 if self.axis_h else 2] = [before, after]
        self.net.op("PAD", [flow.tensor, self.net.const(np.array(rows, np.int32))], [made.tensor])
        return made

    def pool(self, flow: Flow) -> Flow:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        kernel = int(self.draw.integers(1, min(4, flow.length) + 1))
        stride = kernel if self.draw.random() < 0.7 else int(self.draw.integers(1, 3))
        same = bool(self.draw.random() < 0.3)
        rows = -(-flow.length // stride) if same else (flow.length - kernel) // stride + 1
        made = self.make(rows, flow.channels, like=flow)
        along, across = ("H", "W") if self.axis_h else ("W", "H")
        sizes = (
            {"filterHeight": kernel, "filterWidth": 1} if self.axis_h else {"filterWidth": kernel, "filterHeight": 1}
        )
        self.net.op(
            str(self.draw.choice(["MAX_POOL_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"])),
            [flow.tensor],
            [made.tensor],
            padding=0 if same else 1,
            fusedActivationFunction=int(self.draw.choice([0, 0, 1])),
            **{f"stride{along}": stride, f"stride{across}": 1},
            **sizes,
        )
        return made

    def residual(self, flow: Flow) -> Flow:
        """A convolution that keeps the length, added to what it reads (or multiplied, subtracted, compared)."""
        shape = (flow.channels, 1, 1, flow.channels)
        weights, bias, scale = self.weights(shape, flow.channels, 0, flow)
        side = self.make(flow.length, flow.channels, scale=scale)
        self.net.op(
            "CONV_2D",
            [flow.tensor, weights, bias],
            [side.tensor],
            padding=1,
            strideW=1,
            strideH=1,
            dilationWFactor=1,
            dilationHFactor=1,
            fusedActivationFunction=int(self.draw.choice([0, 1])),
        )
        return self._binary(flow, side)

    def constant_operand(self, flow: Flow) -> Flow:
        """An elementwise op with a constant: a scalar or one number a channel."""
        shape = (1,) if self.draw.random() < 0.4 else (flow.channels,)
        values = self.draw.integers(-128, 128, shape).astype(np.int8)
        scale, zero_point = self.scale(0.02), self.zero_point()
        other = Flow(self.net.const(values, scale, zero_point), 1, shape[0], scale, zero_point)
        return self._binary(flow, other)

    def _binary(self, flow: Flow, other: Flow) -> Flow:
        name = str(self.draw.choice(["ADD", "ADD", "ADD", "SUB", "MUL"]))
        if name == "MUL":
            scale = flow.scale * other.scale * 127 * self.draw.uniform(0.3, 1.5)
        else:
            scale = max(flow.scale, other.scale) * self.draw.uniform(0.7, 2)
        made = self.make(flow.length, flow.channels, scale=float(np.float32(scale)))
        pair = [flow.tensor, other.tensor]
        if self.draw.random() < 0.4:
            pair.reverse()
        options = {} if name == "MUL" else {"potScaleInt16": False}
        self.net.op(name, pair, [made.tensor], fusedActivationFunction=int(self.draw.choice([0, 1, 3])), **options)
        return made

    def unary(self, flow: Flow) -> Flow:
        """An activation of its own."""
        name = str(self.draw.choice(["RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "TANH", "LOGISTIC", "QUANTIZE"]))
        made = self.make(flow.length, flow.channels, scale=flow.scale * float(self.draw.uniform(0.5, 2)))
        if name in ("TANH", "LOGISTIC"):
            tensor = self.net.graph.tensors[made.tensor]
            made.scale, made.zero_point = (1 / 128, 0) if name == "TANH" else (1 / 256, -128)
            tensor.quantization.scale = np.array([made.scale], np.float32)
            tensor.quantization.zeroPoint = np.array([made.zero_point], np.int64)
        options = {"alpha": float(self.draw.uniform(0.01, 0.9))} if name == "LEAKY_RELU" else {}
        self.net.op(name, [flow.tensor], [made.tensor], **options)
        return made

    def branches(self, flow: Flow) -> Flow:
        """SPLIT along the channels and CONCATENATION the other way round, or two slices of time."""
        if flow.channels % 2 == 0 and self.draw.random() < 0.5:
            half = [self.make(flow.length, flow.channels // 2, like=flow) for _ in range(2)]
            axis = self.net.const(np.array(3, np.int32))
            self.net.op("SPLIT", [axis, flow.tensor], [half[0].tensor, half[1].tensor], numSplits=2)
            made = self.make(flow.length, flow.channels, like=flow)
            self.net.op(
                "CONCATENATION", [half[1].tensor, half[0].tensor], [made.tensor], axis=3, fusedActivationFunction=0
            )
            return made
        begin = int(self.draw.integers(0, flow.length))
        end = int(self.draw.integers(begin + 1, flow.length + 1))
        step = int(self.draw.choice([1, 1, 2]))
        made = self.make(-(-(end - begin) // step), flow.channels, like=flow)
        time = 1 if self.axis_h else 2
        bounds = np.zeros((3, 4), np.int32)
        bounds[1], bounds[2] = (
            (1, flow.length, 1, flow.channels) if self.axis_h else (1, 1, flow.length, flow.channels),
            1,
        )
        bounds[0, time], bounds[1, time], bounds[2, time] = begin, end, step
        constants = [self.net.const(row) for row in bounds]
        self.net.op("STRIDED_SLICE", [flow.tensor, *constants], [made.tensor])
        return made

    def grouped(self, flow: Flow) -> Flow:
        """CONV_2D in groups; of one channel each, it is a depthwise convolution."""
        divisors = [n for n in range(2, flow.channels + 1) if flow.channels % n == 0]
        if not divisors:
            return self.conv(flow)
        groups = int(self.draw.choice(divisors))
        out, kernel = groups * int(self.draw.choice([1, 2, 3])), int(self.draw.integers(1, min(4, flow.length) + 1))
        channels = flow.channels // groups
        shape = (out, kernel, 1, channels) if self.axis_h else (out, 1, kernel, channels)
        weights, bias, scale = self.weights(shape, out, 0, flow)
        made = self.make(flow.length, out, scale=scale)
        self.net.op("CONV_2D", [flow.tensor, weights, bias], [made.tensor], **self._window(1, 1, same=True))
        return made

    def transposed(self, flow: Flow) -> Flow:
        """TRANSPOSE_CONV."""
        kernel, stride = int(self.draw.integers(1, 6)), int(self.draw.choice([1, 2, 2, 3]))
        same = bool(self.draw.random() < 0.5) and kernel >= stride
        rows = flow.length * stride if same else (flow.length - 1) * stride + max(kernel, stride)
        out = int(self.draw.choice([1, 3, 4, 8]))
        shape = (out, kernel, 1, flow.channels) if self.axis_h else (out, 1, kernel, flow.channels)
        weights, bias, scale = self.weights(shape, out, 0, flow)
        made = self.make(rows, out, scale=scale)
        wanted = self.net.const(np.array(self.shape(rows, out), np.int32))
        along, across = ("H", "W") if self.axis_h else ("W", "H")
        strides = {f"stride{along}": stride, f"stride{across}": 1, "padding": 0 if same else 1}
        self.net.op("TRANSPOSE_CONV", [wanted, weights, flow.tensor, bias], [made.tensor], version=3, **strides)
        return made

    def gate(self, flow: Flow) -> Flow:
        """`x * sigmoid(x)`: a function of one value."""
        side = self.net.tensor(self.shape(flow.length, flow.channels), 1 / 256, -128)
        self.net.op("LOGISTIC", [flow.tensor], [side])
        made = self.make(flow.length, flow.channels, scale=flow.scale * float(self.draw.uniform(0.5, 1.5)))
        self.net.op("MUL", [flow.tensor, side], [made.tensor], fusedActivationFunction=int(self.draw.choice([0, 1])))
        return made

    def spread(self, flow: Flow) -> Flow:
        """Distance of each row from its mean, squared, as in layer normalization."""
        mean_scale = flow.scale * float(self.draw.uniform(0.4, 1))
        mean = self.net.tensor((*self.shape(flow.length, 1),), mean_scale, self.zero_point())
        self.net.op("MEAN", [flow.tensor, self.net.const(np.array([3], np.int32))], [mean], keepDims=True)
        made = self.make(
            flow.length, flow.channels, scale=float(np.float32(flow.scale**2 * self.draw.uniform(20, 300)))
        )
        self.net.op("SQUARED_DIFFERENCE", [flow.tensor, mean], [made.tensor])
        return made

    def attention(self, flow: Flow) -> Flow:
        """Softmax of the products of rows, times the rows."""
        if self.axis_h or flow.length > 24:
            return self.gate(flow)
        scores = self.net.tensor((1, 1, flow.length, flow.length), flow.scale**2 * 40, self.zero_point())
        weights = self.net.tensor((1, 1, flow.length, flow.length), 1 / 256, -128)
        made = self.make(flow.length, flow.channels, scale=flow.scale * float(self.draw.uniform(0.5, 1.2)))
        self.net.op("BATCH_MATMUL", [flow.tensor, flow.tensor], [scores], version=2, adjY=True)
        self.net.op("SOFTMAX", [scores], [weights], beta=1.0)
        self.net.op("BATCH_MATMUL", [weights, flow.tensor], [made.tensor], version=2)
        return made

    def reverse(self, flow: Flow) -> Flow:
        """REVERSE_V2 along time."""
        made = self.make(flow.length, flow.channels, like=flow)
        axis = self.net.const(np.array([1 if self.axis_h else 2], np.int32))
        self.net.op("REVERSE_V2", [flow.tensor, axis], [made.tensor])
        return made

    def head(self, flow: Flow) -> int:
        """Global pooling or Flatten, dense layers, and what the network ends in."""
        kind = self.draw.random()
        net = self.net
        if kind < 0.4 or flow.length * flow.channels > 600:
            name = str(self.draw.choice(["MEAN", "MEAN", "REDUCE_MAX"]))
            scale = flow.scale if name == "REDUCE_MAX" else flow.scale * float(self.draw.uniform(0.4, 1.2))
            zero_point = flow.zero_point if name == "REDUCE_MAX" else self.zero_point()
            vector = net.tensor((1, flow.channels), scale, zero_point)
            net.op(name, [flow.tensor, net.const(np.array([1, 2], np.int32))], [vector], keepDims=False)
            flat = Flow(vector, 1, flow.channels, scale, zero_point)
        else:
            elements = flow.length * flow.channels
            vector = net.tensor((1, elements), flow.scale, flow.zero_point)
            net.op("RESHAPE", [flow.tensor, net.const(np.array([1, elements], np.int32))], [vector])
            flat = Flow(vector, 1, elements, flow.scale, flow.zero_point)
        out = int(self.draw.integers(1, 9))
        weights, bias, scale = self.weights((out, flat.channels), out, 0, flat)
        zero_point = self.zero_point()
        logits = net.tensor((1, out), scale, zero_point)
        activation = int(self.draw.choice([0, 0, 1]))
        net.op("FULLY_CONNECTED", [flat.tensor, weights, bias], [logits], fusedActivationFunction=activation)
        end = self.draw.random()
        if end < 0.35 and out > 1:
            last = net.tensor((1, out), 1 / 256, -128)
            net.op("SOFTMAX", [logits], [last], beta=1.0)
            return last
        if end < 0.5:
            last = net.tensor((1, out), 1 / 256, -128)
            net.op("LOGISTIC", [logits], [last])
            return last
        return logits

    def network(self) -> bytes:
        """One network of one to six layers and a head."""
        length, channels = int(self.draw.integers(4, 40)), int(self.draw.integers(1, 9))
        flow = self.make(length, channels)
        first = flow.tensor
        layers: list[Callable[[Flow], Flow]] = [self.conv, self.conv, self.conv, self.depthwise, self.pad, self.pool]
        layers += [self.residual, self.constant_operand, self.unary, self.branches]
        layers += [self.grouped, self.transposed, self.gate, self.spread, self.attention, self.reverse]
        for _ in range(int(self.draw.integers(1, 7))):
            flow = layers[int(self.draw.integers(len(layers)))](flow)
        return self.net.bytes([first], [self.head(flow)])


def random_network(seed: int) -> bytes:
    """The network of a seed."""
    return Architect(seed).network()
