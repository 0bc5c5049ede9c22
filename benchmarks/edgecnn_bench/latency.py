"""Time of one inference at batch 1, all engines in one run.

Engines take turns in rounds, in an order drawn anew for each round, so that a machine that speeds up, slows down or
serves others treats all of them alike. A turn starts with one call that is not timed, because the engines before it
have filled the caches; then come up to `TURN_CALLS` timed ones. The garbage collector is off meanwhile. Engines that run
elsewhere take the same turns and are timed by the clock there; one that fails meanwhile is left out.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np

from edgecnn_bench.engines.protocol import LoadedEngine, SelfTimed, Windows
from edgecnn_bench.results import Latency
from edgecnn_firmware.errors import EdgeCnnError
from edgecnn_firmware.progress import Progress, silent

Clock: TypeAlias = Callable[[], int]
"""Nanoseconds since some fixed point."""

What: TypeAlias = Literal["invoke", "end-to-end"]
WHATS: Final[tuple[What, ...]] = ("invoke", "end-to-end")

TURN_CALLS: Final = 10
MIN_RUNS: Final = 30
MIN_WARMUP: Final = 3
WARMUP_SHARE: Final = 0.25
"""Of the budget."""
BUDGET_S: Final = 60.0
HISTOGRAM_BINS: Final = 40
_WINDOWS: Final = 64
"""Different windows that the timed calls go through."""


@dataclass
class _Subject:
    """One engine under the clock."""

    key: str
    engine: LoadedEngine
    warmup: int = 0
    cost_ns: float = 0.0
    """Estimate for one call of each kind, from the warm-up; by this process' clock, so with the way there and back."""
    runs: int = 0
    failed: bool = False
    times_ns: dict[What, list[int]] = field(default_factory=lambda: {what: [] for what in WHATS})


def measure(
    engines: Mapping[str, LoadedEngine],
    windows: Windows,
    *,
    timed_runs: int,
    warmup_runs: int,
    seed: int = 0,
    budget_s: float = BUDGET_S,
    clock: Clock = time.perf_counter_ns,
    progress: Progress = silent,
) -> dict[str, tuple[Latency, ...]]:
    """Time every engine's call alone and from a window in physical units to its label.

    Each engine gets `timed_runs` timed calls of both kinds; where that would take longer than `budget_s` seconds, the
    slowest engines get fewer, but `MIN_RUNS` at least. One that times itself and fails has no times.
    """
    subjects = [_Subject(key, engine) for key, engine in engines.items()]
    if not subjects:
        return {}
    choice = np.random.default_rng(seed)
    chosen = choice.permutation(len(windows))[:_WINDOWS]
    with _no_garbage_collection():
        for subject in subjects:
            _warm_up(subject, windows[chosen], warmup_runs, budget_s * WARMUP_SHARE / len(subjects), clock)
        able = [subject for subject in subjects if not subject.failed]
        planned = plan_runs([subject.cost_ns for subject in able], timed_runs, budget_s * 1e9)
        for subject, runs in zip(able, planned, strict=True):
            subject.runs = runs
        _take_turns(able, windows[chosen], choice, clock, progress)
    return {subject.key: _latencies(subject) for subject in subjects}


def _latencies(subject: _Subject) -> tuple[Latency, ...]:
    if subject.failed:
        return ()
    return tuple(summarize(what, subject.times_ns[what], subject.warmup, subject.engine.threads) for what in WHATS)


def plan_runs(costs_ns: Sequence[float], timed_runs: int, budget_ns: float) -> list[int]:
    """Calls for each engine: all `timed_runs` where the time allows, else an equal share of what the cheap ones leave.

    Never under `MIN_RUNS` (or `timed_runs`, if that is less), whatever it takes.
    """
    runs = [timed_runs] * len(costs_ns)
    left = budget_ns
    by_cost = sorted(range(len(costs_ns)), key=lambda index: costs_ns[index])
    for position, index in enumerate(by_cost):
        share = left / (len(by_cost) - position)
        affordable = int(share / costs_ns[index]) if costs_ns[index] > 0 else timed_runs
        runs[index] = max(min(timed_runs, MIN_RUNS), min(timed_runs, affordable))
        left = max(0.0, left - runs[index] * costs_ns[index])
    return runs


def summarize(what: What, times_ns: Sequence[int], warmup: int, threads: int) -> Latency:
    """Percentiles, mean and a histogram up to the 99th percentile; microseconds to the nanosecond."""
    times_us = np.asarray(times_ns, np.float64) / 1e3
    low, p5, median, p95, p99, high = (float(value) for value in np.percentile(times_us, [0, 5, 50, 95, 99, 100]))
    # One nanosecond, the clock's step, where all times are equal.
    top = max(p99, low + 1e-3)
    counts, edges = np.histogram(times_us[times_us <= top], HISTOGRAM_BINS, (low, top))
    return Latency(
        what=what,
        n=len(times_us),
        warmup=warmup,
        threads=threads,
        min_us=round(low, 3),
        p5_us=round(p5, 3),
        median_us=round(median, 3),
        p95_us=round(p95, 3),
        max_us=round(high, 3),
        mean_us=round(float(times_us.mean()), 3),
        histogram_edges_us=tuple(round(float(edge), 6) for edge in edges),
        histogram_counts=tuple(int(count) for count in counts),
    )


def _warm_up(subject: _Subject, windows: Windows, calls: int, budget_s: float, clock: Clock) -> None:
    """Call the engine both ways until `calls` or the time is used up, and estimate its cost from the latest calls."""
    costs: list[float] = []
    begin = clock()
    while len(costs) < calls and not subject.failed:
        # Together where an engine times itself: the way there and back would be most of what one call takes.
        together = min(MIN_WARMUP, calls - len(costs)) if isinstance(subject.engine, SelfTimed) else 1
        start = clock()
        _warm_calls(subject, windows, len(costs), together)
        end = clock()
        costs += [(end - start) / together] * together
        if len(costs) >= MIN_WARMUP and end - begin > budget_s * 1e9:
            break
    subject.warmup = len(costs)
    subject.cost_ns = float(np.median(costs[len(costs) // 2 :])) if costs else 0.0


def _warm_calls(subject: _Subject, windows: Windows, done: int, calls: int) -> None:
    engine = subject.engine
    if isinstance(engine, SelfTimed):
        _self_timed(subject, engine, windows, done, calls)
        return
    for call in range(done, done + calls):
        window = windows[call % len(windows)]
        engine.prepare(window)()
        engine.classify(window)


def _take_turns(
    subjects: Sequence[_Subject], windows: Windows, choice: np.random.Generator, clock: Clock, progress: Progress
) -> None:
    rounds = max((-(-subject.runs // TURN_CALLS) for subject in subjects), default=0)
    for number in range(rounds):
        for index in choice.permutation(len(subjects)):
            subject = subjects[index]
            # Spread evenly over the rounds: an engine with few calls is timed as early and as late as the others.
            calls = subject.runs * (number + 1) // rounds - subject.runs * number // rounds
            if calls and not subject.failed:
                _turn(subject, windows, calls, clock)
        progress("time engines", number + 1, rounds)


def _turn(subject: _Subject, windows: Windows, calls: int, clock: Clock) -> None:
    engine, done = subject.engine, len(subject.times_ns["invoke"])
    invoke_ns, whole_ns = subject.times_ns["invoke"], subject.times_ns["end-to-end"]
    if isinstance(engine, SelfTimed):
        for times, found in zip((invoke_ns, whole_ns), _self_timed(subject, engine, windows, done, calls), strict=True):
            times += found
        return
    engine.prepare(windows[done % len(windows)])()
    for call in range(done, done + calls):
        invoke = engine.prepare(windows[call % len(windows)])
        start = clock()
        invoke()
        invoke_ns.append(clock() - start)
    for call in range(done, done + calls):
        window = windows[call % len(windows)]
        start = clock()
        engine.classify(window)
        whole_ns.append(clock() - start)


def _self_timed(
    subject: _Subject, engine: SelfTimed, windows: Windows, done: int, calls: int
) -> tuple[list[int], list[int]]:
    try:
        return engine.turn(windows[np.arange(done, done + calls) % len(windows)], calls)
    except EdgeCnnError:
        # The engine's own place tells why; the others are timed all the same.
        subject.failed = True
        return [], []


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
