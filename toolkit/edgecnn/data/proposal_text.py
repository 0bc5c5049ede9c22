"""A proposal as the text of an `edgecnn.toml`."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edgecnn.data.labels import listed, natural_key
from edgecnn.data.recording import Channel

if TYPE_CHECKING:
    from edgecnn.data.proposal import Proposal

_TABLES: Final = ("project", "data", "labels", "windows", "split", "training", "training.augment")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_AXIS = re.compile(r"(?P<before>.*)(?P<axis>[xyz])|(?P<first>[xyz])(?P<after>[_\-. ].*)", re.IGNORECASE)


def render(proposal: "Proposal") -> str:
    """Write the tables in their order, each key under its comments."""
    dataset = proposal.dataset
    lines = [
        f"# What to build from {_one_line(dataset.name)}; every key: the documentation of the project file.",
        "# Next: edgecnn data . (look at it), then: edgecnn export",
    ]
    lines += [f"# Reader: {_one_line(note)}." for note in dataset.notes]
    found = {segment.label for recording in dataset.recordings for segment in recording.segments}
    classes = sorted(found, key=natural_key)
    lines.append(f"# Labels found: {_one_line(listed(classes))}.")
    for table in _TABLES:
        keys = proposal.tables.get(table)
        if not keys:
            continue
        lines += ["", f"[{table}]"]
        for key, value in keys.items():
            lines += [f"# {_one_line(comment)}" for comment in proposal.comments.get((table, key), [])]
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: object) -> str:
    """Write a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(key))} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, Sequence):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    return repr(value)


def tri_axial(channels: Sequence[Channel]) -> tuple[tuple[int, int, int], ...]:
    """Find the channel numbers of each tri-axial sensor: names that differ in x, y, z only."""
    axes: dict[str, dict[str, int]] = {}
    for number, channel in enumerate(channels):
        match = _AXIS.fullmatch(channel.name)
        if match:
            axis = match["axis"] or match["first"]
            axes.setdefault(match["before"] or match["after"] or "", {})[axis.lower()] = number
    return tuple((found["x"], found["y"], found["z"]) for found in axes.values() if len(found) == 3)


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
