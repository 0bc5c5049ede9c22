"""Whatever a worker does wrong is one line that says so."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgecnn_bench.places.process import Launch, Worker
from edgecnn_bench.places.protocol import MAX_BODY_BYTES, PlaceError, pack
from edgecnn_bench.places.session import MAX_STARTS, Session

from .conftest import HELLO, frame, posix

Make = Callable[..., Launch]


def failure(launch: Launch, *, limit_s: float = 20.0, max_body_bytes: int = 100) -> str:
    worker = Worker(launch)
    try:
        with pytest.raises(PlaceError) as caught:
            worker.ask({"command": "hello"}, b"abc", limit_s=limit_s, max_body_bytes=max_body_bytes)
        assert not worker.usable
        with pytest.raises(PlaceError, match="has ended"):
            worker.ask({"command": "hello"}, limit_s=1)
    finally:
        worker.close(0)
    message = str(caught.value)
    assert message.startswith("a place: ")
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_a_good_answer(scripted: Make) -> None:
    worker = Worker(scripted(frame({"one": 1}, b"body"), frame({"two": 2})))
    try:
        answer = worker.ask({"command": "first"}, limit_s=20, max_body_bytes=4)
        assert (dict(answer.header), answer.body) == ({"one": 1}, b"body")
        assert worker.ask({"command": "second"}, b"x" * 300_000, limit_s=20).header == {"two": 2}
        assert worker.usable
    finally:
        worker.close(0)
    assert not worker.usable


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"Welcome to \x1b[1mRaspberry Pi\x1b[0m\r\nLinux\n" * 50, "it begins with 'Welcome to"),
        (frame({}, version=7), "it has version 7 instead of 1"),
        (frame({}, b"x" * 101), "claims 2 + 101 bytes; at most 65536 + 100 are read"),
        (b"ECNN" + b"\x01\x00" + b"\xff" * 12, "claims 4294967295 + 18446744073709551615 bytes"),
        (frame(b"{no json"), "its header is no JSON object"),
        (frame([1, 2]), "its header is no JSON object"),
        (frame(b"\xff\xfe"), "its header is no JSON object"),
        (frame(b"[" * 60_000), "its header is no JSON object"),
        (frame({"long": "answer"}, b"abc")[:-1], "it ends in the middle"),
        (frame({})[:9], "it ends in the middle"),
        (b"EC", "it ends in the middle"),
    ],
)
def test_nonsense(scripted: Make, answer: bytes, expected: str) -> None:
    message = failure(scripted(answer, cut=True))
    assert "the answer is not the worker's" in message
    assert expected in message
    assert "\x1b" not in message


def test_a_refusal_leaves_the_worker_usable(scripted: Make) -> None:
    worker = Worker(scripted(frame({"error": "no\nsuch \x07thing"}), frame({"fine": True})))
    try:
        with pytest.raises(PlaceError, match=r"^a place: no such thing$"):
            worker.ask({}, limit_s=20)
        assert worker.ask({}, limit_s=20).header == {"fine": True}
    finally:
        worker.close(0)


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("sys.exit(3)", "a place: the worker ended with exit code 3"),
        ("sys.stderr.write('first\\n\\nlast words\\n\\n'); os._exit(1)", "exit code 1: last words"),
        ("sys.stderr.write('x' * 5_000_000); os._exit(1)", "exit code 1: xxx"),
        ("", "a place: the worker ended with exit code 0"),
        pytest.param("os.kill(os.getpid(), 11)", "a place: the worker died of SIGSEGV", marks=posix),
    ],
)
def test_death(scripted: Make, then: str, expected: str) -> None:
    assert expected in failure(scripted(then=then))


def test_a_hang_ends_with_the_process(scripted: Make) -> None:
    before = threading.active_count()
    assert "a place: no answer within 1 s: waiting" in failure(
        scripted(then="sys.stderr.write('waiting\\n'); sys.stderr.flush(); time.sleep(60)"), limit_s=1.0
    )
    assert threading.active_count() <= before


@posix
def test_one_that_ignores_signals_ends_too(scripted: Make) -> None:
    then = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert "no answer within 1 s" in failure(scripted(then=then), limit_s=1.0)


def test_one_that_does_not_read(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text("import time; time.sleep(60)")
    worker = Worker(Launch("a place", (sys.executable, "-I", str(tmp_path / "deaf.py"))))
    with pytest.raises(PlaceError, match="no answer within 1 s"):
        worker.ask({}, bytes(3_000_000), limit_s=1.0)
    worker.close(0)


def test_one_that_is_not_there() -> None:
    with pytest.raises(PlaceError, match=r"^a place: /no/such/python: No such file"):
        Worker(Launch("a place", ("/no/such/python",)))


def test_what_is_too_large_is_not_sent(scripted: Make) -> None:
    with pytest.raises(PlaceError, match="at most 65536"):
        pack({"long": "x" * 70_000}, 0)
    with pytest.raises(PlaceError, match="at most"):
        pack({}, MAX_BODY_BYTES + 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"cores": 0}, "the worker's greeting makes no sense: cores"),
        ({"cores": "4"}, "the worker's greeting makes no sense: cores"),
        ({"pointer_bits": 16}, "pointer_bits"),
        ({"interpreter": "rm -rf"}, "interpreter"),
        ({"libraries": {f"l{i}": "1" for i in range(30)}}, "libraries"),
        ({"cpu": None}, "cpu"),
        ({"libraries": {}}, "its Python 3.9.2 has no numpy; install it there: pip install tflite-runtime 'numpy<2'"),
        ({"libraries": {}, "pointer_bits": 64}, "has no numpy; install it there: pip install ai-edge-litert"),
    ],
)
def test_greetings(scripted: Make, change: dict[str, object], expected: str) -> None:
    with pytest.raises(PlaceError) as caught:
        Session(scripted(frame(HELLO | change)))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_strangers_text_is_short_and_printable(scripted: Make) -> None:
    session = Session(scripted(frame(HELLO | {"cpu": "Pi\x1b[31m" + "3" * 1500})))
    session.close()
    cpu = session.hello.environment.cpu
    assert cpu.isprintable()
    assert len(cpu) <= 200


def test_a_dead_worker_is_replaced_but_not_for_ever(scripted: Make) -> None:
    session = Session(scripted(frame(HELLO), then="os._exit(5)"))
    for generation in range(1, MAX_STARTS + 1):
        assert session.generation == generation
        with pytest.raises(PlaceError, match="exit code 5"):
            session.ask({"command": "run"}, limit_s=20)
        if generation < MAX_STARTS:
            session.revive()
    with pytest.raises(PlaceError, match=f"the worker has died {MAX_STARTS} times"):
        session.revive()
    session.close()
