"""What the emission of one op sees: where its values lie, and where its constants and its call go."""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy.typing as npt

from edgecnn_firmware.compiler.ops.value import Op, Value
from edgecnn_firmware.compiler.targets import Target

if TYPE_CHECKING:
    from edgecnn_firmware.compiler.emit.layers import Layer

Memory: TypeAlias = bytes
_LINE: Final = 116
_INDENT: Final = "    "
_LAYER: Final = "layer "
"""Stands in the body where a convolution's call will be."""


@dataclass(frozen=True)
class Constant:
    """A const array of the generated file."""

    name: str
    c_type: str
    bytes: int
    text: str
    data: Memory
    """As it lies in memory, little end first."""
    alignment: int = 1
    op: Op | None = None
    """Whose it is."""


class Emitter:
    """Collects the generated file while the ops are emitted in order."""

    def __init__(self, prefix: str, target: Target, expressions: Mapping[int, str], scratch: Mapping[int, str]) -> None:
        self.prefix = prefix
        self.target = target
        self._expressions = dict(expressions)
        self._scratch = dict(scratch)
        self._lengths: dict[int, str] = {}
        self.includes: dict[str, None] = {}
        self.constants: list[Constant] = []
        self._structs: set[str] = set()
        self.body: list[str] = []
        self.notes: list[str] = []
        """What the reader should know: where a proof failed and a slower body is used."""
        self.op: Op | None = None
        self.ops: list[Op] = []
        """Those that were begun, one by one: the ones within stripes too."""
        self.layers: list[Layer] = []
        self.functions: list[str] = []
        """Functions before the network's own."""

    def note(self, text: str) -> None:
        """Tell the reader something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def include(self, header: str) -> None:
        """Use a runtime header, by file name."""
        self.includes.setdefault(header)

    def pointer(self, value: Value) -> str:
        """C expression of a value's first element, of its own type's pointer."""
        return self._expressions[value.storage]

    def scratch(self, op: Op) -> str:
        """C expression of an op's scratch memory (`int8_t *`), or a null pointer."""
        return self._scratch.get(id(op), "0")

    def length(self, value: Value) -> int | str:
        """Rows of a value: a number, or a C expression where only some of them are in memory."""
        return self._lengths.get(value.storage, value.length)

    def elements(self, value: Value) -> int | str:
        """Elements of a value, likewise."""
        length = self.length(value)
        return value.elements if isinstance(length, int) else f"{length} * {value.channels}"

    @contextmanager
    def within(
        self, op: Op, expressions: Mapping[int, str], lengths: Mapping[int, str], scratch: str
    ) -> Iterator[None]:
        """Emit one op that sees some rows of its values, at these places."""
        outer = self._expressions, self._lengths
        self._expressions, self._lengths = {**self._expressions, **expressions}, dict(lengths)
        self._scratch[id(op)] = scratch
        yield
        self._expressions, self._lengths = outer

    def constant(self, what: str, array: npt.NDArray[Any], *, alignment: int = 1) -> str:
        """Add a const array of int8, uint8, int16 or int32; its C name.

        Args:
            what: what it holds, as the end of its name.
            array: any shape; written flat.
            alignment: bytes.
        """
        c_type = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "uint32": "uint32_t"}[
            array.dtype.name
        ]
        flat = array.reshape(-1)
        data = flat.astype(flat.dtype.newbyteorder("<")).tobytes()
        # An op that is called for several parts of its rows has one set of them.
        for constant in self.constants:
            if constant.data == data and constant.c_type == c_type and constant.alignment >= alignment:
                return constant.name
        number = self.op.number if self.op is not None else 0
        name = _free(f"op{number}_{what}", {constant.name for constant in self.constants})
        text = c_numbers(flat.tolist(), "u" if c_type == "uint32_t" else "")
        self.constants.append(Constant(name, c_type, flat.nbytes, text, data, max(alignment, flat.itemsize), self.op))
        return name

    def begin(self, op: Op, text: str) -> None:
        """What comes is an op's; `text` describes it."""
        self.op = op
        self.line(f"    /* {text} */")
        self.line(f"    EDGECNN_MARK({len(self.ops)});")
        self.ops.append(op)

    def line(self, text: str) -> None:
        """Add a statement to the function's body."""
        self.body.append(text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """Statements within braces, further in."""
        self.body.append(f"    {opening}")
        begin = len(self.body)
        yield
        self.body[begin:] = [_INDENT + line.replace("\n", "\n" + _INDENT) for line in self.body[begin:]]
        self.body.append("    }")

    def struct(self, kind: str, what: str, fields: Mapping[str, Any]) -> str:
        """Define a constant struct in the function's body; with expressions among its fields it is computed there.

        Args:
            kind: its type.
            what: what it holds, as the end of its name.
            fields: by name.

        Returns:
            C expression of its address.
        """
        number = self.op.number if self.op is not None else 0
        name = _free(f"op{number}_{what}", self._structs)
        self._structs.add(name)
        self.body.append(wrapped(f"{qualifiers(fields)} {kind} {name} = ", struct_literal(fields), ";"))
        return f"&{name}"

    def call(self, function: str, *arguments: Any) -> None:
        """Add a call, wrapped at the line's width."""
        self.body.append(wrapped(f"{function}(", ", ".join(map(str, arguments)), ");"))

    def layer(self, layer: "Layer") -> None:
        """Add a convolution's call; `finish` writes it."""
        self.body.append(f"{_LAYER}{len(self.layers)}")
        self.layers.append(layer)

    def finish(self, *, share: bool) -> None:
        """Write the convolutions' calls."""
        from edgecnn_firmware.compiler.emit.layers import emit_layers

        self.functions, statements = emit_layers(self.layers, share=share)
        for line, text in enumerate(self.body):
            if text.lstrip().startswith(_LAYER):
                indent = text[: -len(text.lstrip())] if text.startswith(" ") else ""
                statement = statements[int(text.strip().removeprefix(_LAYER))]
                self.body[line] = indent + statement.replace("\n", "\n" + indent)


def _free(name: str, taken: Container[str]) -> str:
    """The name, with a number behind it where it is taken."""
    return next(name + end for end in ("", *(f"_{n}" for n in range(2, 10_000))) if name + end not in taken)


def c_numbers(values: Iterable[int], suffix: str = "") -> str:
    """Numbers as the lines of an initializer."""
    lines: list[str] = []
    line = ""
    for value in values:
        # The least int32 has no literal of its own: 2147483648 does not fit int.
        text = ("(-2147483647 - 1)" if value == -(1 << 31) else f"{value}") + suffix + ","
        if line and len(line) + 1 + len(text) > _LINE:
            lines.append(line)
            line = text
        else:
            line = f"{line} {text}" if line else text
    lines.append(line)
    return "\n".join(f"    {line}" for line in lines)


def wrapped(opening: str, inner: str, closing: str) -> str:
    """One statement, broken after commas."""
    indent = _INDENT
    lines, line = [], opening
    for position, part in enumerate(inner.split(", ")):
        text = part if position == 0 else f", {part}"
        if len(line) + len(text) + len(indent) > _LINE and position:
            lines.append(line + ",")
            line = " " * 4 + part
        else:
            line += text
    lines.append(line + closing)
    return "\n".join(indent + line for line in lines)


def struct_literal(fields: Mapping[str, Any]) -> str:
    """A designated initializer."""
    return "{" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def qualifiers(fields: Mapping[str, Any]) -> str:
    """How a struct of these fields is declared: with lengths that are expressions it has no static place."""
    return "const" if isinstance(fields.get("rows"), str) else "static const"


def describe(op: Op) -> str:
    """What an op does, in one line."""

    def shape(value: Value) -> str:
        return f"({value.length}, {value.channels})"

    source = ", ".join(shape(value) for value in op.inputs)
    return f"{op.label}: {source} -> {shape(op.output)}" + (f", {op.macs} MACs" if op.macs else "")


@singledispatch
def emit(op: Op, emitter: Emitter) -> None:
    """Add an op's constants and its call."""
    raise NotImplementedError(type(op).__name__)


@dataclass(frozen=True)
class Needs:
    """What the kernel chosen for an op asks of the plan."""

    scratch_bytes: int = 0
    """Memory while it runs, aligned to 4."""
    gathers: bool = False
    """It copies the patches of a pair of rows before it writes the rows."""
    copies: bool = False
    """It copies its whole input before it writes anything."""


@singledispatch
def needs(op: Op, target: Target) -> Needs:  # noqa: ARG001
    """What the op's kernel for a target needs."""
    return Needs()
