"""One arena for all values that live inside a call, planned to the byte."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.compiler.ops.value import Graph, Op

_TRIES: Final = 400
"""Orders of placement that are tried at most; the search ends when the lower bound is met."""


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from one op to another."""

    key: str
    bytes: int
    first: int
    last: int
    alignment: int = 1


@dataclass(frozen=True)
class Sharing:
    """Block `source` ends at the op that block `target` begins at: `offset(source) - offset(target) >= distance` is enough."""

    source: str
    target: str
    distance: int


@dataclass(frozen=True)
class Arena:
    """Offsets of all blocks."""

    offsets: Mapping[str, int]
    bytes: int
    lower_bound: int
    """No plan of these blocks needs fewer bytes."""
    alignment: int
    peak_op: int
    """Position of the op that sets the lower bound."""
    blocks: tuple[Block, ...] = ()
    """What was placed."""


def plan_arena(blocks: Sequence[Block], sharings: Sequence[Sharing], seed: int = 0) -> Arena:
    """Place blocks so that those alive together do not overlap, but for what `sharings` allow.

    Greedy placement at the lowest possible offset over many orders; exact where it meets the lower bound.
    """
    rules = _rules(sharings)
    bound, peak = lower_bound(blocks, sharings)
    alignment = max((block.alignment for block in blocks), default=1)
    best: dict[str, int] | None = None
    best_bytes = 0
    for order in itertools.islice(_orders(blocks, seed), _TRIES):
        offsets = _place(order, rules)
        used = max((offsets[block.key] + block.bytes for block in blocks), default=0)
        if best is None or used < best_bytes:
            best, best_bytes = offsets, used
        if best_bytes <= bound:
            break
    return Arena(best or {}, best_bytes, bound, alignment, peak, tuple(blocks))


def _orders(blocks: Sequence[Block], seed: int) -> "itertools.chain[list[Block]]":
    by_size = sorted(blocks, key=lambda block: (-block.bytes, block.first))
    by_time = sorted(blocks, key=lambda block: (block.first, -block.bytes))
    by_end = sorted(blocks, key=lambda block: (-block.last, -block.bytes))
    chance = random.Random(seed)  # noqa: S311 (a search, not a secret)

    def shuffled() -> list[Block]:
        return sorted(blocks, key=lambda block: -block.bytes * chance.uniform(0.3, 1.0))

    return itertools.chain([by_size, by_time, by_time[::-1], by_end], (shuffled() for _ in itertools.count()))


def _place(order: Sequence[Block], rules: Mapping[tuple[str, str], int]) -> dict[str, int]:
    offsets: dict[str, int] = {}
    placed: list[Block] = []
    for block in order:
        others = [other for other in placed if other.first <= block.last and block.first <= other.last]
        candidates = {0}
        for other in others:
            candidates.add(offsets[other.key] + other.bytes)
            if (block.key, other.key) in rules:
                candidates.add(offsets[other.key] + rules[block.key, other.key])
            if (other.key, block.key) in rules:
                candidates.add(offsets[other.key] - rules[other.key, block.key])
                # Lower still where it ends before the other begins is covered by the ends of the rest.
        aligned = sorted(-(-place // block.alignment) * block.alignment for place in candidates if place >= 0)
        offsets[block.key] = next(
            place for place in aligned if all(_fits(block, place, other, offsets[other.key], rules) for other in others)
        )
        placed.append(block)
    return offsets


def _fits(block: Block, at: int, other: Block, other_at: int, rules: Mapping[tuple[str, str], int]) -> bool:
    if at + block.bytes <= other_at or other_at + other.bytes <= at:
        return True
    if (block.key, other.key) in rules:
        return at - other_at >= rules[block.key, other.key]
    if (other.key, block.key) in rules:
        return other_at - at >= rules[other.key, block.key]
    return False


def _rules(sharings: Sequence[Sharing]) -> dict[tuple[str, str], int]:
    return {(sharing.source, sharing.target): sharing.distance for sharing in sharings}


def lower_bound(blocks: Sequence[Block], sharings: Sequence[Sharing]) -> tuple[int, int]:
    """The most bytes that any one op needs, when each pair that may share does so as far as it can; and its position."""
    rules = _rules(sharings)
    bound, peak = 0, 0
    for step in sorted({block.first for block in blocks} | {block.last for block in blocks}):
        alive = {block.key: block for block in blocks if block.first <= step <= block.last}
        total = sum(block.bytes for block in alive.values())
        saved: Counter[str] = Counter()
        for (source, target), distance in rules.items():
            if source in alive and target in alive:
                # Together they need at least this, counted from the lower end of either.
                together = max(max(distance, 0) + alive[source].bytes, alive[target].bytes)
                saved[target] += max(0, alive[source].bytes + alive[target].bytes - together)
        # Several sources may lie under one target, but not more of them than it covers.
        least = total - sum(min(bytes_, alive[target].bytes) for target, bytes_ in saved.items())
        least = max(least, *(block.bytes for block in alive.values()))
        if least > bound:
            bound, peak = least, step
    return bound, peak


def blocks_of(
    graph: Graph,
    scratch: Callable[[Op], int],
    distance: Callable[[Op, int], int | None],
    outside: frozenset[int],
) -> tuple[list[Block], list[Sharing]]:
    """The blocks of a graph and what they may share.

    Args:
        graph: the program.
        scratch: bytes that an op's kernel needs while it runs.
        distance: `least_distance` of an op and one of its inputs.
        outside: storages that do not lie in the arena (the caller's input and output, variables).
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    size: dict[int, int] = {}
    for value in graph.inputs:
        first[value.storage] = last[value.storage] = 0
        size[value.storage] = value.bytes
    for step, op in enumerate(graph.ops):
        for value in op.inputs:
            last[value.storage] = step
        first.setdefault(op.output.storage, step)
        last[op.output.storage] = step
        size[op.output.storage] = max(size.get(op.output.storage, 0), op.output.bytes)
    for value in graph.outputs:
        last[value.storage] = max(len(graph.ops) - 1, 0)
    alignments = {
        value.storage: 4 for op in graph.ops for value in (*op.inputs, op.output) if value.bytes != value.elements
    }
    blocks = [
        Block(f"value {key}", size[key], first[key], last[key], alignments.get(key, 1))
        for key in first
        if key not in outside
    ]
    sharings = []
    for step, op in enumerate(graph.ops):
        if scratch(op):
            blocks.append(Block(f"scratch {step}", scratch(op), step, step, 4))
        for position, value in enumerate(op.inputs):
            allowed = distance(op, position)
            apart = value.storage == op.output.storage or value.storage in outside or op.output.storage in outside
            read_once = [other.storage for other in op.inputs].count(value.storage) == 1
            if (
                allowed is None
                or apart
                or not read_once
                or last[value.storage] != step
                or first[op.output.storage] != step
            ):
                continue
            sharings.append(Sharing(f"value {value.storage}", f"value {op.output.storage}", allowed))
    return blocks, sharings
