"""Generated C sources, made fit to stand in one file with others, in C and in C++.

This reads C as the generator and the kernels write it, not any C: no line ends in a backslash within a declaration, and a
declaration at file scope names one object.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from edgecnn_firmware.errors import BundleError

_COMMENT: Final = r"/\*.*?\*/|//[^\n]*"
_STRING: Final = r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'"
_HIDDEN: Final = re.compile(f"({_COMMENT})|({_STRING})", re.DOTALL)
_WORDS: Final = re.compile(
    rf"(?P<hidden>{_COMMENT}|{_STRING})|(?P<member>(?:\.|->)\s*)?\b(?P<word>[A-Za-z_]\w*)", re.DOTALL
)
_DEFINE: Final = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_DIRECTIVE: Final = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_BRACES: Final = re.compile(r"\{[^{}]*\}")
_STATIC: Final = re.compile(r"\b(?:static|EDGECNN_(?:KERNEL|INLINE|STEP|SHARED))\b([^;=(\[]*)")
_STRUCT: Final = re.compile(r"\btypedef\s+struct\s*\{([^{}]*)\}\s*(\w+)\s*;")
_DESIGNATED: Final = re.compile(
    rf"(?P<hidden>{_COMMENT}|{_STRING})|\b(?P<kind>\w+)\s+\w+\s*=\s*(?P<start>\{{)\s*\.\w+\s*=", re.DOTALL
)

Structs: TypeAlias = Mapping[str, Mapping[str, str]]
"""Type of each field, in their order, by the struct's name."""


def bare(text: str) -> str:
    """Without comments, and with empty strings."""
    return _HIDDEN.sub(lambda found: " " if found[1] else '""', text)


def private_names(source: str) -> list[str]:
    """What a C file keeps to itself: its macros, and what is static at file scope."""
    text = bare(source)
    names = dict.fromkeys(_DEFINE.findall(text))
    text = _DIRECTIVE.sub("", text)
    while _BRACES.search(text):
        text = _BRACES.sub("@", text)
    for declaration in _STATIC.findall(text):
        names[re.findall(r"\w+", declaration)[-1]] = None
    return list(names)


def rename(source: str, names: Mapping[str, str]) -> str:
    """Give names others wherever they stand for what they name: not in comments and strings, not as members."""

    def other(found: re.Match[str]) -> str:
        if found["hidden"] is not None or found["member"] is not None:
            return found[0]
        return names.get(found["word"], found["word"])

    return _WORDS.sub(other, source)


def structs_of(header: str) -> dict[str, dict[str, str]]:
    """The structs that a header declares, but for those whose fields depend on the machine."""
    found = _STRUCT.findall(bare(header))
    return {name: dict(_fields(body)) for body, name in found if "#" not in body}


def _fields(body: str) -> Iterator[tuple[str, str]]:
    for declaration in body.split(";"):
        first, *others = [re.findall(r"\w+", re.sub(r"\[[^]]*\]", "", piece)) for piece in declaration.split(",")]
        if first:
            kind = first[-2]
            for words in (first, *others):
                yield words[-1], kind


def positional(source: str, structs: Structs) -> str:
    """Designated initializers, which C++ has since C++20 only, as positional ones with the names in comments.

    Raises:
        BundleError: an initializer is of a struct that is not known.
    """
    pieces, position = [], 0
    while found := _DESIGNATED.search(source, position):
        if found["hidden"] is not None:
            pieces.append(source[position : found.end()])
            position = found.end()
            continue
        start = found.start("start")
        end = _closing(source, start) + 1
        pieces += [source[position:start], _wrapped(_by_position(source[start:end], found["kind"], structs))]
        position = end
    return "".join([*pieces, source[position:]])


def _closing(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise BundleError("a generated initializer has no end")


def _by_position(literal: str, kind: str, structs: Structs) -> str:
    if kind not in structs:
        raise BundleError(
            f"the generated initializer of '{kind}' cannot be written for C++: no header declares that struct"
        )
    given = {}
    for item in _items(literal.strip()[1:-1]):
        field, value = item.split("=", 1)
        given[field.strip()[1:]] = value.strip()
    unknown = set(given) - set(structs[kind])
    if unknown:
        raise BundleError(f"the generated initializer of '{kind}' names no field of it: {', '.join(sorted(unknown))}")
    values = []
    for field, inner in structs[kind].items():
        value = given.get(field, "0")
        values.append(f"/* {field} */ {_by_position(value, inner, structs) if value.startswith('{') else value}")
    return "{" + ", ".join(values) + "}"


def _items(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    if text[start:].strip():
        yield text[start:]


_LINE: Final = 108
"""Characters a line of an initializer, without its indentation."""


def _wrapped(literal: str) -> str:
    lines, line = ["{"], ""
    for part in literal[1:].split(", "):
        if line and len(line) + len(part) > _LINE:
            lines.append(f"{line},")
            line = part
        else:
            line = f"{line}, {part}" if line else part
    return "\n        ".join([*lines, line])
