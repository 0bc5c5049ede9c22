"""Damaged models end in one line or in a program; never in another exception, and never in much time or memory."""

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.errors import EdgeCnnError

from .architectures import random_network


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_are_refused_in_one_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = bytearray(random_network(seed))
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(len(data)))
            data[at] = int(rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))]))
        if rng.random() < 0.2:
            data = data[: int(rng.integers(len(data)))]
        try:
            compile_model(
                bytes(data), "damaged.tflite", "net", least_ram=seed % 2 == 1, hop=2 if seed % 3 == 0 else None
            )
        except EdgeCnnError as error:
            assert str(error)
            assert "\n" not in str(error)
