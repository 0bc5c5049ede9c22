"""The page of sizes is drawn from its figures, and these say how they were made."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("packages_benchmark", ROOT / "benchmarks" / "packages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    document = json.loads((ROOT / "docs" / "packages.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "packages_size.md").read_text(encoding="utf-8")
    assert script.render(document) == page
    assert document["commit"]
    for bundle in document["bundles"]:
        assert [(row["board"], row["kernels"]) for row in bundle["rows"]] == list(script.BOARDS)
        measured = [row for row in bundle["rows"] if "reason" not in row]
        assert measured
        assert all(row["byte_equal"] and row["toolchain"] and row["emulator"] for row in measured)
    # A virtual board has no time.
    assert "latency" not in page.replace("a virtual board has no latency", "")


def test_a_board_without_its_tool_is_told(script: ModuleType) -> None:
    row = {"board": "cortex-m55", "kernels": "portable", "reason": "qemu is missing"}
    bundle = {"name": "wrist", "version": "1", "model_sha256": "0", "rows": [row]}
    document = {
        "bundles": [bundle],
        "windows": 3,
        "edgecnn": "1",
        "commit": "",
        "environment": {"system": "", "machine": ""},
    }
    assert "| cortex-m55 | portable | not run: qemu is missing |" in script.render(document)
