"""Files that were damaged or made to harm: a model or one line comes out, in bounded time and memory."""

import contextlib
import random
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite import flatbuffer, reader
from edgecnn_firmware.tflite.inspect import op_rows, require_full_int8, summarize
from edgecnn_firmware.tflite.reader import read_model

from ..models import MODELS, dense_model

INTERESTING = (0, 1, 2, 3, 4, 7, 8, 126, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1)


@pytest.fixture(params=MODELS)
def real_model(request, shared_models):
    """Name and bytes of each shared model in turn."""
    path = shared_models / f"{request.param}.tflite"
    return path.name, path.read_bytes()


@pytest.fixture(name="dense_model")
def _dense_model():
    return dense_model()


def survives(data: bytes) -> bool:
    """Read and add up; only one-line errors may come out."""
    message = ""
    try:
        model = read_model(data, "fuzzed.tflite")
    except ModelError as error:
        message = str(error)
    if message:
        assert message.startswith("fuzzed.tflite: ")
        assert "\n" not in message
        return False
    summary = summarize(model)
    op_rows(summary)
    with contextlib.suppress(ModelError):
        require_full_int8(summary, "fuzzed.tflite")
    return True


@pytest.fixture(scope="module")
def small_models(shared_models):
    names = ("har_b1", "tcn_b1", "thirdparty/nxp-appcodehub__ap-ml-state-monitor__model_lresnet_quant")
    names += (
        "thirdparty/OHF-Voice__pymicro-wakeword__alexa",
        "thirdparty/raadsr15__TinyML-HAR__gesture_model_optimized",
    )
    return [(shared_models / f"{name}.tflite").read_bytes() for name in names]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes(small_models, data):
    content = bytearray(data.draw(st.sampled_from(small_models)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    survives(bytes(content))


@pytest.mark.parametrize("seed", range(12))
def test_changed_words(small_models, seed):
    """Words of four bytes, which offsets, counts and sizes are, become numbers that are likely to hurt."""
    choice = random.Random(seed)  # noqa: S311 - a reproducible fuzz
    kept = 0
    for _ in range(150):
        content = bytearray(choice.choice(small_models))
        for _ in range(choice.randint(1, 3)):
            place = choice.randrange(0, len(content) - 4, choice.choice((1, 4)))
            value = choice.choice([*INTERESTING, len(content), len(content) - place, choice.getrandbits(32)])
            struct.pack_into("<I", content, place, value & 0xFFFFFFFF)
        kept += survives(bytes(content))
    assert 0 < kept < 150  # neither are all files refused nor all accepted: both ways were walked


def targets(value, found):
    """Every object and list inside a model of the generated schema classes."""
    if isinstance(value, list):
        found.append(value)
        for item in value:
            targets(item, found)
    elif hasattr(value, "__dict__") and type(value).__name__.endswith("T"):
        found.append(value)
        for item in vars(value).values():
            targets(item, found)
    return found


def changed(choice, value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return choice.choice([0.0, -1.0, float("nan"), float("inf"), 1e-45])
    if isinstance(value, int):
        return choice.choice([0, 1, -1, value + 1, value - 1, 2**31 - 1, -(2**31), 127, choice.randint(0, 60)])
    if isinstance(value, bytes):
        return choice.choice([b"", b"\xff\xfe", b"\0", b"*/" * 600])
    if isinstance(value, np.ndarray):
        cut = value[: choice.randint(0, len(value))]
        return choice.choice([None, cut, np.concatenate([value, value]), np.flip(value).copy()])
    if isinstance(value, list):
        return choice.choice([None, [], value[:-1], value + value[:1], value[::-1]])
    return None


@pytest.mark.parametrize("seed", range(8))
def test_changed_fields(small_models, seed):
    """Fields of well-formed files change, so that the checks behind the offsets are reached."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    choice = random.Random(seed)  # noqa: S311 - a reproducible fuzz
    read = refused = 0
    for _ in range(40):
        model = schema.ModelT.InitFromPackedBuf(choice.choice(small_models), 0)
        for _ in range(choice.randint(1, 3)):
            target = choice.choice(targets(model, []))
            if isinstance(target, list) and target and not isinstance(target[0], schema.BufferT):
                target.pop(choice.randrange(len(target)))
            elif not isinstance(target, list) and vars(target):
                name = choice.choice(sorted(vars(target)))
                setattr(target, name, changed(choice, getattr(target, name)))
        builder = flatbuffers.Builder(1 << 16)
        try:
            builder.Finish(model.Pack(builder), b"TFL3")
        except (TypeError, ValueError, OverflowError, struct.error, AttributeError, KeyError, AssertionError):
            continue  # the writer cannot express it
        if survives(bytes(builder.Output())):
            read += 1
        else:
            refused += 1
    assert read
    assert refused


def repeated(schema, table: str, vector: str, count: int, inner: int) -> bytes:
    """A file in which `count` entries of a vector are one and the same table, that refers to `inner` numbers."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    numbers = builder.CreateNumpyVector(np.ones(inner, np.int32))
    start, add, end = (
        (getattr(schema, f"{table}{part}") for part in ("Start", "AddShape", "End"))
        if (table == "Tensor")
        else (schema.OperatorStart, schema.OperatorAddInputs, schema.OperatorEnd)
    )
    start(builder)
    add(builder, numbers)
    entry = end(builder)
    builder.StartVector(4, count, 4)
    for _ in range(count):
        builder.PrependUOffsetTRelative(entry)
    entries = builder.EndVector()
    schema.SubGraphStart(builder)
    getattr(schema, f"SubGraphAdd{vector}")(builder, entries)
    graph = schema.SubGraphEnd(builder)
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(("table", "vector"), [("Tensor", "Tensors"), ("Operator", "Operators")])
@pytest.mark.parametrize(("count", "inner"), [(60_000, 100_000), (1_000_000, 1), (1000, 1000)])
def test_one_table_that_is_referred_to_often_does_not_multiply(table, vector, count, inner):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    data = repeated(schema, table, vector, count, inner)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError):
            read_model(data, "many.tflite")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


def test_real_models_are_far_from_the_budget(real_model, monkeypatch):
    name, data = real_model
    monkeypatch.setattr(flatbuffer, "MAX_VISITS", len(data) // 2)
    assert read_model(data, name).subgraphs


def test_a_file_of_over_a_gigabyte_is_refused(monkeypatch, dense_model):
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", len(dense_model) - 1)
    with pytest.raises(ModelError, match=r"models of up to \d+ bytes"):
        read_model(dense_model, "large.tflite")
