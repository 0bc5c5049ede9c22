"""Series a row with a header: the archive's `.ts` and Weka's `.arff`."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgecnn.data.readers.sources import text_lines
from edgecnn.data.readers.ucr_rows import Float64, Row, normal_label, parse_values, without_padding
from edgecnn_firmware.errors import DataError

_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s*(.*)", re.IGNORECASE)


def ts_rows(path: Path) -> Iterator[Row]:
    """Read `.ts`: channels separated by `:`, values by `,`, the label after the last `:`.

    Raises:
        DataError: time stamps, no `@data`, or a row that does not fit.
    """
    labeled, in_data = True, False
    for line, text in text_lines(path):
        stripped = text.strip()
        if not stripped or stripped.startswith(("#", "%")):
            continue
        if in_data:
            yield _ts_row(stripped, labeled, path, line)
            continue
        words = stripped.lower().split()
        if words[0] == "@data":
            in_data = True
        elif words[0] == "@timestamps" and words[1:2] == ["true"]:
            raise DataError(
                f"{path}: line {line}: series with time stamps are not supported; expected @timeStamps false"
            )
        elif words[0] == "@classlabel":
            labeled = words[1:2] == ["true"]
        elif not words[0].startswith("@"):
            raise DataError(
                f"{path}: line {line}: '{stripped[:40]}' before @data; expected a line that starts with @ or #"
            )
    if not in_data:
        raise DataError(f"{path}: no @data line")


def _ts_row(text: str, labeled: bool, path: Path, line: int) -> Row:
    fields = text.split(":")
    label = normal_label(fields.pop()) if labeled else ""
    if not fields:
        raise DataError(f"{path}: line {line}: no ':' between the values and the label")
    channels = [parse_values(field.split(","), path, line) for field in fields]
    return Row(line, _stack(channels, path, line), label)


def arff_rows(path: Path) -> Iterator[Row]:
    """Read `.arff`: one numeric attribute a sample, or one relational attribute whose rows are the channels.

    Raises:
        DataError: no `@data`, or a row that does not fit.
    """
    relational, in_data, depth = False, False, 0
    attributes: list[str] = []
    for line, text in text_lines(path):
        stripped = text.strip()
        if not stripped or stripped.startswith("%"):
            continue
        if in_data:
            yield _relational(stripped, path, line) if relational else _flat(stripped, attributes, path, line)
            continue
        match = _ATTRIBUTE.fullmatch(stripped)
        if match and match[2].lower().startswith("relational"):
            relational, depth = True, 1
        elif match and not depth:
            attributes.append(match[2].strip())
        elif stripped.lower().startswith("@end"):
            depth = 0
        elif stripped.lower().startswith("@data"):
            in_data = True
    if not in_data:
        raise DataError(f"{path}: no @data line")


def _flat(text: str, attributes: list[str], path: Path, line: int) -> Row:
    cells = text.split(",")
    if len(cells) != len(attributes) or len(cells) < 2:
        raise DataError(f"{path}: line {line}: {len(cells)} values; the header declares {len(attributes)}")
    nominal = [number for number, kind in enumerate(attributes) if kind.startswith("{")]
    label = normal_label(cells.pop(nominal[-1] if nominal else -1))
    return Row(line, without_padding(parse_values(cells, path, line)[:, None], path, line), label)


def _relational(text: str, path: Path, line: int) -> Row:
    quote = text[0]
    end = text.rfind(f"{quote},") if quote in "'\"" else -1
    if end < 1:
        raise DataError(f"{path}: line {line}: expected the channels in quotes, then the label")
    channels = [parse_values(rows.split(","), path, line) for rows in text[1:end].split("\\n")]
    return Row(line, without_padding(_stack(channels, path, line), path, line), normal_label(text[end + 2 :]))


def _stack(channels: list[Float64], path: Path, line: int) -> Float64:
    lengths = [len(channel) for channel in channels]
    if len(set(lengths)) > 1:
        raise DataError(
            f"{path}: line {line}: channels of {min(lengths)} to {max(lengths)} values; expected equal lengths"
        )
    return np.stack(channels, axis=1)
