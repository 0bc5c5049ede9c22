"""Reading FlatBuffers without trusting them: every offset, size and count is checked against the file.

The layout is that of https://flatbuffers.dev/internals: a table starts with a signed offset back to its vtable, which
lists where each field lies; vectors and strings start with their count. Work is bounded too: a hostile file can let
many offsets point to one place, so that everything visited takes from a budget in proportion to the file's size.
"""

import struct
from typing import Any, Final

from edgecnn_firmware.errors import ModelError

MAX_VISITS: Final = 1 << 22
"""Most numbers, characters and tables (each as `_TABLE_COST`) of one file: far over any network of this toolkit's kind,
and about 300 MB of Python objects in the worst case."""

_TABLE_COST: Final = 8
"""A table takes several times the memory of a number."""

_FORMS: Final = {form: struct.Struct("<" + form) for form in "bBHhiIqQf"}
_OFFSET: Final = _FORMS["I"]
_BACK: Final = _FORMS["i"]
_VTABLE_ENTRY: Final = _FORMS["H"]
_VTABLE_HEAD_BYTES: Final = 4


class Buffer:
    """The file's bytes, its name for errors, and how much of it may still be visited."""

    __slots__ = ("_visits", "_visits_left", "data", "name")

    def __init__(self, data: bytes, name: str) -> None:
        self.data = memoryview(data)
        self.name = name
        # A number takes at least a byte of the file, so that no honest file runs out.
        self._visits = min(MAX_VISITS, len(data) + 4096)
        self._visits_left = self._visits

    def fail(self, what: str) -> ModelError:
        """Make the error for a damaged file."""
        return ModelError(f"{self.name}: not a usable .tflite file: {what}")

    def visit(self, count: int) -> None:
        """Take from the budget.

        Raises:
            ModelError: nothing is left.
        """
        self._visits_left -= count
        if self._visits_left < 0:
            raise self.fail(f"it refers to over {self._visits} values, more than a network of its size holds")

    def scalar(self, form: struct.Struct, position: int) -> Any:
        """Read one number.

        Raises:
            ModelError: outside the file.
        """
        if not 0 <= position <= len(self.data) - form.size:
            raise self.fail(f"byte {position} lies outside its {len(self.data)} bytes")
        return form.unpack_from(self.data, position)[0]

    def follow(self, position: int) -> int:
        """The place that the offset at `position` points to.

        Raises:
            ModelError: the offset is null or points outside the file.
        """
        offset = int(self.scalar(_OFFSET, position))
        target = position + offset
        if offset == 0 or target >= len(self.data):
            raise self.fail(f"the offset at byte {position} points to byte {target} of {len(self.data)}")
        return target

    def root(self) -> "Table":
        """The root table."""
        return Table(self, self.follow(0))


class Table:
    """One table; fields are asked for by number and may be absent."""

    __slots__ = ("_end", "_position", "_vtable", "_vtable_bytes", "buffer")

    def __init__(self, buffer: Buffer, position: int) -> None:
        self.buffer = buffer
        self._position = position
        self._vtable = position - int(buffer.scalar(_BACK, position))
        self._vtable_bytes = int(buffer.scalar(_VTABLE_ENTRY, self._vtable))
        self._end = position + int(buffer.scalar(_VTABLE_ENTRY, self._vtable + 2))
        if self._vtable_bytes < _VTABLE_HEAD_BYTES or self._vtable + self._vtable_bytes > len(buffer.data):
            raise buffer.fail(f"the vtable at byte {self._vtable} has {self._vtable_bytes} bytes")
        if self._end > len(buffer.data):
            raise buffer.fail(f"the table at byte {position} runs past its end")
        buffer.visit(_TABLE_COST)

    def number(self, field: int, form: str, default: int = 0) -> int:
        """An integer field; `form` is its struct format character."""
        place = self._field(field, _FORMS[form].size)
        return default if place is None else int(self.buffer.scalar(_FORMS[form], place))

    def real(self, field: int, default: float = 0.0) -> float:
        """A float32 field."""
        place = self._field(field, 4)
        return default if place is None else float(self.buffer.scalar(_FORMS["f"], place))

    def table(self, field: int) -> "Table | None":
        """A field that is a table."""
        place = self._field(field, 4)
        return None if place is None else Table(self.buffer, self.buffer.follow(place))

    def text(self, field: int, max_characters: int) -> str:
        """A field that is a string, cut to `max_characters` bytes; empty if absent."""
        data = self.raw(field)[:max_characters]
        self.buffer.visit(len(data))
        return data.tobytes().decode("utf-8", "replace")

    def raw(self, field: int) -> memoryview:
        """The bytes of a field that is a vector of bytes or a string, not copied; empty if absent."""
        count, start = self._vector(field, 1)
        return self.buffer.data[start : start + count]

    def integers(self, field: int, form: str) -> tuple[int, ...]:
        """A field that is a vector of integers; empty if absent."""
        return self._numbers(field, form)

    def reals(self, field: int) -> tuple[float, ...]:
        """A field that is a vector of float32; empty if absent."""
        return self._numbers(field, "f")

    def tables(self, field: int, what: str, most: int) -> list["Table"]:
        """A field that is a vector of tables; empty if absent.

        Raises:
            ModelError: there are more than `most`; `what` names them.
        """
        count, start = self._vector(field, 4)
        if count > most:
            raise self.buffer.fail(f"it holds {count} {what}; up to {most} are read")
        return [Table(self.buffer, self.buffer.follow(start + 4 * index)) for index in range(count)]

    def place(self, field: int, element_bytes: int) -> tuple[int, int]:
        """Count of elements of a field that is a vector, and the byte of the first; zeros if absent."""
        return self._vector(field, element_bytes)

    def _numbers(self, field: int, form: str) -> tuple[Any, ...]:
        size = _FORMS[form].size
        count, start = self._vector(field, size)
        self.buffer.visit(count)
        return struct.unpack_from(f"<{count}{form}", self.buffer.data, start) if count else ()

    def _field(self, number: int, size: int) -> int | None:
        entry = _VTABLE_HEAD_BYTES + 2 * number
        if entry + 2 > self._vtable_bytes:
            return None
        offset = int(self.buffer.scalar(_VTABLE_ENTRY, self._vtable + entry))
        if offset == 0:
            return None
        place = self._position + offset
        if offset < 4 or place + size > self._end:
            raise self.buffer.fail(f"field {number} of the table at byte {self._position} lies outside the table")
        return place

    def _vector(self, field: int, element_bytes: int) -> tuple[int, int]:
        place = self._field(field, 4)
        if place is None:
            return 0, 0
        start = self.buffer.follow(place)
        count = int(self.buffer.scalar(_OFFSET, start))
        if start + 4 + count * element_bytes > len(self.buffer.data):
            raise self.buffer.fail(f"the vector of {count} elements at byte {start} runs past its end")
        return count, start + 4
