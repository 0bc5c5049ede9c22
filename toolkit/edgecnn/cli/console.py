"""What the commands share: progress on stderr, JSON and tables on stdout."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from edgecnn_firmware.progress import Progress as ProgressCall
from edgecnn_firmware.progress import silent

QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
_PIPE_WIDTH = 200

JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


class _Bars:
    """Turns progress calls into one bar a task."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Draw `done` of `total`."""
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total or None, note="")
        self._bars.update(self._tasks[task], completed=done, total=total or None, note=note)


class _Lines:
    """Tells of finished tasks, a line each, where stderr is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Print a line once the task is finished."""
        if total and done >= total:
            self._console.print(f"{task}: {done}/{total} {note}".rstrip(), markup=False, highlight=False)


@contextlib.contextmanager
def progress_on_stderr(quiet: bool) -> Iterator[ProgressCall]:
    """Give library code a progress function that draws on stderr."""
    console = Console(stderr=True)
    if quiet:
        yield silent
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False, style="dim"),
        )
        with Progress(*columns, console=console) as bars:
            yield _Bars(bars)


def print_json(value: Any) -> None:
    """Print a JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(title: str, columns: list[str], rows: list[list[str]], numeric: set[int] | None = None) -> None:
    """Print a table on stdout; columns numbered in `numeric` are right-aligned. A pipe gets it as wide as it needs."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        right = numeric is not None and index in numeric
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
