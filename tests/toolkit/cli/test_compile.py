"""`edgecnn compile` and `edgecnn inspect --board`."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgecnn.cli import edgecnn, main


def test_compile_writes_the_files_and_says_what_they_cost(shared_models: Path, tmp_path: Path) -> None:
    arguments = ["compile", str(shared_models / "har_b1.tflite"), "-o", str(tmp_path / "c"), "--name", "har", "--json"]
    done = CliRunner().invoke(edgecnn, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == found["files"]
    assert {"har.c", "har.h", "edgecnn_conv1d.h"} <= set(found["files"])
    assert found["macs"] == sum(layer["macs"] for layer in found["layers"]) == 891_648
    assert found["arena_bytes"] >= found["arena_lower_bound_bytes"] > 0
    assert found["constant_bytes"] == sum(layer["constant_bytes"] for layer in found["layers"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--target", "z80"], "target 'z80': expected one of portable, armv7e-m"),
        (["--rounding", "up"], "rounding 'up': expected one of litert, tflm"),
        (["--name", "9lives"], "prefix '9lives': expected a C name"),
        (["--least-ram", "--target", "aarch64"], "target 'aarch64' with least RAM: its kernels copy whole inputs"),
        (["--hop", "128"], "hop 128: expected 1 to 127 rows, fewer than the window's 128"),
        (["--hop", "5"], "hop 5: op 1 (CONV_2D + MAX_POOL_2D) moves by 2 rows; expected a multiple of 2, best of 4"),
    ],
)
def test_wrong_choices_end_in_one_line(
    arguments: list[str], line: str, shared_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compile", str(shared_models / "har_b1.tflite"), "-o", str(tmp_path / "c"), *arguments])
    assert stopped.value.code == 1
    said = capsys.readouterr().err.strip()
    assert line in said
    assert "\n" not in said
    assert not (tmp_path / "c").exists()


def test_a_file_where_the_folder_should_be_stays(
    shared_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["compile", str(shared_models / "har_b1.tflite"), "-o", str(tmp_path / "c")])
    assert stopped.value.code == 1
    assert "is a file; expected a folder" in capsys.readouterr().err
    assert (tmp_path / "c").read_text(encoding="utf-8") == "mine"


def test_least_ram_keeps_the_layers_and_shrinks_the_arena(shared_models: Path, tmp_path: Path) -> None:
    found = []
    for number, options in enumerate(([], ["--least-ram"])):
        model, folder = str(shared_models / "tcn_b1.tflite"), str(tmp_path / str(number))
        done = CliRunner().invoke(edgecnn, ["compile", model, "-o", folder, *options, "--json"])
        assert done.exit_code == 0, done.output
        found.append(json.loads(done.stdout))
    usual, least = found
    assert 2 * least["arena_bytes"] < usual["arena_bytes"]
    assert [layer["op"] for layer in least["layers"]] == [layer["op"] for layer in usual["layers"]]
    assert least["macs"] == usual["macs"] == sum(layer["macs"] for layer in least["layers"])


def test_hop_keeps_what_the_next_call_reads(shared_models: Path, tmp_path: Path) -> None:
    arguments = ["compile", str(shared_models / "har_b1.tflite"), "-o", str(tmp_path / "c"), "--hop", "16"]
    done = CliRunner().invoke(edgecnn, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["sliding"] == {"window_rows": 128, "hop_rows": 16, "calls": 8, "window_macs": 891_648, "stride": 4}
    assert found["macs"] == 121_728
    assert found["state_bytes"] > 0
    said = CliRunner().invoke(edgecnn, [*arguments[:-1], "6"])
    assert "a hop of a multiple of 4 rows would keep more" in said.stdout
    said = CliRunner().invoke(edgecnn, arguments)
    assert "would keep more" not in said.stdout
    assert "16 rows a call, of a window of 128 that 8 calls fill: 121,728 MACs in place of 891,648" in said.stdout


on_a_board = pytest.mark.skipif(
    importlib.util.find_spec("unicorn") is None
    or (shutil.which("arm-none-eabi-gcc") is None and importlib.util.find_spec("ziglang") is None),
    reason="unicorn or a cross compiler is not installed",
)


def _inspected(model: Path, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(edgecnn, ["inspect", str(model), "--board", "cortex-m4", *options, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["byte_equal"] is True
    return found


@on_a_board
def test_inspect_compares_ways_to_compile(shared_models: Path) -> None:
    model = shared_models / "har_b1.tflite"
    ways = ([], ["--optimize", "speed"], ["--least-ram"], ["--hop", "16"])
    usual, speed, least, hop = (_inspected(model, *options) for options in ways)
    assert 6 * hop["instructions"] < usual["instructions"]
    assert hop["state_bytes"] > 0
    assert hop["sliding"]["window_macs"] == usual["macs"] == 891_648
    assert usual["sliding"] is None
    assert speed["instructions"] < 0.8 * usual["instructions"]
    assert speed["flash_bytes"] > usual["flash_bytes"]
    assert least["ram_bytes"] < 0.85 * usual["ram_bytes"]
    assert least["instructions"] < 1.1 * usual["instructions"]
    # What runs in stripes is counted layer by layer too.
    assert [layer["macs"] for layer in least["layers"]] == [layer["macs"] for layer in usual["layers"]]
    assert sum(layer["instructions"] for layer in least["layers"]) == pytest.approx(least["instructions"], rel=0.01)


@pytest.mark.parametrize("option", [["--optimize", "speed"], ["--least-ram"], ["--kernels", "portable"]])
def test_ways_to_compile_need_a_board(option: list[str]) -> None:
    done = CliRunner().invoke(edgecnn, ["inspect", "model.tflite", *option])
    assert done.exit_code == 2
    assert f"{option[0]} needs --board" in done.output


@on_a_board
def test_inspect_counts_on_a_board(shared_models: Path) -> None:
    model = str(shared_models / "har_b1.tflite")
    done = CliRunner().invoke(edgecnn, ["inspect", model, "--board", "cortex-m4", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["byte_equal"] is True
    assert found["ram_bytes"] == sum(found[f"{kind}_bytes"] for kind in ("arena", "state", "input", "stack"))
    layers = sum(layer["instructions"] for layer in found["layers"])
    # Marks add two or three instructions a layer; what is before the first and behind the last is a handful.
    assert 0 <= layers + 60 - found["instructions"] <= 120
    drawn = CliRunner().invoke(edgecnn, ["inspect", model, "--board", "cortex-m4"])
    assert "outputs equal the reference arithmetic" in drawn.stdout
    assert drawn.stdout.count("|") == 2 * len(found["layers"])
