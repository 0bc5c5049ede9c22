"""From `edgecnn init` to a finished bundle on real recordings, with no edit but the choice of classes or the test part."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn_firmware.bundle import read_bundle

FILES = {"card.json", "model.keras", "model.tflite", "vectors.npz", "report.html", "report.json", "report.md"}


def edgecnn(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "edgecnn", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "epochs", "classes", "test_windows", "least_accuracy"),
    [
        ("hapt", 2, 6, 2996, 0.7),
        ("ecg5000", 3, 5, 4499, 0.55),
        ("mitdb", 1, 2, None, 0.4),
        ("nano33_imu_gestures", 2, 4, None, 0.3),
    ],
)
def test_init_to_bundle(
    shared_data: Path,
    tmp_path: Path,
    folder: str,
    epochs: int,
    classes: int,
    test_windows: int | None,
    least_accuracy: float,
) -> None:
    project = tmp_path / "edgecnn.toml"
    edgecnn("init", shared_data / folder, "--output", project)
    done = json.loads(edgecnn("export", project, "--epochs", str(epochs), "--quiet", "--json"))
    bundle = read_bundle(Path(done["bundle"]), verify=True)
    assert {path.name for path in bundle.path.iterdir()} >= FILES
    card = bundle.card
    assert len(card.labels) == classes
    assert card.data is not None
    assert card.data.proof
    parts = card.data.parts
    assert not set(parts["train"].groups) & set(parts["test"].groups)
    assert test_windows in (None, parts["test"].windows)
    # Far below what full training reaches (docs/accuracy.md), far above what a broken pipeline does.
    assert card.metrics["int8"].accuracy.value > least_accuracy
    assert card.metrics["float"].accuracy.value - card.metrics["int8"].accuracy.value < 0.05
