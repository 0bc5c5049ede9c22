"""Path patterns such as `{group}/{label}_{take}.csv`: what a file's path says about it.

`{label}` and `{group}` are used, any other name stands for anything, and so does `*`, also for nothing. A part in
braces is at least one character, and no part spans a `/`; where several splits fit, the earlier part is the longer
one. Matching takes linear time.
"""

import re
import unicodedata
from dataclasses import dataclass

from edgecnn_firmware.errors import SettingsError

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,30})\}|\*")
_SIDE_BY_SIDE = re.compile(r"[}*][{*]")


@dataclass(frozen=True)
class PathFacts:
    """What the path of a file says; None where it says nothing."""

    label: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class PathPattern:
    """A pattern cut into path components, each as `[literal, field, literal, field, ..., literal]`; `*` is a field."""

    text: str
    components: tuple[tuple[str, ...], ...]

    def match(self, path: str) -> PathFacts | None:
        """Match a `/`-separated relative path; None if it does not fit."""
        names = unicodedata.normalize("NFC", path).split("/")
        if len(names) != len(self.components):
            return None
        values: dict[str, str] = {}
        for name, parts in zip(names, self.components, strict=True):
            found = _match_component(name, parts)
            if found is None:
                return None
            values |= found
        return PathFacts(values.get("label"), values.get("group"))


def compile_pattern(text: str) -> PathPattern:
    """Cut a pattern into its parts.

    Raises:
        SettingsError: braces that are no field, fields side by side, or one of `label` and `group` twice.
    """
    fields = [match[1] or "*" for match in _FIELD.finditer(text)]
    for field in ("label", "group"):
        if fields.count(field) > 1:
            raise SettingsError(f"data.pattern '{text}': {{{field}}} is there twice")
    if not fields or set(_FIELD.sub("", text)) & set("{}"):
        raise SettingsError(
            f"data.pattern '{text}': expected fields in braces, such as '{{group}}/{{label}}_{{take}}.csv'"
        )
    if _SIDE_BY_SIDE.search(text):
        raise SettingsError(f"data.pattern '{text}': two fields side by side; put a separator between them")
    normal = unicodedata.normalize("NFC", text).removeprefix("./")
    return PathPattern(text, tuple(_parts(component) for component in normal.split("/")))


def _parts(component: str) -> tuple[str, ...]:
    parts, at = [], 0
    for match in _FIELD.finditer(component):
        parts += [component[at : match.start()], match[1] or "*"]
        at = match.end()
    return (*parts, component[at:])


def _match_component(name: str, parts: tuple[str, ...]) -> dict[str, str] | None:
    if len(parts) == 1:
        return {} if name == parts[0] else None
    if not name.startswith(parts[0]) or not name.endswith(parts[-1]):
        return None
    begin, end = len(parts[0]), len(name) - len(parts[-1])
    if end < begin:
        return None
    values: dict[str, str] = {}
    # From the right: each literal as late as it can be, so that the earlier field is the longer one.
    for index in range(len(parts) - 2, 1, -2):
        literal = parts[index - 1]
        at = name.rfind(literal, begin, end - _least(parts[index]))
        if at < 0:
            return None
        values[parts[index]] = name[at + len(literal) : end]
        end = at
    if end - begin < _least(parts[1]):
        return None
    values[parts[1]] = name[begin:end]
    return values


def _least(field: str) -> int:
    """The fewest characters a field stands for."""
    return 0 if field == "*" else 1
