"""The arena: nothing that lives at once overlaps, but for what an op allows; small cases meet the true minimum."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn_firmware.compiler.plan.arena import Block, Sharing, plan_arena


def _blocks() -> st.SearchStrategy[list[Block]]:
    def make(specs: list[tuple[int, int, int, int]]) -> list[Block]:
        return [
            Block(f"b{number}", size, first, first + length, alignment)
            for number, (size, first, length, alignment) in enumerate(specs)
        ]

    spec = st.tuples(st.integers(1, 60), st.integers(0, 6), st.integers(0, 3), st.sampled_from([1, 1, 4]))
    return st.lists(spec, min_size=1, max_size=7).map(make)


def _sharings(blocks: list[Block], distances: list[int]) -> list[Sharing]:
    pairs = [
        (a, b)
        for a, b in itertools.permutations(blocks, 2)
        if a.last == b.first and a.first < b.first and a.key != b.key
    ]
    return [Sharing(a.key, b.key, distance) for (a, b), distance in zip(pairs, distances, strict=False)]


@given(_blocks(), st.lists(st.integers(-60, 60), max_size=6))
@settings(max_examples=300, deadline=None)
def test_blocks_that_live_together_do_not_overlap(blocks: list[Block], distances: list[int]) -> None:
    sharings = _sharings(blocks, distances)
    arena = plan_arena(blocks, sharings)
    allowed = {(sharing.source, sharing.target): sharing.distance for sharing in sharings}
    assert arena.bytes == max(arena.offsets[block.key] + block.bytes for block in blocks)
    assert arena.bytes >= arena.lower_bound
    for block in blocks:
        assert arena.offsets[block.key] % block.alignment == 0
    for a, b in itertools.combinations(blocks, 2):
        if a.first > b.last or b.first > a.last:
            continue
        at_a, at_b = arena.offsets[a.key], arena.offsets[b.key]
        if at_a + a.bytes <= at_b or at_b + b.bytes <= at_a:
            continue
        rule = allowed.get((a.key, b.key)), allowed.get((b.key, a.key))
        assert rule != (None, None)
        assert at_a - at_b >= rule[0] if rule[0] is not None else at_b - at_a >= rule[1]


@given(_blocks())
@settings(max_examples=100, deadline=None)
def test_without_sharing_the_bound_is_what_lives_at_once(blocks: list[Block]) -> None:
    arena = plan_arena(blocks, [])
    steps = range(max(block.last for block in blocks) + 1)
    assert arena.lower_bound == max(
        sum(block.bytes for block in blocks if block.first <= step <= block.last) for step in steps
    )


def test_a_chain_that_shrinks_in_place_needs_its_largest_value() -> None:
    blocks = [Block("a", 100, 0, 1), Block("b", 60, 1, 2), Block("c", 20, 2, 3)]
    arena = plan_arena(blocks, [Sharing("a", "b", 0), Sharing("b", "c", 0)])
    assert arena.bytes == arena.lower_bound == 100


def test_a_plan_is_the_same_every_time() -> None:
    blocks = [Block(f"b{n}", 7 * n % 23 + 1, n // 2, n // 2 + n % 3) for n in range(24)]
    assert plan_arena(blocks, []).offsets == plan_arena(blocks, []).offsets
