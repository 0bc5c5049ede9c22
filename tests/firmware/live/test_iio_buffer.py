"""An IIO buffer: a folder as sysfs, a pipe as the device file."""

import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.errors import DataError, EdgeCnnError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.iio_buffer import ScanElement, open_iio_buffer, scan_layout
from edgecnn_firmware.live.sources import SourceSettings, open_source, source_settings

if not hasattr(os, "mkfifo"):
    pytest.skip("no named pipes", allow_module_level=True)

FILES = {
    "name": "lsm6dsox",
    "sampling_frequency": "100.0",
    "in_accel_x_raw": "0",
    "in_accel_x_offset": "3",
    "in_accel_scale": "0.5",
    "in_temp_raw": "0",
    "in_anglvel_z_raw": "0",
    "buffer/enable": "1",
    "buffer/length": "2",
    "scan_elements/in_accel_x_en": "0",
    "scan_elements/in_accel_x_index": "1",
    "scan_elements/in_accel_x_type": "be:s12/16>>4",
    "scan_elements/in_temp_en": "1",
    "scan_elements/in_temp_index": "0",
    "scan_elements/in_temp_type": "le:s64/64>>0",
    "scan_elements/in_anglvel_z_en": "0",
    "scan_elements/in_anglvel_z_index": "0",
    "scan_elements/in_anglvel_z_type": "le:u8/8>>0",
    "scan_elements/in_timestamp_en": "0",
    "scan_elements/in_timestamp_index": "9",
    "scan_elements/in_timestamp_type": "le:s64/64>>0",
}
# anglvel_z at 0, accel_x at 2, four bytes of padding, the time at 8.
SCAN = "<BxhxxxxQ"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    folder = tmp_path / "sys/iio:device0"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/iio:device0")
    return folder


@pytest.fixture
def settings(bundle: Bundle, device: Path) -> SourceSettings:
    found = source_settings(bundle.card, ["accel_x", "anglvel_z"], iio_root=device.parent)
    return replace(found, units=("m/s2", ""), device_root=device.parents[1] / "dev")


def scan(accel: int, rate: int, time_ns: int) -> bytes:
    (swapped,) = struct.unpack(">h", struct.pack("<h", accel << 4 | 5))
    return struct.pack(SCAN, rate, swapped, time_ns)


def wait(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_scans_and_gaps(device: Path, settings: SourceSettings) -> None:
    source, feed = open_source("iio+buffer:lsm6dsox", settings), Feed(100)
    enabled = {path.name for path in (device / "scan_elements").glob("*_en") if path.read_text() == "1"}
    assert enabled == {"in_accel_x_en", "in_anglvel_z_en", "in_timestamp_en"}
    assert (device / "buffer/enable").read_text() == "1"
    assert (device / "buffer/length").read_text() == "128"
    errors: list[EdgeCnnError] = []

    def read() -> None:
        try:
            source.run(feed)
        except EdgeCnnError as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    period_ns = 10_000_000
    data = b"".join(
        scan(value, 200 + n, t * period_ns) for n, (value, t) in enumerate([(5, 1), (-7, 2), (2047, 6), (-2048, 7)])
    )
    with (settings.device_root / "iio:device0").open("wb", buffering=0) as writer:
        for start in range(0, len(data), 5):
            writer.write(data[start : start + 5])
        wait(lambda: feed.counts.samples == 7)
    reader.join(20)
    assert str(errors[0]).endswith("the device is gone")
    items = [item for _ in range(4) if (item := feed.get(0)) is not None]
    assert [item.values for item in items] == [(4, 200), (-2, 201), (1025, 202), (-1022.5, 203)]
    assert [item.dropped for item in items] == [0, 0, 3, 0]
    assert (device / "buffer/enable").read_text() == "0"
    # The device takes twice as many samples as the bundle wants.
    assert list(feed.notes) == ["iio:device0 samples at 100 Hz; the bundle expects 50 Hz"]


def test_a_stop_disables_the_buffer(device: Path, settings: SourceSettings) -> None:
    source, feed = open_iio_buffer("iio+buffer:0", settings), Feed(10)
    reader = threading.Thread(target=source.run, args=(feed,))
    reader.start()
    feed.stop()
    reader.join(20)
    assert not reader.is_alive()
    assert (device / "buffer/enable").read_text() == "0"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("scan_elements/in_accel_x_type", "le:s12/24>>0", "'le:s12/24>>0' at '1'; expected such as le:s16/16>>0"),
        ("scan_elements/in_accel_x_type", "le:s16/16>>4", "expected such as"),
        ("scan_elements/in_accel_x_type", "le:s0/16>>0", "expected such as"),
        ("scan_elements/in_accel_x_index", "", "expected such as"),
    ],
)
def test_layouts_that_are_not_understood(
    name: str, text: str, line: str, device: Path, settings: SourceSettings
) -> None:
    (device / name).write_text(text)
    with pytest.raises(DataError, match=line):
        open_iio_buffer("iio+buffer:0", settings)


def test_devices_without_a_buffer(device: Path, settings: SourceSettings) -> None:
    (settings.device_root / "iio:device0").unlink()
    with pytest.raises(DataError, match=r"dev/iio:device0: No such file"):
        open_iio_buffer("iio+buffer:0", settings)
    assert (device / "buffer/enable").read_text() == "0"
    (device / "buffer/enable").unlink()
    (device / "buffer/enable").mkdir()
    with pytest.raises(DataError, match="a buffer needs its trigger and root"):
        open_iio_buffer("iio+buffer:0", settings)
    for path in (device / "scan_elements").iterdir():
        path.unlink()
    (device / "scan_elements").rmdir()
    with pytest.raises(DataError, match="the device has no buffer; use iio: to poll it"):
        open_iio_buffer("iio+buffer:0", settings)


@given(st.integers(1, 64), st.integers(0, 63), st.booleans(), st.booleans(), st.data())
def test_bits_of_an_element(bits: int, shift: int, signed: bool, big: bool, data: st.DataObject) -> None:
    storage = next((size for size in (8, 16, 32, 64) if size >= bits + shift), None)
    if storage is None:
        return
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    value = data.draw(st.integers(low, high))
    noise = data.draw(st.integers(0, (1 << storage) - 1)) & ~(((1 << bits) - 1) << shift)
    word = (value & ((1 << bits) - 1)) << shift | noise
    letter = {8: "B", 16: "H", 32: "I", 64: "Q"}[storage]
    element = ScanElement(3, struct.Struct((">" if big else "<") + letter), bits, shift, signed)
    assert element.read(b"abc" + word.to_bytes(storage // 8, "big" if big else "little")) == value


def test_padding(device: Path) -> None:
    layout = scan_layout(device / "scan_elements", ["accel_x", "anglvel_z"], timed=True)
    assert [element.offset for element in layout.elements] == [2, 0]
    assert layout.time is not None
    assert (layout.time.offset, layout.scan_bytes) == (8, 16)
    assert scan_layout(device / "scan_elements", ["accel_x", "anglvel_z"], timed=False).scan_bytes == 4
