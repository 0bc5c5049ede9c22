"""Every engine on the bundle's windows; one that fails costs its row and not the report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from edgecnn_bench.engines import recorded, trial
from edgecnn_bench.engines.protocol import Engine, EngineRun, LoadedEngine, decided
from edgecnn_bench.results import EngineResult
from edgecnn_firmware.bundle import Bundle, Vectors
from edgecnn_firmware.progress import Progress

_MAX_REASON: Final = 300


@dataclass
class Findings:
    """What has been found so far, by engine key, in the order of the report."""

    rows: dict[str, EngineResult] = field(default_factory=dict)
    runs: dict[str, EngineRun] = field(default_factory=dict)
    loaded: dict[str, LoadedEngine] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)


def run_engines(
    bundle: Bundle,
    vectors: Vectors,
    engines: Sequence[Engine],
    found: Findings,
    progress: Progress,
    place: str = "",
) -> None:
    """Run engines of one place and add what they gave to `found`."""
    reasons = {engine.key: engine.available(bundle) for engine in engines}
    tried = [engine.key for engine in engines if not place and engine.needs_trial and reasons[engine.key] is None]
    progress("try engines", 0, len(tried))
    crashed = trial.crashes(bundle.path, tried)
    progress("try engines", len(tried), len(tried))
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
            place=place,
            status="run" if reason is None else "not run",
            reason=reason or "",
        )


def _run(engine: Engine, bundle: Bundle, vectors: Vectors, found: Findings, progress: Progress) -> str | None:
    """Run one engine on all windows; return the reason where it fails."""
    n = len(vectors.windows)
    try:
        loaded = engine.load(bundle)
        outputs = loaded.outputs(vectors.windows, lambda done: progress(f"run {engine.key}", done, n))
        found.runs[engine.key] = decided(engine.key, outputs, n, bundle.card)
        found.loaded[engine.key] = loaded
        found.engines[engine.key] = engine
    except Exception as error:  # noqa: BLE001 - whatever an engine raises is that engine's row, not the end of the report
        return one_line(error, bundle.path)
    return None


def one_line(error: Exception, folder: Path) -> str:
    """An error as one line without the bundle's location, for a report that others read."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 3] + "..."


def add_recorded(found: Findings, bundle: Bundle, vectors: Vectors, *, everything: bool) -> None:
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


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
