"""A report as JUnit XML, which GitLab, Jenkins and the like show beside a change.

The format has no written standard; this is the part that those readers share: `testsuites`, `testsuite` and `testcase`
with `failure` or `skipped` in it, counts on the outer two, `classname` and `name` on the last. What was not run is
skipped with the reason, never passed.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, Literal
from xml.etree import ElementTree as ET

from edgecnn_bench.report.facts import gate_line
from edgecnn_bench.report.text import clean, percent, points
from edgecnn_bench.results import BoardRun, EngineResult, Gate, Parity, Report

Outcome = Literal["passed", "failed", "skipped"]

_MAX_TEXT: Final = 1_000
_MAX_NAME: Final = 200


@dataclass(frozen=True)
class Case:
    """One test case.

    Attributes:
        suite: Name of its suite.
        name: What was tested.
        outcome: How it went.
        message: Why it failed or was skipped, or what was found.
        kind: The failure's type, in one word.
        seconds: How long it took; None where that was not measured.
    """

    suite: str
    name: str
    outcome: Outcome
    message: str
    kind: str = ""
    seconds: float | None = None


def junit_xml(report: Report) -> bytes:
    """Write a report's gates, engines, comparisons and virtual boards as test cases.

    A missed gate fails, and so does an engine that is by its verdict less often right than its reference, and a virtual
    board whose outputs are not byte for byte those of the reference kernels. An engine's time is that of all its timed
    calls; nothing else was timed, so nothing else has one. The same report gives the same bytes.
    """
    cases = list(_numbered(junit_cases(report)))
    name = _line(f"edgecnn {report.card.name} {report.card.version}", _MAX_NAME)
    root = ET.Element("testsuites", {"name": name, **_counts(cases)})
    for suite in dict.fromkeys(case.suite for case in cases):
        inside = [case for case in cases if case.suite == suite]
        group = ET.SubElement(root, "testsuite", {"name": suite, **_counts(inside)})
        for case in inside:
            _add(group, case, f"{report.card.name}.{suite}")
    ET.indent(root, " ")
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def junit_cases(report: Report) -> tuple[Case, ...]:
    """List what `junit_xml` writes."""
    return (
        *(_gate(gate) for gate in report.gates),
        *(_engine(engine) for engine in report.engines),
        *(_parity(pair) for pair in report.parity),
        *(_board(run) for run in report.boards),
    )


def _gate(gate: Gate) -> Case:
    line = gate_line(gate)
    message = f"{line.what} is {line.value}, limit {line.limit}"
    return Case("gates", gate.name, "passed" if gate.passed else "failed", message, "gate")


def _engine(engine: EngineResult) -> Case:
    name = f"{engine.key} on {engine.place}" if engine.place else engine.key
    if engine.status != "run":
        return Case("engines", name, "skipped", engine.reason or "no reason is given")
    score = engine.score
    message = "ran; no labels" if score is None else f"accuracy {percent(score.accuracy.value)} of {score.accuracy.n}"
    timed = [latency for latency in engine.latency if latency.n > 0]
    seconds = sum(latency.n * latency.mean_us for latency in timed) / 1e6 if timed else None
    return Case("engines", name, "passed", message, seconds=seconds)


def _parity(pair: Parity) -> Case:
    name = f"{pair.candidate} against {pair.reference}"
    verdict = pair.verdict
    same = f"same label on {percent(pair.agreement.value, 2)} of {pair.n} windows"
    if verdict is None:
        why = "the true labels are not known" if pair.mcnemar is None else "the report has none"
        return Case("parity", name, "skipped", f"no verdict: {why}; {same}")
    if verdict.verdict == "undecided":
        return Case("parity", name, "skipped", f"undecided: {verdict.rule}")
    if verdict.verdict == "different" and (pair.accuracy_drop or 0.0) > 0:
        message = f"{points(pair.accuracy_drop or 0.0)} points of accuracy lost; {same}. {verdict.rule}"
        return Case("parity", name, "failed", message, "different")
    return Case("parity", name, "passed", f"{verdict.verdict}: {same}. {verdict.rule}")


def _board(run: BoardRun) -> Case:
    if run.status != "run":
        return Case("boards", run.board, "skipped", run.reason or "no reason is given")
    if run.byte_equal is None:
        return Case("boards", run.board, "skipped", "its outputs were not compared with the reference kernels'")
    windows = f"{run.windows} windows, {run.kernels} kernels, {run.toolchain}"
    if run.byte_equal:
        return Case(
            "boards", run.board, "passed", f"outputs are byte for byte those of the reference kernels: {windows}"
        )
    message = f"outputs are not those of the reference kernels: {windows}"
    return Case("boards", run.board, "failed", message, "bytes")


def _numbered(cases: Iterable[Case]) -> Iterable[Case]:
    """Tell cases of one name apart: readers take the second for a repetition of the first."""
    seen: set[tuple[str, str]] = set()
    for case in cases:
        name = _line(case.name, _MAX_NAME) or "without a name"
        shown = next(text for text in _variants(name) if (case.suite, text) not in seen)
        seen.add((case.suite, shown))
        yield replace(case, name=shown)


def _variants(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name} ({times})" for times in count(2))


def _add(group: ET.Element, case: Case, classname: str) -> None:
    attributes = {"classname": _line(classname, _MAX_NAME), "name": case.name}
    if case.seconds is not None:
        attributes["time"] = _seconds(case.seconds)
    element = ET.SubElement(group, "testcase", attributes)
    message = _line(case.message, _MAX_TEXT)
    if case.outcome == "failed":
        failure = ET.SubElement(element, "failure", {"message": message, "type": case.kind})
        failure.text = message
    elif case.outcome == "skipped":
        ET.SubElement(element, "skipped", {"message": message})
    else:
        ET.SubElement(element, "system-out").text = message


def _counts(cases: list[Case]) -> dict[str, str]:
    outcomes = Counter(case.outcome for case in cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(outcomes["failed"]),
        "errors": "0",
        "skipped": str(outcomes["skipped"]),
    }
    timed = [case.seconds for case in cases if case.seconds is not None]
    return {**counts, "time": _seconds(sum(timed))} if timed else counts


def _seconds(value: float) -> str:
    return f"{min(max(value, 0.0), 1e12):.6f}"


def _line(text: str, limit: int) -> str:
    """One line of characters that XML 1.0 allows."""
    return clean(text, limit)
