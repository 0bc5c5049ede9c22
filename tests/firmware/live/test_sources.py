"""Each source into a feed."""

import math
import os
import socket
import struct
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.errors import DataError, EdgeCnnError, MissingDependency, SettingsError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.sources import Source, SourceSettings, open_source, source_settings
from edgecnn_firmware.live.udp import UdpSource

_LIMIT_S = 20.0


def values_of(feed: Feed) -> list[tuple[float, ...]]:
    found = []
    while (item := feed.get(0)) is not None:
        found.append(item.values)
    return found


class Running:
    """A source in its thread."""

    def __init__(self, source: Source) -> None:
        self.feed = Feed(10_000)
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(source,))
        self._thread.start()

    def _run(self, source: Source) -> None:
        try:
            source.run(self.feed)
        except EdgeCnnError as error:
            self.error = error

    def until(self, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + _LIMIT_S
        while not reached():
            assert time.monotonic() < until
            time.sleep(0.005)

    def stop(self) -> None:
        self.feed.stop()
        self._thread.join(_LIMIT_S)
        assert not self._thread.is_alive()


@pytest.fixture
def running() -> Iterator[Callable[[Source], Running]]:
    started: list[Running] = []

    def start(source: Source) -> Running:
        started.append(Running(source))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_a_file(csv: Path, settings: SourceSettings, samples: "np.ndarray") -> None:
    source, feed = open_source(str(csv), settings), Feed(1000)
    assert source.waits
    source.run(feed)
    assert np.array_equal(np.array(values_of(feed), np.float32), samples)


def test_a_file_without_a_last_line_end(tmp_path: Path, settings: SourceSettings) -> None:
    (tmp_path / "x.csv").write_bytes(b"1,2\noops\n3,4")
    feed = Feed(10)
    open_source(str(tmp_path / "x.csv"), settings).run(feed)
    assert values_of(feed) == [(1, 2), (3, 4)]
    assert feed.counts.latest_bad == "line 2: 'oops'; expected 2 numbers"


def test_real_time_does_not_run_ahead(csv: Path, settings: SourceSettings) -> None:
    source, feed = open_source(str(csv), replace(settings, realtime=True, rate_hz=500.0)), Feed(1000)
    assert not source.waits
    begin = time.monotonic()
    source.run(feed)
    # 48 samples are 94 ms at least; nothing bounds how late a busy machine is.
    assert time.monotonic() - begin >= 47 / 500.0


def test_a_pipe_does_not_wait(settings: SourceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb") as other:
        monkeypatch.setattr(sys, "stdin", stream)
        source, feed = open_source("-", settings), Feed(10)
        assert not source.waits
        other.write(b"gyro,ax\n2,1\n")
        other.close()
        source.run(feed)
    assert values_of(feed) == [(1, 2)]


def test_udp(settings: SourceSettings, running: Callable[[Source], Running]) -> None:
    source = open_source("udp://127.0.0.1:0", settings)
    assert isinstance(source, UdpSource)
    address = ("127.0.0.1", source.port)
    run = running(source)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"1,2\n3,4\n", address)
        sender.sendto(struct.pack("<4f", 5, 6, math.inf, -0.5), address)
        sender.sendto(b"", address)
        sender.sendto(b"\xff" * 7, address)
        sender.sendto(b"gyro,t,ax", address)
        sender.sendto(b"8,0,7", address)
        run.until(lambda: run.feed.counts.samples == 5)
    run.stop()
    assert values_of(run.feed) == [(1, 2), (3, 4), (5, 6), (math.inf, -0.5), (7, 8)]
    assert run.feed.counts.bad == 1


def test_udp_of_one_kind(settings: SourceSettings, running: Callable[[Source], Running]) -> None:
    source = open_source("udp+float32://127.0.0.1:0", settings)
    assert isinstance(source, UdpSource)
    run = running(source)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"1,2,3,4\n", ("127.0.0.1", source.port))  # eight bytes of text are two floats
        sender.sendto(b"1,2\n", ("127.0.0.1", source.port))
        run.until(lambda: run.feed.counts.bad == 1)
    assert values_of(run.feed) == [struct.unpack("<2f", b"1,2,3,4\n")]
    assert run.feed.counts.latest_bad == "datagram 2: 4 bytes; expected float32 x 2 channels"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a socket's buffer had no room for")
def test_datagrams_that_the_kernel_drops_are_counted(
    settings: SourceSettings, running: Callable[[Source], Running]
) -> None:
    source = open_source("udp+float32://127.0.0.1:0", settings)
    assert isinstance(source, UdpSource)
    address, sent = ("127.0.0.1", source.port), 6000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(sent):  # nobody reads yet
            sender.sendto(struct.pack("<2f", 1, 2), address)
        run = running(source)
        run.until(lambda: run.feed.counts.samples > 0)
        # The count comes with a datagram that is queued after the loss.
        while run.feed.counts.samples <= sent and not run.feed.counts.dropped:
            sender.sendto(struct.pack("<2f", 1, 2), address)
            time.sleep(0.002)
    assert run.feed.counts.dropped > 0


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("udp://1.2.3.4", r"expected udp://HOST:PORT"),
        ("udp://:99999", r"expected udp://HOST:PORT"),
        ("udp://a:1/b", r"expected udp://HOST:PORT"),
        (
            "tcp://a:1",
            r"accepted: -, FILE.csv, udp://HOST:PORT, serial:PORT\[@BAUD\], iio:DEVICE or iio\+buffer:DEVICE",
        ),
        ("serial:", r"expected serial:PORT\[@BAUD\]"),
        ("serial:/dev/x@fast", r"expected serial:PORT\[@BAUD\]"),
        ("serial:/dev/x@0", r"expected serial:PORT\[@BAUD\]"),
    ],
)
def test_words_that_are_no_source(word: str, line: str, settings: SourceSettings) -> None:
    with pytest.raises(SettingsError, match=line):
        open_source(word, settings)


def test_serial_on_a_pseudo_terminal(settings: SourceSettings, running: Callable[[Source], Running]) -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")
    pty = pytest.importorskip("pty")
    board, port = pty.openpty()
    try:
        run = running(open_source(f"serial:{os.ttyname(port)}@9600", settings))
        os.write(board, b"alf a line\r\n1,2\r\n3")
        run.until(lambda: run.feed.counts.samples == 1)
        os.write(board, b",4\r\n")
        run.until(lambda: run.feed.counts.samples == 2)
        assert values_of(run.feed) == [(1, 2), (3, 4)]
        assert run.feed.counts.bad == 1
    finally:
        os.close(port)
        os.close(board)
    # The board is unplugged.
    run.until(lambda: run.error is not None)
    assert isinstance(run.error, DataError)


def test_serial_without_pyserial(settings: SourceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingDependency, match=r"pip install 'edgecnn\[serial\]'"):
        open_source("serial:/dev/ttyUSB0", settings)


def test_serial_port_that_is_not_there(settings: SourceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(2, "No such file")

    monkeypatch.setitem(sys.modules, "serial", types.SimpleNamespace(Serial=refuse))
    with pytest.raises(DataError, match="/dev/ttyUSB9: cannot be opened"):
        open_source("serial:/dev/ttyUSB9", settings)


@pytest.fixture
def iio(tmp_path: Path) -> Path:
    """Two devices: a thermometer and an IMU with two axes of each kind."""
    for number, files in enumerate(
        (
            {"name": "bmp280", "in_temp_input": "21000"},
            {
                "name": "lsm6dsox",
                "in_accel_x_raw": "100",
                "in_accel_y_raw": "-100",
                "in_accel_scale": "0.0980665",
                "in_accel_x_offset": "20",
                "in_anglvel_z_raw": "180",
                "in_anglvel_z_scale": "0.01",
            },
        )
    ):
        folder = tmp_path / f"iio:device{number}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    return tmp_path


def iio_settings(bundle: Bundle, iio: Path, *columns: str, rate_hz: float | None = 400.0) -> SourceSettings:
    return source_settings(bundle.card, columns, rate_hz, iio_root=iio)


@pytest.mark.parametrize("word", ["iio:1", "iio:device1", "iio:iio:device1", "iio:lsm6dsox"])
def test_iio(word: str, bundle: Bundle, iio: Path, running: Callable[[Source], Running]) -> None:
    run = running(open_source(word, iio_settings(bundle, iio, "accel_x", "anglvel_z")))
    run.until(lambda: run.feed.counts.samples > 3)
    run.stop()
    acceleration, rate = values_of(run.feed)[0]
    # The card has g and degrees a second; IIO m/s2 and rad/s.
    assert acceleration == pytest.approx((100 + 20) * 0.0980665 / 9.80665)
    assert rate == pytest.approx(180 * 0.01 * 180 / math.pi)


def test_iio_loses_its_device(bundle: Bundle, iio: Path, running: Callable[[Source], Running]) -> None:
    run = running(open_source("iio:1", iio_settings(bundle, iio, "accel_x", "accel_y")))
    run.until(lambda: run.feed.counts.samples > 0)
    (iio / "iio:device1/in_accel_y_raw").write_text("busy")
    run.until(lambda: run.feed.counts.bad > 0)
    assert any(math.isnan(values[0]) for values in values_of(run.feed))
    (iio / "iio:device1/in_accel_x_raw").unlink()
    run.until(lambda: run.error is not None)
    assert "the device is gone" in str(run.error)


def test_iio_sleeps_through_periods(bundle: Bundle, iio: Path) -> None:
    feed = Feed(100)
    source = open_source("iio:1", iio_settings(bundle, iio, "accel_x", "accel_y", rate_hz=100.0))
    put, waits = feed.put, iter([0.055, 0.0])

    def slow(values: tuple[float, ...]) -> None:
        put(values)
        pause = next(waits, None)
        feed.stop() if pause is None else time.sleep(pause)

    feed.put = slow  # type: ignore[method-assign]
    source.run(feed)
    assert feed.counts.dropped >= 4
    assert feed.counts.samples == 3 + feed.counts.dropped


@pytest.mark.parametrize(
    ("word", "columns", "line"),
    [
        ("iio:7", (), r"no device '7'; there are: iio:device0 \(bmp280\), iio:device1 \(lsm6dsox\)"),
        ("iio:1", (), "no channel 'ax'; choose 2 of accel_x,accel_y,anglvel_z with --columns"),
        ("iio:0", (), "no channel 'ax'; choose 2 of none"),
        ("iio:1", ("accel_x", "accel_z"), "no channel 'accel_z'"),
    ],
)
def test_iio_that_does_not_fit(word: str, columns: tuple[str, ...], line: str, bundle: Bundle, iio: Path) -> None:
    with pytest.raises(DataError, match=line):
        open_source(word, iio_settings(bundle, iio, *columns))


def test_iio_in_order(bundle: Bundle, iio: Path) -> None:
    (iio / "iio:device1/in_anglvel_z_raw").unlink()
    feed = Feed(4)
    source = open_source("iio:1", iio_settings(bundle, iio))
    put = feed.put
    feed.put = lambda values: (put(values), feed.stop())[0]  # type: ignore[method-assign]
    source.run(feed)
    assert values_of(feed)[0] == pytest.approx((1.2, -1.0 * 0.0980665 * 100), rel=1e-6)
    (iio / "iio:device1/in_accel_scale").write_text("much")
    with pytest.raises(DataError, match="in_accel_scale: 'much'; expected a number"):
        open_source("iio:1", iio_settings(bundle, iio))


def test_settings(bundle: Bundle) -> None:
    with pytest.raises(SettingsError, match="--columns names 1; expected one for each of the 2 channels"):
        source_settings(bundle.card, ["ax"])
    card = bundle.card.model_copy(update={"input": bundle.card.input.model_copy(update={"rate_known": False})})
    with pytest.raises(SettingsError, match="give it with --rate"):
        source_settings(card, realtime=True)
    with pytest.raises(SettingsError, match="give it with --rate"):
        open_source("iio:0", source_settings(card))
