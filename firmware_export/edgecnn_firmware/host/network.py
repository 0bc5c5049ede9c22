"""A compiled network as a function of this process: its C is built into a shared library and called through ctypes."""

import ctypes
import hashlib
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.host.library import build_library
from edgecnn_firmware.host.recipe import Recipe
from edgecnn_firmware.host.source import LINE_BYTES, MANY, ONCE, Room, host_source, room_of

_DTYPES: Final[dict[str, type[np.generic]]] = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int32": np.int32,
    "int64": np.int64,
    "float32": np.float32,
    "bool": np.bool_,
}
_FLAGS: Final = ("-fvisibility=hidden",)
_SOURCE: Final = "edgecnn_host.c"

_loaded: Final[dict[str, ctypes.CDLL]] = {}
_loading: Final = Lock()


class _Call(ctypes.Structure):
    """`struct edgecnn_host_call`."""

    _fields_ = (("input", ctypes.c_void_p), ("output", ctypes.c_void_p), ("room", ctypes.c_void_p))


class BoundCall:
    """One window's buffers, bound to the network.

    Attributes:
        input: The window, to be written in place; flat.
        output: What the latest call wrote; flat.
        call: Runs the network once on `input`. It takes as little beside the network as ctypes allows, and does not let
            other Python threads run meanwhile.
    """

    def __init__(self, network: "HostNetwork") -> None:
        self.input = aligned(network.input_elements, network.input_dtype)
        self.output = aligned(network.output_elements, network.output_dtype)
        self._room = aligned(network.room.bytes, np.dtype(np.uint8))
        self._record = _Call(self.input.ctypes.data, self.output.ctypes.data, self._room.ctypes.data)
        self.call: Callable[[], object] = partial(network.once, ctypes.c_void_p(ctypes.addressof(self._record)))


class HostNetwork:
    """A network that this process can call; any number of threads at once."""

    def __init__(self, program: Program, library: ctypes.CDLL) -> None:
        value, made = program.graph.inputs[0], program.graph.outputs[0]
        self.input_dtype, self.output_dtype = np.dtype(_DTYPES[value.type]), np.dtype(_DTYPES[made.type])
        self.input_shape, self.output_shape = value.shape, made.shape
        self.input_elements, self.output_elements = value.elements, made.elements
        self.room: Room = room_of(program)
        self._many = library[MANY]
        self._many.restype = None
        self._many.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        self.once = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)((ONCE, library))

    def run(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Call the network on `(n, ...)` inputs, each from the state's first values.

        Other Python threads run meanwhile, and may be in the same network.

        Returns:
            `(n, elements)`: each output flattened.

        Raises:
            BoardError: The inputs are of another type or size.
        """
        windows = len(inputs)
        expected = (windows, self.input_elements)
        flat = np.ascontiguousarray(inputs).reshape(windows, -1) if windows else np.empty(expected, self.input_dtype)
        if flat.dtype != self.input_dtype or flat.shape != expected:
            raise BoardError(f"inputs {flat.dtype} {flat.shape}: the network takes {self.input_dtype} {expected}")
        outputs = np.empty((windows, self.output_elements), self.output_dtype)
        room = aligned(self.room.bytes, np.dtype(np.uint8))
        self._many(flat.ctypes.data, outputs.ctypes.data, room.ctypes.data, windows)
        return outputs

    def bind(self) -> BoundCall:
        """Buffers and a call of their own."""
        return BoundCall(self)


def aligned(elements: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Zeros whose first byte lies at a multiple of `LINE_BYTES`."""
    size = elements * dtype.itemsize
    whole = np.zeros(size + LINE_BYTES, np.uint8)
    start = -whole.ctypes.data % LINE_BYTES
    return whole[start : start + size].view(dtype)


def build_network(program: Program, recipe: Recipe) -> HostNetwork:
    """Build a program and load it; what was built before in this process is not built again.

    The files lie in a folder of their own, which is removed before this returns.

    Args:
        program: From the compiler for `recipe.target`.
        recipe: The C compiler and its flags.

    Raises:
        BoardError: The compiler fails, or what it made cannot be loaded.
        ModelError: The network has several inputs or outputs.
    """
    files = {**program.files, _SOURCE: host_source(program)}
    key = hashlib.sha256(repr((recipe.compiler.command, recipe.flags, sorted(files.items()))).encode()).hexdigest()
    with _loading:
        if key not in _loaded:
            # Loaded libraries stay until the process ends: unloading one that somebody still calls would crash.
            sources = (program.source, _SOURCE)
            _loaded[key] = build_library(files, sources, recipe, name=program.source, flags=_FLAGS)
        return HostNetwork(program, _loaded[key])
