"""One benchmark of one bundle: the same windows to every engine, and all that can be said of what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench import gates as gate_limits
from edgecnn_bench import latency
from edgecnn_bench.engines import all_engines, named_engines, recorded, trial
from edgecnn_bench.engines.protocol import Engine, EngineRun, LoadedEngine, decided
from edgecnn_bench.environment import measure_environment
from edgecnn_bench.footprint import fits
from edgecnn_bench.parity import compare
from edgecnn_bench.results import EngineResult, Footprint, Layer, Parity, Report
from edgecnn_bench.statistics import class_scores, score
from edgecnn_firmware import __version__
from edgecnn_firmware.bundle import MODEL, VECTORS, Bundle, Vectors, read_bundle
from edgecnn_firmware.errors import BundleError, SettingsError
from edgecnn_firmware.progress import Progress, silent
from edgecnn_firmware.tflite.inspect import summarize
from edgecnn_firmware.tflite.reader import read_model

_FLOAT: Final = ("keras", recorded.KERAS)
_REFERENCE: Final = ("litert-reference", recorded.REFERENCE)
_SAME_FILE: Final = ("litert", "litert-builtin", "tflite-runtime")
_VARIANTS: Final = ("litert-float32", "litert-float16", "litert-dynamic", "litert-int16x8")
_MAX_REASON: Final = 300


@dataclass
class _Findings:
    """What has been found so far; rows and runs by engine key, in the order of the report."""

    rows: dict[str, EngineResult] = field(default_factory=dict)
    runs: dict[str, EngineRun] = field(default_factory=dict)
    loaded: dict[str, LoadedEngine] = field(default_factory=dict)


def benchmark(
    bundle_path: Path,
    *,
    engines: Sequence[str] | None = None,
    timed_runs: int = 500,
    warmup_runs: int = 50,
    seed: int = 0,
    gates: Mapping[str, float | None] | None = None,
    progress: Progress = silent,
) -> Report:
    """Run, time and compare the named engines (or all that concern the bundle) on the bundle's windows.

    `gates` is the project file's `[gate]`; limits that are None are not checked.

    Raises:
        BundleError: the folder is no whole, unchanged bundle, or it holds no windows.
        ModelError: its int8 model is malformed.
        SettingsError: an engine or a gate is unknown, or a number of runs is below 1.
    """
    limits = {name: limit for name, limit in (gates or {}).items() if limit is not None}
    chosen = None if engines is None else named_engines(engines)
    gate_limits.check(gate_limits.Measured(), limits)
    if timed_runs < 1 or warmup_runs < 1:
        raise SettingsError(f"timed_runs = {timed_runs}, warmup_runs = {warmup_runs}: both must be at least 1")
    bundle = read_bundle(bundle_path)
    layers = _layers(bundle)
    vectors = _checked(bundle.vectors(), bundle)
    found = _run_all(bundle, vectors, all_engines(bundle) if chosen is None else chosen, progress)
    _add_recorded(found, bundle, vectors, everything=chosen is None)
    times = latency.measure(
        found.loaded,
        vectors.windows,
        timed_runs=timed_runs,
        warmup_runs=warmup_runs,
        seed=seed,
        progress=progress,
    )
    rows = tuple(
        _scored(row, found.runs.get(key), vectors.labels, bundle.card.labels).model_copy(
            update={"latency": times.get(key, ())}
        )
        for key, row in found.rows.items()
    )
    parity = _parity(found.runs, vectors, bundle.card.labels)
    footprint = _footprint(bundle, layers)
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


def _footprint(bundle: Bundle, layers: Sequence[Layer]) -> Footprint:
    arena = bundle.card.arena
    return fits(
        len(bundle.model_bytes),
        None if arena is None else arena.measured_bytes,
        header_bytes=_size(bundle.path / "firmware" / f"{bundle.card.name}_model.h"),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
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


def _run_all(bundle: Bundle, vectors: Vectors, engines: Sequence[Engine], progress: Progress) -> _Findings:
    reasons = {engine.key: engine.available(bundle) for engine in engines}
    tried = [engine.key for engine in engines if engine.needs_trial and reasons[engine.key] is None]
    progress("try engines", 0, len(tried))
    crashed = trial.crashes(bundle.path, tried)
    progress("try engines", len(tried), len(tried))
    found = _Findings()
    for engine in engines:
        reason = reasons[engine.key] or crashed.get(engine.key)
        if reason is None:
            reason = _run(engine, bundle, vectors, found, progress)
        found.rows[engine.key] = EngineResult(
            key=engine.key,
            title=engine.title,
            precision=engine.precision,
            file=engine.file,
            file_bytes=_size(bundle.path / engine.file),
            status="run" if reason is None else "not run",
            reason=reason or "",
        )
    return found


def _run(engine: Engine, bundle: Bundle, vectors: Vectors, found: _Findings, progress: Progress) -> str | None:
    """Run one engine on all windows; return the reason where it fails."""
    n = len(vectors.windows)
    try:
        loaded = engine.load(bundle)
        outputs = loaded.outputs(vectors.windows, lambda done: progress(f"run {engine.key}", done, n))
        found.runs[engine.key] = decided(engine.key, outputs, n, bundle.card)
        found.loaded[engine.key] = loaded
    except Exception as error:  # noqa: BLE001 - whatever an engine raises is that engine's row, not the end of the report
        return one_line(error, bundle.path)
    return None


def one_line(error: Exception, folder: Path) -> str:
    """An error as one line without the bundle's location, for a report that others read."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 3] + "..."


def _add_recorded(found: _Findings, bundle: Bundle, vectors: Vectors, *, everything: bool) -> None:
    """Add the bundle's recorded outputs where they tell something new, if `everything` was asked for.

    Keras' where Keras does not run here; the reference kernels' where those do not run here or give something else.
    """
    if not everything:
        return
    runs = []
    if "keras" not in found.runs:
        runs.append(recorded.recorded_keras(bundle, vectors))
    reference = found.runs.get("litert-reference")
    if reference is None or not np.array_equal(reference.outputs.raw, vectors.outputs):
        runs.append(recorded.recorded_reference(bundle, vectors))
    for run in runs:
        if run is not None:
            found.runs[run.key] = run
            found.rows[run.key] = recorded.recorded_row(run, bundle)


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


def _parity(runs: Mapping[str, EngineRun], vectors: Vectors, labels: tuple[str, ...]) -> tuple[Parity, ...]:
    return tuple(
        compare(runs[reference], runs[candidate], vectors.labels, labels, vectors.groups)
        for reference, candidate in pairs(tuple(runs))
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
