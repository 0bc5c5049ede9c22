"""A result as one JSON line."""

import json
from datetime import datetime, timezone

from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.monitor import Drift
from edgecnn_firmware.classifier.results import ONE, Result
from edgecnn_firmware.live.feed import Item

_DIGITS = 5


class Records:
    """Writes the lines of one run."""

    def __init__(self, card: Card, *, with_all: bool = False) -> None:
        """`with_all`: the probabilities of all labels too."""
        self._labels = card.labels
        self._channels = tuple(channel.name for channel in card.input.channels)
        self._with_all = with_all

    def line(
        self, item: Item, sample: int, result: Result, dropped: int = 0, drift: tuple[Drift, ...] | None = None
    ) -> str:
        """One line without its end.

        Args:
            item: the sample that completed the window.
            sample: its number in the stream from 1, dropped ones counted.
            result: what the engine made of the window.
            dropped: samples that are missing since the line before.
            drift: figures to add.
        """
        settled = result.label >= 0
        record: dict[str, object] = {
            "time": datetime.fromtimestamp(item.unix_s, timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z",
            "monotonic_s": round(item.monotonic_s, 6),
            "sample": sample,
            "label": self._labels[result.label] if settled else None,
            "probability": _share(result.probabilities[result.label]) if settled else None,
            "margin": _share(result.margin),
            "window_label": self._labels[result.window_label],
            "changed": result.changed,
        }
        if self._with_all:
            record["probabilities"] = dict(zip(self._labels, map(_share, result.probabilities), strict=True))
        if dropped:
            record["dropped"] = dropped
        if drift is not None:
            record["drift"] = {
                name: {
                    "mean_shift": round(found.mean_shift, 3),
                    "spread": round(found.spread, 3),
                    "clipped": _share(found.clipped * ONE),
                }
                for name, found in zip(self._channels, drift, strict=True)
            }
        return json.dumps(record, ensure_ascii=False)


def _share(q15: float) -> float:
    return round(q15 / ONE, _DIGITS)
