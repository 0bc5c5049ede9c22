"""Generated headers and sources as the parts of one header that C and C++ take."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.packages.c_source import positional, private_names, rename, structs_of

_INCLUDE: Final = re.compile(r'[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|<([^>]+)>)')
_CONDITION: Final = re.compile(r"[ \t]*#[ \t]*(if|endif)")


@dataclass(frozen=True)
class Parts:
    """Text without local includes, each file under its name; a header of the system is included once."""

    interface: str
    """The public headers."""
    kernels: str
    """The other headers, each after those that it needs."""
    sources: str
    """The C files, but for those of the self-test."""
    selftest: str
    """Those of the self-test; may be empty."""


def join(name: str, public: Sequence[str], headers: Mapping[str, str], sources: Mapping[str, str]) -> Parts:
    """Take generated files apart for one header.

    What a source keeps to itself begins with NAME_private_ there: it would meet the names of the other sources otherwise,
    and those of the user's own code. Initializers become positional: C++ takes designated ones since C++20 only.

    Args:
        name: the C prefix.
        public: names of the headers for users.
        headers: all headers by name.
        sources: all C files by name.

    Raises:
        BundleError: an initializer is not what the generator writes.
    """
    seen: set[str] = set()
    interface = "\n".join(_part(header, headers[header], seen) for header in public)
    order = [header for header in in_order(sources.values(), headers) if header not in public]
    kernels = "\n".join(_part(header, headers[header], seen) for header in order)
    structs = {struct: fields for text in headers.values() for struct, fields in structs_of(text).items()}
    parts: dict[bool, list[str]] = {False: [], True: []}
    for source, text in sources.items():
        names = {private: f"{name}_private_{private}" for private in private_names(text)}
        part = _part(source, positional(rename(text, names), structs), seen)
        parts[source.endswith("_selftest.c")].append(part)
    return Parts(interface, kernels, "\n".join(parts[False]), "\n".join(parts[True]))


def in_order(texts: Iterable[str], headers: Mapping[str, str]) -> list[str]:
    """The headers that texts include, each after those that it includes itself."""
    found: dict[str, None] = {}

    def add(text: str) -> None:
        for local, _ in _INCLUDE.findall(text):
            if local and local not in found:
                add(headers[local])
                found[local] = None

    for text in texts:
        add(text)
    return list(found)


def _part(name: str, text: str, seen: set[str]) -> str:
    lines, depth = [], 0
    # An include guard is a condition that holds; what is below another one stays, for it may not.
    guard = 1 if name.endswith(".h") else 0
    for line in text.splitlines():
        if condition := _CONDITION.match(line):
            depth += 1 if condition[1] == "if" else -1
        include = _INCLUDE.match(line)
        if include and (include[1] or include[2] in seen):
            continue
        if include and depth <= guard:
            seen.add(include[2])
        lines.append(line)
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    rule = "-" * max(2, 112 - len(name))
    return f"/* {name} {rule} */\n{body}\n"
