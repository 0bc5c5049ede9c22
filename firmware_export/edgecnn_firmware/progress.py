"""How long work tells of its progress: libraries call, the command line draws."""

from typing import Protocol


class Progress(Protocol):
    """Receives progress; implementations must be cheap and never raise."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` units of `task` are finished (`total` 0: unknown); `note` is a few words."""


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Ignore progress."""
