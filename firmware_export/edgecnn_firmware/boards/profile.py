"""From executed blocks to instructions by function and an estimate of cycles."""

from collections import Counter
from collections.abc import Callable

from edgecnn_firmware.boards import cycles, instructions
from edgecnn_firmware.boards.harness import ENTRY, MARK, STOP
from edgecnn_firmware.boards.places import FunctionIndex
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.boards.targets import Target

Edges = dict[tuple[int, int], int]
"""How often one block followed another; a block is `address | size << SIZE_SHIFT`, and 0 stands before the first."""

SIZE_SHIFT = 32

_HARNESS = (ENTRY, STOP, MARK)


class Profile:
    """The blocks of one call, taken apart into instructions.

    Args:
        edges: Every edge between executed blocks.
        read: Machine code at an address, of a size.
        functions: Names the function of an address.
        target: The core.

    Raises:
        BoardError: A block does not end in a branch, yet another one than the next followed: blocks were missed, and
            counts would be wrong.
    """

    def __init__(
        self, edges: Edges, read: Callable[[int, int], bytes], functions: FunctionIndex, target: Target
    ) -> None:
        blocks = sorted({block for edge in edges for block in edge if block})
        self._edges = edges
        self._target = target
        self._names = {block: functions.name_at(start_of(block)) for block in blocks}
        self._code = {
            block: tuple(instructions.split(read(start_of(block), block >> SIZE_SHIFT), target.architecture))
            for block in blocks
        }
        self._check_flow()

    def instructions(self, edges: Edges) -> int:
        """Instructions outside the harness, along some of the edges."""
        return sum(len(self._code[block]) * times for block, times in _times(edges).items() if self._counted(block))

    def by_function(self) -> dict[str, int]:
        """Instructions by function, by name."""
        found: Counter[str] = Counter()
        for block, times in _times(self._edges).items():
            if self._counted(block):
                found[self._names[block]] += len(self._code[block]) * times
        return dict(sorted(found.items()))

    def estimated_cycles(self) -> int | None:
        """Cycles where there is a table of costs for the core, else `None`."""
        if self._target.name != "cortex-m4":
            return None
        times = _times(self._edges)
        straight: Counter[int] = Counter()
        for (before, block), count in self._edges.items():
            if before and start_of(block) == stop_of(before):
                straight[before] += count
        return cycles.estimate(
            cycles.Block(self._code[block], count, count - straight[block])
            for block, count in times.items()
            if self._counted(block)
        )

    def _counted(self, block: int) -> bool:
        return self._names[block] not in _HARNESS

    def _check_flow(self) -> None:
        for before, block in self._edges:
            if before and start_of(block) != stop_of(before):
                last = self._code[before][-1]
                if not instructions.may_branch(last, self._target.architecture):
                    raise BoardError(
                        f"{self._target.name}, {self._names[before]}: a block that ends at {stop_of(before):#x} without "
                        f"a branch was followed by {start_of(block):#x}; instructions cannot be counted"
                    )


def start_of(block: int) -> int:
    """First address of a block."""
    return block & ((1 << SIZE_SHIFT) - 1)


def stop_of(block: int) -> int:
    """Address behind a block."""
    return start_of(block) + (block >> SIZE_SHIFT)


def _times(edges: Edges) -> Counter[int]:
    found: Counter[int] = Counter()
    for (_, block), times in edges.items():
        found[block] += times
    return found
