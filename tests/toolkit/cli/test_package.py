"""`edgecnn package` from the command line."""

import json
from pathlib import Path

import pytest
from tests.firmware.packages.conftest import wrist_card, write_bundle

from edgecnn.cli import main
from edgecnn_firmware.packages.formats import FORMATS


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "wrist", wrist_card()).path


def run(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return int(stopped.value.code or 0)


def test_chosen_formats(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["package", str(bundle), "--for", "makefile", "--for", "arduino", "-o", str(tmp_path), "--json"]
    assert run(arguments) == 0
    written = json.loads(capsys.readouterr().out)
    assert list(written) == ["makefile", "arduino"]
    assert all(Path(path).exists() for path in written.values())


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(FORMATS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--for", "keil"], "unknown package format 'keil'; accepted: "),
        (["--for", "cmake", "--target", "z80"], "target 'z80'"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], line: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["package", str(bundle), *arguments, "-o", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", str(tmp_path), "--for", "cmake"]) == 1
    assert "not an edgecnn bundle" in capsys.readouterr().err
    assert run(["package"]) == 2
