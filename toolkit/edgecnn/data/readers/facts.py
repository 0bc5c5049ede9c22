"""Label and group from the paths of files, for every reader of file trees."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from edgecnn.data.labels import listed
from edgecnn.data.readers.pattern import PathFacts, compile_pattern
from edgecnn.data.readers.sources import bare_stem, relative_name
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

_TAKE = re.compile(r"[_\-. ]?\(?[0-9]{1,12}\)?$")


def path_facts(files: Sequence[Path], settings: DataSettings) -> tuple[dict[Path, PathFacts], list[str]]:
    """Say for each file what its path says: by `data.pattern`; else the first folder, or the stem, is the label.

    A number at the end of a stem is no part of it (`walk` of `walk_01.csv`). Files that do not fit the pattern are left
    out; the notes name them.

    Raises:
        DataError: no file fits the pattern.
        SettingsError: a wrong pattern.
    """
    if settings.pattern is None:
        return {path: _default(path, settings) for path in files}, []
    pattern = compile_pattern(settings.pattern)
    names = {path: relative_name(path, settings.path) for path in files}
    matched = {path: facts for path, name in names.items() if (facts := pattern.match(name)) is not None}
    if not matched:
        raise DataError(
            f"{settings.path}: no file fits data.pattern '{settings.pattern}'; there are {len(files)} files, such as "
            f"{listed(names.values(), 3)}"
        )
    others = [name for path, name in names.items() if path not in matched]
    return matched, [f"{len(others)} files do not fit the pattern: {listed(others, 5)}"] if others else []


def _default(path: Path, settings: DataSettings) -> PathFacts:
    if settings.label_column is not None:
        return PathFacts()
    folders = () if path == settings.path else path.relative_to(settings.path).parts[:-1]
    stem = bare_stem(path)
    return PathFacts(label=unicodedata.normalize("NFC", folders[0] if folders else _TAKE.sub("", stem) or stem))
