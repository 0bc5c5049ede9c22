"""A small product that all formats are tested on."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.models import dense_model, make_card

from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Bundle, BundleWriter, Vectors, read_bundle
from edgecnn_firmware.card import Card, CountsCard, DeploymentCard, StatisticsCard
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.packages.write import write_package

GOLDEN = Path(__file__).parent / "golden"
NASTY = 'Wrist; $(rm -rf /) `x` "quoted" <b> & \\ */ %s é ${HOME}\n[section]\nsecond line'


def wrist_card(**changes: object) -> Card:
    """Three gestures of a wrist, with counts, statistics and smoothing."""
    return make_card(
        deployment=DeploymentCard(
            smoothing="majority",
            results=3,
            counts=CountsCard(unit_per_count=(1 / 4096, 0.07), zero_count=(0.0, 0.0)),
        ),
        statistics=StatisticsCard(mean=(0.1, -2.5), deviation=(1 / 1.7, 1 / 0.003)),
        **changes,
    )


def write_bundle(folder: Path, card: Card, model: bytes | None = None) -> Bundle:
    """A bundle of a model, by default the small one, with 12 windows."""
    model = model or dense_model()
    shape = (12, card.input.window_samples, len(card.input.channels))
    gain = np.array(card.normalization.gain, np.float32)
    windows = np.random.default_rng(4).normal(0, 1, shape).astype(np.float32) / gain
    inputs = numerics.quantize(numerics.normalize(windows, card.normalization), card.quantization.input)
    oracle = Oracle(compile_model(model, "m", "m").graph)
    shape = oracle.graph.inputs[0].shape
    outputs = np.stack([oracle.run(window.reshape(shape))[0].reshape(-1) for window in inputs])
    labels = outputs.argmax(axis=1).astype(np.int64)
    groups = np.array(["one"] * 12)
    with BundleWriter(folder) as bundle:
        bundle.add("model.tflite", model)
        bundle.add_vectors(Vectors(windows, labels, groups, inputs, outputs))
        bundle.commit(card)
    return read_bundle(folder)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "wrist", wrist_card())


@pytest.fixture(scope="session")
def product(bundle: Bundle) -> Product:
    return make_product(bundle)


@pytest.fixture(scope="session")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The same with texts that would break a manifest that takes them as they are."""
    card = wrist_card(description=NASTY, labels=('"', "${x}", "a\nb"))
    return make_product(write_bundle(tmp_path_factory.mktemp("nasty") / "wrist", card))


@pytest.fixture
def package(product: Product, tmp_path: Path) -> Callable[[str], Path]:
    """Write a format's package and return its folder or archive."""
    return lambda key: write_package(find_format(key), product, tmp_path)


def check_golden(name: str, found: bytes) -> None:
    """Compare generated text with `golden/NAME`; EDGECNN_UPDATE_GOLDEN=1 writes it anew."""
    path = GOLDEN / name
    if os.environ.get("EDGECNN_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(found)
    assert found.decode() == path.read_text(encoding="utf-8"), (
        f"{name}: changed; look at it, then EDGECNN_UPDATE_GOLDEN=1"
    )


def run(command: Sequence[str], folder: Path, **environment: str) -> str:
    """Run a command that must succeed; its stdout."""
    made = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert made.returncode == 0, f"{' '.join(command)}\n{made.stdout[-3000:]}\n{made.stderr[-3000:]}"
    return made.stdout
