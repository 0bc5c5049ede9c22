"""Engines: every way this machine can run a bundle's model."""

from collections.abc import Sequence
from typing import Final

from edgecnn_bench.engines.compiled import COMPILED_ENGINES
from edgecnn_bench.engines.keras import KerasEngine
from edgecnn_bench.engines.litert import LITERT_ENGINES, reference_outputs
from edgecnn_bench.engines.protocol import Engine
from edgecnn_bench.engines.tflite_runtime import TFLITE_RUNTIME_ENGINES
from edgecnn_bench.engines.tflm import TFLM
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.errors import SettingsError

ENGINES: Final[tuple[Engine, ...]] = (
    KerasEngine(),
    *LITERT_ENGINES,
    *TFLITE_RUNTIME_ENGINES,
    *COMPILED_ENGINES,
    TFLM,
)


def all_engines(bundle: Bundle) -> tuple[Engine, ...]:
    """The engines that a report on this bundle is about, whether or not they can run here."""
    return tuple(engine for engine in ENGINES if engine.concerns(bundle))


def named_engines(names: Sequence[str]) -> tuple[Engine, ...]:
    """The engines of these names, in the order of `ENGINES`.

    Raises:
        SettingsError: a name is unknown, or there is none.
    """
    accepted = [engine.key for engine in ENGINES]
    unknown = [name for name in names if name not in accepted]
    if unknown or not names:
        what = f"unknown engine '{unknown[0]}'" if unknown else "no engine was named"
        raise SettingsError(f"{what}; accepted: {', '.join(accepted)}")
    return tuple(engine for engine in ENGINES if engine.key in names)


__all__ = ["ENGINES", "Engine", "all_engines", "named_engines", "reference_outputs"]
