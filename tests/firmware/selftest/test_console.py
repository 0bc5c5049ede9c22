"""The console built for this machine under sanitizers, against a model of the protocol in Python."""

import hashlib
import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .builds import SANITIZERS, ZIG, Firmware, build_console, firmware, talk
from .console_model import ConsoleModel, framed

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="session", params=[False, True], ids=["input", "input in arena"])
def made(request: pytest.FixtureRequest, tiny: bytes) -> Firmware:
    return firmware(tiny, "tiny", input_in_arena=request.param)


@pytest.fixture(scope="session")
def console(made: Firmware, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_console(made, tmp_path_factory.mktemp("console"), flags=SANITIZERS)


def model_of(made: Firmware, clock: bytes = b"clock=real ticks_per_second=1000000") -> ConsoleModel:
    count = made.files["tiny_selftest.h"].split(b"TINY_SELFTEST_COUNT ")[1].split(b"u")[0]
    rows = rows_of(made)
    assert len(rows) == int(count)
    golden = [(row, made.inputs[row].tobytes(), made.outputs[row].tobytes()) for row in rows]
    hello = (
        b"hello edgecnn=1 name=tiny model=%s input=6 output=2 arena=%d line=256 vectors=%d %s "
        b"compiler=test%%201%%25 flags=-O1%%20-g"
    ) % (hashlib.sha256(made.model).hexdigest().encode(), made.program.arena.bytes, len(rows), clock)
    ticks = b"none" if b"none" in clock else b"1000"
    return ConsoleModel(hello, golden, made.network, 6, ticks=ticks)


def rows_of(made: Firmware) -> list[int]:
    text = made.files["tiny_selftest.c"].decode().split("_selftest_rows[TINY_SELFTEST_COUNT] = {")[1].split("}")[0]
    return [int(word.strip(" u\n")) for word in text.split(",") if word.strip()]


def test_every_command_is_answered_as_documented(made: Firmware, console: Path) -> None:
    window = made.inputs[5].tobytes()
    stream = (
        b"hello\nvectors\nrun 0\r\n"
        + framed(b"#a run 1")
        + b"selftest\nstack\n"
        + framed(b"#1f put 0 " + window[:4].hex().encode())
        + framed(b"put 2 " + window[2:].hex().encode())
        + framed(b"#ffffffff invoke")
        + framed(b"window " + window.hex().encode())
        + b"invoke\n"
    )
    answers = talk(console, stream)
    assert answers == model_of(made).answers(stream)
    lines = answers.decode().split("\r\n")
    assert lines[0].startswith("ok hello edgecnn=1 name=tiny model=")
    assert lines[2].startswith("ok run index=0 row=0 equal=1 ticks=1000 output=")
    assert lines[6].startswith("#1f ok put received=4 *")
    output = made.outputs[5].tobytes().hex()
    assert f"#ffffffff ok invoke ticks=1000 output={output} *" in lines[8]
    assert f"ok window ticks=1000 output={output} *" in lines[9]
    assert lines[10].startswith("error 7 window incomplete *")


def test_every_answer_carries_its_crc(made: Firmware, console: Path) -> None:
    for line in talk(console, b"hello\nnonsense\nrun 0\n").split(b"\r\n")[:-1]:
        content, _, crc = line.rpartition(b" *")
        assert int(crc, 16) == zlib.crc32(content)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"x" * 257, 1),
        (b"hel\x00lo", 2),
        (b"hell\xff", 2),
        (b"hello *00000000", 3),
        (b"hello *0000000G", 3),
        (b"put 0 00", 3),
        (b"window 000000000000", 3),
        (b"help", 4),
        (b"#1 hello", 3),
        (b"#1 run 0 0 0 0", 3),
        (framed(b"#1")[:-1], 4),
        (b" hello", 4),
        (b"hello ", 5),
        (b"hello you", 5),
        (b"run", 5),
        (b"run x", 5),
        (b"run -1", 5),
        (b"run 1234567890", 5),
        (b"run 999999999", 6),
        (framed(b"put 0")[:-1], 5),
        (framed(b"put 0 0")[:-1], 5),
        (framed(b"put 0 0G")[:-1], 5),
        (framed(b"put 0 AA")[:-1], 5),
        (framed(b"put 0 00000000000000")[:-1], 6),
        (framed(b"put 1 00")[:-1], 6),
        (framed(b"put 999999999 00")[:-1], 6),
        (framed(b"window 0000")[:-1], 7),
        (framed(b"put 0 00 00")[:-1], 5),
    ],
)
def test_what_is_wrong_is_refused_with_its_code(made: Firmware, console: Path, line: bytes, code: int) -> None:
    answer = talk(console, line + b"\n")
    assert answer == model_of(made).answers(line + b"\n")
    assert answer.startswith((b"error %d " % code, b"#1 error %d " % code))


def test_the_longest_line_is_taken(made: Firmware, console: Path) -> None:
    stream = b"x" * 256 + b"\n" + b"x" * 257 + b"\nhello\n"
    answers = talk(console, stream).split(b"\r\n")
    assert answers[0].startswith(b"error 4")
    assert answers[1].startswith(b"error 1")
    assert answers[2].startswith(b"ok hello")


def test_a_board_without_counter_says_so(tiny: bytes, tmp_path: Path) -> None:
    made = firmware(tiny, "tiny")
    console = build_console(made, tmp_path, ticks=False)
    stream = b"hello\nrun 0\n"
    assert talk(console, stream) == model_of(made, b"clock=none ticks_per_second=0").answers(stream)


def test_a_virtual_clock_is_told(tiny: bytes, tmp_path: Path) -> None:
    assert b" clock=virtual " in talk(build_console(firmware(tiny, "tiny"), tmp_path, clock="VIRTUAL"), b"hello\n")


@pytest.mark.parametrize("command", [("gcc",), ZIG], ids=["gcc", "zig"])
def test_stack_use_is_painted_and_found(tiny: bytes, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A network that takes a block of known size on the stack."""
    made = firmware(tiny, "tiny")
    greedy = made.files["tiny.c"].replace(
        b"void tiny_invoke(const int8_t *input, int8_t *output, tiny_arena *arena) {",
        b"void tiny_invoke(const int8_t *input, int8_t *output, tiny_arena *arena) {\n"
        b"    volatile char block[9000];\n"
        b"    for (int i = 0; i < 9000; ++i) block[i] = 1;\n"
        b"    (void)block[8999];\n",
    )
    assert greedy != made.files["tiny.c"]
    made.files["tiny.c"] = greedy
    console = build_console(made, tmp_path, stack=True, command=command, flags=("-O1",))
    before, _, after = talk(console, b"stack\nrun 0\nstack\n").split(b"\r\n")[:3]
    assert before.startswith(b"ok stack call=unknown")
    found = {key: int(value) for key, _, value in (word.partition(b"=") for word in after.split()[2:-1])}
    assert 9000 <= found[b"call"] <= 9000 + 1024
    assert found[b"call"] < found[b"used"] < found[b"call"] + 2048
    assert found[b"size"] == 65536


TAGS = st.sampled_from([b"", b"#1 ", b"#deadbeef ", b"#123456789 ", b"# "])
COMMANDS = st.sampled_from(
    [b"hello", b"vectors", b"invoke", b"stack", b"selftest", b"run", b"put", b"window", b"zzz", b""]
)
ARGUMENTS = st.one_of(
    st.just(b""),
    st.integers(0, 13).map(lambda n: b" %d" % n),
    st.binary(max_size=8).map(lambda data: b" " + data.hex().encode()),
    st.sampled_from([b" 0", b" 2", b" -1", b" ", b" 0x1", b" 4294967296", b" 999999999"]),
)
GOOD = st.tuples(TAGS, COMMANDS, ARGUMENTS, ARGUMENTS).map(b"".join)
WINDOWS = st.binary(min_size=6, max_size=6).map(
    lambda data: framed(b"put 0 " + data[:3].hex().encode()) + framed(b"put 3 " + data[3:].hex().encode()) + b"invoke\n"
)
LINES = st.one_of(
    GOOD.map(framed),
    GOOD.map(lambda line: line + b"\n"),
    GOOD.map(lambda line: framed(line)[:-3] + b"\n"),
    st.binary(max_size=40).map(lambda data: data + b"\n"),
    st.integers(240, 300).map(lambda size: b"run " + b"1" * size + b"\n"),
    WINDOWS,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=30))
@example([b"\x80" * 300 + b"\n", b"\n\n\r\n", b" *00000000\n", framed(b""), framed(b"#1"), b"run 0"])
def test_any_lines_are_answered_as_the_model_answers_them(made: Firmware, console: Path, lines: list[bytes]) -> None:
    stream = b"".join(lines)
    assert talk(console, stream) == model_of(made).answers(stream)
