"""What a benchmark needs of somewhere else that runs engines."""

from typing import Protocol

from edgecnn_bench.engines.protocol import Engine
from edgecnn_bench.results import Place
from edgecnn_firmware.bundle import Bundle


class OpenPlace(Protocol):
    """A place that is ready; it is closed by the context that opened it."""

    @property
    def place(self) -> Place:
        """The report's row."""

    def engines(self, bundle: Bundle) -> tuple[Engine, ...]:
        """What it can run of a bundle."""
