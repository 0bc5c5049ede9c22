"""A package's example program and its classifier as firmware on a virtual board: what they print, compute and cost."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edgecnn_firmware.boards.emulator import emulator_version
from edgecnn_firmware.boards.harness import INPUT, OUTPUT, Harness
from edgecnn_firmware.boards.image import Image, build_image
from edgecnn_firmware.boards.machine import run
from edgecnn_firmware.boards.run import Run
from edgecnn_firmware.boards.targets import target_named
from edgecnn_firmware.boards.toolchain import Prefer, find_toolchain
from edgecnn_firmware.classifier.memory import result_of, result_type
from edgecnn_firmware.classifier.results import Result
from edgecnn_firmware.packages.layout import example_window, render
from edgecnn_firmware.packages.product import Product

Function = Literal["classify", "classify_q", "classify_counts"]

_VALUE_BYTES: Final[dict[Function, int]] = {"classify": 4, "classify_q": 1, "classify_counts": 2}
_C_TYPES: Final[dict[Function, str]] = {"classify": "float", "classify_q": "int8_t", "classify_counts": "int16_t"}
_CONSOLE: Final = Path(__file__).resolve().parent / "support" / "console"
_CONSOLE_BYTES: Final = 1024
_STATUS_BYTES: Final = 4
_MAIN: Final = "edgecnn_board_main"
_HEADER: Final = "edgecnn_board_firmware.h"
_FLAGS: Final = ("-O2",)


@dataclass(frozen=True)
class FirmwareRun:
    """An example program that ran to its end on a board.

    Attributes:
        board: Its name.
        text: What the program printed.
        status: What `main` returned.
        flash_bytes: Of the linked image less an image of the same board without the program: self-test, example window
            and the console's printf included.
        ram_bytes: Variables, in the same way; without stack.
        stack_bytes: Deepest use.
        sections: Bytes of the image's `text`, `rodata`, `data` and `bss` as linked, nothing subtracted.
        instructions: Of the whole program.
        faults: Changed bytes around buffers.
        toolchain: The C compiler, as it names itself.
        flags: Given to it.
        emulator: Name and version.
        note: How the virtual CPU differs from the core, where it does.
    """

    board: str
    text: str
    status: int
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    sections: dict[str, int]
    instructions: int
    faults: tuple[str, ...]
    toolchain: str
    flags: tuple[str, ...]
    emulator: str
    note: str


@dataclass(frozen=True)
class Call:
    """One call of a classifier's function on a board.

    Attributes:
        status: What it returned.
        result: What it wrote; meaningless where the status is an error.
        instructions: Of the call.
        stack_bytes: Deepest use of the stack below the caller.
        faults: Changed bytes around buffers; with `watch` all forbidden accesses.
    """

    status: int
    result: Result
    instructions: int
    stack_bytes: int
    faults: tuple[str, ...]


@dataclass(frozen=True)
class ClassifyImage:
    """A classifier's function alone, linked for a board.

    Attributes:
        image: Sizes without the harness; the self-test is not in it, nor is what the function does not reach.
        outputs: Of the network.
        labels: Of the classifier.
    """

    image: Image
    outputs: int
    labels: int

    def call(self, window: bytes, *, limit_s: float = 600.0) -> Call:
        """Classify a window, given as the function's values in C's order, from the first state.

        Raises:
            BoardError: `window` has the wrong size, or the code faults or does not finish.
            MissingDependency: the emulator is not installed.
        """
        found = run(self.image, window, limit_s=limit_s)
        status = int.from_bytes(found.outputs[:_STATUS_BYTES], "little", signed=True)
        result = result_of(result_type(self.outputs, self.labels).from_buffer_copy(found.outputs, _STATUS_BYTES))
        return Call(status, result, found.instructions, found.stack_bytes, _faults(found))


def firmware_image(
    product: Product,
    board: str,
    *,
    work: Path,
    prefer: Prefer = "auto",
    flags: Sequence[str] = _FLAGS,
    limit_s: float = 600.0,
) -> FirmwareRun:
    """Build the example program that packages hold, for a board, and run it to its end.

    Args:
        product: whose package; its kernels must suit the board.
        board: one of `targets.TARGETS`.
        work: an existing folder for sources and images.
        prefer: which compiler.
        flags: for the compiler.
        limit_s: seconds after which the run is given up.

    Raises:
        BoardError: the code does not build, faults, or does not finish.
        MissingDependency: a compiler or the emulator is not installed.
        SettingsError: there is no such board.
    """
    invoke = (
        f"edgecnn_board_console({OUTPUT} + {_STATUS_BYTES}, {_CONSOLE_BYTES - _STATUS_BYTES}); "
        f"*(int32_t *)(void *){OUTPUT} = {_MAIN}();"
    )
    example = {
        "edgecnn_board_main.c": render("common/main.c", product),
        "example_window.h": example_window(product),
        _HEADER: f"#include <stdio.h>\nint {_MAIN}(void);\n".encode(),
    }
    image = _build(product, board, Harness(_HEADER, invoke, 0, _CONSOLE_BYTES, 0), example, work, prefer, flags)
    found = run(image, b"", limit_s=limit_s)
    status, text = found.outputs[:_STATUS_BYTES], found.outputs[_STATUS_BYTES:].partition(b"\0")[0]
    return FirmwareRun(
        board=board,
        text=text.decode("utf-8", "replace"),
        status=int.from_bytes(status, "little", signed=True),
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes,
        stack_bytes=found.stack_bytes,
        sections=dict(image.elf.sections),
        instructions=found.instructions,
        faults=_faults(found),
        toolchain=image.toolchain.version,
        flags=tuple(flags),
        emulator=emulator_version(image.target),
        note=image.target.note,
    )


def classify_image(
    product: Product,
    board: str,
    *,
    work: Path,
    function: Function = "classify",
    prefer: Prefer = "auto",
    flags: Sequence[str] = _FLAGS,
) -> ClassifyImage:
    """Link one of the classifier's functions for a board, to be called window by window.

    Args:
        product: whose classifier; its kernels must suit the board.
        board: one of `targets.TARGETS`.
        work: an existing folder for sources and images.
        function: `classify` of floats, `classify_q` of int8 inputs, `classify_counts` of int16 counts.
        prefer: which compiler.
        flags: for the compiler.

    Raises:
        BoardError: the code does not build, as where the classifier has no such function.
        MissingDependency: a compiler is not installed.
        SettingsError: there is no such board.
    """
    card = product.card
    outputs, labels = product.classifier.network.graph.outputs[0].bytes, len(card.labels)
    values = card.input.window_samples * len(card.input.channels)
    invoke = (
        f"*(int32_t *)(void *){OUTPUT} = {card.name}_{function}((const {_C_TYPES[function]} *)(const void *){INPUT}, "
        f"({card.name}_result *)(void *)({OUTPUT} + {_STATUS_BYTES}));"
    )
    made = _STATUS_BYTES + ctypes.sizeof(result_type(outputs, labels))
    harness = Harness(f"{card.name}.h", invoke, values * _VALUE_BYTES[function], made, 0)
    return ClassifyImage(_build(product, board, harness, {}, work, prefer, flags), outputs, labels)


def _build(
    product: Product,
    board: str,
    harness: Harness,
    more: dict[str, bytes],
    work: Path,
    prefer: Prefer,
    flags: Sequence[str],
) -> Image:
    target = target_named(board)
    toolchain = find_toolchain(target, prefer)
    sources = work / "sources"
    sources.mkdir(exist_ok=True)
    texts = {name: text.encode("utf-8") for name, text in product.classifier.files.items()}
    for name, data in (texts | more).items():
        (sources / name).write_bytes(data)
    files = [sources / name for name in (*product.sources, *(name for name in more if name.endswith(".c")))]
    if more:
        files.append(_CONSOLE / "console.c")
    renamed = (*flags, f"-Dmain={_MAIN}")
    return build_image(target, toolchain, files, [sources, _CONSOLE], renamed, harness=harness, work=work)


def _faults(found: Run) -> tuple[str, ...]:
    return tuple(str(fault) for fault in found.faults)
