"""The layers between the floors, as import-linter reads them from pyproject.toml."""

from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]


def test_imports_go_down_only() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_every_package_is_typed() -> None:
    for package in ("toolkit/edgecnn", "benchmarks/edgecnn_bench", "firmware_export/edgecnn_firmware"):
        assert (ROOT / package / "py.typed").is_file()
