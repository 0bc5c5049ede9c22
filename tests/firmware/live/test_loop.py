"""The loop, with an engine that a test holds up."""

import json
import threading
from collections.abc import Sequence

import pytest

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.monitor import Drift
from edgecnn_firmware.classifier.results import Result
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.loop import Live, queue_samples
from edgecnn_firmware.live.records import Records


class Engine:
    """A result every four samples; it notes its restarts."""

    title = "test"

    def __init__(self) -> None:
        self.pushed: list[float] = []
        self.restarts: list[int] = []
        self._in_window = 0

    def push(self, values: Sequence[float]) -> Result | None:
        self.pushed.append(values[0])
        self._in_window = self._in_window % 4 + 1
        return Result(0, 1, True, (127, -128, -128), (32767, 0, 0), 32767) if self._in_window == 4 else None

    def restart(self) -> None:
        self.restarts.append(len(self.pushed))
        self._in_window = 0

    def drift(self) -> tuple[Drift, ...]:
        return (Drift(4, 0.5, 1.25, 0.0), Drift(4, -1 / 3, 1.0, 1.0))


class Numbers:
    """So many samples, then an error where there is one."""

    waits = True

    def __init__(self, samples: int, error: Exception | None = None) -> None:
        self._samples, self._error = samples, error

    def run(self, feed: Feed) -> None:
        for value in range(self._samples):
            feed.put((float(value), 0.0))
        if self._error:
            raise self._error


def live(bundle: Bundle, source: object, feed: Feed, lines: list[str], notes: list[str], **more: int) -> Live:
    return Live(source, Engine(), feed, Records(bundle.card), lines.append, notes.append, **more)  # type: ignore[arg-type]


def test_lines(bundle: Bundle) -> None:
    lines: list[str] = []
    run = live(bundle, Numbers(16), Feed(3, wait=True), lines, [], monitor_every=2)
    summary = run.run()
    assert summary.text == "16 samples, 4 results, 0 dropped"
    found = [json.loads(line) for line in lines]
    assert [record["sample"] for record in found] == [4, 8, 12, 16]
    assert [("drift" in record) for record in found] == [False, True, False, True]
    assert found[1]["drift"]["gyro"] == {"mean_shift": -0.333, "spread": 1.0, "clipped": 1.0}
    first = found[0]
    assert {key: first[key] for key in ("label", "window_label", "changed", "probability", "margin")} == {
        "label": "circle",
        "window_label": "shake",
        "changed": True,
        "probability": 0.99997,
        "margin": 0.99997,
    }
    assert first["time"].endswith("Z")
    assert "dropped" not in first


def test_a_slow_classifier_drops_and_says_so(bundle: Bundle) -> None:
    lines: list[str] = []
    feed, may_go = Feed(8), threading.Event()

    class Fast(Numbers):
        def run(self, feed: Feed) -> None:
            super().run(feed)
            may_go.set()

    run = live(bundle, Fast(100), feed, lines, [])
    engine: Engine = run._engine  # type: ignore[assignment]
    push = engine.push
    engine.push = lambda values: (may_go.wait(30), push(values))[1]  # type: ignore[method-assign]
    summary = run.run()
    records = [json.loads(line) for line in lines]
    assert summary.samples == 100
    assert summary.dropped == 100 - len(engine.pushed)
    assert summary.dropped >= 80
    assert sum(record.get("dropped", 0) for record in records) == summary.dropped
    assert engine.restarts in ([0], [1], [0, 1])
    # A result's number counts what was dropped before it; the window behind it has no gap.
    assert [int(engine.pushed[engine.restarts[-1] + 4 * n - 1]) + 1 for n in range(1, len(records) + 1)] == [
        record["sample"] for record in records
    ]


def test_a_source_that_fails_is_heard_after_its_samples(bundle: Bundle) -> None:
    lines: list[str] = []
    with pytest.raises(DataError, match="unplugged"):
        live(bundle, Numbers(4, DataError("unplugged")), Feed(10), lines, []).run()
    assert len(lines) == 1


def test_a_stop_ends_an_endless_source(bundle: Bundle) -> None:
    class Endless:
        waits = True

        def run(self, feed: Feed) -> None:
            while not feed.stopped:
                feed.put((1.0, 2.0))

    lines: list[str] = []
    run = live(bundle, Endless(), Feed(4, wait=True), lines, [])
    run._write = lambda line: (lines.append(line), run.stop())[0]  # type: ignore[assignment]
    assert run.run().results == 1


def test_bad_lines_are_said_at_most_once_a_second(bundle: Bundle) -> None:
    class Bad(Numbers):
        def run(self, feed: Feed) -> None:
            for number in range(5000):
                feed.bad(f"line {number}: no")
                feed.put((1.0, 2.0))

    notes: list[str] = []
    assert live(bundle, Bad(0), Feed(4, wait=True), [], notes).run().text.endswith("0 dropped, 5000 bad lines")
    assert 1 <= len(notes) < 100
    assert notes[-1].endswith("the latest: line 4999: no")


def test_no_label_has_settled(bundle: Bundle) -> None:
    from edgecnn_firmware.live.feed import Item

    line = Records(bundle.card, with_all=True).line(
        Item((0.0,), 0.0, 1.5, 0), 4, Result(-1, 2, False, (0, 0, 0), (1, 16384, 0), 9), dropped=3
    )
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000Z",
        "monotonic_s": 1.5,
        "sample": 4,
        "label": None,
        "probability": None,
        "margin": 0.00027,
        "window_label": "rest",
        "changed": False,
        "probabilities": {"circle": 0.00003, "shake": 0.5, "rest": 0.0},
        "dropped": 3,
    }


def test_the_default_queue_holds_windows(bundle: Bundle) -> None:
    assert queue_samples(bundle.card) == 500
