"""The C files of the self-test and of the console, from templates."""

import hashlib
import zlib
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined

from edgecnn_firmware.compiler.emit.context import c_numbers
from edgecnn_firmware.compiler.emit.program import Program, in_arena
from edgecnn_firmware.selftest.golden import Golden, choose_golden

_SELFTEST: Final = ("selftest.h", "selftest.c")
_CONSOLE: Final = ("console.h", "console.c", "console_port.c")


def selftest_files(
    program: Program, model: bytes, inputs: npt.NDArray[np.int8], outputs: npt.NDArray[np.int8]
) -> dict[str, bytes]:
    """Write the self-test and the console of a compiled network; the same bytes for the same input.

    Args:
        program: the compiled network.
        model: the `.tflite` file that it was compiled from; its SHA-256 names it on the board.
        inputs: `(n, window_samples, channels)` int8 windows.
        outputs: `(n, outputs)` what the reference kernels give for them.

    Returns:
        `PREFIX_selftest.h/.c`, `PREFIX_console.h/.c` and `PREFIX_console_port.c` by name, to lie beside `PREFIX.h`; of a
        network that keeps state, or whose window slides, the self-test alone.

    Raises:
        ModelError: as `choose_golden`.
    """
    context = _context(program, model, choose_golden(program, inputs, outputs))
    return {
        f"{program.prefix}_{name}": _environment().get_template(f"{name}.j2").render(context).encode("utf-8")
        for name in (_SELFTEST if program.state_bytes else (*_SELFTEST, *_CONSOLE))
    }


@cache
def _environment() -> Environment:
    # The output is C, not HTML: nothing but numbers, hexadecimal digits and C names is filled in.
    return Environment(  # noqa: S701
        loader=PackageLoader("edgecnn_firmware.selftest", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _context(program: Program, model: bytes, golden: Golden) -> dict[str, Any]:
    value, sliding, upper = program.graph.inputs[0], program.graph.sliding, program.prefix.upper()
    return {
        "p": program.prefix,
        "P": upper,
        "sha256": hashlib.sha256(model).hexdigest(),
        "in_arena": in_arena(value, program.arena),
        "state_bytes": program.state_bytes,
        "rows": golden.rows,
        "row_numbers": c_numbers(golden.rows, "u"),
        "sliding": sliding,
        "window_bytes": golden.inputs.shape[1],
        "window_macro": f"{upper}_SELFTEST_WINDOW_BYTES" if sliding else f"{upper}_INPUT_BYTES",
        "flash_bytes": golden.inputs.size + golden.outputs.size + 4 * len(golden.rows),
        "inputs": _braced(golden.inputs),
        "outputs": _braced(golden.outputs),
        "crc": zlib.crc32(golden.outputs.tobytes(), zlib.crc32(golden.inputs.tobytes())),
    }


def _braced(rows: Iterable[npt.NDArray[np.int8]]) -> str:
    return "\n".join(f"    {{\n{c_numbers(row.tolist())}\n    }}," for row in rows)
