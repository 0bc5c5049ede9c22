"""What every package holds, before a format lays it out."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np

from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Bundle, Vectors
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.results import window_result
from edgecnn_firmware.classifier.write import Classifier, write_classifier
from edgecnn_firmware.errors import BundleError
from edgecnn_firmware.numerics import Float32

SPDX = "Apache-2.0"


@dataclass(frozen=True, eq=False)
class Example:
    """A window for the example projects, and what the classifier makes of it."""

    window: Float32
    """`(window_samples, channels)` in physical units."""
    label: int
    """The classifier's, which need not be the true one."""


@dataclass(frozen=True, eq=False)
class Product:
    """A bundle's classifier with all that packages say about it."""

    card: Card
    classifier: Classifier
    example: Example
    model_sha256: str

    @property
    def name(self) -> str:
        """The C prefix, which is the package's name too."""
        return self.card.name

    @property
    def headers(self) -> dict[str, str]:
        """All headers; `NAME.h` is for users."""
        return {name: self.classifier.files[name] for name in self.classifier.headers}

    @property
    def sources(self) -> dict[str, str]:
        """All C files."""
        return {name: self.classifier.files[name] for name in self.classifier.sources}

    @property
    def has_selftest(self) -> bool:
        """Whether there is `NAME_selftest`."""
        return f"{self.name}_selftest.c" in self.classifier.files

    @property
    def is_sliding(self) -> bool:
        """Whether the network takes the newest samples of a window alone."""
        return self.classifier.network.graph.sliding is not None

    @property
    def summary(self) -> str:
        """One line for a package's manifest, in plain text."""
        text = self.card.description.strip().splitlines()
        return text[0] if text else f"Classifies sensor windows as {', '.join(self.card.labels[:6])}"


def make_product(
    bundle: Bundle, target: str = "portable", *, least_ram: bool = False, sliding: bool = False
) -> Product:
    """Take a bundle apart for packaging; the same arguments give the same product.

    Args:
        bundle: verified as its files are read.
        target: whose kernels the network uses: one of the compiler's targets.
        least_ram: as of the compiler.
        sliding: as of `write_classifier`.

    Raises:
        EdgeCnnError: the bundle is not whole, or its network does not compile.
    """
    model = bundle.model_bytes
    vectors = bundle.vectors()
    golden = vectors.inputs, vectors.outputs
    classifier = write_classifier(model, bundle.card, golden, target=target, least_ram=least_ram, sliding=sliding)
    return Product(bundle.card, classifier, _example(bundle, vectors), hashlib.sha256(model).hexdigest())


def _example(bundle: Bundle, vectors: Vectors) -> Example:
    if not len(vectors.windows):
        raise BundleError(f"{bundle.path}: no windows; a package's example needs one")
    labels = [window_result(outputs, bundle.card).label for outputs in vectors.outputs[:200]]
    right = [index for index, label in enumerate(labels) if label == vectors.labels[index]]
    chosen = right[0] if right else 0
    window = np.asarray(vectors.windows[chosen], np.float32)
    # What the package computes must be what the bundle promises.
    inputs = numerics.quantize(numerics.normalize(window, bundle.card.normalization), bundle.card.quantization.input)
    if not np.array_equal(inputs, vectors.inputs[chosen]):
        raise BundleError(f"{bundle.path}: window {chosen} does not become its recorded input; export the bundle again")
    return Example(window, labels[chosen])


def license_text() -> str:
    """The license under which generated code and kernels are given."""
    try:
        found = distribution("edgecnn").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        found = None
    return found or f"SPDX-License-Identifier: {SPDX}\n"
