"""One benchmark of one bundle: the same windows to every engine, and all that can be said of what came out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench import gates as gate_limits
from edgecnn_bench import latency
from edgecnn_bench.conditions import measure_conditions
from edgecnn_bench.engines import all_engines, named_engines, recorded
from edgecnn_bench.engines.cut import RunsAnyModel
from edgecnn_bench.engines.protocol import EngineRun, RunOutputs, decided
from edgecnn_bench.environment import measure_environment
from edgecnn_bench.footprint import fits_of_bundle
from edgecnn_bench.layers import differing_windows, first_difference
from edgecnn_bench.memory import memory_map
from edgecnn_bench.parity import compare
from edgecnn_bench.places.measured_board import MeasuredBoard, measure_board
from edgecnn_bench.places.open_place import OpenPlace
from edgecnn_bench.plotted import plotted
from edgecnn_bench.results import EngineResult, Layer, Parity, Report
from edgecnn_bench.running import Findings, add_recorded, run_engines
from edgecnn_bench.stages.split import split_by_stage
from edgecnn_bench.statistics import class_scores, score
from edgecnn_bench.virtual_boards import DEFAULT_BOARDS, named_boards, run_boards
from edgecnn_firmware import __version__
from edgecnn_firmware.bundle import MODEL, VECTORS, Bundle, Vectors, read_bundle
from edgecnn_firmware.errors import BundleError, EdgeCnnError, SettingsError
from edgecnn_firmware.progress import Progress, silent
from edgecnn_firmware.tflite.inspect import summarize
from edgecnn_firmware.tflite.reader import read_model

Elsewhere: TypeAlias = Callable[[], AbstractContextManager[OpenPlace]]
"""Opens another place that runs engines."""

_FLOAT: Final = ("keras", recorded.KERAS)
_REFERENCE: Final = ("litert-reference", recorded.REFERENCE)
_SAME_FILE: Final = ("litert", "litert-builtin", "tflite-runtime", "tflm", "compiled", "compiled-portable")
_VARIANTS: Final = ("litert-float32", "litert-float16", "litert-dynamic", "litert-int16x8")
_REFERENCE_TARGET: Final = "armv7e-m"
"""Whose memory map is drawn: the kernels of most boards."""


def benchmark(
    bundle_path: Path,
    *,
    engines: Sequence[str] | None = None,
    boards: Sequence[str] | None = None,
    elsewhere: Sequence[Elsewhere] = (),
    serial: Sequence[tuple[str, int]] = (),
    timed_runs: int = 500,
    warmup_runs: int = 50,
    seed: int = 0,
    gates: Mapping[str, float | None] | None = None,
    progress: Progress = silent,
) -> Report:
    """Run, time and compare engines on the bundle's windows, and count what the compiled network costs on boards.

    Args:
        bundle_path: the bundle's folder.
        engines: keys of the engines on this machine; all that concern the bundle if None.
        boards: names of virtual boards; if None, `DEFAULT_BOARDS`, or none where engines are named.
        elsewhere: opens other places that run engines; each is a context.
        serial: port and baud rate of boards with the self-test firmware.
        timed_runs: timed calls of each engine.
        warmup_runs: calls before timing.
        seed: of the engines' order and of the disturbances.
        gates: the project file's `[gate]`; limits that are None are not checked.
        progress: told of every step.

    Raises:
        BundleError: the folder is no whole, unchanged bundle, or it holds no windows.
        ModelError: its int8 model is malformed.
        SettingsError: an engine, a board or a gate is unknown, or a number of runs is below 1.
        EdgeCnnError: a place cannot be opened.
    """
    limits = {name: limit for name, limit in (gates or {}).items() if limit is not None}
    chosen = None if engines is None else named_engines(engines)
    names = named_boards((DEFAULT_BOARDS if chosen is None else ()) if boards is None else boards)
    gate_limits.check(gate_limits.Measured(), limits)
    if timed_runs < 1 or warmup_runs < 1:
        raise SettingsError(f"timed_runs = {timed_runs}, warmup_runs = {warmup_runs}: both must be at least 1")
    bundle = read_bundle(bundle_path)
    layers = _layers(bundle)
    vectors = _checked(bundle.vectors(), bundle)
    board_runs = run_boards(bundle, names, progress=progress)
    boards_here = [measure_board(port, baud, bundle, vectors, progress) for port, baud in serial]
    found = Findings()
    with ExitStack() as stack:
        places = [stack.enter_context(place()) for place in elsewhere]
        _require_different([place.place.key for place in places])
        run_engines(bundle, vectors, all_engines(bundle) if chosen is None else chosen, found, progress)
        for place in places:
            run_engines(bundle, vectors, place.engines(bundle), found, progress, place.place.key)
        add_recorded(found, bundle, vectors, everything=chosen is None)
        times = latency.measure(
            found.loaded,
            vectors.windows,
            timed_runs=timed_runs,
            warmup_runs=warmup_runs,
            seed=seed,
            progress=progress,
        )
        parity = tuple(_located(pair, found, bundle, vectors) for pair in _parity(found, vectors, bundle))
        conditions = measure_conditions(bundle, vectors, found, seed, progress)
        stages = split_by_stage(bundle, vectors, found, progress)
    rows = tuple(
        _scored(row, found.runs.get(key), vectors.labels, bundle.card.labels).model_copy(
            update={"latency": times.get(key, ())}
        )
        for key, row in found.rows.items()
    )
    rows += tuple(board.run.row for board in boards_here)
    reference = next((key for key in _REFERENCE if key in found.runs), None)
    if reference is not None:
        parity += tuple(_board_parity(board, reference, vectors, bundle) for board in boards_here)
    footprint = fits_of_bundle(bundle, runs=board_runs)
    return Report(
        edgecnn_version=__version__,
        environment=measure_environment(),
        card=bundle.card,
        seed=seed,
        windows=len(vectors.windows),
        windows_source=windows_source(bundle, vectors.labels),
        engines=rows,
        parity=parity,
        layers=layers,
        footprint=footprint,
        gates=gate_limits.check(gate_limits.measured(rows, parity, footprint), limits),
        places=(*(place.place for place in places), *(board.place for board in boards_here)),
        boards=board_runs,
        memory_map=memory_map(bundle, _REFERENCE_TARGET),
        layer_noise=conditions.layer_noise,
        robustness=conditions.robustness,
        calibration=conditions.calibration,
        plotted=plotted(parity, vectors.windows, bundle.card),
        stages=() if isinstance(stages, str) else stages,
        not_measured=conditions.not_measured
        | ({} if board_runs else {"boards": "no virtual board was asked for"})
        | ({"stages": stages} if isinstance(stages, str) else {}),
    )


def _layers(bundle: Bundle) -> tuple[Layer, ...]:
    summary = summarize(read_model(bundle.model_bytes, str(bundle.path / MODEL)))
    return tuple(
        Layer(
            index=op.index,
            op=op.op,
            name=op.name,
            output_shape=tuple(op.output_shape),
            parameters=op.parameters,
            weight_bytes=op.weight_bytes,
            macs=op.macs,
            activation_bytes=op.activation_bytes,
        )
        for op in summary.ops
    )


def _checked(vectors: Vectors, bundle: Bundle) -> Vectors:
    file, classes = bundle.path / VECTORS, len(bundle.card.labels)
    if not len(vectors.windows):
        raise BundleError(f"{file}: no windows; a benchmark needs at least one")
    if vectors.labels.min() < -1 or vectors.labels.max() >= classes:
        found = f"{vectors.labels.min()} to {vectors.labels.max()}"
        raise BundleError(f"{file}: labels {found}; expected -1 (unknown) to {classes - 1}, by the card")
    return vectors


def windows_source(bundle: Bundle, labels: npt.NDArray[np.int64]) -> str:
    """Say where the windows come from."""
    n = len(labels)
    if not np.any(labels >= 0):
        return "random windows: no labelled data were given"
    part = bundle.card.data.parts.get("test") if bundle.card.data else None
    total = max(n, part.windows) if part else n
    unknown = int(np.count_nonzero(labels < 0))
    return f"test part, {n} of {total} windows" + (f", {unknown} without a label" if unknown else "")


def _scored(
    row: EngineResult, run: EngineRun | None, truth: npt.NDArray[np.int64], labels: tuple[str, ...]
) -> EngineResult:
    known = truth >= 0
    if run is None or not known.any():
        return row
    return row.model_copy(
        update={
            "score": score(truth[known], run.predicted[known], labels),
            "classes": class_scores(truth[known], run.predicted[known], labels),
        }
    )


def pairs(keys: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which of the engines that ran to compare, as (reference, candidate).

    The float model with the reference kernels (what quantization changed), the reference kernels with every other int8
    engine (what kernels change), and the float model with every other file.
    """
    ran = set(keys)
    float_key = next((key for key in _FLOAT if key in ran), None)
    reference_key = next((key for key in _REFERENCE if key in ran), None)
    found = []
    if float_key and reference_key:
        found.append((float_key, reference_key))
    elif float_key and "litert" in ran:
        found.append((float_key, "litert"))
    if ran.issuperset(_REFERENCE):
        found.append((recorded.REFERENCE, "litert-reference"))
    if reference_key:
        found += [(reference_key, key) for key in _SAME_FILE if key in ran]
    if float_key:
        found += [(float_key, key) for key in _VARIANTS if key in ran]
    return tuple(found)


def _require_different(keys: Sequence[str]) -> None:
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise SettingsError(f"place '{twice[0]}' was asked for twice; leave one out")


def _with_reference(ran: Sequence[str], others: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The reference kernels here with int8 engines of other places."""
    reference = next((key for key in _REFERENCE if key in ran), None)
    return () if reference is None else tuple((reference, key) for key in others)


def _parity(found: Findings, vectors: Vectors, bundle: Bundle) -> tuple[Parity, ...]:
    runs = found.runs
    elsewhere = [key for key in runs if found.rows[key].place and found.rows[key].precision == "int8"]
    return tuple(
        compare(runs[reference], runs[candidate], vectors.labels, bundle.card.labels, vectors.groups)
        for reference, candidate in (*pairs(tuple(runs)), *_with_reference(tuple(runs), elsewhere))
    )


def _board_parity(board: MeasuredBoard, reference: str, vectors: Vectors, bundle: Bundle) -> Parity:
    """The recorded reference outputs against a board's, on the windows that it ran."""
    rows, all_ = board.run.rows, recorded.recorded_reference(bundle, vectors).outputs
    outputs = RunOutputs(all_.raw[rows], all_.probabilities[rows], all_.quantization)
    shown = decided(reference, outputs, len(rows), bundle.card)
    return compare(shown, board.run.outputs, vectors.labels[rows], bundle.card.labels, vectors.groups[rows])


def _located(pair: Parity, found: Findings, bundle: Bundle, vectors: Vectors) -> Parity:
    """Find the first op at which two int8 engines differ, where both can run parts of the network."""
    one, other = (found.engines.get(key) for key in (pair.reference, pair.candidate))
    if not pair.max_lsb_difference or not (isinstance(one, RunsAnyModel) and isinstance(other, RunsAnyModel)):
        return pair
    rows = differing_windows(found.runs[pair.reference], found.runs[pair.candidate])
    try:
        first = first_difference(bundle, one, other, vectors.windows[rows])
    except EdgeCnnError:
        return pair
    return pair.model_copy(update={"first_difference": first})
