"""`edgecnn init` and `edgecnn data`."""

import json
from pathlib import Path

import pytest

from edgecnn.cli import COMMANDS, main
from edgecnn.project import load_project


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    for label in ("rest", "wave"):
        for take in range(3):
            path = tmp_path / "recordings" / label / f"{take}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("t,ax\n" + "".join(f"{row / 50},{row * take}\n" for row in range(100)))
    return tmp_path / "recordings"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_init_writes_a_project_and_does_not_replace_it(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "edgecnn.toml"
    assert run("init", recordings, "--output", output, "--name", "wrist") == 0
    assert "next: edgecnn export" in capsys.readouterr().out
    project = load_project(output)
    assert (project.project.name, project.data.path) == ("wrist", tmp_path / "recordings")
    before = output.read_bytes()
    assert run("init", recordings, "--output", output) == 1
    assert "--force replaces it" in capsys.readouterr().err
    assert output.read_bytes() == before
    assert run("init", recordings, "--output", output, "--force", "--name", "wrist") == 0
    assert output.read_bytes() == before


def test_data_of_a_folder_and_of_a_project_are_the_same(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("data", recordings, "--json", "--quiet") == 0
    of_folder = json.loads(capsys.readouterr().out)
    assert (of_folder["recordings"], of_folder["sample_rate_hz"]) == (6, 50.0)
    assert run("init", recordings, "--output", tmp_path / "edgecnn.toml") == 0
    capsys.readouterr()
    for path in (tmp_path, tmp_path / "edgecnn.toml"):
        assert run("data", "--json", "-q", path) == 0
        assert json.loads(capsys.readouterr().out) == of_folder


def test_data_prints_tables_and_problems(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", recordings, "--quiet") == 0
    out = capsys.readouterr().out
    assert "wave" in out
    assert (
        "problem: 1 recordings are copies of others: rest/0.csv = wave/0.csv" in " ".join(out.split())
        or "copies" in out
    )


def test_data_draws_a_page(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "new folder" / "data.html"
    assert run("data", recordings, "--quiet", "--picture", page) == 0
    assert f"picture: {page}" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert text.count("edgecnn data") >= 1
    assert "rest/1.csv" in text
    assert run("data", "--picture", page, recordings, "--quiet", "--json") == 0
    assert json.loads(capsys.readouterr().out)["recordings"] == 6
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("name", "said"),
    [("folder.html", "is a folder"), ("data.png", "must end in .html"), ("file/data.html", "file is no folder")],
)
def test_a_picture_that_cannot_be_written_is_one_line(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    assert run("data", recordings, "--quiet", "--picture", tmp_path / name) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert said in printed.err
    assert str(tmp_path / name) in printed.err
    assert printed.out == ""


def test_a_picture_in_a_place_without_permission_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecnn.cli.data.os.access", lambda *_: False)  # tests may run as root, who may write anywhere
    assert run("data", tmp_path / "not even there", "--picture", tmp_path / "data.html") == 1
    assert f"no permission to write in {tmp_path}\n" in capsys.readouterr().err


def test_events_are_counted_in_tables_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "edgecnn.toml"
    lines = [
        '[project]\nname = "beats"',
        '[data]\npath = "demo"\nformat = "demo"',
        "[windows]\nlength = 500\nhop = 500",
    ]
    project.write_text("\n".join(lines), encoding="utf-8")
    assert run("data", project, "--quiet", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert all(item["seconds"] is None and item["events"] == item["segments"] > 100 for item in found["classes"])
    assert all(not group["classes"] and group["events"]["N"] > 10 for group in found["groups"])
    assert run("data", project, "--quiet") == 0
    out = capsys.readouterr().out
    assert "events" in out
    assert f"{found['classes'][1]['events']}" in out


def test_what_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("init", "data"):
        assert run(command, tmp_path / "nowhere") == 1
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["init", "data"])
def test_help_says_what_the_list_of_commands_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    out = capsys.readouterr().out
    assert COMMANDS[name] in out
    assert "Example" in out


def test_fetch_of_an_unknown_name_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "fetch", "nothing", tmp_path / "new") == 1
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
