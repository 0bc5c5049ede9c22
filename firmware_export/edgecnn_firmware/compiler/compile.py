"""`.tflite` bytes -> C files."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from edgecnn_firmware.compiler.emit import families
from edgecnn_firmware.compiler.emit.context import needs
from edgecnn_firmware.compiler.emit.program import Optimize, Program, write_program
from edgecnn_firmware.compiler.lowering.context import PROFILES
from edgecnn_firmware.compiler.lowering.lower import lower_model
from edgecnn_firmware.compiler.ops.movement import Move, Part
from edgecnn_firmware.compiler.ops.value import Graph, Op
from edgecnn_firmware.compiler.passes import run_passes
from edgecnn_firmware.compiler.passes.use_winograd import use_winograd
from edgecnn_firmware.compiler.plan.arena import Arena, Block, Sharing, blocks_of, lower_bound, plan_arena
from edgecnn_firmware.compiler.plan.overlap import ANYWHERE, least_distance
from edgecnn_firmware.compiler.sliding.slide import slide
from edgecnn_firmware.compiler.stripes.choose import with_stripes
from edgecnn_firmware.compiler.targets import TARGETS, Target, find_target
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.reader import read_model

_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def compile_model(
    data: bytes,
    name: str,
    prefix: str,
    *,
    profile: str = "litert",
    target: str = "portable",
    optimize: Optimize = "balanced",
    input_in_arena: bool = False,
    least_ram: bool = False,
    hop: int | None = None,
    checksum: bool = False,
) -> Program:
    """Compile an int8 network.

    Args:
        data: the `.tflite` file's bytes.
        name: the file's name, for errors.
        prefix: C prefix of every public name.
        profile: whose rounding is repeated: `litert` (LiteRT's reference kernels) or `tflm` (TFLite Micro's).
        target: one of `targets.TARGETS`.
        optimize: `speed` specializes the code of every layer and takes more flash for fewer products where the target can,
            `balanced` lets layers of one shape share code, `size` keeps one copy of each kernel for all layers.
        input_in_arena: the caller writes the inputs into the arena, where they are overwritten: less memory.
        least_ram: run ops in stripes of rows where that makes the arena smaller, and with `hop` keep fewer rows: less memory,
            more instructions.
        hop: rows by which a window slides: each call takes so many, the window's newest, and keeps what the next one reads.
        checksum: write a function `PREFIX_crc32` over the constants too.

    Raises:
        ModelError: the file is broken, or holds what is not compiled: by op number, name and reason; or the target's
            kernels cannot run in stripes, or nothing of a window that slides so can be kept.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ModelError(f"prefix {prefix[:70]!r}: expected a C name of up to 64 letters, digits and underscores")
    found = find_target(target)
    if profile not in PROFILES:
        raise ModelError(f"rounding {profile!r}: expected one of {', '.join(PROFILES)}")
    graph = run_passes(lower_model(read_model(data, name), profile))
    if hop is not None:
        graph = slide(graph, hop, least_ram=least_ram)
    return compile_graph(
        graph,
        prefix,
        found.name,
        optimize=optimize,
        input_in_arena=input_in_arena,
        least_ram=least_ram,
        profile=profile,
        checksum=checksum,
    )


def compile_graph(
    graph: Graph,
    prefix: str,
    target: str,
    *,
    optimize: Optimize = "balanced",
    input_in_arena: bool = False,
    least_ram: bool = False,
    profile: str = "litert",
    checksum: bool = False,
) -> Program:
    """Plan and emit a graph that was lowered with `profile`; arguments as `compile_model`."""
    found = find_target(target)
    graph = with_own_outputs(graph)
    if not least_ram:
        graph = use_winograd(graph, found, optimize)
    arena, scratch = plan(graph, found, input_in_arena=input_in_arena)
    if least_ram:
        striped = in_stripes(graph, found, arena.bytes, input_in_arena=input_in_arena)
        less, less_scratch = plan(striped, found, input_in_arena=input_in_arena)
        if less.bytes < arena.bytes:
            graph, arena, scratch = striped, less, less_scratch
    reference = PROFILES[profile].reference
    return write_program(graph, arena, scratch, prefix, found, optimize, reference, checksum=checksum)


def prefix_of(stem: str) -> str:
    """A C name from a file's name: `har-v2` -> `har_v2`."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_")[:64] or "model"
    return name if name[0].isalpha() else f"model_{name}"[:64]


def plan(graph: Graph, target: Target, *, input_in_arena: bool = False) -> tuple[Arena, dict[int, str]]:
    """Plan the arena; the key of the scratch block of each op that has one."""
    blocks, sharings = _blocks(graph, target, input_in_arena=input_in_arena)
    arena = plan_arena(blocks, sharings)
    scratch = {id(op): f"scratch {step}" for step, op in enumerate(graph.ops) if f"scratch {step}" in arena.offsets}
    return arena, scratch


def in_stripes(graph: Graph, target: Target, arena_bytes: int, *, input_in_arena: bool = False) -> Graph:
    """Run ops in stripes where that makes the arena, of `arena_bytes` as it is, smaller.

    Raises:
        ModelError: the target's kernels copy whole inputs.
    """
    if not target.row_by_row:
        fit = ", ".join(name for name, other in TARGETS.items() if other.row_by_row)
        raise ModelError(f"target {target.name!r} with least RAM: its kernels copy whole inputs; expected one of {fit}")

    def cost(candidate: Graph) -> tuple[int, int]:
        return lower_bound(*_blocks(candidate, target, input_in_arena=input_in_arena))

    return with_stripes(graph, cost, lambda op: needs(op, target).scratch_bytes, arena_bytes)


@lru_cache(maxsize=1024)
def _distance(op: Op, position: int, gathers: bool) -> int | None:
    # Many plans are made of the same ops.
    return least_distance(op, position, gathers)


def _blocks(graph: Graph, target: Target, *, input_in_arena: bool) -> tuple[list[Block], list[Sharing]]:
    outer = [*graph.outputs, *(state.value for state in graph.states), *(() if input_in_arena else graph.inputs)]
    outside = frozenset(value.storage for value in outer)

    def distance(op: Op, position: int) -> int | None:
        found = needs(op, target)
        return -ANYWHERE if found.copies else _distance(op, position, found.gathers)

    return blocks_of(graph, lambda op: needs(op, target).scratch_bytes, distance, outside)


def with_own_outputs(graph: Graph) -> Graph:
    """Copy outputs that no op writes for them alone: those that are an input, a variable, or another output."""
    taken = {value.storage for value in graph.inputs} | {state.value.storage for state in graph.states}
    written = {op.output.storage for op in graph.ops}
    ops, outputs = list(graph.ops), []
    fresh = 1 + max([*taken, *written], default=0)
    for value in graph.outputs:
        if value.storage in taken or value.storage not in written:
            made = replace(value, storage=fresh)
            part = Part(0, (value.elements,), 0, (1,), 0, (1,))
            ops.append(Move(number=len(ops), label="COPY", inputs=(value,), output=made, parts=(part,)))
            fresh += 1
            value = made
        taken.add(value.storage)
        outputs.append(value)
    return replace(graph, ops=tuple(ops), outputs=tuple(outputs))


__all__ = ["compile_graph", "compile_model", "families", "plan", "prefix_of"]
