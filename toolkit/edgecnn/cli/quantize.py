"""`edgecnn quantize`: up to the `.tflite` files."""

from pathlib import Path
from typing import Any

import click

from edgecnn.cli.console import JSON, QUIET, print_json, progress_on_stderr
from edgecnn.cli.job import job_options, make_job


@click.command("quantize", epilog="Example: edgecnn quantize wrist/edgecnn.toml")
@click.argument("project_path", metavar="[PROJECT]", required=False, type=click.Path(path_type=Path))
@job_options
@QUIET
@JSON
def command(project_path: Path | None, quiet: bool, as_json: bool, **overrides: Any) -> None:
    """Train if needed and write the .tflite files.

    model.tflite is full int8 with batch 1; [quantization] variants names further files.
    """
    from edgecnn import pipeline

    with progress_on_stderr(quiet) as progress:
        files = pipeline.quantize_model(make_job(project_path, progress, **overrides)).files
    if as_json:
        print_json({name: {"path": str(path), "bytes": path.stat().st_size} for name, path in files.items()})
        return
    for name, path in files.items():
        click.echo(f"{name:8} {path.stat().st_size:>12,} bytes  {path}")
