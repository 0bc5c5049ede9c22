"""Reading FlatBuffers without trusting them: every offset, size and count is checked against the file.

The layout is that of https://flatbuffers.dev/internals: a table starts with a signed offset back to its vtable, which lists
where each field lies; vectors and strings start with their count. Work is bounded too: a hostile file can let many offsets
point to one place, so each element that is visited takes from a budget in proportion to the file's size.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edgecnn_firmware.errors import ModelError

_OFFSET: Final = struct.Struct("<I")
_BACK: Final = struct.Struct("<i")
_VTABLE_ENTRY: Final = struct.Struct("<H")


class Budget:
    """How many more elements may be visited."""

    def __init__(self, elements: int) -> None:
        self.left = elements

    def take(self, elements: int, fail: Callable[[str], ModelError]) -> None:
        """Take from the budget.

        Raises:
            ModelError: nothing is left.
        """
        self.left -= elements
        if self.left < 0:
            raise fail("its tables refer to each other far more often than a real model's do")


@dataclass(frozen=True)
class Buffer:
    """The file's bytes, its name for errors, and the budget."""

    data: memoryview
    name: str
    budget: Budget

    def fail(self, what: str) -> ModelError:
        """Make the error for a damaged file."""
        return ModelError(f"{self.name}: not a usable .tflite file: {what}")

    def scalar(self, form: struct.Struct, position: int) -> Any:
        """Read one number.

        Raises:
            ModelError: outside the file.
        """
        if not 0 <= position <= len(self.data) - form.size:
            raise self.fail(f"byte {position} lies outside its {len(self.data)} bytes")
        return form.unpack_from(self.data, position)[0]

    def follow(self, position: int) -> int:
        """The place that the offset at `position` points to."""
        return int(position + self.scalar(_OFFSET, position))

    def root(self) -> "Table":
        """The root table."""
        return Table(self, self.follow(0))


class Table:
    """One table; fields are asked for by number and may be absent."""

    def __init__(self, buffer: Buffer, position: int) -> None:
        self.buffer = buffer
        self._position = position
        self._vtable = position - buffer.scalar(_BACK, position)
        self._vtable_bytes = int(buffer.scalar(_VTABLE_ENTRY, self._vtable))
        buffer.budget.take(1, buffer.fail)

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        if entry + 2 > self._vtable_bytes:
            return None
        offset = self.buffer.scalar(_VTABLE_ENTRY, self._vtable + entry)
        return self._position + offset if offset else None

    def number(self, field: int, form: str, default: int) -> int:
        """A scalar field; `form` is its struct format character."""
        place = self._field(field)
        return default if place is None else int(self.buffer.scalar(struct.Struct("<" + form), place))

    def table(self, field: int) -> "Table | None":
        """A field that is a table."""
        place = self._field(field)
        return None if place is None else Table(self.buffer, self.buffer.follow(place))

    def text(self, field: int) -> str:
        """A field that is a string; empty if absent."""
        return self.raw(field, 1).tobytes().decode("utf-8", "replace")

    def raw(self, field: int, element_bytes: int) -> memoryview:
        """The bytes of a field that is a vector of scalars; empty if absent.

        Raises:
            ModelError: the vector does not lie inside the file.
        """
        count, start = self._vector(field)
        stop = start + count * element_bytes
        if stop > len(self.buffer.data):
            raise self.buffer.fail(f"a vector of {count} elements at byte {start} runs past its end")
        return self.buffer.data[start:stop]

    def numbers(self, field: int, form: str) -> tuple[Any, ...]:
        """A field that is a vector of scalars."""
        size = struct.calcsize("<" + form)
        raw = self.raw(field, size)
        count = len(raw) // size
        self.buffer.budget.take(count, self.buffer.fail)
        return struct.unpack(f"<{count}{form}", raw)

    def tables(self, field: int) -> list["Table"]:
        """A field that is a vector of tables."""
        count, start = self._vector(field)
        if start + 4 * count > len(self.buffer.data):
            raise self.buffer.fail(f"a vector of {count} tables at byte {start} runs past its end")
        self.buffer.budget.take(count, self.buffer.fail)
        return [Table(self.buffer, self.buffer.follow(start + 4 * index)) for index in range(count)]

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._field(field)
        if place is None:
            return 0, 0
        start = self.buffer.follow(place)
        return int(self.buffer.scalar(_OFFSET, start)), start + 4
