"""The demo through the command line: the same bytes twice, steps skipped, gates, resumption and clean failure."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecnn_firmware.bundle import REPORTS, read_bundle, sha256_of

EDGECNN = [sys.executable, "-m", "edgecnn"]


def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*EDGECNN, *map(str, arguments)], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def export_demo(build: Path, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return run("export", "--demo", "--model", "tiny", "--epochs", "2", "--build-dir", build, *more, code=code)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("demo")
    export_demo(build, "--quiet")
    return build


def contents(bundle: Path) -> dict[str, str]:
    files = [path for path in bundle.rglob("*") if path.is_file() and path.name not in REPORTS]
    return {path.relative_to(bundle).as_posix(): sha256_of(path) for path in files}


def test_the_bundle_is_whole(built: Path) -> None:
    bundle = read_bundle(built / "ecg_demo", verify=True)
    assert bundle.card.labels == ("normal", "pvc")
    assert bundle.card.files.keys() | {"card.json", *REPORTS} == contents(bundle.path).keys() | set(REPORTS)
    html = (bundle.path / "report.html").read_text(encoding="utf-8")
    assert "pvc" in html


def test_the_same_inputs_and_seed_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    export_demo(tmp_path, "--quiet")
    assert contents(tmp_path / "ecg_demo") == contents(built / "ecg_demo")


def test_unchanged_steps_are_skipped_and_force_runs_them(built: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(built, build)
    before = {path: path.stat().st_mtime_ns for path in build.rglob("step.json")}
    assert len(before) == 5
    done = export_demo(build)
    assert "train" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in build.rglob("step.json")} == before
    export_demo(build, "--quiet", "--force")
    assert all(path.stat().st_mtime_ns > time_ns for path, time_ns in before.items())
    assert contents(build / "ecg_demo") == contents(built / "ecg_demo")


def test_json_output_is_the_report(built: Path) -> None:
    done = json.loads(export_demo(built, "--quiet", "--json").stdout)
    assert done["report"] == json.loads((built / "ecg_demo" / "report.json").read_text(encoding="utf-8"))


def test_benchmark_and_report_and_inspect_work_on_the_bundle(built: Path) -> None:
    bundle = built / "ecg_demo"
    report = json.loads(
        run("benchmark", bundle, "--engine", "litert", "--timed-runs", "30", "--quiet", "--json").stdout
    )
    assert [engine["key"] for engine in report["engines"]] == ["litert"]
    first = (bundle / "report.html").read_bytes()
    run("report", bundle)
    assert (bundle / "report.html").read_bytes() == first
    comparison = run("report", bundle, bundle).stdout
    assert "Better: nothing" in comparison
    assert "Worse: nothing" in comparison
    summary = json.loads(run("inspect", bundle / "model.tflite", "--json").stdout)
    assert summary["float_ops"] == []


def test_a_ready_int8_model_becomes_a_bundle(built: Path, tmp_path: Path) -> None:
    model = tmp_path / "their model.tflite"
    shutil.copy(built / "ecg_demo" / "model.tflite", model)
    run("export", model, "--build-dir", tmp_path / "build", "--quiet")
    card = read_bundle(tmp_path / "build" / "their_model", verify=True).card
    assert card.labels == ("class 0", "class 1")
    assert card.data is None


def test_a_float_model_is_refused(built: Path, tmp_path: Path) -> None:
    done = run("export", built / "ecg_demo" / "model_float32.tflite", "--build-dir", tmp_path, code=1)
    assert "FLOAT32; expected INT8" in done.stderr
    assert list(tmp_path.iterdir()) == []


def project_text(build: Path, more: str) -> str:
    return f"""
[project]
name = "gated"
[data]
path = "demo"
format = "demo"
[windows]
length = 1000
hop = 1000
[labels]
rule = "any-of"
classes = {{ pvc = ["V"] }}
background = "normal"
[model]
name = "tiny"
[training]
epochs = 1
min_steps = 0
{more}
"""


def test_missed_gates_have_their_own_exit_code_and_are_named(tmp_path: Path) -> None:
    file = tmp_path / "edgecnn.toml"
    file.write_text(project_text(tmp_path, "[gate]\nmin_accuracy = 0.999\nmax_model_bytes = 100\n"), encoding="utf-8")
    done = run("export", file, "--quiet", code=3)
    assert "gate min_accuracy = 0.999 missed: it is 0." in done.stderr
    assert "gate max_model_bytes = 100 missed: it is" in done.stderr
    assert (tmp_path / "build" / "gated" / "report.html").is_file()


def test_interrupted_training_resumes_to_the_same_bundle(built: Path, tmp_path: Path) -> None:
    arguments = ["export", "--demo", "--model", "tiny", "--epochs", "2", "--build-dir", str(tmp_path)]
    # A shell without job control lets its background jobs ignore the signal, and their children inherit that.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from edgecnn.cli import main; main({arguments!r})"
    )
    command = [sys.executable, "-c", script]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    state = tmp_path / ".ecg_demo.steps" / "training_state"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and started.poll() is None and not (state.is_dir() and any(state.iterdir())):
        time.sleep(0.02)
    os.kill(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=120)
    assert started.returncode == 130, said
    assert said.strip().splitlines()[-1].startswith("edgecnn: interrupted")
    assert not (tmp_path / "ecg_demo").exists()
    export_demo(tmp_path, "--quiet")
    assert contents(tmp_path / "ecg_demo") == contents(built / "ecg_demo")


@pytest.mark.skipif(sys.platform != "linux" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_one_line() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([*EDGECNN, "--help"], check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_output_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "build"
    blocked.write_text("not a folder", encoding="utf-8")
    done = export_demo(blocked, "--quiet", code=1)
    assert done.stderr.count("\n") == 1
    assert str(blocked) in done.stderr
