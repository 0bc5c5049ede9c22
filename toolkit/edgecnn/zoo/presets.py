"""The presets: what each network is made of, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from edgecnn.project import LEARNING_RATE
from edgecnn.zoo.options import Option, Options, Value
from edgecnn.zoo.stages import (
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

LONG_WINDOW_SAMPLES: Final = 500
"""From here on a window holds several events, such as heart beats: a network has to see two of them at once."""


@dataclass(frozen=True)
class Preset:
    """One architecture: `stages(options)` lists its stages up to the output layer, which every preset shares."""

    description: str
    min_window_samples: int
    """The shortest window the preset can take with its default options."""
    options: Mapping[str, Option]
    stages: Callable[[Options], tuple[Stage, ...]]
    learning_rate: float = LEARNING_RATE
    """Peak learning rate where the project file sets none."""
    long_window_defaults: Mapping[str, Value] = field(default_factory=dict)
    """Other defaults of some options, for windows of at least `LONG_WINDOW_SAMPLES`."""

    def options_for(self, window_samples: int) -> Mapping[str, Option]:
        """Return the options with the defaults that windows of this length have."""
        other = self.long_window_defaults if window_samples >= LONG_WINDOW_SAMPLES else {}
        return {name: replace(option, default=other.get(name, option.default)) for name, option in self.options.items()}


def _filters(*default: int) -> Option:
    return Option(default, "output channels of each stage")


def _kernel(*default: int) -> Option:
    return Option(default, "samples each stage's kernel covers", high=255)


def _pool(*default: int) -> Option:
    return Option(default, "pooling after each stage; 1 is none, 0 fits the window", low=0, high=64)


def _stride(*default: int) -> Option:
    return Option(default, "stride of each stage", high=16)


def _rate(default: float, meaning: str = "dropout before the output layer") -> Option:
    return Option(default, meaning, low=0.0, high=0.9)


def _dense(*default: int) -> Option:
    return Option(default, "units of each hidden dense layer", may_be_empty=True)


_HEAD: Final = Option(
    "avg", "how time is summed up before the output layer", choices=("avg", "max", "avg+max", "flatten")
)


def _head(options: Options) -> tuple[Stage, ...]:
    kind = options.text("head")
    dropout = Dropout(options.rate("dropout"))
    dense = (stage for units in options.numbers("dense") for stage in (Dense(units), dropout))
    summary = Flatten() if kind == "flatten" else GlobalPool(kind)  # type: ignore[arg-type]
    return (summary, dropout, *dense)


def _conv_stack(options: Options) -> tuple[Stage, ...]:
    filters = options.numbers("filters")
    kernels, pools, strides = (options.per_stage(name, len(filters)) for name in ("kernel_size", "pool", "stride"))
    body: list[Stage] = []
    for number, (channels, kernel, pool, stride) in enumerate(zip(filters, kernels, pools, strides, strict=True)):
        body += [
            Conv(channels, kernel, stride),
            Pool(pool) if pool else FittedPool(number, len(filters)),
            Dropout(options.rate("spatial_dropout"), whole_channels=True),
        ]
    return (*body, *_head(options))


def _vgg1d(options: Options) -> tuple[Stage, ...]:
    filters = options.numbers("filters")
    kernels = options.per_stage("kernel_size", len(filters))
    body: list[Stage] = []
    for channels, kernel in zip(filters, kernels, strict=True):
        conv = Conv(channels, kernel, padding="valid", norm=False)
        body += [conv, conv, Pool(2)]
    dropout = Dropout(options.rate("dropout"))
    dense = (stage for units in options.numbers("dense") for stage in (Dense(units), dropout))
    return (*body, Flatten(), *dense)


def _ds(options: Options) -> tuple[Stage, ...]:
    filters = options.numbers("filters")
    kernels, strides = (options.per_stage(name, len(filters)) for name in ("kernel_size", "stride"))
    stem, *rest = zip(filters, kernels, strides, strict=True)
    return (Conv(*stem), *(Separable(*stage) for stage in rest), *_head(options))


def _resnet(options: Options) -> tuple[Stage, ...]:
    filters = options.numbers("filters")
    kernels, strides = (options.per_stage(name, len(filters)) for name in ("kernel_size", "stride"))
    stem, *rest = zip(filters, kernels, strides, strict=True)
    return (Conv(*stem), *(Residual(*stage) for stage in rest), *_head(options))


def _tcn(options: Options) -> tuple[Stage, ...]:
    filters, kernel = options.number("filters"), options.number("kernel_size")
    blocks = (Dilated(filters, kernel, dilation) for dilation in options.numbers("dilations"))
    return (Conv(filters, kernel, options.number("stride")), *blocks, *_head(options))


def _inception(options: Options) -> tuple[Stage, ...]:
    module = Inception(options.number("filters"), options.numbers("kernel_size"), options.number("bottleneck"))
    modules = (stage for _ in range(options.number("modules")) for stage in (module, Pool(options.number("pool"))))
    return (*modules, *_head(options))


def _fcn(options: Options) -> tuple[Stage, ...]:
    width = options.number("width")
    convs = (
        Conv(width * times, kernel)
        for times, kernel in zip((1, 2, 1), options.per_stage("kernel_size", 3), strict=True)
    )
    return (*convs, *_head(options))


PRESETS: Final[Mapping[str, Preset]] = {
    "small": Preset(
        "Convolutions with batch normalization and pooling, then average and maximum over time: the default.",
        4,
        {
            "filters": _filters(24, 32, 48, 64),
            "kernel_size": _kernel(7, 5, 5, 3),
            "pool": _pool(0),
            "stride": _stride(1),
            "dropout": _rate(0.3),
            "spatial_dropout": _rate(0.0, "dropout of whole channels after each stage"),
            "head": replace(_HEAD, default="avg+max"),
            "dense": _dense(),
        },
        _conv_stack,
        # A value before the head sees 621 samples: at 360 Hz a heart beat, the one before and the pause between.
        long_window_defaults={
            "filters": (16, 24, 32, 48, 48),
            "kernel_size": (15, 9, 9, 7, 7),
            "stride": (2, 1, 1, 1, 1),
            "pool": (4, 2, 2, 1, 1),
        },
    ),
    "tiny": Preset(
        "The smallest useful stack of convolutions, for boards with a few kilobytes to spare.",
        4,
        {
            "filters": _filters(8, 16, 24),
            "kernel_size": _kernel(5, 5, 3),
            "pool": _pool(4, 2, 1),
            "stride": _stride(1),
            "dropout": _rate(0.1),
            "spatial_dropout": _rate(0.0, "dropout of whole channels after each stage"),
            "head": _HEAD,
            "dense": _dense(),
        },
        _conv_stack,
    ),
    "ds": Preset(
        "Depthwise separable convolutions: the fewest multiply-accumulates for its width.",
        4,
        {
            "filters": _filters(24, 32, 48, 64, 64),
            "kernel_size": _kernel(7, 5, 5, 5, 3),
            "stride": _stride(2, 1, 2, 1),
            "dropout": _rate(0.2),
            "head": _HEAD,
            "dense": _dense(),
        },
        _ds,
    ),
    "resnet": Preset(
        "Residual blocks of two convolutions each, halving time from block to block.",
        4,
        {
            "filters": _filters(16, 24, 32, 48),
            "kernel_size": _kernel(7, 5, 5, 3),
            "stride": _stride(1, 2, 2, 2),
            "dropout": _rate(0.3),
            "head": _HEAD,
            "dense": _dense(),
        },
        _resnet,
    ),
    "tcn": Preset(
        "Causal residual blocks whose dilation doubles: every output sees only the past, and far back.",
        4,
        {
            "filters": Option(24, "channels of every block", high=1024),
            "kernel_size": Option(3, "samples each kernel covers before dilation", low=2, high=255),
            "stride": Option(2, "stride of the first convolution", high=16),
            "dilations": Option((1, 2, 4, 8, 16), "dilation of each block", high=1024),
            "dropout": _rate(0.2),
            "head": _HEAD,
            "dense": _dense(),
        },
        _tcn,
    ),
    "inception": Preset(
        "Modules of parallel short and long kernels, after InceptionTime.",
        4,
        {
            "filters": Option(8, "output channels of each parallel kernel", high=1024),
            "kernel_size": _kernel(5, 11, 23),
            "bottleneck": Option(8, "channels that the parallel kernels see", high=1024),
            "modules": Option(3, "modules in a row", high=16),
            "pool": Option(2, "pooling after each module; 1 is none", high=64),
            "dropout": _rate(0.2),
            "head": _HEAD,
            "dense": _dense(),
        },
        _inception,
    ),
    "fcn": Preset(
        "The fully convolutional network of Wang, Yan and Oates (2017), scaled by its width.",
        4,
        {
            "width": Option(32, "channels of the first and last convolution; the second has twice as many", high=1024),
            "kernel_size": _kernel(8, 5, 3),
            "dropout": _rate(0.0),
            "head": _HEAD,
            "dense": _dense(),
        },
        _fcn,
    ),
    "vgg1d": Preset(
        "Pairs of convolutions and large dense layers, as published Conv1D tutorials have them: big, for comparison.",
        32,
        {
            "filters": _filters(64, 128, 256),
            "kernel_size": _kernel(3),
            "dense": Option((512, 256), "units of each hidden dense layer"),
            "dropout": _rate(0.5, "dropout after each dense layer"),
        },
        _vgg1d,
        # Without batch normalization its first epochs stay at chance for longer at the rate of the others: docs/models.md.
        learning_rate=1e-3,
    ),
}
