"""Where training stands after an epoch: enough to go on as if it had never stopped."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from edgecnn.disk import naming_file
from edgecnn_firmware.card import EpochCard

Arrays: TypeAlias = list[npt.NDArray[Any]]

STATE_FILE: Final = "training_state.npz"
_CHUNK_BYTES: Final = 16 << 20
_HISTORY: Final = TypeAdapter(tuple[EpochCard, ...])


@dataclass(frozen=True)
class TrainingState:
    """State after `len(history)` epochs. `variables` are the stepper's, `best` the best weights so far."""

    key: str
    variables: Arrays = field(repr=False)
    best: Arrays = field(repr=False)
    best_epoch: int = 0
    history: tuple[EpochCard, ...] = ()
    finished: bool = False

    def after(self, epoch: EpochCard, variables: Arrays) -> "TrainingState":
        """The state one epoch later, with the same best weights."""
        return replace(self, history=(*self.history, epoch), variables=variables)


def save_state(state: TrainingState, folder: Path) -> None:
    """Write the state; the file appears whole or not at all.

    Raises:
        OSError: the disk refuses; the error names the file, and an older state is left as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "key": state.key,
        "best_epoch": state.best_epoch,
        "finished": state.finished,
        "history": _HISTORY.dump_python(state.history, mode="json"),
    }
    arrays: dict[str, Any] = {f"variable_{number}": value for number, value in enumerate(state.variables)}
    arrays |= {f"best_{number}": value for number, value in enumerate(state.best)}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    path, partial = folder / STATE_FILE, folder / f"{STATE_FILE}.partial"
    try:
        with naming_file(path):
            _write(partial, arrays)
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_state(folder: Path, key: str) -> TrainingState | None:
    """Read the state of the same training (same `key`); None where there is none, another's, or a damaged one."""
    path = folder / STATE_FILE
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            if about["key"] != key:
                return None
            history = _HISTORY.validate_python(about["history"])
            variables, best = _numbered(file, "variable"), _numbered(file, "best")
            return TrainingState(key, variables, best, int(about["best_epoch"]), history, bool(about["finished"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, ValidationError):
        return None


def training_key(about: dict[str, Any], arrays: Mapping[str, Any]) -> str:
    """SHA-256 over everything that decides how training goes.

    Args:
        about: plain values.
        arrays: arrays, or whatever has a shape and can be sliced like one; read a piece at a time.
    """
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, values in arrays.items():
        if not values.shape:
            digest.update(f"{name} {values.dtype.str} {values.tobytes().hex()}\n".encode())
            continue
        first = values[:1]
        digest.update(f"{name} {values.shape} {first.dtype.str}\n".encode())
        rows = max(1, _CHUNK_BYTES // max(1, first.nbytes))
        for start in range(0, len(values), rows):
            digest.update(values[start : start + rows].tobytes())
    return digest.hexdigest()


def _numbered(file: Any, kind: str) -> Arrays:
    count = sum(name.startswith(f"{kind}_") for name in file.files)
    return [file[f"{kind}_{number}"] for number in range(count)]
