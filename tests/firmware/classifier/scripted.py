"""A classifier as a program under sanitizers that takes calls from a pipe."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.firmware.compiler.native import STRICT, compilers

from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.memory import layout, result_of, result_type
from edgecnn_firmware.classifier.results import Result
from edgecnn_firmware.classifier.write import Classifier

FLAGS = (*STRICT, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
UNTOUCHED = 0x5A
_CODES = {
    "init": "i",
    "check": "k",
    "selftest": "s",
    "push": "p",
    "push_q": "q",
    "push_counts": "r",
    "classify": "c",
    "classify_q": "d",
    "classify_counts": "e",
    "monitor_reset": "z",
    "monitor": "m",
}
_TYPES = {"": np.dtype("=f4"), "_q": np.dtype("i1"), "_counts": np.dtype("=i2")}
_MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "NAME.h"

/* Of its exact size, so that a read beyond it is seen. */
static void *take(size_t bytes) {
    void *given = malloc(bytes);
    if (given == NULL || fread(given, 1, bytes, stdin) != bytes) exit(2);
    return given;
}

int main(void) {
    const size_t sample = UPPER_CHANNELS, window = (size_t)UPPER_WINDOW_SAMPLES * UPPER_CHANNELS;
    int code;
    while ((code = getchar()) != EOF) {
        NAME_result result;
        NAME_drift drift;
        int32_t status = 0;
        void *given = NULL;
        memset(&result, 0x5a, sizeof result);
        memset(&drift, 0, sizeof drift);
        if (code == 'i') status = NAME_init();
        else if (code == 'k') status = NAME_check();
        else if (code == 's') status = NAME_selftest();
        else if (code == 'p') status = NAME_push((const float *)(given = take(4 * sample)), &result);
        else if (code == 'q') status = NAME_push_q((const int8_t *)(given = take(sample)), &result);
        else if (code == 'r') status = NAME_push_counts((const int16_t *)(given = take(2 * sample)), &result);
        else if (code == 'c') status = NAME_classify((const float *)(given = take(4 * window)), &result);
        else if (code == 'd') status = NAME_classify_q((const int8_t *)(given = take(window)), &result);
        else if (code == 'e') status = NAME_classify_counts((const int16_t *)(given = take(2 * window)), &result);
        else if (code == 'z') NAME_monitor_reset();
        else if (code == 'm') status = NAME_monitor(&drift);
        else return 3;
        free(given);
        fwrite(&status, sizeof status, 1, stdout);
        if (code == 'm') fwrite(&drift, sizeof drift, 1, stdout);
        else fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
"""


@dataclass(frozen=True)
class Call:
    """A function without its prefix, and what it is given."""

    function: str
    data: "np.ndarray | None" = None

    @property
    def bytes(self) -> bytes:
        """As the program reads it."""
        kind = self.function.removeprefix("push").removeprefix("classify")
        given = b"" if self.data is None else np.ascontiguousarray(self.data, _TYPES[kind]).tobytes()
        return _CODES[self.function].encode() + given


@dataclass(frozen=True)
class Answer:
    """What a call returned and wrote."""

    status: int
    written: bytes
    result: Result | None
    """Where a result was written."""


class Scripted:
    """The C of a classifier, built with `FLAGS`."""

    def __init__(self, classifier: Classifier, card: Card, folder: Path) -> None:
        found = compilers()
        if "gcc" not in found:
            pytest.skip("gcc is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        main = _MAIN.replace("NAME", card.name).replace("UPPER", card.name.upper())
        for name, text in (classifier.files | {"main.c": main}).items():
            (folder / name).write_text(text, encoding="utf-8")
        command = [*found["gcc"], *FLAGS, "main.c", *classifier.sources, "-o", "main"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert not made.returncode, made.stderr[:3000]
        self._program = folder / "main"
        outputs = classifier.network.graph.outputs[0].bytes
        self._type = result_type(outputs, len(card.labels))
        self._drift_bytes = 4 + 3 * 4 * len(card.input.channels)

    def run(self, calls: Iterable[Call]) -> list[Answer]:
        """The answers to calls, in a process of their own."""
        calls = list(calls)
        given = b"".join(call.bytes for call in calls)
        ran = subprocess.run([str(self._program)], input=given, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode(errors="replace")[:3000]
        answers, place, size = [], 0, layout(self._type)["size"]
        for call in calls:
            status = int.from_bytes(ran.stdout[place : place + 4], "little", signed=True)
            end = place + 4 + (self._drift_bytes if call.function == "monitor" else size)
            written = ran.stdout[place + 4 : end]
            is_result = call.function != "monitor" and set(written) != {UNTOUCHED}
            answers.append(
                Answer(status, written, result_of(self._type.from_buffer_copy(written)) if is_result else None)
            )
            place = end
        assert place == len(ran.stdout)
        return answers
