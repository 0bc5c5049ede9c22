"""Latency under a clock that only the engines move."""

import gc
from collections.abc import Callable

import numpy as np
import pytest

from edgecnn_bench.engines.protocol import RunOutputs, Tick, Window, Windows
from edgecnn_bench.latency import MIN_RUNS, TURN_CALLS, measure, plan_runs, summarize
from edgecnn_firmware.errors import EdgeCnnError

WINDOWS = np.zeros((5, 4, 1), np.float32)


class Clock:
    """Nanoseconds that pass only when told."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Sleeper:
    """An engine whose calls move the clock by a fixed time, and which notes them in a shared log."""

    threads = 1

    def __init__(self, key: str, clock: Clock, invoke_ns: int, log: list[str]) -> None:
        self._key, self._clock, self._invoke_ns, self._log = key, clock, invoke_ns, log
        self.collecting: set[bool] = set()

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        raise NotImplementedError

    def prepare(self, window: Window) -> Callable[[], object]:
        self._clock.now_ns += 77  # must not show in any latency
        return self._invoke

    def classify(self, window: Window) -> int:
        self._clock.now_ns += 2 * self._invoke_ns
        return 0

    def _invoke(self) -> None:
        self._log.append(self._key)
        self.collecting.add(gc.isenabled())
        self._clock.now_ns += self._invoke_ns


def run(costs: dict[str, int], seed: int = 0, timed: int = 40, budget_s: float = 60.0) -> tuple[dict, list[str]]:
    clock, log = Clock(), []
    engines = {key: Sleeper(key, clock, cost, log) for key, cost in costs.items()}
    found = measure(engines, WINDOWS, timed_runs=timed, warmup_runs=5, seed=seed, budget_s=budget_s, clock=clock)
    assert all(engine.collecting == {False} for engine in engines.values())
    return found, log


def test_each_call_is_timed_alone() -> None:
    found, _ = run({"one": 1500, "other": 40_000})
    invoke, whole = found["one"]
    assert (invoke.what, whole.what) == ("invoke", "end-to-end")
    assert (invoke.n, invoke.warmup, invoke.threads) == (40, 5, 1)
    assert invoke.min_us == invoke.median_us == invoke.max_us == invoke.mean_us == 1.5
    assert whole.min_us == whole.max_us == 3.0
    assert found["other"][0].median_us == 40.0


def test_engines_take_turns_in_an_order_that_the_seed_fixes() -> None:
    costs = {"a": 10, "b": 10, "c": 10}
    _, log = run(costs, seed=4, timed=60)
    timed = log[5 * 3 :]
    turn = TURN_CALLS + 1
    turns = [timed[start : start + turn] for start in range(0, len(timed), turn)]
    assert all(len(set(calls)) == 1 for calls in turns), "a turn is one engine's"
    rounds = [tuple(calls[0] for calls in turns[start : start + 3]) for start in range(0, len(turns), 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds), "every engine once a round"
    assert len(set(rounds)) > 1, "the order is drawn anew"
    assert run(costs, seed=4, timed=60)[1] == log
    assert run(costs, seed=5, timed=60)[1] != log


def test_slow_engines_get_fewer_calls_spread_over_the_whole_run() -> None:
    found, log = run({"fast": 1000, "slow": 20_000_000}, timed=500, budget_s=6.0)
    assert found["fast"][0].n == 500
    assert MIN_RUNS <= found["slow"][0].n < 500
    assert log.index("slow") < 20
    assert "slow" in log[-40:]
    assert found["slow"][0].warmup >= 3


def test_garbage_collection_is_back_on() -> None:
    assert gc.isenabled()
    run({"one": 10})
    assert gc.isenabled()


def test_nothing_to_measure() -> None:
    assert measure({}, WINDOWS, timed_runs=30, warmup_runs=1) == {}


@pytest.mark.parametrize(
    ("costs", "timed", "budget", "runs"),
    [
        ([1.0, 2.0], 100, 1000.0, [100, 100]),
        ([1.0, 100.0], 100, 1000.0, [100, 30]),
        ([1.0, 10.0], 100, 1000.0, [100, 90]),
        ([10.0, 10.0], 100, 1000.0, [50, 50]),
        ([100.0], 20, 1.0, [20]),
        ([0.0], 40, 1.0, [40]),
    ],
)
def test_plan(costs: list[float], timed: int, budget: float, runs: list[int]) -> None:
    assert plan_runs(costs, timed, budget) == runs


def test_histogram_holds_what_is_up_to_the_99th_percentile() -> None:
    times_ns = np.random.default_rng(0).gamma(3.0, 20_000.0, 2000).astype(np.int64)
    found = summarize("invoke", [int(value) for value in times_ns], 3, 1)
    edges, counts = np.array(found.histogram_edges_us), np.array(found.histogram_counts)
    assert len(edges) == len(counts) + 1 == 41
    assert np.all(np.diff(edges) > 0)
    assert edges[0] == pytest.approx(found.min_us)
    assert edges[-1] == pytest.approx(np.percentile(times_ns, 99) / 1e3, abs=1e-6)
    assert counts.sum() == np.count_nonzero(times_ns / 1e3 <= np.percentile(times_ns / 1e3, 99))
    assert [found.p5_us, found.median_us, found.p95_us] == pytest.approx(
        np.percentile(times_ns / 1e3, [5, 50, 95]), abs=1e-3
    )


class Elsewhere(Sleeper):
    """An engine that has a clock of its own; a way of 5 ms there and back lies around each turn."""

    def __init__(self, key: str, clock: Clock, invoke_ns: int, log: list[str], fails_at: int | None = None) -> None:
        super().__init__(key, clock, invoke_ns, log)
        self.turns: list[tuple[list[float], int]] = []
        self._fails_at = fails_at

    def turn(self, windows: Window, calls: int) -> tuple[list[int], list[int]]:
        if len(self.turns) == self._fails_at:
            raise EdgeCnnError("the machine is gone")
        self.turns.append((windows[:, 0, 0].tolist(), calls))
        self._log += [self._key] * (calls + 1)
        self._clock.now_ns += 5_000_000 + 3 * calls * self._invoke_ns
        return [self._invoke_ns] * calls, [2 * self._invoke_ns] * calls

    def prepare(self, window: Window) -> Callable[[], object]:
        raise NotImplementedError

    def classify(self, window: Window) -> int:
        raise NotImplementedError


def test_engines_elsewhere_take_turns_and_are_timed_there() -> None:
    clock, log = Clock(), []
    there, here = Elsewhere("there", clock, 7000, log), Sleeper("here", clock, 1500, log)
    windows = np.arange(5, dtype=np.float32).reshape(5, 1, 1)
    found = measure({"there": there, "here": here}, windows, timed_runs=40, warmup_runs=7, clock=clock)
    invoke, whole = found["there"]
    assert (invoke.n, whole.n, invoke.warmup, invoke.threads) == (40, 40, 7, 1)
    assert (invoke.min_us, invoke.max_us, whole.min_us, whole.max_us) == (7.0, 7.0, 14.0, 14.0)
    assert found["here"][0].max_us == 1.5
    assert [calls for _, calls in there.turns] == [3, 3, 1] + [TURN_CALLS] * 4
    assert all(len(windows) == calls for windows, calls in there.turns), "as many windows as calls"
    order = [value for windows, calls in there.turns[3:] for value in windows]
    assert order == order[:5] * 8, "the windows in turn"
    # Interleaved: neither is done before the other has begun.
    timed = log[7 + 3 + 7 :]
    assert timed.index("here") < 12 > timed.index("there")


def test_the_way_there_counts_in_the_budget() -> None:
    clock = Clock()
    there = Elsewhere("there", clock, 1_000_000, [])
    found = measure({"there": there}, WINDOWS, timed_runs=10_000, warmup_runs=50, budget_s=4.0, clock=clock)
    assert 30 <= found["there"][0].n < 1000


@pytest.mark.parametrize("fails_at", [0, 1, 4])
def test_one_that_fails_elsewhere_has_no_times_and_the_others_have(fails_at: int) -> None:
    clock, log = Clock(), []
    engines = {"gone": Elsewhere("gone", clock, 7000, log, fails_at), "here": Sleeper("here", clock, 1500, log)}
    found = measure(engines, WINDOWS, timed_runs=40, warmup_runs=7, clock=clock)
    assert found["gone"] == ()
    assert [timed.n for timed in found["here"]] == [40, 40]
    assert measure({"gone": Elsewhere("gone", clock, 7000, log, fails_at)}, WINDOWS, timed_runs=40, warmup_runs=7) == {
        "gone": ()
    }
