"""`edgecnn init`: from a folder of recordings to a project file."""

from pathlib import Path

import click

from edgecnn.project import PROJECT_FILE
from edgecnn_firmware.errors import SettingsError

EPILOG = """\b
Examples:
  edgecnn init recordings                         writes edgecnn.toml here
  edgecnn init recordings --output wrist/edgecnn.toml --name wrist
"""


@click.command("init", epilog=EPILOG)
@click.argument("data_dir", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path(PROJECT_FILE),
    show_default=True,
    help="File to write.",
)
@click.option("--name", help="Name of the project [default: by the data folder].")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(data_dir: Path, output: Path, name: str | None, force: bool) -> None:
    """Look at a folder of recordings and write an edgecnn.toml.

    DATA_DIR holds CSV, WFDB, UCR, WAV, Parquet, NumPy or UCI HAR/HAPT recordings; the format is found by looking.
    """
    from edgecnn.data.proposal import propose
    from edgecnn.data.proposal_text import render

    file = output / PROJECT_FILE if output.is_dir() else output
    if file.exists() and not force:
        raise SettingsError(f"{file}: exists already; --force replaces it, --output writes another file")
    proposal = propose(data_dir, relative_to=file.parent, name=name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render(proposal), encoding="utf-8", newline="\n")
    dataset = proposal.dataset
    labels = {segment.label for recording in dataset.recordings for segment in recording.segments}
    groups = {recording.group for recording in dataset.recordings}
    channels = ", ".join(channel.name for channel in dataset.channels)
    click.echo(f"{len(dataset.recordings)} recordings ({dataset.format}), {len(labels)} labels, {len(groups)} groups")
    click.echo(f"channels: {channels}")
    for note in dataset.notes:
        click.echo(f"note: {note}")
    click.echo(f"wrote {file}; next: edgecnn export {file}")
