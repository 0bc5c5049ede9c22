"""`NAME_result` and `NAME_drift` as they lie in memory: as ctypes has them, and as every common ABI does."""

import ctypes
from typing import Any

from edgecnn_firmware.classifier.results import Result


def result_type(outputs: int, labels: int) -> type[ctypes.Structure]:
    """`NAME_result` of a classifier."""
    fields = [
        ("label", ctypes.c_int32),
        ("window_label", ctypes.c_int32),
        ("changed", ctypes.c_int32),
        ("outputs", ctypes.c_int8 * outputs),
        ("probabilities", ctypes.c_int16 * labels),
        ("margin", ctypes.c_int16),
    ]
    return type("Result", (ctypes.Structure,), {"_fields_": fields})


def drift_type(channels: int) -> type[ctypes.Structure]:
    """`NAME_drift` of a classifier."""
    figures = [(name, ctypes.c_int32 * channels) for name in ("mean_shift", "spread", "clipped")]
    return type("Drift", (ctypes.Structure,), {"_fields_": [("samples", ctypes.c_uint32), *figures]})


def layout(structure: type[ctypes.Structure]) -> dict[str, int]:
    """Offset of each member and, as `size`, that of the whole, in bytes."""
    members = {field[0]: int(getattr(structure, field[0]).offset) for field in structure._fields_}
    return members | {"size": ctypes.sizeof(structure)}


def result_of(found: Any) -> Result:
    """What a `NAME_result` holds."""
    return Result(
        found.label,
        found.window_label,
        bool(found.changed),
        tuple(found.outputs),
        tuple(found.probabilities),
        found.margin,
    )
