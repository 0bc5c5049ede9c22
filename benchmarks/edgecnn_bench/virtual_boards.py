"""The bundle's network as compiled C on virtual boards: what it computes there on test windows, and what that costs."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.results import BoardLayer, BoardRun
from edgecnn_firmware.boards.program import KERNELS_OF_BOARD, BoardMeasurement, measure_program
from edgecnn_firmware.boards.targets import TARGETS
from edgecnn_firmware.bundle import MODEL, Bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.errors import BundleError, ModelError, SettingsError
from edgecnn_firmware.progress import Progress, silent

DEFAULT_BOARDS: Final = ("cortex-m0plus", "cortex-m4", "cortex-m33")
"""The ones that take about a second each."""
ALL: Final = "all"
WINDOWS: Final = 5
LIMIT_S: Final = 120.0
"""For one call."""

_TITLES: Final[Mapping[str, str]] = {
    "cortex-m0plus": "Cortex-M0+",
    "cortex-m3": "Cortex-M3",
    "cortex-m4": "Cortex-M4F",
    "cortex-m7": "Cortex-M7",
    "cortex-m33": "Cortex-M33",
    "cortex-m55": "Cortex-M55",
    "rv32imc": "RV32IMC",
    "aarch64": "Cortex-A72",
    "aarch64-dotprod": "Cortex-A76",
}
_FLAGS: Final = ("-O2",)
_MAX_MACS: Final = 20_000_000
"""In all windows of a board together: large networks run on fewer windows, but on one at least."""
_MAX_REASON: Final = 300


@dataclass(frozen=True)
class _Job:
    """What every board is given."""

    model: bytes
    inputs: npt.NDArray[np.int8]
    outputs: npt.NDArray[np.int8]
    folder: Path


def named_boards(names: Sequence[str]) -> tuple[str, ...]:
    """Check names of virtual boards; `all` stands for every one. Each once, in the order of the boards' table.

    Raises:
        SettingsError: a name is unknown.
    """
    unknown = [name for name in names if name not in TARGETS and name != ALL]
    if unknown:
        raise SettingsError(f"unknown board '{unknown[0]}'; accepted: {', '.join(TARGETS)}, {ALL}")
    return tuple(name for name in TARGETS if name in names or ALL in names)


def run_boards(
    bundle: Bundle, names: Sequence[str] = DEFAULT_BOARDS, windows: int = WINDOWS, progress: Progress = silent
) -> tuple[BoardRun, ...]:
    """Run the bundle's network on virtual boards, as compiled C with the kernels that suit each.

    The windows are evenly spread over the bundle's; their int8 inputs and the reference kernels' outputs are those that
    were recorded at export. A board that fails, or whose compiler or emulator is not installed, has a row with the reason.

    Args:
        bundle: with test windows.
        names: as `named_boards`.
        windows: on how many to run; fewer where the network is large.
        progress: told of every board.

    Returns:
        One row a board, in the order of the boards' table.

    Raises:
        BundleError: the model or the windows are missing or changed, or there are no windows.
        SettingsError: a board is unknown, or `windows` is below 1.
    """
    boards = named_boards(names)
    if windows < 1:
        raise SettingsError(f"windows = {windows}: a virtual board runs at least 1")
    if not boards:
        return ()
    vectors = bundle.vectors()
    if not len(vectors.inputs):
        raise BundleError(f"{bundle.path}: no windows to run on virtual boards")
    chosen = np.unique(np.linspace(0, len(vectors.inputs) - 1, windows).round().astype(np.int64))
    with TemporaryDirectory(prefix="edgecnn-boards-", ignore_cleanup_errors=True) as folder:
        job = _Job(bundle.model_bytes, vectors.inputs[chosen], vectors.outputs[chosen], Path(folder))
        return _in_parallel(job, boards, progress)


def _in_parallel(job: _Job, boards: Sequence[str], progress: Progress) -> tuple[BoardRun, ...]:
    """Compilers and emulators let other threads run most of the time."""
    rows: dict[str, BoardRun] = {}
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, len(boards)))) as pool:
        programs = {
            kernels: pool.submit(_compile, job.model, kernels) for kernels in sorted(set(map(_kernels, boards)))
        }
        pending = {pool.submit(_row, job, board, programs[_kernels(board)]): board for board in boards}
        progress("virtual boards", 0, len(boards))
        for done in as_completed(pending):
            board = pending[done]
            rows[board] = done.result()
            progress("virtual boards", len(rows), len(boards), board)
    return tuple(rows[board] for board in boards)


def _kernels(board: str) -> str:
    return KERNELS_OF_BOARD.get(board, "portable")


def _compile(model: bytes, kernels: str) -> Program:
    return compile_model(model, MODEL, "network", target=kernels)


def _row(job: _Job, board: str, compiled: "Future[Program]") -> BoardRun:
    try:
        found = _measured(job, board, compiled.result())
    except Exception as error:  # noqa: BLE001 - whatever goes wrong on a board is that board's row
        reason = _one_line(error, job.folder)
        return BoardRun(board=board, title=_title(board), status="not run", reason=reason, kernels=_kernels(board))
    return found


def _measured(job: _Job, board: str, program: Program) -> BoardRun:
    _check(program, job)
    count = max(1, min(len(job.inputs), _MAX_MACS // max(program.graph.macs, 1)))
    work = job.folder / board
    work.mkdir()
    inputs = [window.tobytes() for window in job.inputs[:count]]
    found = measure_program(program, board, inputs, work=work, flags=_FLAGS, limit_s=LIMIT_S)
    if found.faults:
        raise ModelError(f"forbidden accesses to memory: {'; '.join(found.faults)}")
    expected = tuple(output.tobytes() for output in job.outputs[:count])
    return _board_run(board, found, byte_equal=found.outputs == expected)


def _check(program: Program, job: _Job) -> None:
    """The network takes and gives what was recorded; its own description is compared, whatever the card says."""
    for values, arrays, role in (
        (program.graph.inputs, job.inputs, "input"),
        (program.graph.outputs, job.outputs, "output"),
    ):
        shapes = [f"{value.type} {value.shape}" for value in values]
        expected = f"int8 {(1, *arrays.shape[1:])}"
        if shapes != [expected]:
            raise ModelError(f"the model's {role} is {', '.join(shapes)}; the recorded one is {expected}")


def _board_run(board: str, found: BoardMeasurement, *, byte_equal: bool) -> BoardRun:
    return BoardRun(
        board=board,
        title=_title(board),
        status="run",
        kernels=found.kernels,
        toolchain=found.toolchain,
        flags=found.flags,
        emulator=found.emulator,
        windows=len(found.instructions),
        byte_equal=byte_equal,
        instructions_min=min(found.instructions),
        instructions_mean=found.mean_instructions,
        instructions_max=max(found.instructions),
        estimated_cycles=found.estimated_cycles,
        layers=tuple(
            BoardLayer(op=layer.op, macs=layer.macs, instructions=layer.instructions) for layer in found.layers
        ),
        flash_bytes=found.flash_bytes,
        sections=found.flash_by_kind,
        arena_bytes=found.arena_bytes,
        state_bytes=found.state_bytes,
        input_bytes=found.input_bytes,
        stack_bytes=found.stack_bytes,
        note=found.note,
    )


def _title(board: str) -> str:
    return _TITLES.get(board, board)


def _one_line(error: Exception, folder: Path) -> str:
    """An error without this machine's folders."""
    text = " ".join(str(error).split()) or type(error).__name__
    for place in (folder.resolve(), folder):
        text = text.replace(f"{place}/", "")
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 3] + "..."
