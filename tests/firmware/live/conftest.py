"""A small bundle and both engines on it."""

from pathlib import Path

import numpy as np
import pytest
from tests.firmware.packages.conftest import wrist_card, write_bundle

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.live.sources import SourceSettings, source_settings


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("live") / "wrist", wrist_card())


@pytest.fixture
def settings(bundle: Bundle) -> SourceSettings:
    return source_settings(bundle.card)


@pytest.fixture(scope="session")
def samples(bundle: Bundle) -> "np.ndarray":
    """All windows one behind the other, `(48, 2)`."""
    return bundle.vectors().windows.reshape(-1, 2)


@pytest.fixture
def csv(samples: "np.ndarray", tmp_path: Path) -> Path:
    path = tmp_path / "samples.csv"
    np.savetxt(path, samples, delimiter=",", header="ax,gyro", comments="", fmt="%.9g")
    return path
