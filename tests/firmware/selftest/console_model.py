"""The protocol once more, written from docs/firmware_protocol.md: what a console must answer, byte for byte."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

HEX = re.compile(rb"(?:[0-9a-f]{2})+")
NUMBER = re.compile(rb"[0-9]{1,9}")
ERRORS = {
    1: b"line too long",
    2: b"byte that is no printable ASCII",
    3: b"checksum wrong or missing",
    4: b"unknown command",
    5: b"argument malformed or missing",
    6: b"argument out of range",
    7: b"window incomplete",
}


def framed(content: bytes) -> bytes:
    return content + b" *%08x\n" % zlib.crc32(content)


class Refused(Exception):
    pass


@dataclass
class ConsoleModel:
    """A console whose every call takes 1000 ticks."""

    hello: bytes
    golden: list[tuple[int, bytes, bytes]]
    """Row, input and output."""
    network: Callable[[bytes], bytes]
    input_bytes: int
    line_bytes: int = 256
    ticks: bytes = b"1000"
    window: bytearray = field(default_factory=bytearray)
    received: int = 0

    def answers(self, stream: bytes) -> bytes:
        """All answers to a stream of bytes; what follows the last line end is not answered."""
        lines = stream.replace(b"\r", b"").split(b"\n")[:-1]
        return b"".join(self._line(line) for line in lines if line)

    def _line(self, line: bytes) -> bytes:
        # What is no text is dropped before the length counts.
        kept = bytes(byte for byte in line if 32 <= byte < 127)
        if len(kept) > self.line_bytes:
            return self._error(b"", 1)
        if kept != line:
            return self._error(b"", 2)
        checked = False
        if len(line) >= 10 and line[-10:-8] == b" *":
            content = line[:-10]
            if line[-8:] != b"%08x" % zlib.crc32(content):
                return self._error(b"", 3)
            line, checked = content, True
        tag = b""
        words = line.split(b" ") if line else []
        if words and re.fullmatch(rb"#[0-9a-f]{1,8}", words[0]):
            tag = words.pop(0)
        if tag and not checked:
            return self._error(b"", 3)
        try:
            answer = b"ok " + self._answer(words, checked)
        except Refused as refused:
            return self._error(tag, refused.args[0])
        return framed((tag + b" " if tag else b"") + answer).replace(b"\n", b"\r\n")

    @staticmethod
    def _error(tag: bytes, code: int) -> bytes:
        content = (tag + b" " if tag else b"") + b"error %d %s" % (code, ERRORS[code])
        return framed(content).replace(b"\n", b"\r\n")

    def _answer(self, words: list[bytes], checked: bool) -> bytes:
        command = words[0] if words else b""
        if len(words) > 3:
            raise Refused(5)
        if command in (b"hello", b"vectors", b"invoke", b"stack", b"selftest"):
            if len(words) > 1:
                raise Refused(5)
            return getattr(self, "_" + command.decode())()
        if command == b"run":
            return self._run(words)
        if command not in (b"put", b"window"):
            raise Refused(4)
        if not checked:
            raise Refused(3)
        if command == b"put":
            if len(words) != 3 or not NUMBER.fullmatch(words[1]):
                raise Refused(5)
            self._take(int(words[1]), words[2])
            return b"put received=%d" % self.received
        if len(words) != 2:
            raise Refused(5)
        self._take(0, words[1])
        return b"window" + self._called()

    def _take(self, offset: int, digits: bytes) -> None:
        if not HEX.fullmatch(digits):
            raise Refused(5)
        data = bytes.fromhex(digits.decode())
        received = self.received if offset else 0
        if offset > received or offset + len(data) > self.input_bytes:
            raise Refused(6)
        self.window[offset : offset + len(data)] = data
        self.received = max(received, offset + len(data))

    def _called(self) -> bytes:
        if self.received != self.input_bytes:
            raise Refused(7)
        self.received = 0
        return b" ticks=%s output=%s" % (self.ticks, self.network(bytes(self.window)).hex().encode())

    def _run(self, words: list[bytes]) -> bytes:
        if len(words) != 2 or not NUMBER.fullmatch(words[1]):
            raise Refused(5)
        index = int(words[1])
        if index >= len(self.golden):
            raise Refused(6)
        self.received = 0
        row, _, output = self.golden[index]
        return b"run index=%d row=%d equal=1 ticks=%s output=%s" % (index, row, self.ticks, output.hex().encode())

    def _hello(self) -> bytes:
        return self.hello

    def _vectors(self) -> bytes:
        return b"vectors count=%d" % len(self.golden)

    def _invoke(self) -> bytes:
        return b"invoke" + self._called()

    def _stack(self) -> bytes:
        return b"stack call=unknown used=unknown size=unknown"

    def _selftest(self) -> bytes:
        self.received = 0
        return b"selftest result=0 vectors=%d" % len(self.golden)
