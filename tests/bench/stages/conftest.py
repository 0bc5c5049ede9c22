"""Bundles with raw counts, and engines' findings on them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_bench.engines import named_engines
from edgecnn_bench.running import Findings, run_engines
from edgecnn_firmware.bundle import Bundle, Vectors, read_bundle
from edgecnn_firmware.progress import silent

UNIT, ZERO = 0.001, 512.0
ENGINES = ("keras", "litert-reference", "compiled-portable")


def with_counts(bundle: Path, folder: Path, unit: float = UNIT, zero: float = ZERO) -> Path:
    """A copy of a bundle whose card says what a raw count is."""
    copy = folder / bundle.name
    shutil.copytree(bundle, copy)
    card = json.loads((copy / "card.json").read_text(encoding="utf-8"))
    channels = len(card["input"]["channels"])
    card["deployment"]["counts"] = {"unit_per_count": [unit] * channels, "zero_count": [zero] * channels}
    (copy / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return copy


Task = tuple[Bundle, Vectors, Findings]


def ran(path: Path, engines: tuple[str, ...] = ENGINES) -> Task:
    """A bundle, its windows, and what engines gave on them."""
    bundle = read_bundle(path)
    vectors, found = bundle.vectors(), Findings()
    run_engines(bundle, vectors, named_engines(engines) if engines else (), found, silent)
    return bundle, vectors, found


@pytest.fixture(scope="session")
def counted(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small trained bundle with fine counts."""
    return with_counts(tiny_bundle, tmp_path_factory.mktemp("counted"))


@pytest.fixture(scope="session")
def task(counted: Path) -> Task:
    """Float model, reference kernels and compiled C on it."""
    return ran(counted)


@pytest.fixture
def count_copy(tiny_bundle: Path, tmp_path: Path) -> Callable[[float, float], Path]:
    """Makes a copy of the small bundle with other counts."""
    return lambda unit, zero: with_counts(tiny_bundle, tmp_path, unit, zero)
