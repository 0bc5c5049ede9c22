"""Parquet files: the same columns as text tables, read a row group at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn.data.readers.columns import Roles
from edgecnn.data.readers.csv_cells import Columns
from edgecnn.data.readers.facts import path_facts
from edgecnn.data.readers.sources import list_files, need, relative_name
from edgecnn.data.readers.tabular import TableBuilder
from edgecnn.data.recording import Dataset
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError

FORMAT: Final = "parquet"
_BATCH_ROWS: Final = 1 << 18
_PANDAS_INDEX: Final = "__index_level_"


def read(settings: DataSettings) -> Dataset:
    """Read every Parquet file under the data folder.

    Raises:
        DataError: naming file, row and column of what cannot be used.
        MissingDependency: pyarrow is not installed.
    """
    files = list_files(settings.path, (".parquet", ".pq"))
    if not files:
        raise DataError(f"{settings.path}: no .parquet files")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise need("pyarrow", "train", "reading Parquet files") from error
    chosen, notes = path_facts(files, settings)
    builder = TableBuilder(settings)
    for path, facts in chosen.items():
        try:
            with pq.ParquetFile(path) as file:
                names, numeric = _schema(file.schema_arrow, pa)
                roles = builder.roles(names, numeric, path)
                name = relative_name(path, settings.path)
                builder.add_file(name, str(path), roles, facts, _batches(file, names, roles, path))
        except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
            raise DataError(f"{path}: no readable Parquet file ({' '.join(str(error).split())[:120]})") from error
    recordings, more = builder.recordings()
    return Dataset(settings.path.resolve().name, FORMAT, recordings, tuple(chosen), (*notes, *more))


def _schema(schema: Any, pa: Any) -> tuple[list[str], list[bool]]:
    kinds = pa.types
    numeric = [
        not field.name.startswith(_PANDAS_INDEX)
        and (kinds.is_integer(field.type) or kinds.is_floating(field.type) or kinds.is_decimal(field.type))
        for field in schema
    ]
    return list(schema.names), numeric


def _batches(file: Any, names: list[str], roles: Roles, path: Path) -> Iterator[tuple[Columns, bool]]:
    row, starts = 1, True
    wanted = sorted({names[column] for column in (*roles.numeric, *roles.textual)})
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
        if not batch.num_rows:
            continue
        numbers = np.empty((batch.num_rows, len(roles.numeric)))
        for place, column in enumerate(roles.numeric):
            numbers[:, place] = _numbers(batch.column(names[column]), names[column], path)
        texts = {
            column: np.array([_text(cell) for cell in batch.column(names[column]).to_pylist()], dtype=object)
            for column in roles.textual
        }
        rows = np.arange(batch.num_rows, dtype=np.int64) + row
        yield Columns(numbers, texts, rows), starts
        row, starts = row + batch.num_rows, False


def _numbers(column: Any, name: str, path: Path) -> Any:
    import pyarrow as pa

    try:
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise DataError(f"{path}: column '{name}' holds no numbers") from error


def _text(cell: Any) -> str:
    if cell is None or cell != cell:
        return ""
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
