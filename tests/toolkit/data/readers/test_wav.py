"""WAV headers and samples against SciPy's reader, and every way to be no WAV file."""

import struct
from pathlib import Path

import numpy as np
import pytest

from edgecnn.data.readers import read_dataset
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def form(kind: int, channels: int, bits: int, rate_hz: int = 8000) -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * frame, frame, bits)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def samples(path: Path, **keys: object) -> np.ndarray:
    recording = read_dataset(DataSettings(path=path, **keys)).recordings[0]
    return recording.read(0, recording.length)


@pytest.mark.parametrize(("bits", "dtype"), [(8, "u1"), (16, "<i2"), (32, "<i4")])
@pytest.mark.parametrize("extensible", [False, True])
def test_scipy_reads_the_same(tmp_path: Path, bits: int, dtype: str, extensible: bool) -> None:
    wavfile = pytest.importorskip("scipy.io.wavfile")
    limits = np.iinfo(np.dtype(dtype))
    stored = np.random.default_rng(bits).integers(limits.min, limits.max, size=(99, 3), endpoint=True, dtype=dtype)
    head = form(0xFFFE if extensible else 1, 3, bits)
    head += struct.pack("<HHIH", 22, bits, 0, 1) + TAIL if extensible else b""
    path = tmp_path / "a.wav"
    path.write_bytes(riff(chunk(b"fmt ", head), chunk(b"LIST", b"odd"), chunk(b"data", stored.tobytes())))
    rate_hz, expected = wavfile.read(path)
    assert rate_hz == 8000
    middle, full = (128, 128) if bits == 8 else (0, 2 ** (bits - 1))
    np.testing.assert_array_equal(samples(path), ((expected.astype(np.float64) - middle) / full).astype(np.float32))


def test_floats_are_read_as_they_are(tmp_path: Path) -> None:
    stored = np.linspace(-1.5, 1, 50, dtype="<f4")
    path = tmp_path / "a.wav"
    path.write_bytes(riff(chunk(b"fmt ", form(3, 1, 32)), chunk(b"data", stored.tobytes())))
    np.testing.assert_array_equal(samples(path)[:, 0], stored)
    stored[7] = np.nan
    path.write_bytes(riff(chunk(b"fmt ", form(3, 1, 32)), chunk(b"data", stored.tobytes())))
    with pytest.raises(DataError, match=r"a\.wav: sample 7: not a finite number"):
        samples(path)


PCM = chunk(b"fmt ", form(1, 1, 16))


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "no WAV file"),
        (b"RIFX" + riff(PCM)[4:], "no WAV file"),
        (riff(PCM), "no chunk 'fmt ' with a chunk 'data'"),
        (riff(chunk(b"data", b"1234")), "no chunk 'fmt ' with a chunk 'data'"),
        (riff(chunk(b"fmt ", b"12"), chunk(b"data", b"1234")), "chunk 'fmt ' has 2 bytes"),
        (riff(chunk(b"fmt ", form(6, 1, 8)), chunk(b"data", b"1234")), "samples of format 6 with 8 bits"),
        (riff(chunk(b"fmt ", form(0xFFFE, 1, 16)), chunk(b"data", b"1234")), "samples of format 65534"),
        (riff(chunk(b"fmt ", form(1, 0, 16)), chunk(b"data", b"1234")), "0 channels"),
        (riff(chunk(b"fmt ", form(1, 1, 16, rate_hz=0)), chunk(b"data", b"1234")), "at 0 Hz"),
        (riff(PCM, chunk(b"data", b"1")), "holds no samples"),
        (riff(PCM, chunk(b"data", b"12345678"))[:-4], "cut off"),
        (riff(PCM, b"junk\xff\xff\xff\xff", chunk(b"data", b"1234")), "no chunk 'fmt ' with a chunk 'data'"),
    ],
)
def test_what_is_no_wav_file_is_named(tmp_path: Path, content: bytes, place: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError) as caught:
        samples(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'a.wav'}: ")
    assert place in str(caught.value)


def test_the_same_samples_whatever_part_is_asked_for(tmp_path: Path) -> None:
    stored = np.arange(60, dtype="<i2")
    (tmp_path / "a.wav").write_bytes(riff(chunk(b"fmt ", form(1, 2, 16)), chunk(b"data", stored.tobytes())))
    recording = read_dataset(DataSettings(path=tmp_path, channels=["c1"])).recordings[0]
    whole = recording.read(0, 30)
    np.testing.assert_array_equal(whole[:, 0] * 32768, stored[1::2])
    for start, stop in ((0, 0), (3, 7), (29, 30)):
        np.testing.assert_array_equal(recording.read(start, stop), whole[start:stop])
