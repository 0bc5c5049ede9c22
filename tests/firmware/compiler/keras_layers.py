"""Every Keras 3 layer of 1-D networks with its options, as small models: each option is one branch of its group's model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Build = Callable[[Any, Any], Any]
"""(the module `keras.layers`, the input) -> the layer's output."""

WINDOW = (24, 6)
"""Length and channels of the input of most models."""
ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "tanh",
    "sigmoid",
    "elu",
    "selu",
    "gelu",
    "swish",
    "hard_sigmoid",
    "hard_swish",
    "softplus",
    "softsign",
    "exponential",
    "mish",
    "log_sigmoid",
    "softmax",
    "celu",
    "glu",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "tanh_shrink",
    "squareplus",
    "sparse_plus",
    "log_softmax",
    "sparsemax",
    "sparse_sigmoid",
)


_SUM = "SUM .*: LiteRT's reference kernel for SUM reads int8 as uint8"


@dataclass(frozen=True)
class Case:
    """One layer with one set of options."""

    layer: str
    option: str
    build: Build
    refused: str = ""
    """Where it cannot be compiled: what the one-line reason must hold."""
    shape: tuple[int, ...] = WINDOW

    @property
    def name(self) -> str:
        """For people, without spaces."""
        return f"{self.layer}({self.option})".replace(" ", "")


def _of(name: str, *arguments: Any, **options: Any) -> Build:
    """One layer on the input."""

    def build(layers: Any, x: Any) -> Any:
        return getattr(layers, name)(*arguments, **options)(x)

    return build


def _case(name: str, *arguments: Any, refused: str = "", **options: Any) -> Case:
    text = ", ".join([*map(str, arguments), *(f"{key}={value}" for key, value in options.items())])
    return Case(name, text, _of(name, *arguments, **options), refused)


def _conv1d() -> list[Case]:
    cases = [
        _case("Conv1D", 5, kernel, strides=stride, padding=padding)
        for kernel, stride, padding in product((1, 2, 3, 5, 8), (1, 2, 3), ("valid", "same", "causal"))
        if (kernel, stride) in {(1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (5, 1), (5, 3), (8, 1), (8, 2), (8, 3)}
    ]
    cases += [
        _case("Conv1D", 5, kernel, dilation_rate=dilation, padding=padding)
        for kernel, dilation, padding in product((2, 3), (2, 4), ("valid", "same", "causal"))
    ]
    cases += [_case("Conv1D", 5, 3, use_bias=False), _case("Conv1D", 6, 3, groups=2), _case("Conv1D", 6, 3, groups=6)]
    cases += [_case("Conv1D", 12, 3, groups=6, padding="same"), _case("Conv1D", 6, 3, groups=2, strides=2)]
    cases += [_case("Conv1D", 6, 3, groups=6, dilation_rate=2), _case("Conv1D", 6, 3, groups=3, dilation_rate=2)]
    return cases


def _activations() -> list[Case]:
    refused = {"sparsemax": "TOPK_V2 .*: this op is not compiled"}
    return [_case("Conv1D", 4, 3, activation=name, refused=refused.get(name, "")) for name in ACTIVATIONS] + [
        _case("Activation", name, refused=refused.get(name, "")) for name in ACTIVATIONS
    ]


def _depthwise() -> list[Case]:
    cases = [
        _case("DepthwiseConv1D", kernel, depth_multiplier=multiplier, strides=stride, padding=padding)
        for kernel, multiplier, stride, padding in product((3, 5), (1, 2), (1, 2), ("valid", "same"))
    ]
    cases += [
        _case("DepthwiseConv1D", 3, dilation_rate=dilation, depth_multiplier=multiplier, padding=padding)
        for dilation, multiplier, padding in product((2, 4), (1, 2), ("valid", "same"))
    ]
    cases += [_case("DepthwiseConv1D", 3, use_bias=False, activation="relu")]
    cases += [
        _case("SeparableConv1D", 5, 3, strides=stride, padding=padding)
        for stride, padding in product((1, 2), ("valid", "same"))
    ]
    cases += [_case("SeparableConv1D", 5, 3, depth_multiplier=2, activation="relu")]
    cases += [_case("SeparableConv1D", 5, 3, dilation_rate=2, padding=padding) for padding in ("valid", "same")]
    return cases


def _transposed() -> list[Case]:
    return [
        _case("Conv1DTranspose", 5, kernel, strides=stride, padding=padding, **options)
        for kernel, stride, padding, options in (
            (3, 1, "valid", {}),
            (3, 2, "valid", {}),
            (3, 2, "same", {}),
            (4, 2, "same", {}),
            (5, 3, "same", {"activation": "relu"}),
            (2, 3, "valid", {"use_bias": False}),
            (1, 2, "same", {}),
            (3, 2, "same", {"output_padding": 1}),
        )
    ]


def _along(axis: int, name: str, *arguments: Any, **options: Any) -> Case:
    """A 2-D layer on (24, 1, 6) or (1, 24, 6)."""

    def size(n: int) -> tuple[int, int]:
        return (n, 1) if axis == 0 else (1, n)

    sized = {
        key: size(value) if isinstance(value, int) and key != "depth_multiplier" else value
        for key, value in options.items()
    }

    def build(layers: Any, x: Any) -> Any:
        shape = (WINDOW[0], 1, WINDOW[1]) if axis == 0 else (1, *WINDOW)
        return getattr(layers, name)(*arguments, **sized)(layers.Reshape(shape)(x))

    text = ", ".join([*map(str, arguments), *(f"{key}={value}" for key, value in sized.items())])
    return Case(name, text, build)


def _two_dimensional() -> list[Case]:
    cases = []
    for axis in (0, 1):
        cases += [
            _along(axis, "Conv2D", 5, kernel_size=3),
            _along(axis, "Conv2D", 5, kernel_size=3, strides=2, padding="same"),
            _along(axis, "Conv2D", 5, kernel_size=3, dilation_rate=2, padding="same", activation="relu"),
            _along(axis, "DepthwiseConv2D", kernel_size=3, padding="same", depth_multiplier=2),
            _along(axis, "DepthwiseConv2D", kernel_size=3, dilation_rate=2),
            _along(axis, "SeparableConv2D", 5, kernel_size=3, padding="same"),
            _along(axis, "Conv2DTranspose", 5, kernel_size=3, strides=2, padding="same"),
            _along(axis, "MaxPooling2D", pool_size=2),
            _along(axis, "AveragePooling2D", pool_size=3, strides=2, padding="same"),
            _along(axis, "ZeroPadding2D", padding=2),
            _along(axis, "UpSampling2D", size=2),
            _along(axis, "GlobalAveragePooling2D"),
            _along(axis, "GlobalMaxPooling2D"),
        ]
    return cases


def _pooling() -> list[Case]:
    cases = [
        _case(name, pool, strides=stride, padding=padding)
        for name, pool, stride, padding in product(
            ("MaxPooling1D", "AveragePooling1D"), (2, 3), (None, 1, 2), ("valid", "same")
        )
    ]
    cases += [
        _case(name, keepdims=keepdims)
        for name, keepdims in product(("GlobalMaxPooling1D", "GlobalAveragePooling1D"), (False, True))
    ]
    return [*cases, _case("AdaptiveAveragePooling1D", 4), _case("AdaptiveMaxPooling1D", 6)]


def _after_conv(name: str, **options: Any) -> Case:
    def build(layers: Any, x: Any) -> Any:
        return getattr(layers, name)(**options)(layers.Conv1D(6, 3)(x))

    return Case(name, ", ".join(["after Conv1D", *(f"{key}={value}" for key, value in options.items())]), build)


def _before_conv(name: str, **options: Any) -> Case:
    def build(layers: Any, x: Any) -> Any:
        return layers.Conv1D(6, 3)(getattr(layers, name)(**options)(x))

    return Case(name, ", ".join(["before Conv1D", *(f"{key}={value}" for key, value in options.items())]), build)


def _normalizations() -> list[Case]:
    mean, variance = [0.1, -0.2, 0.3, 0.0, 0.5, -0.4], [1.0, 2.0, 0.5, 1.5, 0.8, 1.2]
    cases = [_case("BatchNormalization"), _after_conv("BatchNormalization"), _before_conv("BatchNormalization")]
    cases += [_case("BatchNormalization", scale=False), _case("BatchNormalization", center=False)]
    cases += [
        _case("LayerNormalization"),
        _case("LayerNormalization", center=False, scale=False),
        _after_conv("LayerNormalization"),
    ]
    cases += [_case("GroupNormalization", 2), _case("GroupNormalization", -1)]
    cases += [_case("UnitNormalization", refused=_SUM)]
    cases += [
        _case("RMSNormalization"),
        _case("Rescaling", 0.5, offset=0.25),
        _case("Rescaling", 2.0),
        _before_conv("Rescaling", scale=0.5),
    ]
    cases += [Case("Normalization", "mean, variance", _of("Normalization", mean=mean, variance=variance))]
    return cases


def _two(name: str, refused: str = "", **options: Any) -> Case:
    """A layer of two inputs: convolutions of the input."""

    def build(layers: Any, x: Any) -> Any:
        return getattr(layers, name)(**options)([layers.Conv1D(6, 3, padding="same")(x), layers.Conv1D(6, 1)(x)])

    return Case(name, ", ".join(f"{key}={value}" for key, value in options.items()), build, refused)


def _broadcast(name: str) -> Case:
    """Every row with one row."""

    def build(layers: Any, x: Any) -> Any:
        return getattr(layers, name)()([x, layers.GlobalMaxPooling1D(keepdims=True)(x)])

    return Case(name, "every row with one", build)


def _squeeze_excite(layers: Any, x: Any) -> Any:
    gate = layers.GlobalAveragePooling1D()(x)
    gate = layers.Dense(6, activation="sigmoid")(layers.Dense(2, activation="relu")(gate))
    return layers.Multiply()([x, layers.Reshape((1, 6))(gate)])


def _merging() -> list[Case]:
    names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    cases = [_two(name) for name in names] + [_broadcast(name) for name in names]
    cases += [_two("Concatenate"), _two("Concatenate", axis=1), Case("Squeeze-and-excite", "", _squeeze_excite)]
    return cases


def _moving() -> list[Case]:
    return [
        _case("ZeroPadding1D", 2),
        _case("ZeroPadding1D", (3, 0)),
        _case("Cropping1D", (2, 1)),
        _case("UpSampling1D", 2),
        _case("UpSampling1D", 3),
        _case("Permute", (2, 1)),
        _case("Reshape", (12, 12)),
        _case("Reshape", (-1, 2, 6)),
        _case("Flatten"),
        Case("RepeatVector", "5", lambda layers, x: layers.RepeatVector(5)(layers.GlobalMaxPooling1D()(x))),
        _before_conv("ZeroPadding1D"),
        _before_conv("Cropping1D"),
        _before_conv("UpSampling1D"),
        _before_conv("Dropout", rate=0.3),
        _before_conv("SpatialDropout1D", rate=0.3),
        _before_conv("AlphaDropout", rate=0.3),
        _before_conv("GaussianNoise", stddev=0.3),
        _before_conv("GaussianDropout", rate=0.3),
        _before_conv("ActivityRegularization"),
        Case("TimeDistributed", "Dense", lambda layers, x: layers.TimeDistributed(layers.Dense(5))(x)),
        Case(
            "TimeDistributed",
            "Conv1D",
            lambda layers, x: layers.TimeDistributed(layers.Conv1D(5, 2))(layers.Reshape((4, 6, 6))(x)),
        ),
    ]


def _dense() -> list[Case]:
    def flat(*arguments: Any, **options: Any) -> Case:
        def build(layers: Any, x: Any) -> Any:
            return layers.Dense(*arguments, **options)(layers.Flatten()(x))

        text = ", ".join([*map(str, arguments), *(f"{key}={value}" for key, value in options.items())])
        return Case("Dense", f"flat, {text}", build)

    return [
        *(
            flat(7, **options)
            for options in ({}, {"activation": "relu"}, {"use_bias": False}, {"activation": "softmax"})
        ),
        flat(1, activation="sigmoid"),
        _case("Dense", 5),
        _case("Dense", 5, activation="relu"),
        _case("Dense", 5, use_bias=False),
        _case("EinsumDense", "abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
        _case("EinsumDense", "abc,bd->adc", output_shape=(5, 6)),
    ]


def _activation_layers() -> list[Case]:
    return [
        _case("ReLU"),
        _case("ReLU", max_value=6.0),
        _case("ReLU", max_value=3.0),
        _case("ReLU", negative_slope=0.2),
        _case("ReLU", threshold=0.5),
        _case("LeakyReLU"),
        _case("LeakyReLU", negative_slope=0.05),
        _case("PReLU"),
        _case("PReLU", shared_axes=[1]),
        _case("ELU"),
        _case("ELU", alpha=0.5),
        _case("Softmax"),
        _case("Softmax", axis=1),
    ]


def _unrolled(name: str, *arguments: Any, **options: Any) -> Case:
    def build(layers: Any, x: Any) -> Any:
        return getattr(layers, name)(*arguments, unroll=True, **options)(layers.Cropping1D((0, 19))(x))

    text = ", ".join([*map(str, arguments), "unroll=True", *(f"{key}={value}" for key, value in options.items())])
    return Case(name, text, build)


def _bidirectional(name: str) -> Case:
    def build(layers: Any, x: Any) -> Any:
        return layers.Bidirectional(getattr(layers, name)(3, unroll=True, return_sequences=True))(
            layers.Cropping1D((0, 19))(x)
        )

    return Case("Bidirectional", f"{name}(3, unroll=True)", build)


def _recurrent() -> list[Case]:
    cases = [_unrolled(name, 4) for name in ("SimpleRNN", "GRU", "LSTM")]
    cases += [_unrolled(name, 4, return_sequences=True) for name in ("SimpleRNN", "GRU", "LSTM")]
    cases += [_unrolled("GRU", 4, reset_after=False), _unrolled("LSTM", 4, go_backwards=True)]
    cases += [_bidirectional("LSTM"), _bidirectional("GRU")]
    return cases


def _attention() -> list[Case]:
    return [
        _two("Attention"),
        _two("AdditiveAttention", refused=_SUM),
        _two("Dot", axes=2),
        _two("Dot", axes=1),
        Case("MultiHeadAttention", "2, 3", lambda layers, x: layers.MultiHeadAttention(2, 3)(x, x)),
        Case("GroupQueryAttention", "3, 4, 2", lambda layers, x: layers.GroupQueryAttention(3, 4, 2)(x, x)),
    ]


def _refused() -> list[Case]:
    two = "moves in two dimensions"
    return [
        Case("Conv2D", "4, (3, 3) on (8, 8, 2)", _of("Conv2D", 4, (3, 3)), f"CONV_2D .*{two}", (8, 8, 2)),
        Case("MaxPooling2D", "(2, 2) on (8, 8, 2)", _of("MaxPooling2D"), f"MAX_POOL_2D .*{two}", (8, 8, 2)),
        Case(
            "Embedding", "5, 3", _of("Embedding", 5, 3), "CAST .*: a cast to INT32, as before a lookup by value", (6,)
        ),
    ]


GROUPS: dict[str, Sequence[Case]] = {
    "Conv1D": _conv1d(),
    "activations": _activations(),
    "depthwise": _depthwise(),
    "transposed": _transposed(),
    "2-D layers": _two_dimensional(),
    "pooling": _pooling(),
    "normalizations": _normalizations(),
    "merging": _merging(),
    "moving": _moving(),
    "dense": _dense(),
    "activation layers": _activation_layers(),
    "recurrent": _recurrent(),
    "attention": _attention(),
    "refused": _refused(),
}
