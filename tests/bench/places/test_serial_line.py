"""Requests and answers over a scripted stream: no board, no waiting."""

import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgecnn_bench.places.serial_board import Board
from edgecnn_bench.places.serial_line import MAX_LINE_BYTES, NoAnswer, SerialError, SerialLine, framed

MODEL = "ab" * 32
HELLO = (
    f"ok hello edgecnn=1 name=net model={MODEL} input=6 output=2 arena=100 line=64 vectors=3 clock=real "
    "ticks_per_second=1000 compiler=gcc%2012 flags=-O2%20-g"
)


class Scripted:
    """A stream whose answers a function gives, and whose clock only waiting moves."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.pending = b""
        self.sent: list[bytes] = []
        self.now_s = 0.0
        self.timeout: float | None = None

    @property
    def in_waiting(self) -> int:
        return len(self.pending)

    def read(self, size: int = 1) -> bytes:
        data, self.pending = self.pending[:size], self.pending[size:]
        if not data:
            self.now_s += self.timeout or 0
        return data

    def write(self, data: bytes) -> int:
        self.sent.append(data)
        self.pending += self.answer(data)
        return len(data)

    def line(self) -> SerialLine:
        return SerialLine("port", self, lambda: self.now_s)


def tag_of(request: bytes) -> str:
    return request.split()[0].decode()


def answering(content: str) -> Callable[[bytes], bytes]:
    return lambda request: framed(f"{tag_of(request)} {content}")


def test_requests_carry_tag_and_checksum() -> None:
    stream = Scripted(answering("ok put received=4"))
    line = stream.line()
    for _ in range(2):
        assert line.request("put 0 00", 1).fields == {"received": "4"}
    assert stream.sent == [b"#%d put 0 00 *%08x\n" % (n, zlib.crc32(b"#%d put 0 00" % n)) for n in (1, 2)]


def test_values_are_unquoted() -> None:
    line = Scripted(answering("ok hello a=x%20y b= c=%25 d=%0a%1b%ff")).line()
    assert line.request("hello", 1).fields == {"a": "x y", "b": "", "c": "%", "d": "??\ufffd"}


def test_errors_of_the_board_come_with_code_and_text() -> None:
    found = Scripted(answering("error 7 window incomplete")).line().request("invoke", 1)
    assert (found.code, found.text) == (7, "window incomplete")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"rubbish\r\n",
        framed("error 3 checksum wrong or missing"),
        framed("error 1 line too long"),
        framed("error 5 argument malformed or missing"),
        framed("#9 ok stack call=1"),
        framed("#1 ok put received=1"),
        framed("ok stack call=1"),
        framed("#1 ok stack call=1").replace(b"call", b"cell"),
        framed("#1 ok stack call=1").replace(b"call", b"c\xe1ll"),
        b"boot text without an end" + framed("#1 ok stack call=1"),
    ],
)
def test_what_is_not_the_answer_is_never_taken_for_it(first: bytes) -> None:
    answers = iter([first, framed("#2 ok stack call=2")])
    stream = Scripted(lambda _: next(answers))
    line = stream.line()
    assert line.request("stack", 1).fields == {"call": "2"}
    assert line.resent == 1
    assert len(stream.sent) == 2


def test_a_late_answer_to_a_former_request_is_dropped() -> None:
    late = framed("#1 ok stack call=1")
    answers = iter([b"", late + framed("#2 ok stack call=2")])
    assert Scripted(lambda _: next(answers)).line().request("stack", 1).fields == {"call": "2"}


def test_silence_ends() -> None:
    stream = Scripted(lambda _: b"")
    with pytest.raises(NoAnswer, match="port: no answer to 'stack' that can be read; it was sent 4 times"):
        stream.line().request("stack", 2)
    assert len(stream.sent) == 4
    assert stream.now_s == pytest.approx(8)


def test_endless_rubbish_is_not_kept() -> None:
    stream = Scripted(lambda _: b"x" * (3 * MAX_LINE_BYTES))
    line = stream.line()
    with pytest.raises(NoAnswer):
        line.request("stack", 1, attempts=1)
    assert len(line.unanswered()) <= 1000


CONTENT = st.one_of(
    st.binary(max_size=60),
    st.text("#ok hello=12 error*%\xe9", max_size=40).map(lambda text: text.encode("latin-1")),
    st.from_regex(r"(#[12] )?(ok stack( [a-z]=[!-~]{0,5}){0,3}|error [0-9]{1,4} [ -~]{0,9})", fullmatch=True).map(
        framed
    ),
)


@given(st.lists(st.tuples(CONTENT, st.sampled_from([b"", b"\n", b"\r\n"])), max_size=8))
@example([(framed("#1 ok stack call=%ff%"), b"")])
def test_any_bytes_are_an_answer_or_none(pieces: list[tuple[bytes, bytes]]) -> None:
    stream = Scripted(lambda _: b"".join(map(b"".join, pieces)))
    try:
        found = stream.line().request("stack", 1)
    except NoAnswer:
        return
    assert any(b"#%d " % tag in piece for tag in (1, 2) for piece, _ in pieces)
    assert isinstance(found.code, int)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_board_or_one_line(data: bytes) -> None:
    with pytest.raises(SerialError) as caught:
        Board(Scripted(lambda _: data).line(), 115200, 2)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (b"", "no answer within 2 s; is edgecnn's self-test firmware on the board?"),
        (b"\r\n", "no answer within 2 s"),
        (b"$GPGGA,123519,4807.038,N\r\n", r"another program answers \('.*\$GPGGA,123519,4807.038,N'\)"),
        (b"sh: hello: not found\n# ", "another program answers"),
        (bytes(range(128, 256)), r"what arrives is no text; the board has another rate"),
    ],
)
def test_another_device_is_told_apart(heard: bytes, said: str) -> None:
    with pytest.raises(SerialError, match=said):
        Board(Scripted(lambda _: heard).line(), 115200, 2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("edgecnn=1", "edgecnn=2", "speaks protocol 2; this edgecnn speaks 1"),
        ("clock=real", "clock=sand", "clock='sand'; expected real, virtual, none"),
        ("input=6", "input=six", "input=six; expected input from 0 to"),
        (" output=2", "", "output=nothing"),
        ("output=2", "output=99999999999", "expected output"),
        ("line=64", "line=8", "sizes that cannot be"),
        ("ticks_per_second=1000", "ticks_per_second=0", "sizes that cannot be"),
    ],
)
def test_a_strange_hello_is_one_line(old: str, new: str, said: str) -> None:
    with pytest.raises(SerialError, match=said):
        Board(Scripted(answering(HELLO.replace(old, new))).line(), 115200, 2)


def test_a_hello_is_read() -> None:
    hello = Board(Scripted(answering(HELLO)).line(), 115200).hello
    assert (hello.name, hello.model_sha256, hello.compiler, hello.flags) == ("net", MODEL, "gcc 12", "-O2 -g")
    assert (hello.input_bytes, hello.output_bytes, hello.line_bytes, hello.vectors) == (6, 2, 64, 3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("ok run index=0 row=0 equal=1 ticks=5 output=0", "expected 2 bytes in hex"),
        ("ok run index=0 row=0 equal=1 ticks=5 output=000000", "expected 2 bytes in hex"),
        ("ok run index=0 row=0 equal=1 ticks=x output=0000", "expected ticks"),
        ("ok run index=0 equal=1 ticks=5 output=0000", "expected row"),
        ("error 4 unknown command", "the board refuses: error 4: unknown command"),
    ],
)
def test_a_strange_result_is_one_line(answer: str, said: str) -> None:
    def board(request: bytes) -> bytes:
        return framed(f"{tag_of(request)} {HELLO if b'hello' in request else answer}")

    with pytest.raises(SerialError, match=said):
        Board(Scripted(board).line(), 115200).golden(0)
