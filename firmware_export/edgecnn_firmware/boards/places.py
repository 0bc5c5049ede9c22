"""Where things are in a machine's memory: buffers, stack, functions."""

from bisect import bisect_right
from dataclasses import dataclass

from edgecnn_firmware.boards.elf import Elf
from edgecnn_firmware.boards.harness import ARENA, GUARD_BYTES, INPUT, OUTPUT
from edgecnn_firmware.boards.image import Image


@dataclass(frozen=True)
class Span:
    """Addresses from `start` up to, not including, `stop`."""

    start: int
    stop: int

    def holds(self, address: int, size: int) -> bool:
        """Whether all bytes of an access lie inside."""
        return self.start <= address and address + size <= self.stop


@dataclass(frozen=True)
class Places:
    """The buffers without their guards, and the stack."""

    inputs: Span
    outputs: Span
    arena: Span
    stack: Span

    @property
    def buffers(self) -> tuple[Span, Span, Span]:
        """Input, output and arena."""
        return self.inputs, self.outputs, self.arena


def places_of(image: Image, stack_limit_bytes: int) -> Places:
    """Find the buffers of an image and lay out a stack of at least `stack_limit_bytes`."""

    def buffer(name: str, size: int) -> Span:
        start = image.elf.address_of(f"{name}_guarded") + GUARD_BYTES
        return Span(start, start + size)

    top = image.target.stack_top
    harness = image.harness
    return Places(
        buffer(INPUT, harness.input_bytes),
        buffer(OUTPUT, harness.output_bytes),
        buffer(ARENA, harness.arena_bytes),
        Span(top - page_up(stack_limit_bytes), top),
    )


def page_up(size: int) -> int:
    """Round up to whole pages of 4096 bytes."""
    return -(-size // 4096) * 4096


class FunctionIndex:
    """Names the function that holds an address."""

    def __init__(self, elf: Elf) -> None:
        functions = [symbol for symbol in elf.symbols if symbol.is_function]
        self._starts = [symbol.address for symbol in functions]
        self._names = [symbol.name for symbol in functions]

    def name_at(self, address: int) -> str:
        """The last function that starts at or before the address; `?` before the first one.

        Symbols of assembly may have no size, so the next function's start bounds a function, not its size.
        """
        found = bisect_right(self._starts, address) - 1
        return self._names[found] if found >= 0 else "?"
