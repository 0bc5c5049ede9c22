"""`edgecnn data`: what is in a data set; `edgecnn data fetch`: get an open one."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edgecnn.cli.console import JSON, QUIET, print_json, print_table, progress_on_stderr
from edgecnn.project import PROJECT_FILE, WindowSettings, load_project
from edgecnn_firmware.errors import SettingsError

if TYPE_CHECKING:
    from edgecnn.data.recording import Dataset
    from edgecnn.data.survey import Survey

EPILOG = """\b
Examples:
  edgecnn data recordings                    a folder
  edgecnn data edgecnn.toml --json           the data of a project
  edgecnn data recordings --picture p.html   a page with a window of every class
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

    PATH is a folder of recordings or a project (edgecnn.toml or its folder). 'edgecnn data show --help' and
    'edgecnn data fetch --help' list the options of each.
    """


@command.command(SHOW, epilog="Example: edgecnn data recordings --picture data.html")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Also write a page that shows a window of every class.",
)
@QUIET
@JSON
def show(path: Path, picture: Path | None, quiet: bool, as_json: bool) -> None:
    """Show classes, groups, lengths, rates and problems of the recordings at PATH."""
    from edgecnn.data.survey import survey

    if picture is not None:
        _check_picture(picture)
    dataset, windows = _dataset(path)
    with progress_on_stderr(quiet) as progress:
        found = survey(dataset, progress)
    if picture is not None:
        _write_picture(picture, dataset, found, windows)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    _print(found)
    if picture is not None:
        click.echo(f"picture: {picture}")


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


def _dataset(path: Path) -> "tuple[Dataset, WindowSettings]":
    """The recordings and windows of a project, or of the one that `init` would write for a folder."""
    if path.suffix == ".toml" or (path / PROJECT_FILE).is_file():
        from edgecnn.data.readers import read_dataset

        project = load_project(path)
        return read_dataset(project.data), project.windows
    from edgecnn.data.proposal import propose

    proposal = propose(path, relative_to=Path())
    return proposal.dataset, WindowSettings.model_validate(proposal.tables["windows"])


def _check_picture(picture: Path) -> None:
    """Refuse a name that cannot be written before anything is read.

    Raises:
        SettingsError: it is no name of an HTML file, a folder, or in a place where nothing can be written.
    """
    if picture.suffix != ".html":
        raise SettingsError(f"--picture {picture}: the name must end in .html")
    if picture.is_dir():
        raise SettingsError(f"--picture {picture}: is a folder; give the name of a new file")
    place = next(folder for folder in picture.absolute().parents if folder.exists())
    if not place.is_dir():
        raise SettingsError(f"--picture {picture}: {place} is no folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise SettingsError(f"--picture {picture}: no permission to write in {place}")


def _write_picture(picture: Path, dataset: "Dataset", found: "Survey", windows: WindowSettings) -> None:
    from edgecnn.data.picture import survey_picture
    from edgecnn.data.windows import window_length
    from edgecnn_bench.report.survey import render_survey
    from edgecnn_firmware.bundle import write_file_atomically

    page = render_survey(survey_picture(dataset, found, window_length(dataset, windows)))
    write_file_atomically(picture, page.encode("utf-8"))


def _print(found: "Survey") -> None:
    unit = "s" if found.rate_known else "samples"
    rate = f"{found.sample_rate_hz:g} Hz" if found.rate_known else "unknown rate"
    click.echo(f"{found.name}: {found.recordings} recordings ({found.format}), {rate}")
    click.echo(f"length: {found.length_min} to {found.length_max} samples, {found.length_median} in the middle")
    _print_classes(found, unit)
    _print_groups(found, unit)
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


def _print_classes(found: "Survey", unit: str) -> None:
    """Print how often each class occurs and how long; events are counted, for seconds say nothing about them."""
    lasting = not found.classes or any(item.events is None for item in found.classes)
    what = "segments" if lasting else "events"
    columns = ["class", "recordings", what, *([unit] if lasting else []), "groups"]
    rows = []
    for item in found.classes:
        row = [item.label, str(item.recordings), str(item.segments)]
        if lasting:
            row.append("events" if item.seconds is None else f"{item.seconds:.6g}")
        rows.append([*row, str(item.groups)])
    print_table("classes", columns, rows, numeric=set(range(1, len(columns))))


def _print_groups(found: "Survey", unit: str) -> None:
    """Print the seconds or events of each class in each group, unless every recording is a group and they are many."""
    if len(found.groups) == found.recordings > MAX_GROUP_ROWS:
        return
    events = {item.label for item in found.classes if item.events is not None}
    labels = [item.label for item in found.classes]
    mixed = 0 < len(events) < len(labels)
    heads = [f"{label} (events)" if mixed and label in events else label for label in labels]
    groups = [
        [group.group, str(group.recordings), *(_amount(group.amount(label)) for label in labels)]
        for group in found.groups[:MAX_GROUP_ROWS]
    ]
    what = "events" if events and not mixed else unit
    columns = ["group", "recordings", *heads]
    print_table(f"{what} by group and class", columns, groups, numeric=set(range(1, len(columns))))


def _amount(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
