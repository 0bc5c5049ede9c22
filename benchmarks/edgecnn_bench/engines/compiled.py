"""Engines that are the bundle's network as C, compiled by edgecnn and by this machine's C compiler."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.int8 import Int8Ends, Tensor
from edgecnn_bench.engines.protocol import Precision, RunOutputs, Tick, Window, Windows, chunk_windows
from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.bundle import MODEL, Bundle
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.ops.value import Value
from edgecnn_firmware.errors import EdgeCnnError, MissingDependency
from edgecnn_firmware.host.compiler import find_compiler
from edgecnn_firmware.host.network import HostNetwork, build_network
from edgecnn_firmware.host.recipe import Recipe, native_recipe, portable_recipe

MAX_WORKERS: Final = 8
_PREFIX: Final = "network"


@dataclass(frozen=True)
class CompiledEngine:
    """The network as C on this machine, through ctypes.

    Only C that this edgecnn writes is built: a bundle may come from anyone, and its `firmware/c` is code.
    """

    key: str
    native: bool
    """With this processor's kernels and flags; else plain C with `-O2`."""

    precision: Precision = "int8"
    file: str = MODEL
    needs_trial: bool = True

    @property
    def title(self) -> str:
        """Kernels and flags."""
        try:
            return f"Compiled C, int8, {self.recipe().text}, 1 thread"
        except EdgeCnnError:
            return f"Compiled C, int8, {'native' if self.native else 'portable'} kernels, 1 thread"

    def recipe(self) -> Recipe:
        """How it is built here.

        Raises:
            MissingDependency: there is no C compiler.
            BoardError: the C compiler refuses the flags.
        """
        compiler = find_compiler()
        return native_recipe(compiler) if self.native else portable_recipe(compiler)

    def concerns(self, bundle: Bundle) -> bool:
        """Always: the report says why it did not run."""
        return True

    def available(self, bundle: Bundle) -> str | None:
        """Whether there is a C compiler."""
        try:
            self.recipe()
        except (MissingDependency, BoardError) as error:
            return str(error)
        return None

    def load(self, bundle: Bundle) -> "LoadedCompiled":
        """Compile and build; see `Engine.load`."""
        program, network = self._built(bundle.model_bytes)
        into, out = (_tensor(value) for value in (program.graph.inputs[0], program.graph.outputs[0]))
        return LoadedCompiled(network, Int8Ends(bundle.card, into, out))

    def run_model(self, model: bytes, inputs: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Run another int8 file in the same way; see `cut.RunsAnyModel`."""
        return self._built(model)[1].run(inputs)

    def _built(self, model: bytes) -> tuple[Program, HostNetwork]:
        recipe = self.recipe()
        program = compile_model(model, MODEL, _PREFIX, target=recipe.target)
        return program, build_network(program, recipe)


COMPILED_ENGINES: Final = (
    CompiledEngine("compiled", native=True),
    CompiledEngine("compiled-portable", native=False),
)


class LoadedCompiled:
    """A built network with the bundle's numbers around it."""

    threads = 1

    def __init__(self, network: HostNetwork, ends: Int8Ends) -> None:
        self._network, self._ends = network, ends
        self._bound = network.bind()
        self._input = self._bound.input.reshape(network.input_shape[1:])

    def outputs(self, windows: Windows, tick: Tick) -> RunOutputs:
        """Run `(n, window_samples, channels)`: chunks on as many threads as there are cores."""
        step = chunk_windows(self._ends.card)
        starts = range(0, len(windows), step)
        workers = max(1, min(MAX_WORKERS, os.cpu_count() or 1, len(starts)))
        found = []
        done = 0
        with ThreadPoolExecutor(workers) as pool:
            try:
                for outputs in self._in_order(pool, (windows[start : start + step] for start in starts)):
                    found.append(outputs)
                    done += len(outputs)
                    tick(done)
            finally:
                # After an error the chunks that have not begun need not be run.
                pool.shutdown(cancel_futures=True)
        return self._ends.outputs(found)

    def _in_order(self, pool: ThreadPoolExecutor, chunks: Iterator[Windows]) -> Iterator[npt.NDArray[Any]]:
        return pool.map(lambda chunk: self._network.run(self._ends.encode(chunk)), chunks)

    def prepare(self, window: Window) -> Callable[[], object]:
        """Set the input; the returned call is one of the network's function, through ctypes."""
        self._input[:] = self._ends.encode(window)
        return self._bound.call

    def classify(self, window: Window) -> int:
        """One window in physical units to the number of its label."""
        self._input[:] = self._ends.encode(window)
        self._bound.call()
        return self._ends.label(self._bound.output)


def _tensor(value: Value) -> Tensor:
    return Tensor(value.type, value.shape, value.affine.scale, value.affine.zero_point)
