"""The int8 reference kernels on any inputs: what ran already is not run again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines import recorded
from edgecnn_bench.engines.cut import RunsAnyModel
from edgecnn_bench.running import Findings
from edgecnn_bench.stages.change import Point
from edgecnn_bench.stages.inputs import python_inputs
from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Bundle, Vectors
from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import MissingDependency

_KEY = "litert-reference"


@dataclass(frozen=True)
class Reference:
    """Reference kernels with the outputs they gave for one set of inputs."""

    card: Card
    title: str
    inputs: npt.NDArray[np.int8]
    """`(n, window_samples, channels)`, normalized and quantized in Python."""
    outputs: npt.NDArray[np.int8]
    """`(n, outputs)` for these."""
    run: Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int8]] | None
    """Runs other inputs; None where outputs were only recorded."""

    @property
    def start(self) -> Point:
        """The point of the inputs that it holds."""
        return self._point(self.inputs, self.outputs)

    def at(self, inputs: npt.NDArray[np.int8], near: Point | None = None) -> Point:
        """The point of other inputs `(n, window_samples, channels)`.

        Args:
            inputs: only windows that differ from the nearest point's are run.
            near: a point of the reference kernels; the start if None.

        Raises:
            MissingDependency: a window differs, and the reference kernels do not run here.
            ModelError: they refuse the model.
        """
        known = self.start if near is None else near
        if known.inputs is None or known.outputs is None:
            raise ValueError(f"{known.title}: no point of int8 kernels")
        rows = np.flatnonzero((inputs != known.inputs).reshape(len(inputs), -1).any(axis=1))
        outputs = known.outputs.copy()
        if rows.size:
            if self.run is None:
                raise MissingDependency(
                    "inputs differ from the recorded ones, and the reference kernels do not run here"
                )
            outputs[rows] = self.run(inputs[rows]).reshape(rows.size, -1)
        return self._point(inputs, outputs)

    def _point(self, inputs: npt.NDArray[np.int8], outputs: npt.NDArray[np.int8]) -> Point:
        # As the engines decide: probabilities first.
        probabilities = numerics.probabilities(outputs, self.card.quantization.output)
        return Point(self.title, numerics.decide(probabilities, self.card.output), inputs, outputs)


def find_reference(bundle: Bundle, vectors: Vectors, found: Findings) -> Reference | None:
    """The reference kernels that ran, else what was recorded of them; None where neither is in the findings.

    Raises:
        DataError: a window holds NaN.
    """
    run, engine = found.runs.get(_KEY), found.engines.get(_KEY)
    if run is not None and isinstance(engine, RunsAnyModel):
        runner = engine.run_model
        return Reference(
            bundle.card,
            found.rows[_KEY].title,
            python_inputs(vectors.windows, bundle.card),
            run.outputs.raw,
            lambda inputs: runner(bundle.model_bytes, inputs),
        )
    if (row := found.rows.get(recorded.REFERENCE)) is not None:
        return Reference(bundle.card, row.title, vectors.inputs, vectors.outputs, None)
    return None
