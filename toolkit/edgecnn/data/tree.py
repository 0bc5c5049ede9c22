"""What a folder's tree says: which part of the paths is the label, which the subject."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

_SUFFIXES: Final = re.compile(r"(\.[A-Za-z0-9]{1,8})(\.gz)?$")
_TAKE: Final = re.compile(r"(.*?)([_\-. ])\(?\d+\)?")
_PERSON: Final = re.compile(
    r"(user|subject|subj|person|participant|patient|session|device|volunteer|[sp])[_\- ]?\d+", re.IGNORECASE
)


def find_pattern(names: Sequence[str]) -> str | None:
    """Propose `data.pattern` for relative file paths; None where the default (folder, or stem, is the label) does.

    `{group}` is only proposed where the same name stands for a subject in several classes.
    """
    paths = [unicodedata.normalize("NFC", name).split("/") for name in names]
    depths = {len(path) for path in paths}
    if len(depths) != 1:
        return None
    stems, suffix = _stems([path[-1] for path in paths])
    depth = depths.pop()
    if depth == 1:
        return _flat(stems, suffix)
    if depth == 2:
        return _one_folder([path[0] for path in paths], stems, suffix)
    if depth == 3:
        return _two_folders([path[0] for path in paths], [path[1] for path in paths], suffix)
    return None


def _stems(files: list[str]) -> tuple[list[str], str]:
    """File names without their suffix, and the suffix if all share it (else the names as they are, and '')."""
    suffixes = {match[0] if (match := _SUFFIXES.search(file)) else "" for file in files}
    if len(suffixes) != 1:
        return files, ""
    suffix = suffixes.pop()
    return [file[: len(file) - len(suffix)] for file in files], suffix


def _takes(stems: list[str]) -> tuple[list[str], str] | None:
    """The stems without the number of the take, and its separator; None where some have no such number."""
    matches = [_TAKE.fullmatch(stem) for stem in stems]
    found = [match for match in matches if match and match[1]]
    if len(found) < len(stems) or len({match[2] for match in found}) != 1:
        return None
    return [match[1] for match in found], found[0][2]


def _flat(stems: list[str], suffix: str) -> str | None:
    takes = _takes(stems)
    if takes is None or not 2 <= len(set(takes[0])) < len(stems):
        return None
    return f"{{label}}{takes[1]}{{take}}{suffix}"


def _one_folder(folders: list[str], stems: list[str], suffix: str) -> str | None:
    takes = _takes(stems)
    labels = takes[0] if takes else stems
    if _recurs(labels, folders) and len(set(folders)) > 1:
        return f"{{group}}/{{label}}{takes[1]}{{take}}{suffix}" if takes else f"{{group}}/{{label}}{suffix}"
    for separator in ("_", "-"):
        if all(separator in stem.strip(separator) for stem in stems):
            last = [stem.rpartition(separator)[2] for stem in stems]
            where = _places(last, folders)
            named = [name for name, places in where.items() if len(places) > 1 and not name.isdigit()]
            if len(named) >= 2:
                return f"{{label}}/{{take}}{separator}{{group}}{suffix}"
    return None


def _two_folders(outer: list[str], inner: list[str], suffix: str) -> str:
    persons = [
        sum(_PERSON.fullmatch(name) is not None for name in set(names)) / len(set(names)) for names in (outer, inner)
    ]
    outer_is_group = persons[0] > persons[1] or (persons[0] == persons[1] and len(set(outer)) >= len(set(inner)))
    return f"{{group}}/{{label}}/{{take}}{suffix}" if outer_is_group else f"{{label}}/{{group}}/{{take}}{suffix}"


def _places(names: Sequence[str], folders: Sequence[str]) -> dict[str, set[str]]:
    places: dict[str, set[str]] = defaultdict(set)
    for name, folder in zip(names, folders, strict=True):
        places[name].add(folder)
    return places


def _recurs(labels: list[str], folders: list[str]) -> bool:
    """Whether most labels are in several folders, as they are where folders are subjects.

    Names that differ in their number alone (`0`, `1`; `rec1`, `rec2`) number the files and name no class.
    """
    places = _places(labels, folders)
    if len({label.rstrip("0123456789") for label in places}) < 2:
        return False
    several = sum(len(where) > 1 for where in places.values())
    return len(places) >= 2 and several > len(places) / 2
