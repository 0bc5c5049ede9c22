"""The saved state: what comes back, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn.training.state import STATE_FILE, TrainingState, load_state, save_state, training_key
from edgecnn_firmware.card import EpochCard

EPOCH = EpochCard(epoch=1, loss=1 / 3, accuracy=0.1, val_loss=None, learning_rate=1e-3)
STATE = TrainingState(
    "key",
    [np.float32([1.5]), np.array(7, np.int64), np.zeros((0, 2), np.uint32)],
    [np.ones((2, 3))],
    1,
    (EPOCH,),
    finished=True,
)


def test_state_comes_back_as_it_was(tmp_path):
    save_state(STATE, tmp_path / "new folder")
    loaded = load_state(tmp_path / "new folder", "key")
    assert loaded is not None
    assert (loaded.best_epoch, loaded.history, loaded.finished) == (1, (EPOCH,), True)
    for before, after in zip(STATE.variables + STATE.best, loaded.variables + loaded.best, strict=True):
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == [STATE_FILE]


def test_another_key_or_no_file_is_no_state(tmp_path):
    assert load_state(tmp_path, "key") is None
    save_state(STATE, tmp_path)
    assert load_state(tmp_path, "other") is None


def test_crash_while_saving_leaves_the_old_state(tmp_path, monkeypatch):
    save_state(STATE, tmp_path)

    def full(*_arguments, **_arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    try:
        save_state(TrainingState("new", [], []), tmp_path)
    except OSError:
        assert load_state(tmp_path, "key") is not None
    else:
        raise AssertionError("the error was swallowed")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_with_the_files_name(tmp_path):
    save_state(STATE, tmp_path)
    (tmp_path / f"{STATE_FILE}.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_state(TrainingState("new", [np.zeros(1 << 20)], []), tmp_path)
    assert caught.value.filename == str(tmp_path / STATE_FILE)
    assert caught.value.strerror == "No space left on device"
    assert load_state(tmp_path, "key") is not None
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_any_truncation_is_no_state(tmp_path):
    save_state(STATE, tmp_path)
    whole = (tmp_path / STATE_FILE).read_bytes()
    for size in range(0, len(whole), 37):
        (tmp_path / STATE_FILE).write_bytes(whole[:size])
        assert load_state(tmp_path, "key") is None


def test_pickled_arrays_are_not_read(tmp_path):
    np.savez(tmp_path / STATE_FILE, about=np.array([{"key": "key"}], dtype=object))
    assert load_state(tmp_path, "key") is None


def test_key_depends_on_every_value_but_not_on_the_pieces():
    values = np.arange(3_000_000, dtype=np.float64)
    key = training_key({"seed": 1}, {"windows": values})
    assert key == training_key({"seed": 1}, {"windows": values.copy()})
    assert key != training_key({"seed": 2}, {"windows": values})
    assert key != training_key({"seed": 1}, {"labels": values})
    assert key != training_key({"seed": 1}, {"windows": values.reshape(2, -1)})
    assert training_key({}, {"step": np.array(1)}) != training_key({}, {"step": np.array(2)})
    values[-1] += 1
    assert key != training_key({"seed": 1}, {"windows": values})
