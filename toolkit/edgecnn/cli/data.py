"""`edgecnn data`: what is in a data set; `edgecnn data fetch`: get an open one."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edgecnn.cli.console import JSON, QUIET, print_json, print_table, progress_on_stderr
from edgecnn.project import PROJECT_FILE, load_project

if TYPE_CHECKING:
    from edgecnn.data.recording import Dataset
    from edgecnn.data.survey import Survey

EPILOG = """\b
Examples:
  edgecnn data recordings                    a folder
  edgecnn data edgecnn.toml --json           the data of a project
  edgecnn data fetch mitdb recordings        an open data set, checked by SHA-256
"""
SHOW: Final = "show"
MAX_GROUP_ROWS: Final = 40


class ShowByDefault(click.Group):
    """A group whose first argument may be a path: then `show` runs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first argument for a command's name only if it is one."""
        if args and args[0] not in self.commands:
            args = [SHOW, *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options of `show` stand before the path."""
        helps = set(ctx.help_option_names)
        if args and args[0] not in self.commands and args[0] not in helps:
            args = [SHOW, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both ways to call it."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] PATH | fetch NAME DESTINATION")


@click.group("data", cls=ShowByDefault, epilog=EPILOG)
def command() -> None:
    """Show what is in a data set, or fetch an open one.

    PATH is a folder of recordings or a project (edgecnn.toml or its folder).
    """


@command.command(SHOW, epilog="Example: edgecnn data recordings")
@click.argument("path", type=click.Path(path_type=Path))
@QUIET
@JSON
def show(path: Path, quiet: bool, as_json: bool) -> None:
    """Show classes, groups, lengths, rates and problems of the recordings at PATH."""
    from edgecnn.data.survey import survey

    with progress_on_stderr(quiet) as progress:
        found = survey(_dataset(path), progress)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    _print(found)


@command.command("fetch", epilog="Example: edgecnn data fetch mitdb recordings")
@click.argument("name")
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--sha256", metavar="SUM", help="Expected sum of the archive, where the publisher has changed it.")
@QUIET
def fetch(name: str, destination: Path, sha256: str | None, quiet: bool) -> None:
    """Fetch the open data set NAME into the new folder DESTINATION."""
    from edgecnn.data.downloads.sources import find_source
    from edgecnn.data.fetch import fetch as fetch_dataset

    for line in find_source(name).terms:
        click.echo(line)
    with progress_on_stderr(quiet) as progress:
        folder = fetch_dataset(name, destination, sha256=sha256, progress=progress)
    click.echo(f"fetched {name}; next: edgecnn init {folder}")


def _dataset(path: Path) -> "Dataset":
    """The recordings of a project, or of the one that `init` would write for a folder."""
    if path.suffix == ".toml" or (path / PROJECT_FILE).is_file():
        from edgecnn.data.readers import read_dataset

        return read_dataset(load_project(path).data)
    from edgecnn.data.proposal import propose

    return propose(path, relative_to=Path()).dataset


def _print(found: "Survey") -> None:
    unit = "s" if found.rate_known else "samples"
    rate = f"{found.sample_rate_hz:g} Hz" if found.rate_known else "unknown rate"
    click.echo(f"{found.name}: {found.recordings} recordings ({found.format}), {rate}")
    click.echo(f"length: {found.length_min} to {found.length_max} samples, {found.length_median} in the middle")
    rows = [
        [item.label, str(item.recordings), str(item.segments), f"{item.seconds:.6g}", str(item.groups)]
        for item in found.classes
    ]
    print_table("classes", ["class", "recordings", "segments", unit, "groups"], rows, numeric={1, 2, 3, 4})
    labels = [item.label for item in found.classes]
    # Events are counted, for seconds say nothing about them.
    events = all(round(item.seconds * found.sample_rate_hz) == item.segments for item in found.classes)
    scale, what = (found.sample_rate_hz, "events") if events else (1.0, unit)
    groups = [
        [item.group, str(item.recordings), *(f"{item.classes.get(label, 0) * scale:.4g}" for label in labels)]
        for item in found.groups[:MAX_GROUP_ROWS]
    ]
    if len(found.groups) < found.recordings or found.recordings <= MAX_GROUP_ROWS:
        numeric = set(range(1, len(labels) + 2))
        print_table(f"{what} by group and class", ["group", "recordings", *labels], groups, numeric=numeric)
    more = len(found.groups) - MAX_GROUP_ROWS
    if more > 0:
        click.echo(f"{more} more groups")
    channels = [
        [item.name, item.unit, *(f"{value:.4g}" for value in (item.minimum, item.maximum, item.mean, item.std))]
        for item in found.channels
    ]
    print_table("channels", ["channel", "unit", "min", "max", "mean", "std"], channels, numeric={2, 3, 4, 5})
    for note in found.notes:
        click.echo(f"note: {note}")
    for problem in found.problems:
        click.echo(f"problem: {problem}")
