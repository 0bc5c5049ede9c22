"""What `export`, `train` and `quantize` share: which project to build, with which overrides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgecnn.pipeline import Job
from edgecnn.project import PROJECT_FILE, Project, load_project
from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--demo", is_flag=True, help="Build the built-in demo: simulated ECG, two classes, no download."),
    click.option(
        "--model", "model_name", metavar="NAME", help="Preset, .keras file or file.py:build_model; overrides."
    ),
    click.option("--epochs", type=click.IntRange(1, 100_000), help="Training epochs; overrides epochs and min_steps."),
    click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Overrides the project's seed."),
    click.option(
        "--build-dir", type=click.Path(path_type=Path), help="Where bundles go [default: build/ by the project]."
    ),
    click.option("--force", is_flag=True, help="Run every step, even if its inputs did not change."),
)


def job_options(command: F) -> F:
    """Add the options of every command that builds a project."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_job(
    project_path: Path | None,
    progress: Progress,
    *,
    demo: bool,
    model_name: str | None,
    epochs: int | None,
    seed: int | None,
    build_dir: Path | None,
    force: bool,
) -> Job:
    """Load the project and apply the command line's overrides.

    Raises:
        SettingsError: no project, or a wrong one.
    """
    if demo and project_path is not None:
        raise SettingsError("--demo brings its own project; leave the project out")
    if demo:
        from edgecnn.data.demo import demo_project

        project, base = demo_project(), Path.cwd()
    else:
        path = project_path or Path(PROJECT_FILE)
        project = load_project(path)
        base = path if path.is_dir() else path.parent
    project = _override(project, model_name, epochs, seed)
    return Job(project, base, build_dir or base / "build", force=force, progress=progress)


def _override(project: Project, model_name: str | None, epochs: int | None, seed: int | None) -> Project:
    updates: dict[str, Any] = {}
    if model_name is not None:
        is_file = model_name.endswith(".keras") or ":" in model_name
        name = str(Path.cwd() / model_name) if is_file else model_name
        updates["model"] = project.model.model_copy(update={"name": name, "options": {}})
    if epochs is not None:
        updates["training"] = project.training.model_copy(update={"epochs": epochs, "min_steps": 0})
    if seed is not None:
        updates["project"] = project.project.model_copy(update={"seed": seed})
    return project.model_copy(update=updates)
