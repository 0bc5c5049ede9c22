"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

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
