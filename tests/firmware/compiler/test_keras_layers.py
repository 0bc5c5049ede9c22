"""Every Keras layer with its options: converted to int8, compiled, and byte-equal to LiteRT's reference kernels."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import ModelError

from . import keras_conversion
from .batch import run_batch
from .keras_conversion import BEGIN, DOCUMENT, converted, documented, table
from .keras_layers import GROUPS, Case
from .native import compilers
from .networks import Reference, random_int8

VECTOR = ("armv7e-m", "aarch64", "armv8.1-m-mve")
"""Each case runs as portable C and as one of these, in its kernels' plain form."""
FLAGS = ("-O0", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-DEDGECNN_NO_SIMD")
CALLS = 8


@pytest.fixture(scope="module", autouse=True)
def _shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Conversions take seconds each: the processes of one run share them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "keras_layers"
    folder.mkdir(exist_ok=True)
    keras_conversion.shelf = folder
    yield
    keras_conversion.shelf = None


def _reference(model: bytes) -> Reference:
    """LiteRT's reference kernels. They have TILE under an older version, which is the same code, and no ELU."""
    try:
        return Reference(_with_old_tile(model))
    except ValueError as error:
        assert "'ELU'" in str(error)
        return Reference(model, resolver="BUILTIN_WITHOUT_DEFAULT_DELEGATES")


def _with_old_tile(model: bytes) -> bytes:
    import flatbuffers

    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="LiteRT is not installed")
    unpacked = schema.ModelT.InitFromPackedBuf(model, 0)
    for code in unpacked.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.TILE:
            code.version = 1
    builder = flatbuffers.Builder(1024)
    builder.Finish(unpacked.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.spread
@pytest.mark.parametrize("group", [name for name in GROUPS if name != "refused"])
def test_layers_are_byte_equal(group: str, tmp_path: Path) -> None:
    if "gcc" not in compilers():
        pytest.skip("gcc is not installed")
    programs, inputs, expected, names, wrong = [], [], [], [], []
    for number, case in enumerate(case for case in GROUPS[group] if not case.refused):
        model = converted(case)
        reference, rng = _reference(model), np.random.default_rng(number)
        windows = [random_int8(rng, (1, *case.shape), kind) for kind in range(CALLS)]
        outputs = [reference.run(window)[0] for window in windows]
        for target in ("portable", VECTOR[number % len(VECTOR)]):
            program = compile_model(model, case.name, f"net{len(programs)}", target=target)
            programs.append(program)
            inputs.append(np.stack([window.ravel() for window in windows]))
            expected.append(np.stack([output.view(np.uint8).ravel() for output in outputs]))
            names.append(f"{case.name} on {target}")
        oracle = Oracle(program.graph)
        if any(
            not np.array_equal(oracle.run(window)[0].ravel(), outputs[n].ravel()) for n, window in enumerate(windows)
        ):
            wrong.append(f"{case.name} in numpy")
    found = run_batch(programs, inputs, tmp_path, FLAGS)
    wrong += [names[n] for n, made in enumerate(found) if not np.array_equal(made, expected[n])]
    assert not wrong


REFUSED = [case for cases in GROUPS.values() for case in cases if case.refused]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_refused_says_why(case: Case) -> None:
    with pytest.raises(ModelError) as error:
        compile_model(converted(case), case.name, "net")
    assert re.search(f"op #[0-9]+ {case.refused}", str(error.value))
    assert "\n" not in str(error.value)


def test_the_document_lists_every_layer() -> None:
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    stated = re.search(
        r"as TensorFlow ([0-9.]+) converts them", DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[0]
    )
    assert stated
    if not tensorflow.__version__.startswith(stated[1]):
        pytest.skip(f"the table is of TensorFlow {stated[1]}, installed is {tensorflow.__version__}")
    assert documented() == table(), "python -m tests.firmware.compiler.keras_conversion writes the table anew"
