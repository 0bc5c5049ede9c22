"""`edgecnn train`: up to the trained Keras model."""

from pathlib import Path
from typing import Any

import click

from edgecnn.cli.console import JSON, QUIET, print_json, progress_on_stderr
from edgecnn.cli.job import job_options, make_job


@click.command("train", epilog="Example: edgecnn train wrist/edgecnn.toml --model ds --epochs 40")
@click.argument("project_path", metavar="[PROJECT]", required=False, type=click.Path(path_type=Path))
@job_options
@QUIET
@JSON
def command(project_path: Path | None, quiet: bool, as_json: bool, **overrides: Any) -> None:
    """Train the model of a project; export continues from it.

    An interrupted training continues where it stopped when the command is given again.
    """
    from edgecnn import pipeline

    with progress_on_stderr(quiet) as progress:
        trained = pipeline.train_model(make_job(project_path, progress, **overrides))
    card = trained.card
    if as_json:
        print_json({"model": str(trained.model_path), "training": card.model_dump(mode="json")})
        return
    click.echo(f"{card.model}: {card.parameters:,} parameters, {card.macs:,} MACs")
    if card.epochs:
        best = card.epochs[card.best_epoch - 1]
        validation = "" if best.val_accuracy is None else f", validation accuracy {best.val_accuracy:.4f}"
        click.echo(f"best of {len(card.epochs)} epochs: {card.best_epoch} (loss {best.loss:.4f}{validation})")
    click.echo(f"model: {trained.model_path}")
