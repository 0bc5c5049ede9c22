"""The float engine."""

from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.engines.keras import KerasEngine, LoadedKeras
from edgecnn_firmware.bundle import Bundle, read_bundle
from edgecnn_firmware.errors import ModelError

TOLERANCE = 2e-6
"""Batches are summed in another order than single windows."""


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return read_bundle(tiny_bundle)


@pytest.fixture(scope="module")
def loaded(bundle: Bundle) -> LoadedKeras:
    return KerasEngine().load(bundle)


def test_outputs_are_those_recorded_at_export(bundle: Bundle, loaded: LoadedKeras) -> None:
    vectors = bundle.vectors()
    assert vectors.keras_outputs is not None
    done: list[int] = []
    found = loaded.outputs(vectors.windows, done.append)
    assert done == [90]
    assert found.quantization is None
    assert np.abs(found.probabilities - vectors.keras_outputs).max() < TOLERANCE


def test_one_window_gives_what_the_batch_gives(bundle: Bundle, loaded: LoadedKeras) -> None:
    windows = bundle.vectors().windows
    batch = loaded.outputs(windows, lambda _: None).probabilities
    for index in (0, 7, 42):
        alone = np.asarray(loaded.prepare(windows[index])())[0]
        assert np.abs(alone - batch[index]).max() < TOLERANCE
        assert loaded.classify(windows[index]) == batch[index].argmax()
    assert loaded.threads >= 1


def test_chunks_do_not_change_outputs(bundle: Bundle, loaded: LoadedKeras, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = bundle.vectors().windows
    whole = loaded.outputs(windows, lambda _: None).probabilities
    monkeypatch.setattr("edgecnn_bench.engines.keras.chunk_windows", lambda card: 17)
    done: list[int] = []
    assert np.abs(loaded.outputs(windows, done.append).probabilities - whole).max() < TOLERANCE
    assert done == [17, 34, 51, 68, 85, 90]


@pytest.mark.parametrize("content", [b"not a zip file", b""])
def test_a_broken_file_is_an_error_of_ours(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "model.keras").write_bytes(content)
    monkeypatch.setattr(Bundle, "read", lambda *_: content)
    with pytest.raises(ModelError, match=r"model\.keras: Keras cannot load it"):
        KerasEngine().load(Bundle(tmp_path, bundle.card))


def test_importing_the_engines_does_not_import_tensorflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys, edgecnn_bench.benchmark, edgecnn_bench.engines as e;"
        "[x.title for x in e.ENGINES];"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'scipy', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
