"""The compiled network's working memory, drawn as it is used: ops across, bytes of the arena upward."""

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from edgecnn_bench.report.layout import byte_tick, byte_ticks
from edgecnn_bench.report.svg import Canvas, Point, Scale, fit, text_width
from edgecnn_bench.report.text import byte_count, clean, plural, real
from edgecnn_bench.results import ArenaBlock, MemoryMap

MAX_OPS: Final = 200
MAX_BLOCKS: Final = 600
"""Ops and blocks beyond which a map cannot be read as a drawing."""
_HATCH_PX: Final = 6.0
_MOST_HATCHES: Final = 80
_NAME_PX: Final = 11
_NAME_HIGH_PX: Final = 13.0
_LEFT_PX: Final = 72.0
_TOP_PX: Final = 46.0
_PLOT_PX: Final = 250.0


@dataclass(frozen=True)
class Use:
    """The op at which most of the arena is in use."""

    op: int
    bytes: int


def drawable(memory: MemoryMap) -> bool:
    """Whether a map can be read as a drawing."""
    return 0 < len(memory.ops) <= MAX_OPS and 0 < len(memory.blocks) <= MAX_BLOCKS and memory.arena_bytes > 0


def fullest(memory: MemoryMap) -> Use:
    """Find the op that has most bytes in use; blocks that share bytes count once."""
    uses = [Use(op, used_bytes(memory, op)) for op in range(min(len(memory.ops), MAX_OPS))]
    return max(uses, key=lambda use: (use.bytes, -use.op), default=Use(0, 0))


def used_bytes(memory: MemoryMap, op: int) -> int:
    """Bytes of the arena that belong to some block while `op` runs."""
    alive = sorted(
        (block.offset_bytes, block.offset_bytes + max(block.size_bytes, 0))
        for block in memory.blocks[:MAX_BLOCKS]
        if block.first_op <= op <= block.last_op
    )
    used, reached = 0, 0
    for start, end in alive:
        used += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return used


def memory_chart(memory: MemoryMap, width: float) -> Markup:
    """Draw every block over the ops during which it is in use; the op with most in use is shaded."""
    canvas = Canvas(width, _TOP_PX + _PLOT_PX + 42, f"Arena of {byte_count(memory.arena_bytes)} over its ops")
    bottom = _TOP_PX + _PLOT_PX
    across = Scale(0.0, len(memory.ops), _LEFT_PX, width - 2)
    up = Scale(0.0, real(memory.arena_bytes), bottom, _TOP_PX)
    _frame(canvas, memory, across, up)
    # The largest first, so that a small block that lies on a large one can be seen.
    for block in sorted(memory.blocks, key=lambda block: (-block.size_bytes, block.name)):
        _block(canvas, block, across, up)
    written: list[_Box] = []
    for block in memory.blocks:
        _block_name(canvas, block, across, up, written)
    canvas.line((_LEFT_PX, up.stop), (width - 2, up.stop), "limit")
    _legend(canvas, memory, width)
    return canvas.markup()


@dataclass(frozen=True)
class _Box:
    """Where a name stands."""

    left: float
    top: float
    right: float
    bottom: float

    def crosses(self, other: "_Box") -> bool:
        """Whether two names would lie on each other."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def _frame(canvas: Canvas, memory: MemoryMap, across: Scale, up: Scale) -> None:
    bottom = up.start
    peak = fullest(memory).op
    canvas.rect(across(peak), up.stop, across(peak + 1) - across(peak), bottom - up.stop, "fill s-peak")
    for side in (across(peak), across(peak + 1)):
        canvas.line((side, up.stop - 5), (side, bottom + 5), "mark")
    arena = real(memory.arena_bytes)
    for tick in byte_ticks(arena):
        if tick < 0.93 * arena:
            canvas.line((across.start, up(tick)), (across.stop, up(tick)), "grid")
            canvas.text((across.start - 8, up(tick) + 4), byte_tick(tick), "t-tick", "end")
    canvas.text((across.start - 8, up.stop + 4), byte_tick(arena), "t-value", "end")
    step = across(1) - across(0)
    widest = text_width(str(len(memory.ops)), 11) + 6
    every = max(1, -(-int(widest) // max(int(step), 1)))
    for index in range(0, len(memory.ops), every):
        style = "t-value" if index == peak else "t-tick"
        canvas.text((across(index + 0.5), bottom + 16), str(index), style, "middle")
    canvas.text(
        ((across.start + across.stop) / 2, bottom + 34), "op, in the order in which they run", "t-tick", "middle"
    )


def _block(canvas: Canvas, block: ArenaBlock, across: Scale, up: Scale) -> None:
    x, end = across(block.first_op), across(block.last_op + 1)
    top, low = up(block.offset_bytes + block.size_bytes), up(block.offset_bytes)
    height = max(low - top, 1.0)
    style = "scratch" if block.kind == "scratch" else "value"
    span = f"op {block.first_op}" if block.first_op == block.last_op else f"ops {block.first_op} to {block.last_op}"
    title = f"{clean(block.name, 80)}: {byte_count(block.size_bytes)} at {byte_count(block.offset_bytes)}, {span}"
    canvas.rect(x + 0.5, top, end - x - 1, height, f"block {style}", title=title)
    if style == "scratch":
        canvas.strokes(_hatch(x + 0.5, top, end - x - 1, height), "hatch")


def _block_name(canvas: Canvas, block: ArenaBlock, across: Scale, up: Scale, written: list[_Box]) -> None:
    """Write the name into the upper left corner, or below where a name stands already; leave it out without room."""
    top, low = up(block.offset_bytes + block.size_bytes), up(block.offset_bytes)
    x = across(block.first_op) + 6
    room = across(block.last_op + 1) - x - 4
    if block.kind == "scratch" or room < text_width(clean(block.name, 12), _NAME_PX):
        return
    shown = fit(block.name, room, _NAME_PX)
    box = _Box(x, top + 3, x + text_width(shown, _NAME_PX), top + 3 + _NAME_HIGH_PX)
    while box.bottom <= low - 1:
        crossed = [other.bottom for other in written if box.crosses(other)]
        if not crossed:
            written.append(box)
            canvas.text((x, box.bottom - 3), shown, "t-small")
            return
        box = _Box(x, max(crossed) + 1, box.right, max(crossed) + 1 + _NAME_HIGH_PX)


def _hatch(x: float, y: float, width: float, height: float) -> list[tuple[Point, Point]]:
    """Slanted lines across a rectangle."""
    if width <= 0 or height <= 0:
        return []
    step = max(_HATCH_PX, (width + height) / _MOST_HATCHES)
    lines = []
    for number in range(1, int((width + height) / step) + 1):
        along = number * step
        start = (x + along, y) if along <= width else (x + width, y + along - width)
        end = (x, y + along) if along <= height else (x + along - height, y + height)
        lines.append((start, end))
    return lines


def _legend(canvas: Canvas, memory: MemoryMap, width: float) -> None:
    peak = fullest(memory)
    x = 0.0
    for style, name in (("value", "values between ops"), ("scratch", "scratch of one op")):
        canvas.rect(x, 4, 16, 11, f"block {style}")
        if style == "scratch":
            canvas.strokes(_hatch(x, 4, 16, 11), "hatch")
        canvas.text((x + 22, 14), name, "t-tick")
        x += 22 + text_width(name, 11) + 16
    text = f"most in use: {byte_count(peak.bytes)}, op {peak.op}"
    if x + text_width(text) < width:
        canvas.text((width - 2, 14), text, "t-value", "end")
    else:
        canvas.text((0, 34), text, "t-value")


def memory_sentence(memory: MemoryMap) -> str:
    """Say how large the arena is and how close to the least that is possible."""
    arena, bound = memory.arena_bytes, memory.lower_bound_bytes
    lead = (
        f"{plural(len(memory.ops), 'op')} share one arena of {byte_count(arena)} (kernels: {clean(memory.target, 60)})"
    )
    if arena <= bound:
        return f"{lead}; no plan of these ops in this order can need less."
    return f"{lead}; no plan of these ops in this order can need less than {byte_count(bound)}."
