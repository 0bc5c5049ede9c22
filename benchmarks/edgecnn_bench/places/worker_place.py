"""A place that a worker serves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from edgecnn_bench.engines.protocol import Engine
from edgecnn_bench.places.engines import interpreter_engines
from edgecnn_bench.places.session import Session
from edgecnn_bench.results import Place
from edgecnn_firmware.bundle import Bundle

MoreEngines: TypeAlias = Callable[[str, Session], tuple[Engine, ...]]


@dataclass(frozen=True)
class WorkerPlace:
    """Somewhere else that engines can run, as long as it is open."""

    _place: Place
    _session: Session
    _more: tuple[MoreEngines, ...] = ()

    @property
    def place(self) -> Place:
        """For the report; asked at the end, it has the notes of all that went wrong."""
        return self._place.model_copy(update={"notes": (*self._place.notes, *self._session.notes)})

    def engines(self, bundle: Bundle) -> tuple[Engine, ...]:
        """The engines there that concern a bundle, whether or not they can run; their keys begin with the place's."""
        key, session = self._place.key, self._session
        return (
            *interpreter_engines(key, session, bundle),
            *(one for more in self._more for one in more(key, session)),
        )
