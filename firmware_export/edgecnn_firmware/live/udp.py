"""Samples as datagrams: lines of CSV, or float32 in little-endian order; what the kernel had to drop is counted."""

import socket
import struct
import sys
from typing import Final
from urllib.parse import urlsplit

from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.lines import BadLine, LineParser
from edgecnn_firmware.live.sources import SourceSettings

_MOST_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 20
_EXTRA_BYTES: Final = 64
_STOP_CHECK_S: Final = 0.2
_FLOAT_BYTES: Final = 4
# Linux counts the datagrams that found the socket's buffer full and says so beside the next one; Python names it not.
_SO_RXQ_OVFL: Final = 40
_TEXT: Final = frozenset(b"0123456789+-.,;eEnNaAiIfF \t\r\n")


class UdpSource:
    """A bound socket."""

    waits = False

    def __init__(self, bound: socket.socket, form: str, settings: SourceSettings) -> None:
        self._socket = bound
        self._form = form
        self._channels = len(settings.channels)
        self._parser = LineParser(settings.columns)
        self._overflowed = 0
        self._datagrams = 0
        self._samples_each = 1

    @property
    def port(self) -> int:
        """Where it listens; of interest where 0 was asked for."""
        return int(self._socket.getsockname()[1])

    def run(self, feed: Feed) -> None:
        """Receive until stopped."""
        with self._socket:
            while not feed.stopped:
                try:
                    data, extras = self._receive()
                except TimeoutError:
                    continue
                self._datagrams += 1
                self._count_overflow(extras, feed)
                self._take(data, feed)

    def _receive(self) -> tuple[bytes, list[tuple[int, int, bytes]]]:
        if not hasattr(self._socket, "recvmsg"):  # Windows
            return self._socket.recv(_MOST_BYTES), []
        data, extras, _, _ = self._socket.recvmsg(_MOST_BYTES, _EXTRA_BYTES)
        return data, extras

    def _count_overflow(self, extras: list[tuple[int, int, bytes]], feed: Feed) -> None:
        for level, kind, content in extras:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL and len(content) == _FLOAT_BYTES:
                (total,) = struct.unpack("=I", content)
                missed = (total - self._overflowed) & 0xFFFFFFFF
                self._overflowed = total
                if missed:
                    feed.lost(missed * self._samples_each)

    def _take(self, data: bytes, feed: Feed) -> None:
        text = self._form == "csv" or (self._form == "auto" and self._looks_like_text(data))
        taken = self._take_lines(data, feed) if text else self._take_floats(data, feed)
        self._samples_each = taken or self._samples_each

    def _looks_like_text(self, data: bytes) -> bool:
        # A header may hold any letter, but then the length tells: floats come in whole samples.
        return _TEXT.issuperset(data) or len(data) % (_FLOAT_BYTES * self._channels) != 0

    def _take_lines(self, data: bytes, feed: Feed) -> int:
        taken = 0
        for line in data.split(b"\n"):
            try:
                values = self._parser.parse(line)
            except BadLine as error:
                feed.bad(f"datagram {self._datagrams}: {error}")
                continue
            if values is not None:
                feed.put(values)
                taken += 1
        return taken

    def _take_floats(self, data: bytes, feed: Feed) -> int:
        size = _FLOAT_BYTES * self._channels
        if not data or len(data) % size:
            feed.bad(f"datagram {self._datagrams}: {len(data)} bytes; expected float32 x {self._channels} channels")
            return 0
        for values in struct.iter_unpack(f"<{self._channels}f", data):
            feed.put(values)
        return len(data) // size


def open_udp(word: str, settings: SourceSettings) -> UdpSource:
    """Bind `udp://HOST:PORT`; `udp+csv` and `udp+float32` say what datagrams hold, `udp` looks at each.

    Raises:
        SettingsError: no port, or more than host and port.
        OSError: the address cannot be bound.
    """
    parts = urlsplit(word)
    try:
        port = parts.port
    except ValueError:
        port = None
    if port is None or parts.path not in {"", "/"} or parts.query or parts.username:
        raise SettingsError(f"--from {word}: expected udp://HOST:PORT, such as udp://0.0.0.0:5005")
    host = parts.hostname or ""
    family, kind, protocol, _, address = _address(host, port, word)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if sys.platform == "linux":
            bound.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        bound.settimeout(_STOP_CHECK_S)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, word) from None
    form = parts.scheme.partition("+")[2] or "auto"
    return UdpSource(bound, form, settings)


def _address(
    host: str, port: int, word: str
) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise SettingsError(f"--from {word}: there is no host '{host}'") from None
    return found[0]
