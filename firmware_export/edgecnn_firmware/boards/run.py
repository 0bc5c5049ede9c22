"""What one call of the measured function did: outputs, exact counts, stack, and accesses that it must not make."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Mark:
    """A call of `edgecnn_mark(label)`: how many instructions had run when it was reached."""

    label: int
    instructions: int


@dataclass(frozen=True)
class Fault:
    """An access that the measured function must not make.

    Attributes:
        kind: `read`, `write`, or `guard` for a changed byte around a buffer, found after the call.
        address: Of the access.
        size: Bytes.
        function: Where; empty for `guard`.
        pc: Address of the instruction; 0 for `guard`.
    """

    kind: Literal["read", "write", "guard"]
    address: int
    size: int
    function: str
    pc: int

    def __str__(self) -> str:
        """One line for people."""
        if self.kind == "guard":
            return f"a byte around a buffer changed at {self.address:#x}"
        return f"{self.function} at {self.pc:#x}: {self.kind} of {self.size} bytes at {self.address:#x}"


@dataclass(frozen=True)
class Run:
    """What one call did.

    Attributes:
        outputs: The output buffer after the call.
        instructions: Instructions from the first one of the called function to its return; the harness is not counted,
            an instruction that a condition skips is.
        by_function: Those instructions by the function that holds them, without its callees; by name.
        marks: Calls of `edgecnn_mark` in order; only in an image built with `marks`, whose counts include the two
            or three instructions of each call.
        stack_bytes: Deepest use of the stack below the call.
        estimated_cycles: Estimate for the core where there is a table of costs, else `None`.
        faults: Forbidden accesses; without `watch` only changed guard bytes.
    """

    outputs: bytes
    instructions: int
    by_function: dict[str, int]
    marks: tuple[Mark, ...]
    stack_bytes: int
    estimated_cycles: int | None
    faults: tuple[Fault, ...]
