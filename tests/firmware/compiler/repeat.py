"""Show where a compiled random network leaves the reference.

`python -m tests.firmware.compiler.repeat SEED TARGET [least-ram]`
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgecnn_firmware.compiler.compile import compile_graph, compile_model
from edgecnn_firmware.compiler.ops.value import Op
from edgecnn_firmware.compiler.oracle import Oracle

from .architectures import random_network
from .native import Native
from .networks import Reference, random_int8


def explain(seed: int, target: str, window: np.ndarray, *, least_ram: bool = False) -> str:
    """The first op whose output differs, the element, both values, and the command that shows it again."""
    command = f"python -m tests.firmware.compiler.repeat {seed} {target}{' least-ram' if least_ram else ''}"
    found = _first_difference(random_network(seed), target, window, least_ram=least_ram)
    return f"seed {seed}, {target}: {found}; again: {command}"


def _first_difference(model: bytes, target: str, window: np.ndarray, *, least_ram: bool) -> str:
    reference = Reference(model)
    outputs = reference.run(window)
    program = compile_model(model, "model", "net", target=target, least_ram=least_ram)
    names = {detail["index"]: detail["name"] for detail in reference.interpreter.get_tensor_details()}
    steps: list[tuple[Op, np.ndarray]] = []
    Oracle(program.graph).run(window, watch=lambda op, made: steps.append((op, made)))
    with tempfile.TemporaryDirectory() as folder:
        for position, (op, made) in enumerate(steps):
            # What lowering made is no tensor of the file: there is only the oracle to compare the C with.
            value = op.output
            wanted = (reference.tensor(value.storage) if value.name == names.get(value.storage) else made).ravel()
            # What an op reads must still be alive: each prefix of the program is compiled by itself.
            graph = replace(program.graph, ops=program.graph.ops[: position + 1], outputs=(op.output,))
            native = Native(
                compile_graph(graph, "net", target), Path(folder) / str(position), ("-O1", "-DEDGECNN_NO_SIMD")
            )
            for name, found in (("oracle", made.ravel()), ("C", native.run(window)[0].ravel())):
                wrong = np.flatnonzero(found != wanted)
                if len(wrong):
                    at = int(wrong[0])
                    return (
                        f"op {position} ({op.label}), element {at} of {len(wanted)}: {name} {found[at]}, "
                        f"reference {wanted[at]} ({len(wrong)} elements differ)"
                    )
        whole = Native(program, Path(folder) / "whole", ("-O1", "-DEDGECNN_NO_SIMD")).run(window)
        if all(np.array_equal(a.ravel(), b.ravel()) for a, b in zip(whole, outputs, strict=True)):
            return "no difference"
    return "every op equals the reference when compiled by itself: the arena's plan is at fault"


if __name__ == "__main__":
    chosen, on, least = int(sys.argv[1]), sys.argv[2], "least-ram" in sys.argv[3:]
    rng = np.random.default_rng(chosen)
    shape = Reference(random_network(chosen)).interpreter.get_input_details()[0]["shape"]
    for kind in range(8):
        print(kind, explain(chosen, on, random_int8(rng, shape, kind), least_ram=least))
