"""`edgecnn report` and the table of `edgecnn benchmark --fits`, as a person runs them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgecnn.cli import main
from edgecnn.cli.fits import show_fits
from edgecnn_bench.benchmark import benchmark
from edgecnn_bench.engines import reference_outputs
from edgecnn_bench.footprint import boards, fits_of_bundle
from edgecnn_bench.report.comparison import Comparison
from edgecnn_bench.report.files import board_runs, load_report, write_report
from edgecnn_bench.results import BoardRun, Footprint, Report
from edgecnn_firmware.bundle import BundleWriter, Vectors, read_bundle
from edgecnn_firmware.card import (
    Card,
    ChannelCard,
    CompiledCard,
    InputCard,
    NormalizationCard,
    QuantizationCard,
    TensorQuantization,
)
from edgecnn_firmware.errors import SettingsError

PAGES = ("report.html", "report.json", "report.md")


def write_bundle(folder: Path, model: bytes, seed: int) -> Path:
    """A bundle around the `har` network with 40 random windows, labelled at random by `seed`."""
    windows = np.random.default_rng(5).normal(0, 1, (40, 128, 9)).astype(np.float32)
    inputs = np.clip(np.round(windows * 20), -128, 127).astype(np.int8)
    vectors = Vectors(
        windows=windows,
        labels=np.random.default_rng(seed).integers(0, 6, 40).astype(np.int64),
        groups=np.array(["one"] * 40),
        inputs=inputs,
        outputs=reference_outputs(model, inputs),
    )
    card = Card(
        name="waves",
        version="1.2.3",
        labels=tuple(f"class {index}" for index in range(6)),
        output="softmax",
        input=InputCard(
            window_samples=128,
            hop_samples=128,
            sample_rate_hz=50.0,
            channels=tuple(ChannelCard(name=f"a{index}") for index in range(9)),
        ),
        normalization=NormalizationCard(method="none", offset=(0.0,) * 9, gain=(1.0,) * 9),
        quantization=QuantizationCard(
            input=TensorQuantization(scale=0.05, zero_point=0),
            output=TensorQuantization(scale=0.00390625, zero_point=-128),
        ),
        compiled=CompiledCard(
            target="portable", constant_bytes=21_584, arena_bytes=2_176, state_bytes=0, macs=891_648, checked_windows=32
        ),
    )
    with BundleWriter(folder) as bundle:
        bundle.add("model.tflite", model)
        bundle.add_vectors(vectors)
        return bundle.commit(card)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, shared_models: Path) -> Path:
    """The folder of a bundle with its report; it is copied before anything is changed."""
    folder = write_bundle(
        tmp_path_factory.mktemp("bundle") / "waves", (shared_models / "har_b1.tflite").read_bytes(), 1
    )
    write_report(folder, benchmark(folder, engines=["litert-reference"], timed_runs=30, warmup_runs=1))
    return folder


@pytest.fixture
def bundle(measured: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(measured, tmp_path / "waves"))


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    assert isinstance(done.value.code, int)
    return done.value.code


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def smaller(folder: Path, out: Path) -> Path:
    """The report of a bundle whose model is one byte smaller, as a file of its own."""
    report = load_report(folder)
    footprint = report.footprint.model_copy(update={"model_bytes": report.footprint.model_bytes - 1})
    out.write_text(report.model_copy(update={"footprint": footprint}).to_json(), encoding="utf-8")
    return out


def test_one_report_is_drawn_again(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {name: (bundle / name).read_bytes() for name in PAGES}
    (bundle / "report.html").write_text("old", encoding="utf-8")
    (bundle / "report.md").unlink()
    assert run("report", bundle) == 0
    assert {name: (bundle / name).read_bytes() for name in PAGES} == before
    assert capsys.readouterr().out.startswith("waves 1.2.3: ")


def test_a_report_file_alone_is_drawn_beside_it(bundle: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(bundle / "report.json", alone)
    assert run("report", alone / "report.json") == 0
    assert (alone / "report.html").read_bytes() == (bundle / "report.html").read_bytes()


def test_one_report_as_json(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", bundle, "--json") == 0
    assert Report.model_validate_json(capsys.readouterr().out) == load_report(bundle)


@pytest.mark.parametrize("version", [1, 3, "2", None])
def test_a_report_of_another_schema_version_is_one_line(
    bundle: Path, capsys: pytest.CaptureFixture[str], version: object
) -> None:
    path = bundle / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema_version": version}), encoding="utf-8")
    before = (bundle / "report.html").read_bytes()
    assert run("report", bundle) == 1
    assert error_of(capsys) == (
        f"edgecnn: {path}: schema_version {version!r}; this edgecnn reads 2: run 'edgecnn benchmark BUNDLE' again\n"
    )
    assert (bundle / "report.html").read_bytes() == before


def test_a_bundle_without_a_report_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", tmp_path) == 1
    assert "'edgecnn benchmark BUNDLE' writes it" in error_of(capsys)


def test_two_reports_are_compared_on_stdout(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = smaller(bundle, tmp_path / "other.json")
    assert run("report", bundle, other) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("## ")
    assert "model file" in printed
    assert run("report", bundle, other, "--json") == 0
    result = Comparison.model_validate_json(capsys.readouterr().out)
    assert result.names == ("waves", "other.json")
    assert [change.key for change in result.better] == ["model_bytes"]
    assert not result.worse


def test_windows_of_whole_bundles_are_paired(
    bundle: Path, tmp_path: Path, shared_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def note(first: Path, second: Path) -> str:
        assert run("report", first, second, "--json") == 0
        result = Comparison.model_validate_json(capsys.readouterr().out)
        return next(row.cells[1].note for row in result.rows if row.key == "int8_accuracy")

    again = Path(shutil.copytree(bundle, tmp_path / "again"))
    both = [bundle, again]
    # The cards name no data set: only the windows themselves say that the task is the same.
    assert note(*both).startswith("paired on 40 windows: true only of the first on 0, only here on 0")
    other = write_bundle(tmp_path / "other", (shared_models / "har_b1.tflite").read_bytes(), 2)
    write_report(other, benchmark(other, engines=["litert-reference"], timed_runs=30, warmup_runs=1))
    assert note(bundle, other) == "a card does not say which data its windows are of"


def test_a_comparison_is_written_in_every_form(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = smaller(bundle, tmp_path / "other.json")
    outputs = [tmp_path / f"compared{suffix}" for suffix in (".html", ".md", ".json")]
    options = [part for output in outputs for part in ("--output", output)]
    assert run("report", bundle, other, *options) == 0
    assert capsys.readouterr().out.splitlines() == [f"comparison: {output}" for output in outputs]
    assert outputs[0].read_text(encoding="utf-8").startswith("<!doctype html>")
    assert outputs[1].read_text(encoding="utf-8").startswith("## ")
    assert Comparison.model_validate_json(outputs[2].read_bytes()).names == ("waves", "other.json")


def test_names_are_paths_without_what_they_share(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (shutil.copytree(bundle, tmp_path / name / "waves") for name in ("old", "new"))
    assert run("report", old, new, new, "--json") == 0
    # The third is the second again, so that no path tells it apart.
    assert Comparison.model_validate_json(capsys.readouterr().out).names[1] == "waves 1.2.3 (2)"
    assert run("report", old, new / "report.json", "--json") == 0
    assert Comparison.model_validate_json(capsys.readouterr().out).names == ("old/waves", "new/waves/report.json")


@pytest.mark.parametrize(
    ("bundles", "output", "wanted"),
    [(2, "out.txt", "must end in .html, .json or .md"), (1, "out.html", "give at least two bundles")],
)
def test_a_wrong_output_is_one_line(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bundles: int, output: str, wanted: str
) -> None:
    assert run("report", *[bundle] * bundles, "-o", tmp_path / output) == 1
    assert wanted in error_of(capsys)
    assert not (tmp_path / output).exists()


def with_runs(bundle: Path) -> BoardRun:
    found = BoardRun(
        board="cortex-m4",
        title="Cortex-M4",
        status="run",
        byte_equal=True,
        instructions_mean=786_974.3,
        flash_bytes=24_576,
        arena_bytes=2_688,
        state_bytes=0,
        input_bytes=1_152,
        stack_bytes=132,
    )
    write_report(bundle, load_report(bundle).model_copy(update={"boards": (found,)}))
    return found


def test_fits_as_a_table(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_runs(bundle)
    before = sorted(path.name for path in bundle.iterdir())
    show_fits(bundle)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    for board in boards():
        assert any(line.startswith(board.board) for line in lines)
    nano = next(line for line in lines if line.startswith("Arduino Nano 33 BLE Sense"))
    assert "786,974" in nano
    assert "996.0 KiB" in nano  # 1,048,576 less 24,576 and the allowance of 4,096
    assert any("measured on virtual board cortex-m4:" in line for line in lines)
    assert "the arena was not measured" in printed
    assert "no time is claimed" in printed
    assert sorted(path.name for path in bundle.iterdir()) == before


def test_fits_as_json_of_some_parts(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_fits(bundle, ("blue pill", "RP2040"), as_json=True)
    found = Footprint.model_validate_json(capsys.readouterr().out)
    assert [board.board for board in found.boards] == ["Raspberry Pi Pico", "Arduino Nano RP2040 Connect", "Blue Pill"]
    assert found == fits_of_bundle(read_bundle(bundle), ["RP2040", "Blue Pill"])
    with pytest.raises(SettingsError, match="unknown board"):
        show_fits(bundle, ("no such board",))


def test_board_runs_are_those_of_the_same_files(bundle: Path) -> None:
    found = with_runs(bundle)
    opened = read_bundle(bundle)
    assert board_runs(opened) == (found,)
    report = load_report(bundle)
    other = report.card.model_copy(update={"files": {}})
    write_report(bundle, report.model_copy(update={"card": other}))
    assert board_runs(opened) == ()
    (bundle / "report.json").write_text("{", encoding="utf-8")
    assert board_runs(opened) == ()
