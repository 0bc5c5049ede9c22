"""The compiled network's arena over its ops, for the report's drawing."""

from edgecnn_bench.results import ArenaBlock, MemoryMap
from edgecnn_firmware.bundle import MODEL, Bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.ops.value import Op
from edgecnn_firmware.compiler.plan.arena import Block
from edgecnn_firmware.compiler.targets import find_target
from edgecnn_firmware.errors import ModelError

_SCRATCH = "scratch "


def memory_map(bundle: Bundle, target: str = "portable") -> MemoryMap | None:
    """Plan the bundle's network for a target: where every value and scratch lies, and from which op to which.

    Args:
        bundle: with a model.
        target: one of the compiler's `targets.TARGETS`.

    Returns:
        None where the compiler refuses the network.

    Raises:
        BundleError: the model file is missing or changed.
        ModelError: there is no such target.
    """
    find_target(target)
    model = bundle.model_bytes
    try:
        program = compile_model(model, MODEL, "network", target=target)
    except ModelError:
        return None
    return map_of(program)


def map_of(program: Program) -> MemoryMap:
    """The arena of a compiled program; blocks by their first op, then from low to high."""
    arena = program.arena
    blocks = sorted(arena.blocks, key=lambda block: (block.first, arena.offsets[block.key], block.last))
    return MemoryMap(
        target=program.target,
        arena_bytes=arena.bytes,
        lower_bound_bytes=arena.lower_bound,
        ops=tuple(op.label for op in program.graph.ops),
        blocks=tuple(
            ArenaBlock(
                name=_name(block, program),
                kind="scratch" if block.key.startswith(_SCRATCH) else "value",
                offset_bytes=arena.offsets[block.key],
                size_bytes=block.bytes,
                first_op=block.first,
                last_op=block.last,
            )
            for block in blocks
        ),
    )


def _name(block: Block, program: Program) -> str:
    """What the block holds, by the op that makes it: its number among the compiled ops and its label."""
    ops = program.graph.ops
    if block.key.startswith(_SCRATCH):
        position = int(block.key.removeprefix(_SCRATCH))
        return f"scratch of {position} {ops[position].label}"
    made = (f"output of {number} {op.label}" for number, op in enumerate(ops) if _key(op) == block.key)
    return next(made, "input")


def _key(op: Op) -> str:
    return f"value {op.output.storage}"
