"""`edgecnn package` from the command line."""

import json
from pathlib import Path

import pytest
from tests.firmware.classifier.windows import conv_model, window_card
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


def test_sliding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "bundle", window_card(40, 12, 3), conv_model(40, 3)).path
    for options in ([], ["--least-ram"]):
        arguments = ["package", str(bundle), "--for", "makefile", "--sliding", *options, "-o", str(tmp_path), "--json"]
        assert run(arguments) == 0
        folder = Path(json.loads(capsys.readouterr().out)["makefile"])
        assert "runs every 12 samples on these alone" in (folder / "include" / "wrist.h").read_text(encoding="utf-8")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["package", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(FORMATS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--for", "keil"], "unknown package format 'keil'; accepted: "),
        (["--for", "cmake", "--target", "z80"], "target 'z80'"),
        (["--for", "cmake", "--sliding"], "sliding: hop 2: op 1 (FULLY_CONNECTED) reads the whole window"),
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
