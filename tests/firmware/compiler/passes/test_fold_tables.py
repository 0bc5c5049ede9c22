"""Functions of one int8 value become tables: what folds, what does not, and what is refused because it does not."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

from ..native import Native
from ..networks import NetworkWriter, Reference, random_int8

SHAPE = (1, 20, 4)
INT8 = (0.05, 3)
NO_ACTIVATION = {"fusedActivationFunction": 0}


def _swish(net: NetworkWriter, value: int, *, keep_gate: bool = False) -> list[int]:
    gate, made = net.tensor(SHAPE, 1 / 256, -128), net.tensor(SHAPE, 0.04, -100)
    net.op("LOGISTIC", [value], [gate])
    net.op("MUL", [value, gate], [made], **NO_ACTIVATION)
    return [made, gate] if keep_gate else [made]


def _softsign(net: NetworkWriter, value: int) -> list[int]:
    size, more, made = net.tensor(SHAPE, 0.05, -128), net.tensor(SHAPE, 0.06, -128), net.tensor(SHAPE, 1 / 128, 0)
    net.op("ABS", [value], [size])
    net.op("ADD", [size, net.const(np.array(100, np.int8), 0.01, 0)], [more], **NO_ACTIVATION)
    net.op("DIV", [value, more], [made], **NO_ACTIVATION)
    return [made]


def _selected(net: NetworkWriter, value: int) -> list[int]:
    chosen, bent, made = net.tensor(SHAPE, kind="BOOL"), net.tensor(SHAPE, *INT8), net.tensor(SHAPE, *INT8)
    net.op("GREATER", [value, net.const(np.array(40, np.int8), 0.02, 5)], [chosen])
    net.op("TANH", [value], [bent])
    net.op("SELECT_V2", [chosen, value, bent], [made])
    return [made]


def _floats(net: NetworkWriter, value: int) -> list[int]:
    """The square of a value, on floats, by way of a reversal."""
    real, turned, square = (net.tensor(SHAPE, kind="FLOAT32") for _ in range(3))
    made = net.tensor(SHAPE, 0.3, -128)
    net.op("DEQUANTIZE", [value], [real])
    net.op("REVERSE_V2", [real, net.const(np.array([1], np.int32))], [turned])
    net.op("MUL", [turned, turned], [square], **NO_ACTIVATION)
    net.op("QUANTIZE", [square], [made])
    return [made]


def _chain(net: NetworkWriter, value: int) -> list[int]:
    """Four tables, the second of which is read twice."""
    first, second, third, fourth = (net.tensor(SHAPE, scale, -10) for scale in (0.05, 0.02, 0.03, 0.01))
    made = net.tensor(SHAPE, 0.05, 0)
    net.op("ABS", [value], [first])
    net.op("TANH", [first], [second])
    net.op("ABS", [second], [third])
    net.op("EXP", [second], [fourth])
    net.op("SUB", [third, fourth], [made], **NO_ACTIVATION)
    return [made]


CASES = {
    "swish": (_swish, ["Table"]),
    "softsign": (_softsign, ["Table"]),
    "selected": (_selected, ["Table"]),
    "floats": (_floats, ["Move", "Table"]),
    "chain": (_chain, ["Table"]),
}


@pytest.mark.parametrize("name", list(CASES))
def test_a_function_of_one_value_is_one_table(name: str, tmp_path: Path) -> None:
    build, kinds = CASES[name]
    net = NetworkWriter()
    value = net.tensor(SHAPE, *INT8)
    model = net.bytes([value], build(net, value))
    program = compile_model(model, name, "net")
    assert [type(op).__name__ for op in program.graph.ops] == kinds
    reference, oracle, native = Reference(model), Oracle(program.graph), Native(program, tmp_path)
    rng = np.random.default_rng(1)
    for kind in range(12):
        window = random_int8(rng, SHAPE, kind)
        wanted = reference.run(window)[0]
        assert np.array_equal(oracle.run(window)[0].reshape(SHAPE), wanted)
        assert np.array_equal(native.run(window)[0].reshape(SHAPE), wanted)


def test_what_something_else_reads_stays() -> None:
    net = NetworkWriter()
    value = net.tensor(SHAPE, *INT8)
    program = compile_model(net.bytes([value], _swish(net, value, keep_gate=True)), "swish", "net")
    assert [type(op).__name__ for op in program.graph.ops] == ["Table", "Product"]


def test_functions_of_two_values_stay() -> None:
    net = NetworkWriter()
    value, other, made = (net.tensor(SHAPE, *INT8) for _ in range(3))
    bent = net.tensor(SHAPE, 1 / 128, 0)
    net.op("TANH", [value], [bent])
    net.op("ADD", [bent, other], [made], **NO_ACTIVATION)
    program = compile_model(net.bytes([value, other], [made]), "two", "net")
    assert [type(op).__name__ for op in program.graph.ops] == ["Table", "Sum"]


def test_an_operand_that_is_spread_is_no_function_of_its_element() -> None:
    net = NetworkWriter()
    value, gate, made = net.tensor(SHAPE, *INT8), net.tensor((1, 1, 4), *INT8), net.tensor(SHAPE, *INT8)
    net.op("REDUCE_MAX", [value, net.const(np.array([1], np.int32))], [gate], keepDims=True)
    net.op("MUL", [value, gate], [made], **NO_ACTIVATION)
    program = compile_model(net.bytes([value], [made]), "gate", "net")
    assert [type(op).__name__ for op in program.graph.ops] == ["ReduceMax", "Product"]


def test_a_quotient_of_two_values_is_refused() -> None:
    net = NetworkWriter()
    value, other, made = (net.tensor(SHAPE, *INT8) for _ in range(3))
    net.op("DIV", [value, other], [made], **NO_ACTIVATION)
    with pytest.raises(ModelError, match=r"op #0 DIV 't2': its operands come from several values; expected a function"):
        compile_model(net.bytes([value, other], [made]), "model", "net")


def test_floats_of_two_values_are_refused() -> None:
    net = NetworkWriter()
    values = [net.tensor(SHAPE, *INT8) for _ in range(2)]
    reals = [net.tensor(SHAPE, kind="FLOAT32") for _ in range(3)]
    made = net.tensor(SHAPE, *INT8)
    for value, real in zip(values, reals, strict=False):
        net.op("DEQUANTIZE", [value], [real])
    net.op("ADD", reals[:2], [reals[2]], **NO_ACTIVATION)
    net.op("QUANTIZE", [reals[2]], [made])
    with pytest.raises(ModelError, match=r"op #2 ADD 't4': computes on float32; quantize the model to full int8"):
        compile_model(net.bytes(values, [made]), "model", "net")


def test_floats_from_outside_are_refused() -> None:
    net = NetworkWriter()
    value, made = net.tensor(SHAPE, kind="FLOAT32"), net.tensor(SHAPE, kind="FLOAT32")
    net.op("ABS", [value], [made])
    with pytest.raises(ModelError, match=r"op #0 ABS 't1': computes on float32; quantize the model to full int8"):
        compile_model(net.bytes([value], [made]), "model", "net")


UNARY = (
    "ABS",
    "NEG",
    "SQUARE",
    "RELU",
    "RELU6",
    "LEAKY_RELU",
    "EXP",
    "TANH",
    "LOGISTIC",
    "SIN",
    "COS",
    "SIGN",
    "FLOOR",
)
BINARY = ("ADD", "SUB", "MUL", "DIV", "MINIMUM", "MAXIMUM")
EVERY = np.arange(-128, 128).astype(np.int8).reshape(1, 64, 4)


def _on_floats(name: str) -> bytes:
    """An op on floats of one int8 value, and of a constant where it takes two."""
    net = NetworkWriter()
    value, made = net.tensor(EVERY.shape, 0.03, 3), net.tensor(EVERY.shape, 0.031, -20)
    real, found = (net.tensor(EVERY.shape, kind="FLOAT32") for _ in range(2))
    net.op("DEQUANTIZE", [value], [real])
    others = [net.const(np.array(0.7, np.float32))] if name in BINARY else []
    options = {"alpha": 0.3} if name == "LEAKY_RELU" else {}
    net.op(name, [real, *others], [found], **options)
    net.op("QUANTIZE", [found], [made])
    return net.bytes([value], [made])


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_floats_between_integers_equal_litert(name: str) -> None:
    model = _on_floats(name)
    program = compile_model(model, name, "net")
    assert [type(op).__name__ for op in program.graph.ops] == ["Table"]
    wanted = Reference(model).run(EVERY)[0]
    assert np.array_equal(Oracle(program.graph).run(EVERY)[0].reshape(EVERY.shape), wanted)


@pytest.mark.parametrize("name", ["LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT"])
def test_conditions_equal_litert(name: str) -> None:
    net = NetworkWriter()
    value, made = net.tensor(EVERY.shape, *INT8), net.tensor(EVERY.shape, *INT8)
    above, below, both = (net.tensor(EVERY.shape, kind="BOOL") for _ in range(3))
    net.op("GREATER", [value, net.const(np.array(-40, np.int8), 0.02, 5)], [above])
    net.op("LESS", [value, net.const(np.array(60, np.int8), 0.02, 5)], [below])
    net.op(name, [above] if name == "LOGICAL_NOT" else [above, below], [both])
    net.op("SELECT", [both, value, net.const(np.full(EVERY.shape, 9, np.int8), *INT8)], [made])
    model = net.bytes([value], [made])
    program = compile_model(model, name, "net")
    assert [type(op).__name__ for op in program.graph.ops] == ["Table"]
    wanted = Reference(model).run(EVERY)[0]
    assert np.array_equal(Oracle(program.graph).run(EVERY)[0].reshape(EVERY.shape), wanted)


def test_a_long_chain_takes_no_time_beyond_its_length() -> None:
    net = NetworkWriter()
    first = value = net.tensor(SHAPE, *INT8)
    for _ in range(500):
        made, both = net.tensor(SHAPE, *INT8), net.tensor(SHAPE, *INT8)
        net.op("ABS", [value], [made])
        net.op("ADD", [value, made], [both], **NO_ACTIVATION)
        value = both
    program = compile_model(net.bytes([first], [value]), "chain", "net")
    assert {type(op).__name__ for op in program.graph.ops} == {"Table"}
    assert len(program.graph.ops) == -(-1000 // 32)
