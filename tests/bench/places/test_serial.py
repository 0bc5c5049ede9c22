"""Boards on a serial port: the real console behind a pseudo-terminal, with everything that happens on such lines."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.engines.protocol import decided
from edgecnn_bench.places.serial import SerialBoard, open_serial
from edgecnn_bench.places.serial_line import SerialError
from edgecnn_bench.places.serial_run import VIRTUAL
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.errors import BundleError, MissingDependency
from edgecnn_firmware.selftest.virtual_board import build_console_image, virtual_board

from .pty_console import PtyConsole, build, firmware_files

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals"),
]


@pytest.fixture(scope="module", autouse=True)
def _pyserial() -> None:
    pytest.importorskip("serial", reason="pyserial is not installed")


@pytest.fixture(scope="module")
def bundle(har_bundle: Path) -> Bundle:
    return read_bundle(har_bundle)


@pytest.fixture(scope="module")
def files(bundle: Bundle) -> dict[str, bytes]:
    return firmware_files(bundle)


@pytest.fixture(scope="module")
def console(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(files, "waves", tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def board(console: Path) -> Iterator[SerialBoard]:
    with PtyConsole(console) as pty, open_serial(pty.port) as found:
        yield found


def few(bundle: Bundle, count: int) -> Bundle:
    """The same bundle with fewer windows in its vectors."""

    class Few(Bundle):
        def vectors(self):
            every = super().vectors()
            return replace(every, **{k: v[:count] for k, v in vars(every).items() if v is not None})

    return Few(bundle.path, bundle.card)


def test_all_windows_run_and_are_timed_by_the_boards_clock(board: SerialBoard, bundle: Bundle) -> None:
    vectors = bundle.vectors()
    found = board.measure(bundle, vectors)
    np.testing.assert_array_equal(found.rows, np.arange(40))
    np.testing.assert_array_equal(found.outputs.outputs.raw, vectors.outputs)
    assert (found.different, found.selftest, found.stack) == (0, 0, None)
    assert all(call.equal for call in found.golden)
    assert found.row.key == found.row.place == board.place.key
    (latency,) = found.row.latency
    assert (latency.what, latency.n, latency.warmup) == ("invoke", 40, len(found.golden))
    assert latency.median_us == latency.max_us == 1000.0
    assert found.row.score is None
    assert found.notes[0].startswith("self-test on the board: passed; ")
    assert found.notes[1] == "40 of 40 windows byte-equal to the reference kernels"
    assert len(found.notes) == 2


def test_little_time_runs_few_windows_spread_over_all(board: SerialBoard, bundle: Bundle) -> None:
    found = board.measure(bundle, bundle.vectors(), budget_s=1e-6)
    np.testing.assert_array_equal(found.rows, [0, 20, 39])
    assert found.row.title.endswith("; 3 of 40 windows")
    assert found.row.latency[0].n == 3
    assert any(note.startswith("3 of 40 windows ran") for note in found.notes)


def test_the_board_is_an_engine(board: SerialBoard, bundle: Bundle) -> None:
    vectors = bundle.vectors()
    (engine,) = board.engines(bundle)
    assert engine.key == f"serial/{board.board.port}"
    assert engine.available(bundle) is None
    loaded = engine.load(bundle)
    seen: list[int] = []
    outputs = loaded.outputs(vectors.windows, seen.append)
    np.testing.assert_array_equal(outputs.raw, vectors.outputs)
    assert seen == list(range(1, 41))
    assert [call.ticks for call in loaded.calls] == [1000] * 40
    run = decided(engine.key, outputs, 40, bundle.card)
    assert loaded.classify(vectors.windows[7]) == run.predicted[7]
    np.testing.assert_array_equal(loaded.prepare(vectors.windows[3])().outputs, vectors.outputs[3])


def test_an_engine_that_would_take_too_long_says_so(board: SerialBoard, bundle: Bundle) -> None:
    (engine,) = board.engines(bundle, budget_s=1e-6)
    with pytest.raises(SerialError, match=r"40 windows would take \d+ s; 1e-06 s are allowed"):
        engine.load(bundle).outputs(bundle.vectors().windows, lambda _: None)


def test_another_model_is_named(board: SerialBoard, ecg_bundle: Path) -> None:
    other = read_bundle(ecg_bundle)
    reason = board.engines(other)[0].available(other)
    assert reason is not None
    assert "the board has model " in reason
    assert other.card.files["model.tflite"][:16] in reason
    with pytest.raises(SerialError, match="flash the firmware that was exported with it"):
        board.measure(other, other.vectors())


def test_windows_with_labels_are_scored(ecg_bundle: Path, tmp_path: Path) -> None:
    bundle = read_bundle(ecg_bundle)
    with PtyConsole(build(firmware_files(bundle), "waves", tmp_path, "VIRTUAL")) as pty, open_serial(pty.port) as board:
        found = board.measure(bundle, bundle.vectors())
    assert found.row.score is not None
    assert found.row.score.accuracy.n == 20
    assert found.different == 0
    # A virtual clock gives no latency, and everyone who reads the row sees why.
    assert found.row.latency == ()
    assert VIRTUAL in found.row.title
    assert VIRTUAL in board.place.title
    assert VIRTUAL in found.notes


def test_wrong_bytes_are_counted_and_reported(bundle: Bundle, files: dict[str, bytes], tmp_path: Path) -> None:
    body = files["waves.c"].rstrip().removesuffix(b"}")
    wrong = {**files, "waves.c": body + b"    if (input[0] & 1) output[1] = (int8_t)(output[1] ^ 1);\n}\n"}
    with PtyConsole(build(wrong, "waves", tmp_path)) as pty, open_serial(pty.port) as board:
        found = board.measure(bundle, bundle.vectors())
    odd = int((bundle.vectors().inputs[:, 0, 0] & 1).sum())
    assert 0 < found.different == odd < 40
    assert found.selftest > 0
    assert found.notes[0].startswith(f"self-test on the board: failed with code {found.selftest}; ")


class Noise:
    """Changes bytes now and then, seeded; line ends stay, so that no test waits for time limits."""

    def __init__(self, seed: int, rate: float) -> None:
        self._random = np.random.default_rng(seed)
        self._rate = rate
        self.changed = 0

    def __call__(self, data: bytes) -> bytes:
        found = bytearray(data)
        for at, byte in enumerate(found):
            if byte not in b"\r\n" and self._random.random() < self._rate:
                found[at] = byte ^ 1 << int(self._random.integers(1, 8))
                if found[at] in b"\r\n":
                    found[at] = 0
                self.changed += 1
        return bytes(found)


def test_noise_is_seen_and_repaired(console: Path, bundle: Bundle) -> None:
    there, back = Noise(1, 1 / 2000), Noise(2, 1 / 400)
    with PtyConsole(console, there, back) as pty, open_serial(pty.port) as board:
        found = board.measure(bundle, few(bundle, 10).vectors())
    assert there.changed > 3
    assert back.changed > 3
    assert found.different == 0
    assert all(call.equal for call in found.golden)


class Resets:
    """Resets the board while certain lines are on their way."""

    def __init__(self, lines: set[int], every: int = 0) -> None:
        self.lines = lines
        self.every = every
        self.seen = 0
        self.pty: PtyConsole | None = None
        self.other: Path | None = None

    def __call__(self, data: bytes) -> bytes:
        if b" put " not in data:
            return data
        self.seen += 1
        if self.seen in self.lines or (self.every and self.seen % self.every == 0):
            assert self.pty is not None
            self.pty.restart(self.other)
            # The board sees the end of the line only.
            return data[-20:]
        return data


def test_a_reset_in_the_midst_begins_the_window_again(console: Path, bundle: Bundle) -> None:
    resets = Resets({4, 25})
    with PtyConsole(console, resets) as pty:
        resets.pty = pty
        with open_serial(pty.port) as board:
            found = board.measure(bundle, few(bundle, 4).vectors())
    assert found.different == 0
    assert board.board.disturbances >= 1
    assert any("begun again" in note for note in found.notes)


def test_a_board_that_resets_always_is_one_line(console: Path, bundle: Bundle) -> None:
    resets = Resets(set(), every=3)
    with PtyConsole(console, resets) as pty:
        resets.pty = pty
        with open_serial(pty.port) as board, pytest.raises(SerialError, match="the board restarts meanwhile"):
            board.measure(bundle, bundle.vectors())


def test_another_firmware_after_a_reset_is_one_line(
    console: Path, bundle: Bundle, ecg_bundle: Path, tmp_path: Path
) -> None:
    resets = Resets({4})
    resets.other = build(firmware_files(read_bundle(ecg_bundle)), "waves", tmp_path)
    with PtyConsole(console, resets) as pty:
        resets.pty = pty
        with open_serial(pty.port) as board, pytest.raises(SerialError, match=r"now holds model .* it began as"):
            board.measure(bundle, bundle.vectors())


def test_an_unplugged_board_is_one_line(console: Path, bundle: Bundle) -> None:
    with PtyConsole(console) as pty, open_serial(pty.port) as board:
        pty.close()
        with pytest.raises(SerialError, match=r"the port is gone|no answer") as caught:
            board.measure(bundle, bundle.vectors())
    assert "\n" not in str(caught.value)


def test_a_port_that_is_none_is_one_line() -> None:
    with pytest.raises(SerialError, match="/dev/no-such-port: cannot be opened at 115200 baud: "):
        open_serial("/dev/no-such-port").__enter__()
    with pytest.raises(SerialError, match="0 baud; expected 1 or more"):
        open_serial("/dev/no-such-port", 0).__enter__()
    with pytest.raises(SerialError, match="cannot be opened"):
        open_serial("nonsense://here").__enter__()


def test_a_port_that_another_program_has_is_one_line(console: Path) -> None:
    with PtyConsole(console) as pty, open_serial(pty.port), pytest.raises(SerialError, match="cannot be opened"):
        open_serial(pty.port).__enter__()


def test_without_pyserial_the_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingDependency, match=r"pip install 'edgecnn\[serial\]'"):
        open_serial("/dev/ttyACM0").__enter__()


def test_the_firmware_runs_on_a_virtual_board(bundle: Bundle, files: dict[str, bytes], tmp_path: Path) -> None:
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    try:
        image = build_console_image(files, "waves", tmp_path)
    except MissingDependency as error:
        pytest.skip(str(error))
    with virtual_board(image) as port, open_serial(port, start_s=30) as board:
        found = board.measure(bundle, few(bundle, 5).vectors(), budget_s=0.5)
    assert found.different == 0
    assert len(found.rows) >= 3
    assert found.selftest == 0
    assert found.row.latency == ()
    assert found.stack is not None
    assert 64 <= found.stack.call_bytes < 1024
    assert VIRTUAL in found.row.title


def test_a_bundle_without_windows_is_one_line(board: SerialBoard, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"vectors.npz: no windows"):
        board.measure(bundle, few(bundle, 0).vectors())
