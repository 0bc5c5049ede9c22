import subprocess
import sys
from pathlib import Path

import click
import pytest

from edgecnn.cli import COMMANDS, edgecnn


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgecnn", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_an_example_and_the_line_of_the_overview(name: str) -> None:
    context = click.Context(edgecnn, info_name="edgecnn")
    command = edgecnn.get_command(context, name)
    assert command is not None
    text = command.get_help(click.Context(command, info_name=name, parent=context))
    assert "Example" in text
    assert (command.help or "").splitlines()[0] == COMMANDS[name]


def test_unknown_command_is_wrong_usage() -> None:
    done = run("exprot")
    assert done.returncode == 2
    assert "No such command" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *[[name, "--help"] for name in COMMANDS]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from edgecnn.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as done:\n"
        "    heavy = {'tensorflow', 'keras', 'sklearn', 'scipy', 'pandas', 'pyarrow', 'wfdb', 'ai_edge_litert'}\n"
        "    sys.exit(str(sorted(heavy & set(sys.modules))) if done.code or heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_overview_imports_neither_numpy_nor_pydantic() -> None:
    script = "import sys, edgecnn.cli as c\nassert not {'numpy', 'pydantic', 'rich', 'jinja2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_missing_project_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = run("export", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("edgecnn: edgecnn.toml: cannot be read")
    assert done.stderr.count("\n") == 1


def test_missing_model_file_is_one_line(tmp_path: Path) -> None:
    done = run("inspect", str(tmp_path / "nothing.tflite"))
    assert done.returncode == 1
    assert done.stderr == f"edgecnn: {tmp_path / 'nothing.tflite'}: No such file or directory\n"
