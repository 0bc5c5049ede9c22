"""Names in the drawing of the compiled network's memory."""

import re

from hypothesis import given
from hypothesis import strategies as st

from edgecnn_bench.report.arena import memory_chart
from edgecnn_bench.report.svg import text_width
from edgecnn_bench.results import ArenaBlock, MemoryMap

NAME = re.compile(r'<text x="([\d.]+)" y="([\d.]+)" class="t-small">([^<]*)</text>')
HEIGHT_PX = 11
OPS = 6


def chart(blocks: list[ArenaBlock], width: float) -> list[tuple[float, float, str]]:
    arena = max(block.offset_bytes + block.size_bytes for block in blocks)
    memory = MemoryMap(
        target="portable", arena_bytes=arena, lower_bound_bytes=arena, ops=("CONV_2D",) * OPS, blocks=tuple(blocks)
    )
    return [(float(x), float(y), name) for x, y, name in NAME.findall(str(memory_chart(memory, width)))]


def block(name: str, offset: int, size: int, first: int, last: int) -> ArenaBlock:
    return ArenaBlock(name=name, kind="value", offset_bytes=offset, size_bytes=size, first_op=first, last_op=last)


@st.composite
def blocks(draw: st.DrawFn) -> ArenaBlock:
    first = draw(st.integers(0, OPS - 1))
    name = draw(st.sampled_from(["output of 3 CONV_2D + MAX_POOL_2D", "value 7", "input"]))
    offset, size = draw(st.integers(0, 2000)), draw(st.integers(1, 2000))
    return block(name, offset, size, first, draw(st.integers(first, OPS - 1)))


@given(st.lists(blocks(), min_size=1, max_size=8), st.sampled_from([330.0, 860.0]))
def test_no_name_lies_on_another(some: list[ArenaBlock], width: float) -> None:
    names = chart(some, width)
    for index, (x, y, name) in enumerate(names):
        for other_x, other_y, other in names[:index]:
            beside = x >= other_x + text_width(other, 11) or other_x >= x + text_width(name, 11)
            assert beside or abs(y - other_y) >= HEIGHT_PX


def test_blocks_that_share_a_corner_have_both_names() -> None:
    found = chart([block("output of 2", 0, 1000, 1, 4), block("output of 3", 0, 1000, 1, 2)], 860)
    assert [name for _, _, name in found] == ["output of 2", "output of 3"]
    assert found[0][0] == found[1][0]
    assert found[1][1] - found[0][1] >= HEIGHT_PX


def test_a_name_without_room_is_left_out() -> None:
    tall = block("input", 0, 2000, 0, 5)
    # Its box is as high as one line, which the other name takes.
    low = block("output", 1880, 120, 0, 5)
    assert [name for _, _, name in chart([tall, low], 860)] == ["input"]
