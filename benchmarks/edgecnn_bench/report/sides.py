"""The reports of a comparison, each with what matters for judging it against the first."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_bench.differences import Pairing
from edgecnn_bench.report.facts import Facts, facts
from edgecnn_bench.results import Environment, Report


@dataclass(frozen=True)
class Side:
    """One report with the figures its verdict is made of."""

    name: str
    report: Report
    facts: Facts
    pairing: Pairing | str = "windows cannot be paired from reports alone"
    """What differs from the baseline on the same windows, or why that cannot be said."""
    other_task: str = ""
    """Why its accuracy is of another task than the baseline's; empty where it is of the same."""
    same_cpu: bool = True


def sides(names: Sequence[str], reports: Sequence[Report], pairings: Sequence[Pairing | str] | None) -> list[Side]:
    """Put reports beside the first of them; `pairings` has one entry for each report after the first."""
    first = reports[0]
    found = [Side(names[0], first, facts(first))]
    for number, (name, report) in enumerate(zip(names[1:], reports[1:], strict=True)):
        pairing = pairings[number] if pairings else Side.pairing
        found.append(
            Side(
                name=name,
                report=report,
                facts=facts(report),
                pairing=pairing,
                other_task="" if isinstance(pairing, Pairing) else other_task(first, report),
                same_cpu=same_machine(first.environment, report.environment),
            )
        )
    return found


def other_task(first: Report, report: Report) -> str:
    """Say why two accuracies are not of the same task; empty where they are."""
    if set(first.card.labels) != set(report.card.labels):
        return "other labels"
    data, others = first.card.data, report.card.data
    if data is None or others is None:
        return "a card does not say which data its windows are of"
    return "" if data.fingerprint == others.fingerprint else "another data set"


def same_machine(first: Environment, second: Environment) -> bool:
    """Say whether two runs are of the same kind of machine: processor, cores and system."""
    return (first.cpu, first.machine, first.cores, first.system) == (
        second.cpu,
        second.machine,
        second.cores,
        second.system,
    )
