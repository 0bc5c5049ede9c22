"""`edgecnn report`: from report.json to pages."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli.console import JSON
from edgecnn_firmware.errors import SettingsError

if TYPE_CHECKING:
    from edgecnn_bench.report.comparison import Comparison

_DRAWN = (".html", ".json", ".md")


@click.command("report", epilog="Example: edgecnn report build/wrist build/wrist_ds --output compared.html")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The comparison's file: .html, .md or .json; can be repeated.",
)
@JSON
def command(bundles: tuple[Path, ...], outputs: tuple[Path, ...], as_json: bool) -> None:
    """Draw the report of a bundle again, or compare bundles.

    One BUNDLE (a folder, or a report.json): its report.html and report.md are written again from report.json. Several: they
    are compared with the first, as Markdown or JSON on stdout, or in --output files.
    """
    for output in outputs:
        if output.suffix not in _DRAWN:
            raise SettingsError(f"--output {output}: the name must end in {', '.join(_DRAWN[:-1])} or {_DRAWN[-1]}")
    if len(bundles) == 1:
        if outputs:
            raise SettingsError(f"--output {outputs[0]}: it is for a comparison; give at least two bundles")
        _draw_again(bundles[0], as_json=as_json)
        return
    _write(_compared(bundles), outputs, as_json=as_json)


def _draw_again(place: Path, *, as_json: bool) -> None:
    from edgecnn_bench.report.facts import headline
    from edgecnn_bench.report.files import load_report, write_report

    report = load_report(place)
    folder = place if place.is_dir() else place.parent
    write_report(folder, report)
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    click.echo(headline(report))
    click.echo(f"report: {folder / 'report.html'}")


def _compared(bundles: tuple[Path, ...]) -> "Comparison":
    from edgecnn_bench.differences import paired_bundles
    from edgecnn_bench.report.compare import compare
    from edgecnn_bench.report.files import load_report

    reports = [load_report(bundle) for bundle in bundles]
    first = bundles[0]
    pairings = [
        paired_bundles(first, bundle, (reports[0].card, report.card))
        for bundle, report in zip(bundles[1:], reports[1:], strict=True)
    ]
    return compare(reports, _told_apart(bundles), pairings)


def _told_apart(places: tuple[Path, ...]) -> list[str]:
    """Paths without the folders that they have in common, so that a page does not tell where they lay."""
    parts = [place.absolute().parts for place in places]
    common = 0
    while all(len(each) > common + 1 and each[common] == parts[0][common] for each in parts):
        common += 1
    return ["/".join(each[common:]) for each in parts]


def _write(result: "Comparison", outputs: tuple[Path, ...], *, as_json: bool) -> None:
    from edgecnn_bench.report.compare import draw_html, draw_markdown
    from edgecnn_firmware.bundle import write_file_atomically

    for output in outputs:
        draw = {".html": draw_html, ".md": draw_markdown}.get(output.suffix)
        text = draw(result) if draw else result.to_json()
        write_file_atomically(output, text.encode("utf-8"))
        if not as_json:
            click.echo(f"comparison: {output}")
    if as_json:
        click.echo(result.to_json(), nl=False)
    elif not outputs:
        click.echo(draw_markdown(result), nl=False)
