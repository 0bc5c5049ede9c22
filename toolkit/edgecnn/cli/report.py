"""`edgecnn report`: from report.json to pages."""

from pathlib import Path

import click

from edgecnn_firmware.errors import SettingsError


@click.command("report", epilog="Example: edgecnn report build/wrist build/wrist_ds --output compared.html")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The comparison's file: .html or .md.")
def command(bundles: tuple[Path, ...], output: Path | None) -> None:
    """Draw the report of a bundle again, or compare bundles.

    One BUNDLE (a folder, or a report.json): its report.html and report.md are written again from report.json. Several: they
    are compared, as Markdown on stdout or in the --output file.
    """
    from edgecnn_bench.report.compare import compare_html, compare_markdown
    from edgecnn_bench.report.facts import headline
    from edgecnn_bench.report.files import load_report, write_report
    from edgecnn_firmware.bundle import write_file_atomically

    reports = [load_report(bundle) for bundle in bundles]
    if len(reports) == 1 and output is None:
        folder = bundles[0] if bundles[0].is_dir() else bundles[0].parent
        write_report(folder, reports[0])
        click.echo(headline(reports[0]))
        click.echo(f"report: {folder / 'report.html'}")
        return
    if output is None:
        click.echo(compare_markdown(reports), nl=False)
        return
    drawers = {".html": compare_html, ".md": compare_markdown}
    if output.suffix not in drawers:
        raise SettingsError(f"--output {output}: the name must end in .html or .md")
    write_file_atomically(output, drawers[output.suffix](reports).encode("utf-8"))
    click.echo(f"comparison: {output}")
