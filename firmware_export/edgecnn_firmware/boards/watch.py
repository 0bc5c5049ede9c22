"""Checking every access to memory against what the measured function may touch."""

from typing import Any

from edgecnn_firmware.boards.extras import load
from edgecnn_firmware.boards.places import FunctionIndex, Places, Span
from edgecnn_firmware.boards.run import Fault

_KEPT_FAULTS = 32


class Watch:
    """Hooks that gather forbidden accesses: one fault per instruction and kind, at most 32.

    Unicorn 2.1.4 with a hook on writes goes wrong behind a conditional store in an IT block of Thumb code. GCC writes none
    with `-fno-if-conversion -fno-if-conversion2`.
    """

    def __init__(self, cpu: Any, pc: int, places: Places, flash: tuple[Span, ...], functions: FunctionIndex) -> None:
        unicorn = load("unicorn", "watching accesses")
        self._pc = pc
        self._functions = functions
        self._writable = (places.arena, places.outputs, places.stack)
        self._readable = (*flash, *self._writable, places.inputs)
        self._found: dict[tuple[str, int], Fault] = {}
        cpu.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._on_write)
        cpu.hook_add(unicorn.UC_HOOK_MEM_READ, self._on_read)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was found, in the order of first occurrence."""
        return tuple(self._found.values())

    def _on_write(self, cpu: Any, access: int, address: int, size: int, value: int, data: object) -> None:
        if not any(span.holds(address, size) for span in self._writable):
            self._note(cpu, Fault("write", address, size, "", 0))

    def _on_read(self, cpu: Any, access: int, address: int, size: int, value: int, data: object) -> None:
        if not any(span.holds(address, size) for span in self._readable):
            self._note(cpu, Fault("read", address, size, "", 0))

    def _note(self, cpu: Any, fault: Fault) -> None:
        pc = int(cpu.reg_read(self._pc))
        if len(self._found) < _KEPT_FAULTS:
            named = Fault(fault.kind, fault.address, fault.size, self._functions.name_at(pc), pc)
            self._found.setdefault((fault.kind, pc), named)
