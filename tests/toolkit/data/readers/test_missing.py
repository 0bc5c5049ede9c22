"""Missing values: bridged alike whether a recording comes at once or in pieces; long gaps are refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.readers.missing import Bridge, bridge_missing, longest_run
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError


def settings(**keys: object) -> DataSettings:
    return DataSettings(path=Path(), missing="interpolate", **keys)


def place(row: int, channel: int) -> str:
    return f"row {row}, channel {channel}"


_TABLES = st.integers(1, 40).flatmap(
    lambda length: st.lists(
        st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=2, max_size=2), min_size=length, max_size=length
    )
)


def bridged(values: np.ndarray, own: DataSettings) -> np.ndarray | str:
    try:
        return bridge_missing(values, own, 10.0, place)
    except DataError as error:
        return str(error)


@given(_TABLES)
def test_pandas_interpolates_alike(table: list[list[int | None]]) -> None:
    values = np.array(table, dtype=np.float64)
    result = bridged(values, settings(max_gap_s=1000.0))
    if np.isnan(values).all(axis=0).any():
        assert isinstance(result, str)
    else:
        expected = pd.DataFrame(values).interpolate(limit_direction="both").to_numpy()
        np.testing.assert_allclose(result, expected, atol=1e-12)


@given(_TABLES, st.lists(st.integers(1, 7), min_size=1, max_size=60))
def test_pieces_are_bridged_as_the_whole(table: list[list[int | None]], sizes: Sequence[int]) -> None:
    values = np.array(table, dtype=np.float64)
    whole = bridged(values, settings())
    together = in_pieces(values, settings(), sizes)
    if isinstance(whole, str):
        assert isinstance(together, str)
    else:
        np.testing.assert_allclose(together, whole, atol=1e-12)


def in_pieces(values: np.ndarray, own: DataSettings, sizes: Sequence[int]) -> np.ndarray | str:
    bridge, rows, pieces, start = Bridge(own, place), np.arange(len(values)), [], 0
    try:
        for size in (*sizes, len(values)):
            if start < len(values):
                pieces.append(bridge.add(values[start : start + size], rows[start : start + size], lambda: 10.0))
            start += size
        rest = bridge.finish(lambda: 10.0)
    except DataError as error:
        return str(error)
    return np.concatenate(pieces if rest is None else [*pieces, rest])


@pytest.mark.parametrize(
    ("max_gap_s", "rate_hz", "longest"),
    [(None, 100.0, 4), (None, None, 4), (0.1, 100.0, 9), (0.01, 100.0, 0), (0.001, 100.0, 0), (1e300, 1e7, 2**62 - 1)],
)
def test_the_longest_run_follows_the_longest_gap(max_gap_s: float | None, rate_hz: float | None, longest: int) -> None:
    assert longest_run(settings(max_gap_s=max_gap_s), rate_hz) == longest


@pytest.mark.parametrize("before", [0, 3])
def test_a_long_gap_is_named(before: int) -> None:
    values = np.ones((20, 2))
    values[before : before + 5, 1] = np.nan
    with pytest.raises(DataError, match=f"row {before}, channel 1: 5 values in a row are missing, at most 4"):
        bridge_missing(values, settings(), 10.0, place)
    assert (bridge_missing(values, settings(max_gap_s=0.6), 10.0, place) == 1).all()


def test_missing_values_are_an_error_unless_asked() -> None:
    values = np.array([[1.0], [np.nan], [3.0]])
    with pytest.raises(DataError, match="row 1, channel 0: the value is missing"):
        bridge_missing(values, DataSettings(path=Path()), 10.0, place)
