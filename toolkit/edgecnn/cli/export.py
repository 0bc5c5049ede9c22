"""`edgecnn export`: the whole road."""

from pathlib import Path
from typing import Any

import click

from edgecnn.cli.console import JSON, QUIET, print_json, progress_on_stderr
from edgecnn.cli.job import job_options, make_job
from edgecnn_firmware.errors import GateMissed, SettingsError

EPILOG = """\b
Examples:
  edgecnn export --demo                          the built-in demo
  edgecnn export                                 the edgecnn.toml of this folder
  edgecnn export wrist/edgecnn.toml --model ds   another network
  edgecnn export mine.keras --project .          a trained Keras model, with this project's data
  edgecnn export mine.tflite                     a ready int8 model
"""


@click.command("export", epilog=EPILOG)
@click.argument("target", required=False, type=click.Path(path_type=Path))
@click.option("--project", "project_path", type=click.Path(path_type=Path), help="Data for a .keras or .tflite TARGET.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML for CI, too.")
@job_options
@QUIET
@JSON
def command(
    target: Path | None,
    project_path: Path | None,
    junit: Path | None,
    quiet: bool,
    as_json: bool,
    demo: bool,
    **overrides: Any,
) -> int:
    """Train, quantize, export and measure: from a project to a bundle.

    TARGET is a project (edgecnn.toml or its folder; default: this folder), a trained .keras file, or an int8 .tflite file.
    A missed [gate] exits with code 3.
    """
    from edgecnn import pipeline
    from edgecnn_bench.report.facts import headline

    suffix = target.suffix if target is not None else ""
    if suffix in {".keras", ".tflite"} and demo:
        raise SettingsError(f"{target}: --demo brings its own model; leave one of the two out")
    with progress_on_stderr(quiet) as progress:
        if target is not None and suffix == ".tflite":
            done = pipeline.export_tflite(target, project_path, overrides["build_dir"], progress)
        elif target is not None and suffix == ".keras":
            overrides["model_name"] = str(target)
            job = make_job(project_path, progress, demo=False, **overrides)
            done = pipeline.export_project(pipeline.without_training(job))
        else:
            if project_path is not None:
                raise SettingsError("--project goes with a .keras or .tflite TARGET; give the project itself as TARGET")
            done = pipeline.export_project(make_job(target, progress, demo=demo, **overrides))
    if junit is not None:
        from edgecnn_bench.junit import junit_xml
        from edgecnn_firmware.bundle import write_file_atomically

        write_file_atomically(junit, junit_xml(done.report))
    if as_json:
        print_json({"bundle": str(done.bundle), "report": done.report.model_dump(mode="json")})
    else:
        click.echo(headline(done.report))
        click.echo(f"bundle: {done.bundle}")
        click.echo(f"report: {done.bundle / 'report.html'}")
    missed = [gate for gate in done.report.gates if not gate.passed]
    if missed:
        raise GateMissed(
            "; ".join(f"gate {gate.name} = {gate.limit:g} missed: {_measured(gate.value)}" for gate in missed)
        )
    return 0


def _measured(value: float | None) -> str:
    return "could not be measured" if value is None else f"it is {value:.6g}"
