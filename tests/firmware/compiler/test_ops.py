"""One-op networks of what random networks do not draw: each byte-equal to LiteRT, in numpy and in C."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

from .native import Native
from .networks import NetworkWriter, Reference, random_int8

Case = Callable[[NetworkWriter], bytes]
INT8 = (0.05, 3)


def _one(name: str, shape, output, constants=(), affine=INT8, first=0, **options) -> Case:
    """An op of one computed input; `constants` are its other inputs, of which `first` stand before it."""

    def build(net: NetworkWriter) -> bytes:
        value, made = net.tensor(shape, *INT8), net.tensor(output, *affine)
        others = [net.const(np.asarray(constant)) for constant in constants]
        net.op(name, [*others[:first], value, *others[first:]], [made], **options)
        return net.bytes([value], [made])

    return build


def _int32(*values) -> np.ndarray:
    return np.array(values, np.int32)


def _split_v(net: NetworkWriter) -> bytes:
    value = net.tensor((1, 7, 6), *INT8)
    parts = [net.tensor((1, size, 6), *INT8) for size in (2, 4, 1)]
    net.op("SPLIT_V", [value, net.const(_int32(2, -1, 1)), net.const(np.array(1, np.int32))], parts, numSplits=3)
    made = net.tensor((1, 7, 6), *INT8)
    net.op("CONCATENATION", [parts[2], parts[0], parts[1]], [made], axis=1, fusedActivationFunction=0)
    return net.bytes([value], [made])


def _unpack_pack(net: NetworkWriter) -> bytes:
    value = net.tensor((1, 3, 5), *INT8)
    rows = [net.tensor((1, 5), *INT8) for _ in range(3)]
    net.op("UNPACK", [value], rows, num=3, axis=1)
    made = net.tensor((1, 5, 3), *INT8)
    net.op("PACK", rows[::-1], [made], valuesCount=3, axis=2)
    return net.bytes([value], [made])


def _padv2(net: NetworkWriter) -> bytes:
    value, made = net.tensor((1, 4, 3), *INT8), net.tensor((1, 7, 3), *INT8)
    fill = net.const(np.array([-77], np.int8), *INT8)
    net.op("PADV2", [value, net.const(_int32([0, 0], [2, 1], [0, 0])), fill], [made])
    return net.bytes([value], [made])


def _dilated(block: int, before: int, after: int, rows: int) -> Case:
    def build(net: NetworkWriter) -> bytes:
        length = 20
        value = net.tensor((1, 1, length, 3), *INT8)
        dealt = (length + before + after) // block
        spaced = net.tensor((block, 1, dealt, 3), *INT8)
        net.op(
            "SPACE_TO_BATCH_ND",
            [value, net.const(_int32(1, block)), net.const(_int32([0, 0], [before, after]))],
            [spaced],
        )
        rng = np.random.default_rng(block)
        weights = net.const(rng.integers(-127, 128, (5, 1, 3, 3)).astype(np.int8), np.full(5, 0.02, np.float32))
        bias = net.const(rng.integers(-400, 400, 5).astype(np.int32), np.full(5, 0.001, np.float32))
        batches = net.tensor((block, 1, dealt - 2, 5), 0.2, -9)
        net.op(
            "CONV_2D",
            [spaced, weights, bias],
            [batches],
            padding=1,
            strideW=1,
            strideH=1,
            dilationWFactor=1,
            dilationHFactor=1,
            fusedActivationFunction=1,
        )
        made = net.tensor((1, 1, rows, 5), 0.2, -9)
        cut = block * (dealt - 2) - rows
        net.op("BATCH_TO_SPACE_ND", [batches, net.const(_int32(1, block)), net.const(_int32([0, 0], [0, cut]))], [made])
        return net.bytes([value], [made])

    return build


def _prelu(net: NetworkWriter) -> bytes:
    value, made = net.tensor((1, 6, 4), *INT8), net.tensor((1, 6, 4), 0.04, -20)
    alpha = net.const(np.array([[-90, 3, 55, 127]], np.int8), 0.01, 5)
    net.op("PRELU", [value, alpha], [made])
    return net.bytes([value], [made])


def _extreme(name: str) -> Case:
    def build(net: NetworkWriter) -> bytes:
        value, made = net.tensor((1, 6, 4), *INT8), net.tensor((1, 6, 4), *INT8)
        net.op(name, [value, net.const(np.array([-90, 3, 55, 127], np.int8), *INT8)], [made])
        return net.bytes([value], [made])

    return build


def _ends(kind: str) -> Case:
    """Float or uint8 at both ends of a RELU."""

    def build(net: NetworkWriter) -> bytes:
        outer = (0.05, 128) if kind == "UINT8" else (None, 0)
        value, made = net.tensor((1, 40), *outer, kind=kind), net.tensor((1, 40), *outer, kind=kind)
        inner, bent = net.tensor((1, 40), 0.05, 0), net.tensor((1, 40), 0.04, -128)
        net.op("QUANTIZE", [value], [inner])
        net.op("RELU", [inner], [bent])
        net.op("QUANTIZE" if kind == "UINT8" else "DEQUANTIZE", [bent], [made])
        return net.bytes([value], [made])

    return build


def _arg_max(net: NetworkWriter) -> bytes:
    value, made = net.tensor((1, 9), *INT8), net.tensor((1,), kind="INT32")
    net.op("ARG_MAX", [value, net.const(np.array(1, np.int32))], [made], outputType=2)
    return net.bytes([value], [made])


def _broadcast(net: NetworkWriter) -> bytes:
    """A gate of one number a channel, and one of one number a row."""
    value = net.tensor((1, 8, 4), *INT8)
    gate, rows = net.tensor((1, 1, 4), *INT8), net.tensor((1, 8, 1), *INT8)
    net.op("MEAN", [value, net.const(_int32(1))], [gate], keepDims=True)
    net.op("STRIDED_SLICE", [value, *(net.const(_int32(*n)) for n in ((0, 0, 2), (1, 8, 3), (1, 1, 1)))], [rows])
    gated, made = net.tensor((1, 8, 4), 0.1, 1), net.tensor((1, 8, 4), 0.12, 0)
    net.op("MUL", [value, gate], [gated], fusedActivationFunction=0)
    net.op("ADD", [rows, gated], [made], fusedActivationFunction=0)
    return net.bytes([value], [made])


def _with_constant(name: str, shape: tuple[int, ...], *, first: bool) -> Case:
    """An elementwise op with a constant of its own scale and of any shape, before or after the computed operand."""

    def build(net: NetworkWriter) -> bytes:
        rng = np.random.default_rng(len(name))
        affine = INT8 if name in ("MINIMUM", "MAXIMUM") else (0.031, -20)
        value, made = net.tensor((1, 6, 4), *INT8), net.tensor((1, 6, 4), *(INT8 if affine is INT8 else (0.08, 7)))
        other = net.const(rng.integers(-128, 128, shape).astype(np.int8), *affine)
        net.op(name, [other, value] if first else [value, other], [made])
        return net.bytes([value], [made])

    return build


def _grouped(groups: int, channels: int, out: int, stride: int = 1) -> Case:
    def build(net: NetworkWriter) -> bytes:
        rng = np.random.default_rng(groups)
        value, made = net.tensor((1, 1, 20, channels), *INT8), net.tensor((1, 1, -(-20 // stride), out), 0.2, -9)
        scales = rng.uniform(0.01, 0.03, out).astype(np.float32)
        weights = net.const(rng.integers(-127, 128, (out, 1, 3, channels // groups)).astype(np.int8), scales)
        bias = net.const(rng.integers(-400, 400, out).astype(np.int32), scales * np.float32(0.05))
        options = {"padding": 0, "strideW": stride, "strideH": 1, "fusedActivationFunction": 1}
        net.op("CONV_2D", [value, weights, bias], [made], **options, dilationWFactor=1, dilationHFactor=1)
        return net.bytes([value], [made])

    return build


def _transposed(kernel: int, stride: int, rows: int, padding: int, *, along: int = 2, biased: bool = True) -> Case:
    def build(net: NetworkWriter) -> bytes:
        rng = np.random.default_rng(kernel)

        def shape(*ends: int) -> tuple[int, ...]:
            return (ends[0], 1, *ends[1:]) if along == 2 else (*ends[:2], 1, ends[2])

        value, made = net.tensor(shape(1, 9, 3), *INT8), net.tensor(shape(1, rows, 5), 0.2, -9)
        scales = rng.uniform(0.01, 0.03, 5).astype(np.float32)
        weights = net.const(rng.integers(-127, 128, shape(5, kernel, 3)).astype(np.int8), scales)
        wanted = net.const(np.array(shape(1, rows, 5), np.int32))
        bias = [net.const(rng.integers(-400, 400, 5).astype(np.int32), scales * np.float32(0.05))] if biased else []
        strides = {"strideW": stride, "strideH": 1} if along == 2 else {"strideW": 1, "strideH": stride}
        version = 3 if biased else 2
        net.op("TRANSPOSE_CONV", [wanted, weights, value, *bias], [made], version=version, padding=padding, **strides)
        return net.bytes([value], [made])

    return build


def _prelu_by_element(net: NetworkWriter) -> bytes:
    value, made = net.tensor((1, 6, 4), *INT8), net.tensor((1, 6, 4), 0.04, -20)
    alpha = net.const(np.arange(-100, 92, 8).astype(np.int8).reshape(6, 4), 0.01, 5)
    net.op("PRELU", [value, alpha], [made])
    return net.bytes([value], [made])


def _matmul(*, adj_x: bool, adj_y: bool) -> Case:
    """The product of two slices of the input, in two batches."""

    def build(net: NetworkWriter) -> bytes:
        value = net.tensor((1, 2, 10, 4), *INT8)
        halves = [net.tensor((1, 2, 5, 4), *INT8) for _ in range(2)]
        net.op("SPLIT", [net.const(np.array(2, np.int32)), value], halves, numSplits=2)
        turned = net.tensor((1, 2, 4, 5), *INT8)
        net.op("TRANSPOSE", [halves[1], net.const(_int32(0, 1, 3, 2))], [turned])
        a = turned if adj_x else halves[1]
        b = halves[0] if adj_y else net.tensor((1, 2, 4, 5), *INT8)
        if not adj_y:
            net.op("TRANSPOSE", [halves[0], net.const(_int32(0, 1, 3, 2))], [b])
        made = net.tensor((1, 2, 5, 5), 0.3, 11)
        net.op("BATCH_MATMUL", [a, b], [made], version=2, adjX=adj_x, adjY=adj_y)
        return net.bytes([value], [made])

    return build


def _squared_difference(target: float) -> Case:
    """From each element, its row's mean."""

    def build(net: NetworkWriter) -> bytes:
        value, mean = net.tensor((1, 8, 4), *INT8), net.tensor((1, 8, 1), 0.03, -5)
        net.op("MEAN", [value, net.const(_int32(2))], [mean], keepDims=True)
        made = net.tensor((1, 8, 4), target, -128)
        net.op("SQUARED_DIFFERENCE", [value, mean], [made])
        return net.bytes([value], [made])

    return build


CASES: dict[str, Case] = {
    "transpose": _one("TRANSPOSE", (1, 5, 4), (1, 4, 5), [_int32(0, 2, 1)]),
    "transpose 4": _one("TRANSPOSE", (1, 5, 2, 3), (1, 3, 5, 2), [_int32(0, 3, 1, 2)]),
    "mirror reflect": _one("MIRROR_PAD", (1, 5, 3), (1, 9, 3), [_int32([0, 0], [3, 1], [0, 0])], mode=0),
    "mirror symmetric": _one("MIRROR_PAD", (1, 5, 3), (1, 12, 3), [_int32([0, 0], [2, 5], [0, 0])], mode=1),
    "mirror channels": _one("MIRROR_PAD", (1, 5, 3), (1, 5, 6), [_int32([0, 0], [0, 0], [1, 2])], mode=0),
    "pad channels": _one("PAD", (1, 5, 3), (1, 5, 6), [_int32([0, 0], [0, 0], [1, 2])]),
    "padv2": _padv2,
    "slice": _one("SLICE", (1, 7, 4), (1, 3, 2), [_int32(0, 2, 2), _int32(1, 3, -1)]),
    "strided backwards": _one(
        "STRIDED_SLICE",
        (1, 7, 3),
        (1, 4, 3),
        [_int32(0, 6, 0), _int32(1, -8, 3), _int32(1, -2, 1)],
        beginMask=0,
        endMask=2,
    ),
    "split_v": _split_v,
    "unpack pack": _unpack_pack,
    "dilation 2": _dilated(2, 4, 0, 20),
    "dilation 4 same": _dilated(4, 4, 4, 20),
    "dilation 3 valid": _dilated(3, 0, 1, 14),
    "prelu": _prelu,
    "minimum": _extreme("MINIMUM"),
    "maximum": _extreme("MAXIMUM"),
    "float ends": _ends("FLOAT32"),
    "uint8 ends": _ends("UINT8"),
    "arg max": _arg_max,
    "broadcast": _broadcast,
    **{
        f"{name} {'first' if first else 'then'} {len(shape)}": _with_constant(name, shape, first=first)
        for name in ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "MINIMUM", "MAXIMUM")
        for shape in ((1, 6, 4), (6, 1), (4,))
        for first in (False, True)
    },
    "groups 2": _grouped(2, 6, 4),
    "groups 3 stride 2": _grouped(3, 6, 9, 2),
    "groups of one channel": _grouped(6, 6, 12),
    "transposed": _transposed(3, 1, 11, 1),
    "transposed 2 valid": _transposed(3, 2, 19, 1),
    "transposed 2 same": _transposed(4, 2, 18, 0),
    "transposed 2 same, odd": _transposed(3, 2, 17, 0),
    "transposed 3 same, H": _transposed(5, 3, 27, 0, along=1),
    "transposed gaps": _transposed(2, 3, 27, 1, biased=False),
    "prelu by element": _prelu_by_element,
    **{f"matmul {x:d}{y:d}": _matmul(adj_x=x, adj_y=y) for x in (False, True) for y in (False, True)},
    "squared difference": _squared_difference(0.2),
    "squared difference saturates": _squared_difference(0.01),
    "tile": _one("TILE", (1, 3, 4), (1, 6, 12), [_int32(1, 2, 3)]),
    "tile once": _one("TILE", (1, 3, 4), (1, 3, 4), [_int32(1, 1, 1)]),
    "broadcast to": _one("BROADCAST_TO", (1, 5, 1, 3), (1, 5, 4, 3), [_int32(1, 5, 4, 3)], version=2),
    "reverse": _one("REVERSE_V2", (1, 5, 3), (1, 5, 3), [_int32(1)]),
    "reverse channels": _one("REVERSE_V2", (1, 5, 3), (1, 5, 3), [_int32(-1)]),
    "gather": _one("GATHER", (1, 9, 3), (1, 7, 3), [_int32(8, 0, 2, 4, 4, 4, 1)], axis=1),
    "gather channels": _one("GATHER", (1, 5, 6), (1, 5, 2, 2), [_int32([5, 3], [1, 0])], axis=-1),
    "mean of axes apart": _one("MEAN", (1, 6, 2, 3), (1, 1, 2, 1), [_int32(1, 3)], (0.04, -3), keepDims=True),
    "reduce min": _one("REDUCE_MIN", (1, 9, 4), (1, 4), [_int32(1)], keepDims=False),
    "reduce max keeps": _one("REDUCE_MAX", (1, 9, 4), (1, 1, 4), [_int32(1)], keepDims=True),
}


@pytest.mark.parametrize("name", list(CASES))
def test_op_is_byte_equal(name: str, tmp_path: Path) -> None:
    model = CASES[name](NetworkWriter())
    reference = Reference(model)
    detail = reference.interpreter.get_input_details()[0]
    rng = np.random.default_rng(1)
    for target in ("portable", "armv7e-m"):
        program = compile_model(model, name, "net", target=target)
        oracle = Oracle(program.graph)
        native = Native(program, tmp_path / target, ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover"))
        for kind in range(24):
            if detail["dtype"] == np.int8:
                window = random_int8(rng, detail["shape"], kind)
            elif detail["dtype"] == np.uint8:
                window = rng.integers(0, 256, detail["shape"]).astype(np.uint8)
            else:
                window = (rng.normal(0, 4, detail["shape"]) // 0.025 * 0.025).astype(np.float32)
            wanted = reference.run(window)[0].ravel()
            assert np.array_equal(oracle.run(window)[0].ravel(), wanted), (name, target, kind)
            assert np.array_equal(native.run(window)[0].ravel(), wanted), (name, target, kind)


def test_a_float_beyond_int8_saturates_and_nan_does_no_harm(tmp_path: Path) -> None:
    program = compile_model(CASES["float ends"](NetworkWriter()), "ends", "net")
    native, oracle = (
        Native(program, tmp_path, ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover")),
        Oracle(program.graph),
    )
    window = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45, 6.375, -6.425, *[0.0] * 32], np.float32)[None]
    assert np.array_equal(native.run(window)[0], oracle.run(window)[0])


def test_sum_is_refused_because_there_is_nothing_to_equal() -> None:
    model = _one("SUM", (1, 6, 4), (1, 4), [_int32(1)], keepDims=False)(NetworkWriter())
    with pytest.raises(ModelError, match=r"op #0 SUM .*: LiteRT's reference kernel for SUM reads int8 as uint8"):
        compile_model(model, "model", "net")


def test_two_dimensions_are_refused() -> None:
    net = NetworkWriter()
    value, made = net.tensor((1, 8, 8, 2), *INT8), net.tensor((1, 6, 6, 3), *INT8)
    weights = net.const(np.ones((3, 3, 3, 2), np.int8), 0.1)
    net.op(
        "CONV_2D", [value, weights, net.const(np.zeros(3, np.int32), 0.005)], [made], padding=1, strideW=1, strideH=1
    )
    with pytest.raises(ModelError, match=r"op #0 CONV_2D .*: a kernel of 3 x 3 on 8 x 8 moves in two dimensions"):
        compile_model(net.bytes([value], [made]), "model", "net")
