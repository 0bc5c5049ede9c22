"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time: a run is red for what changed. `make nightly` searches.
settings.register_profile("suite", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("EDGECNN_HYPOTHESIS", "suite"))

_DEFAULT = Path(__file__).resolve().parents[2] / "shared"


def _shared(kind: str) -> Path:
    folder = Path(os.environ.get("EDGECNN_TEST_DATA", _DEFAULT)) / kind
    if not folder.is_dir():
        pytest.skip(f"no '{kind}' folder: set EDGECNN_TEST_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; the test is skipped where it is missing."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of int8 `.tflite` files; the test is skipped where it is missing."""
    return _shared("models")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share its fixtures and run in one process; those marked `spread` go wherever there is time."""
    for item in items:
        if item.get_closest_marker("spread") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
