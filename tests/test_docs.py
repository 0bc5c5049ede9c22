"""What the documents say is what the code does."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def script(path: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # data classes look their module up
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in script("docs/generate.py", monkeypatch).pages().items():
        # White space differs between versions of click.
        written = (ROOT / "docs" / name).read_text(encoding="utf-8").split()
        assert written == text.split(), f"run: python docs/generate.py ({name})"


def test_the_accuracy_page_is_drawn_from_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracy = script("benchmarks/accuracy.py", monkeypatch)
    written = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    results = json.loads((ROOT / "docs" / "accuracy.json").read_text(encoding="utf-8"))
    assert written == accuracy.page(results, accuracy.machine_of(written)), "run: benchmarks/accuracy.py --render-only"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_commands_exist() -> None:
    from edgecnn.cli import COMMANDS

    used = re.findall(r"^\$ edgecnn (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert used
    assert set(used) <= set(COMMANDS)


def test_every_package_format_is_documented() -> None:
    from edgecnn_firmware.packages.formats import FORMATS

    page = (Path(__file__).parents[1] / "docs" / "packages.md").read_text(encoding="utf-8")
    assert [key for key in FORMATS if f"| `{key}` |" not in page] == []
