"""Steps whose inputs did not change are not run again.

A step is a folder written whole: its work goes to a temporary folder beside it, which is renamed when the work is done.
`step.json` inside holds the SHA-256 of the step's inputs and the size of every file, so that a changed setting, a
changed library version, or a file that went missing runs the step again.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from edgecnn.disk import naming_file
from edgecnn_bench.environment import installed

DATA_LIBRARIES: Final = ("numpy", "scikit-learn", "scipy", "pandas", "pyarrow", "wfdb")
"""Packages whose version may change windows and their split."""

NUMERIC_LIBRARIES: Final = (*DATA_LIBRARIES, "keras", "tensorflow")
"""Packages whose version may change a model; the card lists them."""

_RECORD: Final = "step.json"


def digest(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of JSON-able inputs, independent of key order."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def library_versions(*packages: str) -> dict[str, str]:
    """Versions of the installed ones of `packages`, in the order given."""
    return installed(packages)


def run_step(folder: Path, inputs: Mapping[str, Any], work: Callable[[Path], object], *, force: bool) -> bool:
    """Make `folder` hold the outputs of `work(temporary_folder)`; return whether it had to run.

    Raises:
        OSError: the folder cannot be written; the error names it, and the old one, if any, is left as it was.
    """
    key = digest(inputs)
    if not force and is_current(folder, key):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with naming_file(folder):
            work(partial)
        sizes = {path.relative_to(partial).as_posix(): path.stat().st_size for path in _files(partial)}
        (partial / _RECORD).write_text(json.dumps({"inputs": key, "files": sizes}, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return True


def is_current(folder: Path, key: str) -> bool:
    """Whether `folder` holds the whole output of a run with the inputs that `key` stands for."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return bool(record["inputs"] == key) and all(
            (folder / name).stat().st_size == size for name, size in record["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
