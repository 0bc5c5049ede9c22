"""One measurement of a board: its self-test, its golden vectors, and as many test windows as there is time for."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench import latency
from edgecnn_bench.engines.protocol import EngineRun, RunOutputs, decided
from edgecnn_bench.places.serial_board import Board, Call, GoldenCall, Hello, StackUse
from edgecnn_bench.places.serial_line import SerialError
from edgecnn_bench.results import EngineResult, Latency, Place
from edgecnn_bench.statistics import class_scores, score
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import MODEL, VECTORS, Bundle, Vectors
from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import BundleError
from edgecnn_firmware.progress import Progress

VIRTUAL: Final = "virtual board: ticks are not time"
_TRIED: Final = 3
"""Windows that show how many there is time for."""


@dataclass(frozen=True)
class SerialRun:
    """What a board did with a bundle's windows."""

    row: EngineResult
    """The report's row; its score and its latency are those of the windows that ran."""
    outputs: EngineRun
    """Of those windows, in their order."""
    rows: npt.NDArray[np.int64]
    """Which windows ran, evenly spread over all."""
    different: int
    """How many of them gave other bytes than the reference kernels."""
    golden: tuple[GoldenCall, ...]
    selftest: int
    """What `NAME_selftest` returned on the board; 0 if every byte matched."""
    stack: StackUse | None
    notes: tuple[str, ...]


def model_mismatch(board: Board, bundle: Bundle) -> str | None:
    """Why the board does not suit the bundle; None where it does."""
    hello, card = board.hello, bundle.card
    expected = card.files.get(MODEL, "")
    if hello.model_sha256 != expected:
        return (
            f"{board.port}: the board has model {hello.model_sha256[:16]}... ('{hello.name}'), the bundle "
            f"{expected[:16]}... ('{card.name}'); flash the firmware that was exported with it"
        )
    sizes = (card.input.window_samples * len(card.input.channels), card.output_count)
    if (hello.input_bytes, hello.output_bytes) != sizes:
        return f"{board.port}: the board takes {hello.input_bytes} bytes and gives {hello.output_bytes}; the card says {sizes}"
    return None


def title_of(hello: Hello, port: str = "") -> str:
    """What a board is, for people; with the port, what is there."""
    built = ", ".join(text for text in (hello.compiler, hello.flags) if text and text != "unknown")
    where = f"board at {port}" if port else "compiled C on a board"
    title = f"{where}, firmware '{hello.name}'" + (f" ({built})" if built else "")
    return f"{title}; {VIRTUAL}" if hello.clock == "virtual" else title


def measure(
    board: Board, place: Place, bundle: Bundle, vectors: Vectors, budget_s: float, progress: Progress
) -> SerialRun:
    """Run the self-test, the golden vectors, and as many of the windows as `budget_s` seconds allow.

    Raises:
        SerialError: the board has another model, or cannot be driven.
        BundleError: the bundle has no windows.
    """
    if not len(vectors.inputs):
        raise BundleError(f"{bundle.path / VECTORS}: no windows; a board is compared on at least one")
    if reason := model_mismatch(board, bundle):
        raise SerialError(reason)
    golden = _golden(board)
    failed = board.selftest()
    rows, calls = _windows(board, vectors.inputs, budget_s, progress)
    found = run_outputs([call.outputs for call in calls], bundle.card)
    run = decided(place.key, found, len(rows), bundle.card)
    different = int(np.any(found.raw != vectors.outputs[rows], axis=1).sum())
    different_golden = sum(not call.equal for call in golden)
    return SerialRun(
        row=_row(board, place, bundle, vectors, run, rows, calls, len(golden)),
        outputs=run,
        rows=rows,
        different=different,
        golden=golden,
        selftest=failed,
        stack=board.stack(),
        notes=_notes(board, len(rows), len(vectors.inputs), different, different_golden, failed),
    )


def _golden(board: Board) -> tuple[GoldenCall, ...]:
    """Run the golden vectors, which warms the board up and shows how long a call takes."""
    found, slowest_s = [], 0.0
    for index in range(board.hello.vectors):
        begin = time.monotonic()
        found.append(board.golden(index))
        slowest_s = max(slowest_s, time.monotonic() - begin)
    if found:
        board.learn(slowest_s)
    return tuple(found)


def _windows(
    board: Board, inputs: npt.NDArray[np.int8], budget_s: float, progress: Progress
) -> tuple[npt.NDArray[np.int64], list[Call]]:
    """Run windows evenly spread over all, as many as the first few allow; at least those."""
    total, begin = len(inputs), time.monotonic()
    first = _spread(total, _TRIED)
    calls = {int(row): board.run(inputs[row]) for row in first}
    each_s = (time.monotonic() - begin) / len(first)
    wanted = _spread(total, max(_TRIED, int(budget_s / max(each_s, 1e-6))))
    rest = [int(row) for row in wanted if int(row) not in calls]
    for done, row in enumerate(rest, 1):
        calls[row] = board.run(inputs[row])
        progress(f"run serial/{board.port}", done, len(rest))
        # The line may have become slower meanwhile: what has run counts.
        if time.monotonic() - begin > 2 * budget_s:
            break
    rows = np.array(sorted(calls), np.int64)
    return rows, [calls[int(row)] for row in rows]


def _spread(total: int, wanted: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, total - 1, min(total, wanted)).round().astype(np.int64))


def run_outputs(outputs: list[npt.NDArray[np.int8]], card: Card) -> RunOutputs:
    """Int8 outputs of single windows as an engine's outputs."""
    raw = np.stack(outputs) if outputs else np.empty((0, card.output_count), np.int8)
    quantization = card.quantization.output
    return RunOutputs(raw, numerics.probabilities(raw, quantization), quantization)


def _row(
    board: Board,
    place: Place,
    bundle: Bundle,
    vectors: Vectors,
    run: EngineRun,
    rows: npt.NDArray[np.int64],
    calls: list[Call],
    warmup: int,
) -> EngineResult:
    hello, labels, truth = board.hello, bundle.card.labels, vectors.labels[rows]
    known = truth >= 0
    title = title_of(hello)
    if len(rows) < len(vectors.labels):
        title += f"; {len(rows)} of {len(vectors.labels)} windows"
    return EngineResult(
        key=place.key,
        title=title,
        precision="int8",
        file=MODEL,
        file_bytes=(bundle.path / MODEL).stat().st_size,
        place=place.key,
        status="run",
        score=score(truth[known], run.predicted[known], labels) if known.any() else None,
        classes=class_scores(truth[known], run.predicted[known], labels) if known.any() else (),
        latency=_latency(hello, calls, warmup),
    )


def _latency(hello: Hello, calls: list[Call], warmup: int) -> tuple[Latency, ...]:
    """Of the call alone, by the board's clock; nothing where ticks are not time."""
    ticks = [call.ticks for call in calls if call.ticks is not None]
    if hello.clock != "real" or not ticks:
        return ()
    times_ns = [round(count * 1e9 / hello.ticks_per_second) for count in ticks]
    return (latency.summarize("invoke", times_ns, warmup, 1),)


def _notes(board: Board, ran: int, total: int, different: int, different_golden: int, failed: int) -> tuple[str, ...]:
    vectors = board.hello.vectors
    notes = [
        f"self-test on the board: {'passed' if failed == 0 else f'failed with code {failed}'}; "
        f"{vectors - different_golden} of {vectors} golden vectors byte-equal",
        f"{ran - different} of {ran} windows byte-equal to the reference kernels",
    ]
    if ran < total:
        notes.append(f"{ran} of {total} windows ran, evenly spread: the line is too slow for all in the time given")
    if board.hello.clock != "real":
        notes.append(VIRTUAL if board.hello.clock == "virtual" else "the board has no clock: no time was measured")
    if board.disturbances:
        notes.append(f"{board.disturbances} calls were begun again after noise on the line or a reset of the board")
    return tuple(notes)
