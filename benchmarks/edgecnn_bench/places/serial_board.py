"""A board with edgecnn's self-test firmware, command by command."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecnn_bench.places.serial_line import CRC_CHARACTERS, Answer, NoAnswer, SerialError, SerialLine

PROTOCOL: Final = 1
START_S: Final = 12.0
"""How long a board may take to start; opening the port resets many."""

CALL_S: Final = 60.0
"""How long the first call may take; later ones are known by the slowest before."""

_HELLO_S: Final = 0.6
_HELLO_BYTES: Final = 1000
_LINE_S: Final = 1.0
_DISTURBANCES: Final = 3
"""How often one call is begun again."""
_LOST: Final = (6, 7)
"""Errors that mean that the board does not have the window we sent: it was reset, or an answer was lost."""
_BITS_A_BYTE: Final = 10
_TAG: Final = "#ffffffff "
_MAX_BYTES: Final = 1 << 24


Clock: TypeAlias = Literal["real", "virtual", "none"]
_CLOCKS: Final[dict[str, Clock]] = {"real": "real", "virtual": "virtual", "none": "none"}


@dataclass(frozen=True)
class Hello:
    """What a board says of itself."""

    name: str
    model_sha256: str
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    line_bytes: int
    vectors: int
    clock: Clock
    ticks_per_second: int
    compiler: str
    flags: str


@dataclass(frozen=True)
class Call:
    """One call of the network on the board."""

    outputs: npt.NDArray[np.int8]
    """`(outputs,)`."""
    ticks: int | None
    """By the board's counter; None where it has none."""


@dataclass(frozen=True)
class GoldenCall:
    """A golden vector that the board ran."""

    index: int
    row: int
    """Of the bundle's vectors.npz."""
    equal: bool
    """By the board's own comparison."""
    call: Call


@dataclass(frozen=True)
class StackUse:
    """Deepest use of the board's stack in bytes, by painting."""

    call_bytes: int
    """Of a call of the network."""
    used_bytes: int
    """Of everything."""
    size_bytes: int


class Board:
    """Commands of the protocol, with retries.

    Args:
        line: the connection.
        baud: its rate, for time limits.
        start_s: seconds that the board may take to start.

    Raises:
        SerialError: nothing, or something else, is at the port.
    """

    def __init__(self, line: SerialLine, baud: int, start_s: float = START_S) -> None:
        self._line = line
        self._byte_s = _BITS_A_BYTE / baud
        self._start_s = start_s
        self._slowest_s = CALL_S
        self.port = line.port
        self.disturbances = 0
        """Calls that were begun again."""
        self.hello = self._greet()

    def golden(self, index: int) -> GoldenCall:
        """Run a golden vector."""
        answer = self._repeated(lambda: self._call(f"run {index}"))
        return GoldenCall(index, _number(answer, "row", self), answer.fields.get("equal") == "1", self._parsed(answer))

    def run(self, window: npt.NDArray[np.int8]) -> Call:
        """Send a window and run the network on it.

        Raises:
            SerialError: the board does not answer, or loses the window again and again.
        """
        data = np.ascontiguousarray(window, np.int8).tobytes()
        if len(data) != self.hello.input_bytes:
            raise SerialError(f"{self.port}: a window of {len(data)} bytes; the board takes {self.hello.input_bytes}")
        return self._parsed(self._repeated(lambda: self._window(data)))

    def selftest(self) -> int:
        """Run the board's own test; 0 if every byte is the reference's."""
        answer = self._line.request("selftest", self._slowest_s * (self.hello.vectors + 1))
        return _number(answer, "result", self, lowest=-_MAX_BYTES)

    def stack(self) -> StackUse | None:
        """Deepest use of the stack; None where the board does not know."""
        answer = self._line.request("stack", _LINE_S)
        if answer.fields.get("call", "unknown") == "unknown":
            return None
        return StackUse(*(_number(answer, name, self) for name in ("call", "used", "size")))

    def learn(self, call_s: float) -> None:
        """Set the time limit by the slowest call that was seen."""
        self._slowest_s = min(CALL_S, max(1.0, 5 * call_s))

    def _greet(self) -> Hello:
        until = self._line.now() + self._start_s
        while True:
            with contextlib.suppress(NoAnswer):
                timeout_s = _HELLO_S + _HELLO_BYTES * self._byte_s
                return _hello(self._line.request("hello", timeout_s, attempts=1), self.port)
            if self._line.now() >= until:
                raise SerialError(f"{self.port}: {_who(self._line.unanswered(), self._start_s)}")

    def _repeated(self, call: Callable[[], Answer]) -> Answer:
        """Call until the answer is there; what the board has lost, it gets again."""
        for _ in range(_DISTURBANCES + 1):
            with contextlib.suppress(NoAnswer):
                answer = call()
                if not answer.code:
                    return answer
                if answer.code not in _LOST:
                    raise SerialError(f"{self.port}: the board refuses: error {answer.code}: {answer.text[:80]}")
            self.disturbances += 1
            self._require_same_board()
        raise SerialError(
            f"{self.port}: one call was begun {_DISTURBANCES + 1} times and never finished; "
            f"the board restarts meanwhile, or the line is too noisy"
        )

    def _require_same_board(self) -> None:
        found = self._greet()
        if found.model_sha256 != self.hello.model_sha256:
            raise SerialError(
                f"{self.port}: now holds model {found.model_sha256[:16]}... ({found.name}); "
                f"it began as {self.hello.model_sha256[:16]}... ({self.hello.name})"
            )

    def _window(self, data: bytes) -> Answer:
        at = 0
        while at < len(data):
            head = f"put {at} "
            # The line's end is not counted by the board.
            room = (self.hello.line_bytes - len(_TAG) - len(head) - CRC_CHARACTERS) // 2
            piece = data[at : at + room]
            answer = self._line.request(head + piece.hex(), _LINE_S + 2 * self.hello.line_bytes * self._byte_s)
            if answer.code:
                return answer
            at += len(piece)
        return self._call("invoke")

    def _call(self, command: str) -> Answer:
        # Twice is enough: an answer that was lost cannot be asked for again, the window is then sent anew.
        return self._line.request(command, self._slowest_s + 2 * self.hello.output_bytes * self._byte_s, attempts=2)

    def _parsed(self, answer: Answer) -> Call:
        digits = answer.fields.get("output", "")
        try:
            outputs = np.frombuffer(bytes.fromhex(digits), np.int8)
        except ValueError:
            outputs = np.empty(0, np.int8)
        if outputs.size != self.hello.output_bytes:
            raise SerialError(f"{self.port}: output {digits[:40]!r}; expected {self.hello.output_bytes} bytes in hex")
        ticks = None if answer.fields.get("ticks") == "none" else _number(answer, "ticks", self, highest=0xFFFFFFFF)
        return Call(outputs, ticks)


def _hello(answer: Answer, port: str) -> Hello:
    protocol = answer.fields.get("edgecnn", "nothing")
    if protocol != str(PROTOCOL):
        raise SerialError(f"{port}: the firmware speaks protocol {protocol[:20]}; this edgecnn speaks {PROTOCOL}")
    clock = _CLOCKS.get(said := answer.fields.get("clock", ""))
    if clock is None:
        raise SerialError(f"{port}: hello says clock={said[:20]!r}; expected {', '.join(_CLOCKS)}")
    numbers = ("input", "output", "arena", "line", "vectors")
    sizes = [_number(answer, name, port, highest=_MAX_BYTES) for name in numbers]
    rate = _number(answer, "ticks_per_second", port, highest=0xFFFFFFFF)
    if sizes[3] < 64 or not sizes[0] or not sizes[1] or (clock != "none" and not rate):
        raise SerialError(f"{port}: hello says sizes that cannot be: {answer.fields}")
    fields = answer.fields
    return Hello(
        name=fields.get("name", "")[:64],
        model_sha256=fields.get("model", "")[:64],
        input_bytes=sizes[0],
        output_bytes=sizes[1],
        arena_bytes=sizes[2],
        line_bytes=sizes[3],
        vectors=sizes[4],
        clock=clock,
        ticks_per_second=rate,
        compiler=fields.get("compiler", "").strip()[:200],
        flags=fields.get("flags", "")[:200],
    )


def _number(answer: Answer, name: str, board: Board | str, lowest: int = 0, highest: int = _MAX_BYTES) -> int:
    text = answer.fields.get(name, "nothing")
    value = int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else lowest - 1
    if not lowest <= value <= highest:
        port = board if isinstance(board, str) else board.port
        said = f"error {answer.code}: {answer.text[:80]}" if answer.code else f"{name}={text[:40]}"
        raise SerialError(f"{port}: the board says {said}; expected {name} from {lowest} to {highest}")
    return value


def _who(heard: bytes, waited_s: float) -> str:
    """What may be at the port instead, by what it said."""
    ask = "is edgecnn's self-test firmware on the board?"
    if not heard.strip(b"\r\n\0"):
        return f"no answer within {waited_s:g} s; {ask} Check the wiring, and the rate (--baud)"
    odd = sum(not 32 <= byte < 127 and byte not in b"\r\n\t" for byte in heard)
    if odd * 4 > len(heard):
        return "what arrives is no text; the board has another rate (--baud), or is no edgecnn firmware"
    words = heard.decode("ascii", "replace").split()
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(words))
    return f"another program answers ('{shown[-80:]}'); {ask}"
