"""A classifier built as a shared object for this machine and called through ctypes."""

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from tests.firmware.compiler.native import STRICT, compilers

from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.write import Classifier, write_classifier


class Built:
    """The C of one card and model."""

    def __init__(
        self,
        model: bytes,
        card: Card,
        folder: Path,
        *flags: str,
        change: tuple[str, str, str] | None = None,
        golden: "tuple[np.ndarray, np.ndarray] | None" = None,
    ) -> None:
        self.card = card
        self.classifier: Classifier = write_classifier(model, card, golden)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.classifier.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        if change:
            file, old, new = change
            text = (folder / file).read_text(encoding="utf-8")
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        compiler = next(iter(compilers().values()))
        library = folder / "classifier.so"
        # UBSan in the library ends the process at the first undefined operation.
        command = [*compiler, *STRICT, "-O1", *flags, "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
        command += ["-shared", "-fPIC", *self.classifier.sources, "-o", library.name]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert not made.returncode, made.stderr
        self.library = ctypes.CDLL(str(library))
        outputs, labels, channels = (
            1 if card.output == "sigmoid" else len(card.labels),
            len(card.labels),
            len(card.input.channels),
        )

        class CResult(ctypes.Structure):
            _fields_ = [
                ("label", ctypes.c_int32),
                ("window_label", ctypes.c_int32),
                ("changed", ctypes.c_int32),
                ("outputs", ctypes.c_int8 * outputs),
                ("probabilities", ctypes.c_int16 * labels),
                ("margin", ctypes.c_int16),
            ]

        class CDrift(ctypes.Structure):
            _fields_ = [
                ("samples", ctypes.c_uint32),
                *((name, ctypes.c_int32 * channels) for name in ("mean_shift", "spread", "clipped")),
            ]

        self.result, self.drift = CResult(), CDrift()

    def call(self, function: str, data: "np.ndarray | None" = None) -> int:
        """Call NAME_function; the result is in `result`."""
        found = getattr(self.library, f"{self.card.name}_{function}")
        arguments: list[Any] = []
        if data is not None:
            data = np.ascontiguousarray(data)
            arguments = [ctypes.c_void_p(data.ctypes.data), ctypes.byref(self.result)]
        elif function == "monitor":
            arguments = [ctypes.byref(self.drift)]
        return int(found(*arguments))

    def fields(self) -> tuple[Any, ...]:
        """The result as `Result`'s fields."""
        found = self.result
        listed = tuple(found.outputs), tuple(found.probabilities)
        return (found.label, found.window_label, bool(found.changed), *listed, found.margin)
