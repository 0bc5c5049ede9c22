"""Arguments of `edgecnn benchmark` on their way to the benchmark."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgecnn.cli.benchmark import _elsewhere
from edgecnn_firmware.progress import Progress, silent


def test_a_long_installation_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Progress]] = []

    @contextmanager
    def opened(spec: str, *, progress: Progress = silent) -> Iterator[None]:
        seen.append((spec, progress))
        yield

    monkeypatch.setattr("edgecnn_bench.places.open_runtime", opened)

    def progress(task: str, done: int, total: int, note: str = "") -> None:
        pass

    for opener in _elsewhere(("create", "python3.9"), (), "python3", progress):
        with opener():
            pass
    assert seen == [("create", progress), ("python3.9", progress)]
