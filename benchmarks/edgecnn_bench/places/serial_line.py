"""One request, one answer over a serial line that may lose, change and add bytes; see docs/firmware_protocol.md.

Every request carries a tag that its answer repeats, and both a CRC-32: what is noise, text of a boot loader or a late
answer to a former request is never taken for the answer.
"""

import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote

from edgecnn_firmware.errors import EdgeCnnError

ATTEMPTS: Final = 4
"""How often a request is sent before the line counts as dead."""

MAX_LINE_BYTES: Final = 1 << 20
"""Longest answer that is read; outputs of the largest models take a quarter of it."""

CRC_CHARACTERS: Final = 10

_READ_S: Final = 0.2
_ANSWER: Final = re.compile(r"(?:#([0-9a-f]{1,8}) )?(?:ok ([a-z]+)((?: [a-z_]+=[!-~]*)*)|error ([0-9]{1,3}) ([ -~]*))")
_CHECKED: Final = re.compile(rb"([ -~]+) \*([0-9a-f]{8})")


class SerialError(EdgeCnnError):
    """A board on a serial port cannot be driven; the line names the port and what came instead."""


class NoAnswer(SerialError):
    """The board did not answer in time."""


class Stream(Protocol):
    """What is used of a pyserial port."""

    timeout: float | None

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""

    def read(self, size: int = 1, /) -> bytes:
        """Read up to `size` bytes; fewer after `timeout` seconds."""

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""


@dataclass(frozen=True)
class Answer:
    """What a board said to one request."""

    fields: dict[str, str]
    code: int = 0
    """Of an error; 0 where it did what was asked."""
    text: str = ""
    """Of an error."""


def framed(content: str) -> bytes:
    """A line with its checksum."""
    data = content.encode("ascii")
    return data + b" *%08x\n" % zlib.crc32(data)


class SerialLine:
    """Requests and answers over a stream.

    Args:
        port: names the port in errors.
        stream: an open pyserial port.
        clock: seconds since some fixed point.
    """

    def __init__(self, port: str, stream: Stream, clock: Callable[[], float] = time.monotonic) -> None:
        self.port = port
        self.resent = 0
        """Requests that were sent again."""
        self._stream = stream
        self._clock = clock
        self._tag = 0
        self._pending = bytearray()
        self.heard = bytearray()
        """The last bytes that were no answer, to tell people what is there instead."""

    def request(self, command: str, timeout_s: float, attempts: int = ATTEMPTS) -> Answer:
        """Send a command until it is answered; it must be one that may be done twice.

        Raises:
            NoAnswer: none came, each time within `timeout_s` seconds.
            SerialError: the port is gone.
        """
        for attempt in range(attempts):
            self._tag = self._tag % 0xFFFFFFFF + 1
            # An empty line is no request, but ends what noise may have begun.
            self._send((b"\n" if attempt else b"") + framed(f"#{self._tag:x} {command}"))
            self.resent += attempt > 0
            answer = self._answer(command.partition(" ")[0], self._clock() + timeout_s)
            if answer is not None:
                return answer
        raise NoAnswer(f"{self.port}: no answer to '{command[:40]}' that can be read; it was sent {attempts} times")

    def _answer(self, command: str, deadline: float) -> Answer | None:
        """The answer to the newest request; None where it is to be sent again."""
        while (line := self._read_line(deadline)) is not None:
            checked = _CHECKED.fullmatch(line)
            if checked is None:
                if self._damaged(line):
                    return None
                self._hear(line)
                continue
            if int(checked[2], 16) != zlib.crc32(checked[1]):
                return None
            match = _ANSWER.fullmatch(checked[1].decode("ascii"))
            if match is None:
                self._hear(line)
            elif match[1] is None and match[4] is not None:
                # The board saw no tag: it has a request that noise has changed.
                return None
            elif match[1] == f"{self._tag:x}" and (match[4] or match[2] == command):
                return _parsed(match)
        return None

    def _damaged(self, line: bytes) -> bool:
        """Whether a line looks like an answer that noise has hit."""
        return line[-CRC_CHARACTERS : 2 - CRC_CHARACTERS] == b" *" or line.startswith(b"#%x " % self._tag)

    def now(self) -> float:
        """Seconds since some fixed point."""
        return self._clock()

    def _read_line(self, deadline: float) -> bytes | None:
        """The next line without its end; None where the time is over."""
        while (end := self._pending.find(b"\n")) < 0:
            if len(self._pending) > MAX_LINE_BYTES:
                self._hear(self._pending)
                self._pending.clear()
            left = deadline - self._clock()
            if left <= 0:
                return None
            self._pending += self._receive(min(left, _READ_S))
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line.replace(b"\r", b"")

    def _hear(self, line: bytes | bytearray) -> None:
        self.heard = (self.heard + line + b"\n")[-400:] if line else self.heard

    def unanswered(self) -> bytes:
        """The last of what came that was no answer, whole lines and the one begun."""
        return bytes(self.heard + self._pending[-400:])

    def _receive(self, timeout_s: float) -> bytes:
        try:
            self._stream.timeout = timeout_s
            return self._stream.read(max(1, min(self._stream.in_waiting, 65536)))
        except (OSError, TypeError) as error:  # pyserial's own errors are OSErrors
            raise SerialError(f"{self.port}: the port is gone: {_short(error)}") from error

    def _send(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except (OSError, TypeError) as error:
            raise SerialError(f"{self.port}: the port is gone: {_short(error)}") from error


def _parsed(match: "re.Match[str]") -> Answer:
    if match[4] is not None:
        return Answer({}, int(match[4]), match[5])
    fields = (field.partition("=") for field in match[3].split())
    return Answer({name: _printable(unquote(value, errors="replace")) for name, _, value in fields})


def _printable(text: str) -> str:
    """What a board says goes into lines for people."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
