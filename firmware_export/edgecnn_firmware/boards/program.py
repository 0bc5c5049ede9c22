"""A compiled network on a virtual board: what one call costs there, and what it computes."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.boards.emulator import emulator_version
from edgecnn_firmware.boards.harness import ARENA, INPUT, OUTPUT, Harness
from edgecnn_firmware.boards.image import Image, build_image
from edgecnn_firmware.boards.machine import run
from edgecnn_firmware.boards.run import Run
from edgecnn_firmware.boards.targets import target_named
from edgecnn_firmware.boards.toolchain import Prefer, find_toolchain
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Optimize, Program, in_arena, parameter_names
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import SettingsError

KERNELS_OF_BOARD = {
    "cortex-m4": "armv7e-m",
    "cortex-m7": "armv7e-m",
    "cortex-m33": "armv7e-m",
    "cortex-m55": "armv8.1-m-mve",
    "aarch64": "aarch64",
    "aarch64-dotprod": "aarch64",
}
"""The compiler's target that suits a board; `portable` for all others."""


@dataclass(frozen=True)
class LayerMeasurement:
    """One op of the program on the board."""

    op: str
    macs: int
    instructions: int
    """Of the last input, with the two or three instructions of the mark."""


@dataclass(frozen=True)
class BoardMeasurement:
    """What a network costs on a board.

    Attributes:
        board: The board's name.
        kernels: The compiler's target.
        toolchain: The C compiler, as it names itself.
        flags: Given to it.
        instructions: Of one call, for each input.
        estimated_cycles: Estimate for the last input where there is a table of costs, else `None`.
        by_function: Instructions of the last input, by C function.
        layers: The ops in order, from a build of its own.
        flash_bytes: Code and constants of the linked image less those of an image without the network.
        arena_bytes: Working memory.
        state_bytes: What lives from call to call.
        stack_bytes: Deepest stack of all inputs.
        input_bytes: The caller's input buffer.
        outputs: What each call wrote.
        faults: Forbidden accesses; with `watch` all, else only changed guard bytes.
        note: How the virtual CPU differs from the core, where it does.
    """

    board: str
    kernels: str
    toolchain: str
    flags: tuple[str, ...]
    instructions: tuple[int, ...]
    estimated_cycles: int | None
    by_function: dict[str, int]
    layers: tuple[LayerMeasurement, ...]
    flash_bytes: int
    arena_bytes: int
    state_bytes: int
    stack_bytes: int
    input_bytes: int
    outputs: tuple[bytes, ...]
    faults: tuple[str, ...]
    note: str
    byte_equal: bool | None = None
    """Whether the outputs are those of the reference arithmetic; `None` where that was not asked."""
    flash_by_kind: dict[str, int] = field(default_factory=dict)
    """`flash_bytes` in parts: `code`, `weights`, and `tables` for all other constants."""
    emulator: str = ""
    """Its name and version."""

    @property
    def mean_instructions(self) -> float:
        """Mean over the inputs."""
        return sum(self.instructions) / len(self.instructions)

    @property
    def ram_bytes(self) -> int:
        """Arena, state, the caller's input buffer and stack."""
        return self.arena_bytes + self.state_bytes + self.input_bytes + self.stack_bytes


def measure_program(
    program: Program,
    board: str,
    inputs: Sequence[bytes],
    *,
    work: Path,
    prefer: Prefer = "auto",
    flags: Sequence[str] = ("-O2",),
    watch: bool = False,
    layers: bool = True,
    limit_s: float = 600.0,
) -> BoardMeasurement:
    """Build a program for a board and call it once for each input.

    A network with state is set to its first values before every call, which is not counted.

    Args:
        program: From the compiler, for a target that the board can run.
        board: One of `targets.TARGETS`.
        inputs: The bytes of all inputs of one call, one after the other, for each call; at least one.
        work: An existing folder for sources and images.
        prefer: Which compiler.
        flags: For the compiler.
        watch: Check every memory access; many times slower.
        layers: Count per op too, which takes a second build.
        limit_s: Seconds after which a call is given up.

    Raises:
        BoardError: the code does not build, faults, or does not finish.
        MissingDependency: a compiler or the emulator is not installed.
        SettingsError: there is no such board, or no input.
    """
    if not inputs:
        raise SettingsError(f"board {board}: no inputs to run")
    target = target_named(board)
    toolchain = find_toolchain(target, prefer)
    sources = work / "sources"
    sources.mkdir(exist_ok=True)
    for name, text in program.files.items():
        (sources / name).write_text(text, encoding="utf-8", newline="\n")

    def image(folder: str, harness: Harness, *, marks: bool = False) -> Image:
        place = work / folder
        place.mkdir(exist_ok=True)
        files = [sources / program.source]
        return build_image(target, toolchain, files, [sources], flags, harness=harness, work=place, marks=marks)

    harness = _harness(program)

    plain = image("plain", harness)
    runs = [run(plain, data, watch=watch, limit_s=limit_s) for data in inputs]
    if program.state_bytes:
        first = replace(harness, invoke=_first_values(program))
        before = run(image("init", first), inputs[0], limit_s=limit_s)
        runs = [_without(found, before) for found in runs]
    counted = _layers(program, run(image("marks", harness, marks=True), inputs[-1], limit_s=limit_s)) if layers else ()
    return BoardMeasurement(
        board=board,
        kernels=program.target,
        toolchain=toolchain.version,
        flags=tuple(flags),
        instructions=tuple(found.instructions for found in runs),
        estimated_cycles=runs[-1].estimated_cycles,
        by_function=runs[-1].by_function,
        layers=counted,
        flash_bytes=plain.flash_bytes,
        arena_bytes=program.arena.bytes,
        state_bytes=program.state_bytes,
        stack_bytes=max(found.stack_bytes for found in runs),
        input_bytes=sum(value.bytes for value in program.graph.inputs if not in_arena(value, program.arena)),
        outputs=tuple(found.outputs for found in runs),
        faults=tuple(str(fault) for found in runs for fault in found.faults),
        note=target.note,
        flash_by_kind=plain.flash_by_kind,
        emulator=emulator_version(target),
    )


def measure_model(
    data: bytes,
    name: str,
    board: str,
    work: Path,
    *,
    kernels: str | None = None,
    optimize: Optimize = "balanced",
    least_ram: bool = False,
    hop: int | None = None,
    inputs: int = 3,
    seed: int = 0,
) -> tuple[Program, BoardMeasurement]:
    """Compile a model for a board, run it on seeded random inputs and compare it with the reference arithmetic.

    Args:
        data: the `.tflite` file's bytes.
        name: the file's name, for errors.
        board: one of `targets.TARGETS`.
        work: an existing folder.
        kernels: the compiler's target; by default the one that suits the board.
        optimize: as of the compiler.
        least_ram: as of the compiler.
        hop: as of the compiler.
        inputs: how many.
        seed: of the inputs: uniform int8, or standard normal for float inputs.

    Raises:
        EdgeCnnError: as `compile_model` and `measure_program`.
    """
    target_named(board)
    chosen = kernels or KERNELS_OF_BOARD.get(board, "portable")
    program = compile_model(data, name, "net", target=chosen, optimize=optimize, least_ram=least_ram, hop=hop)
    rng = np.random.default_rng(seed)
    calls = [[_random(rng, value) for value in program.graph.inputs] for _ in range(inputs)]
    found = measure_program(program, board, [b"".join(array.tobytes() for array in call) for call in calls], work=work)
    wanted = [b"".join(made.tobytes() for made in Oracle(program.graph).run(*call)) for call in calls]
    return program, replace(found, byte_equal=list(found.outputs) == wanted)


def _random(rng: np.random.Generator, value: Value) -> npt.NDArray[Any]:
    if value.type == "float32":
        return rng.normal(0, 1, value.shape).astype(np.float32)
    if value.type == "uint8":
        return rng.integers(0, 256, value.shape, dtype=np.uint8)
    return rng.integers(-128, 128, value.shape, dtype=np.int8)


def _without(run: Run, before: Run) -> Run:
    """What a run took less what setting the first values took."""
    cycles = run.estimated_cycles
    if cycles is not None and before.estimated_cycles is not None:
        cycles -= before.estimated_cycles
    by_function = Counter(run.by_function)
    by_function.subtract(before.by_function)
    return replace(
        run,
        instructions=run.instructions - before.instructions,
        estimated_cycles=cycles,
        by_function={name: count for name, count in by_function.items() if count},
    )


def _state(program: Program) -> str:
    """C expression of where the state lies: behind the arena, where it may be written; it is made of bytes."""
    return f"(void *)({ARENA} + {_arena_bytes(program)})"


def _arena_bytes(program: Program) -> int:
    # The arena's type is never empty, and a union of int32 rounds its size up.
    return -(-max(program.arena.bytes, 1) // 4) * 4


def _first_values(program: Program) -> str:
    return f"{program.prefix}_init({_state(program)});"


def _harness(program: Program) -> Harness:
    prefix, graph = program.prefix, program.graph
    arguments, statements = [], []
    arena = _arena_bytes(program)
    if program.state_bytes:
        statements.append(_first_values(program))
        arguments.append(_state(program))
    sizes = []
    inputs, outputs = parameter_names(graph)
    for buffer, names, values in ((INPUT, inputs, graph.inputs), (OUTPUT, outputs, graph.outputs)):
        at = 0
        for name, value in zip(names, values, strict=True):
            place = f"{buffer} + {at}"
            if in_arena(value, program.arena):
                statements.append(f"__builtin_memcpy({prefix}_{name}((void *){ARENA}), {place}, {value.bytes});")
            else:
                arguments.append(f"(void *)({place})")
            at += value.bytes
        sizes.append(at)
    arguments.append(f"(void *){ARENA}")
    statements.append(f"{prefix}_invoke({', '.join(arguments)});")
    return Harness(program.header, " ".join(statements), sizes[0], sizes[1], arena + program.state_bytes)


def _layers(program: Program, found: Run) -> tuple[LayerMeasurement, ...]:
    # What runs in stripes is reached once for each.
    counts = [0] * (len(program.ops) + 1)
    for mark, after in itertools.pairwise(found.marks):
        counts[mark.label] += after.instructions - mark.instructions
    return tuple(LayerMeasurement(op.label, op.macs, count) for op, count in zip(program.ops, counts[:-1], strict=True))
