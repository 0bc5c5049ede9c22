"""Run by CI with the wheel's own interpreter, outside the checkout: `wheel_smoke.py base|train EDGECNN`."""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def run(*command: str) -> str:
    """Run a command and return its stdout; fails loudly."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def base(edgecnn: str) -> None:
    """The base install answers without TensorFlow."""
    if importlib.util.find_spec("tensorflow"):
        raise SystemExit("the base install brought TensorFlow")
    for command in ("export", "init", "data", "train", "quantize", "benchmark", "report", "compile", "inspect"):
        if "Example" not in run(edgecnn, command, "--help"):
            raise SystemExit(f"edgecnn {command} --help has no example")
    failed = subprocess.run([edgecnn, "export", "--demo"], check=False, capture_output=True, text=True)
    if failed.returncode != 1 or "edgecnn[train]" not in failed.stderr:
        raise SystemExit(f"export without TensorFlow should say what to install: {failed.stderr}")


def train(edgecnn: str) -> None:
    """The demo goes through whole, quickly."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build"
        run(edgecnn, "export", "--demo", "--epochs", "2", "--build-dir", str(build), "--quiet")
        bundle = build / "ecg_demo"
        card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
        for name in ("model.keras", "model.tflite", "vectors.npz", "report.html", "report.md", "report.json"):
            if not (bundle / name).is_file():
                raise SystemExit(f"the bundle has no {name}")
        if card["labels"] != ["normal", "pvc"]:
            raise SystemExit(f"unexpected labels {card['labels']}")
        summary = json.loads(run(edgecnn, "inspect", str(bundle / "model.tflite"), "--json"))
        if not summary["ops"]:
            raise SystemExit("inspect found no op")
        compiled = json.loads(run(edgecnn, "compile", str(bundle / "model.tflite"), "-o", f"{folder}/c", "--json"))
        if "edgecnn_conv1d.h" not in compiled["files"] or not (Path(folder) / "c" / "model.c").is_file():
            raise SystemExit(f"compile wrote {compiled['files']}")


if __name__ == "__main__":
    {"base": base, "train": train}[sys.argv[1]](sys.argv[2])
    print(f"wheel {sys.argv[1]}: 1 passed, 0 failed")
