"""Building small C for boards."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edgecnn_firmware.boards.harness import Harness
from edgecnn_firmware.boards.image import Image, build_image
from edgecnn_firmware.boards.targets import target_named
from edgecnn_firmware.boards.toolchain import Prefer, find_toolchain
from edgecnn_firmware.errors import MissingDependency

Build = Callable[..., Image]

HEADER = "#include <stdint.h>\nvoid net_invoke(const int8_t *input, int8_t *output, uint8_t *arena);\n"
CALL = "net_invoke(edgecnn_board_input, edgecnn_board_output, edgecnn_board_arena);"
INPUT_BYTES, OUTPUT_BYTES, ARENA_BYTES = 32, 4, 64


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build C text that defines `net_invoke`; skips where a compiler or a library is missing."""

    def make(
        source: str,
        target: str = "cortex-m4",
        prefer: Prefer = "auto",
        flags: Sequence[str] = ("-O2",),
        marks: bool = False,
    ) -> Image:
        pytest.importorskip("unicorn", reason="unicorn is not installed")
        pytest.importorskip("elftools", reason="pyelftools is not installed")
        try:
            toolchain = find_toolchain(target_named(target), prefer)
        except MissingDependency as error:
            pytest.skip(str(error))
        return build_with(tmp_path_factory.mktemp("board"), source, target, toolchain, flags, marks)

    return make


def build_with(work: Path, source: str, target: str, toolchain: object, flags: Sequence[str], marks: bool) -> Image:
    """Build in a folder."""
    (work / "net.h").write_text(HEADER)
    (work / "net.c").write_text(f'#include "net.h"\n{source}')
    harness = Harness("net.h", CALL, INPUT_BYTES, OUTPUT_BYTES, ARENA_BYTES)
    return build_image(
        target_named(target), toolchain, [work / "net.c"], [work], flags, harness=harness, work=work, marks=marks
    )
