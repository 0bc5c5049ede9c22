"""Several reports side by side: what became better and what worse, against the first."""

from collections.abc import Callable, Sequence
from typing import Final

from edgecnn_bench.differences import Pairing
from edgecnn_bench.report.candidates import GROUP_TITLES, HOW_JUDGED, SUMMED, WORDS, candidates, groups, notes
from edgecnn_bench.report.comparison import Change, ComparedCell, ComparedRow, Comparison, Judgment
from edgecnn_bench.report.html import render_page
from edgecnn_bench.report.markdown import escape, table
from edgecnn_bench.report.measures import rows
from edgecnn_bench.report.sides import Side, sides
from edgecnn_bench.report.text import clean, listing
from edgecnn_bench.results import Report
from edgecnn_firmware import __version__
from edgecnn_firmware.errors import SettingsError

MAX_REPORTS: Final = 12
_MAX_NAME: Final = 80


def compare(
    reports: Sequence[Report],
    names: Sequence[str] | None = None,
    pairings: Sequence[Pairing | str] | None = None,
) -> Comparison:
    """Compare reports with the first of them.

    Args:
        reports: The baseline, and at least one more.
        names: What to call them where their cards' names do not tell them apart, such as their folders.
        pairings: For each report after the first, what `paired_bundles` found; without it accuracies are compared as of
            independent windows.

    Raises:
        SettingsError: fewer than two reports or too many.
    """
    if not 2 <= len(reports) <= MAX_REPORTS:
        raise SettingsError(f"{len(reports)} reports to compare; expected 2 to {MAX_REPORTS}")
    shown = _names(reports, names)
    found = sides(shown, reports, pairings)
    made = rows(found)
    return Comparison(
        edgecnn_version=__version__,
        names=tuple(shown),
        rows=made,
        better=_changes(shown, made, "better"),
        worse=_changes(shown, made, "worse"),
        warnings=tuple(_warnings(found)),
    )


def compare_markdown(
    reports: Sequence[Report], names: Sequence[str] | None = None, pairings: Sequence[Pairing | str] | None = None
) -> str:
    """Draw a comparison as Markdown; arguments as for `compare`."""
    return draw_markdown(compare(reports, names, pairings))


def compare_html(
    reports: Sequence[Report], names: Sequence[str] | None = None, pairings: Sequence[Pairing | str] | None = None
) -> str:
    """Draw a comparison as one self-contained HTML page; arguments as for `compare`."""
    return draw_html(compare(reports, names, pairings))


def draw_markdown(result: Comparison) -> str:
    """Draw a comparison as Markdown."""
    lines = [f"## {escape(result.names[0])} against {escape(listing(result.names[1:]), 400)}", ""]
    for found in candidates(result):
        lines += [f"**{escape(found.summary, 400)}**", ""]
        for title, sentences in (("Better", found.better), ("Worse", found.worse)):
            lines += [f"{title}:", ""] if sentences else [f"{title}: nothing", ""]
            lines += [*(f"- {escape(sentence, 400)}" for sentence in sentences), ""] if sentences else []
    lines += [f"> {escape(warning, 400)}" for warning in result.warnings] + ([""] if result.warnings else [])
    for group, rows_of_group in groups(result):
        lines += [f"### {GROUP_TITLES[group]}", ""]
        lines += table(
            ["", *(escape(name) for name in result.names)],
            [[escape(row.name), *(_markdown_cell(cell) for cell in row.cells)] for row in rows_of_group],
        )
        lines.append("")
    lines += [f"- {escape(note, 600)}" for note in notes(result)]
    lines += ["", escape(HOW_JUDGED, 600)]
    return "\n".join(lines).rstrip("\n") + "\n"


def draw_html(result: Comparison) -> str:
    """Draw a comparison as one self-contained HTML page."""
    context = {
        "result": result,
        "candidates": candidates(result),
        "groups": groups(result),
        "notes": notes(result),
        "titles": GROUP_TITLES,
        "words": WORDS,
        "how_judged": HOW_JUDGED,
    }
    return render_page("compare.html.j2", context)


def _markdown_cell(cell: ComparedCell) -> str:
    told = ", ".join(filter(None, [cell.change, WORDS[cell.judgment] if cell.judgment in SUMMED else ""]))
    return escape(f"{cell.text}; {told}" if told else cell.text, 160)


def _changes(names: Sequence[str], made: Sequence[ComparedRow], judgment: Judgment) -> tuple[Change, ...]:
    return tuple(
        Change(bundle=name, key=row.key, sentence=_sentence(name, row, cell))
        for row in made
        for name, cell in zip(names, row.cells, strict=True)
        if cell.judgment == judgment
    )


def _sentence(name: str, row: ComparedRow, cell: ComparedCell) -> str:
    change = f", {cell.change}" if cell.change else ""
    return f"{name}: {row.name} {row.cells[0].text} → {cell.text}{change}"


def _names(reports: Sequence[Report], given: Sequence[str] | None) -> list[str]:
    plain = [clean(f"{report.card.name} {report.card.version}", _MAX_NAME) for report in reports]
    if len(set(plain)) == len(plain):
        return plain
    if given is not None:
        told = [clean(name, _MAX_NAME) for name in given]
        if len(set(told)) == len(told):
            return told
    return [name if plain.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(plain, start=1)]


def _warnings(found: Sequence[Side]) -> list[str]:
    first, others = found[0], found[1:]
    checks: tuple[tuple[Callable[[Side], object], str], ...] = (
        (_fingerprint, "Another data set than {0}: {1}; accuracies are not of the same task."),
        (_windows, "Other test windows than {0}: {1}."),
        (lambda side: side.same_cpu, "Measured on another machine than {0}: {1}; times are not comparable."),
        (lambda side: side.report.environment.libraries, "Measured with other library versions than {0}: {1}."),
        (lambda side: side.report.edgecnn_version, "Measured with another edgecnn than {0}: {1}."),
    )
    said = [_other_labels(first, side) for side in others if _labels(side) != _labels(first)]
    for value, sentence in checks:
        differing = [side.name for side in others if value(side) != value(first)]
        if differing:
            said.append(sentence.format(first.name, listing(differing)))
    return said


def _labels(side: Side) -> frozenset[str]:
    return frozenset(side.report.card.labels)


def _other_labels(first: Side, side: Side) -> str:
    here, there = ([clean(label, 40) for label in each.report.card.labels] for each in (side, first))
    return (
        f"{side.name} tells {listing(here)}; {first.name} tells {listing(there)}: accuracies are not of the same task."
    )


def _fingerprint(side: Side) -> str | None:
    data = side.report.card.data
    return data.fingerprint if data else None


def _windows(side: Side) -> object:
    source = side.report.card.input
    return side.report.windows, source.window_samples, source.sample_rate_hz, source.channels
