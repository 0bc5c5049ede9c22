"""Bundles: whole or not there, the same bytes for the same input, and not trusted when read."""

import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecnn_firmware import bundle as bundle_module
from edgecnn_firmware import files as files_module
from edgecnn_firmware import replacement
from edgecnn_firmware.bundle import (
    Bundle,
    BundleWriter,
    Vectors,
    read_bundle,
    replace_report,
    write_file_atomically,
    write_vectors,
)
from edgecnn_firmware.card import Card, ChannelCard, InputCard, NormalizationCard, QuantizationCard, TensorQuantization
from edgecnn_firmware.errors import BundleError

CARD = Card(
    name="waves",
    version="0.1.0",
    labels=("slow", "fast"),
    output="softmax",
    input=InputCard(window_samples=3, hop_samples=3, sample_rate_hz=10.0, channels=(ChannelCard(name="a"),)),
    normalization=NormalizationCard(method="none", offset=(0.0,), gain=(1.0,)),
    quantization=QuantizationCard(
        input=TensorQuantization(scale=0.1, zero_point=0), output=TensorQuantization(scale=1 / 256, zero_point=-128)
    ),
)


def some_vectors(n: int = 4, *, keras: bool = True) -> Vectors:
    choice = np.random.default_rng(2)
    return Vectors(
        windows=choice.normal(size=(n, 3, 1)).astype(np.float32),
        labels=np.arange(n, dtype=np.int64) % 2 - (np.arange(n) == 0),
        groups=np.array([f"Zoë {index}" for index in range(n)], dtype=np.str_).reshape(n),
        inputs=choice.integers(-128, 128, (n, 3, 1)).astype(np.int8),
        outputs=choice.integers(-128, 128, (n, 2)).astype(np.int8),
        keras_outputs=choice.random((n, 2)).astype(np.float32) if keras else None,
    )


def write(target: Path, content: bytes = b"model") -> Path:
    with BundleWriter(target) as writer:
        writer.add("model.tflite", content)
        writer.add("firmware/waves_model.h", b"/* */")
        writer.add_vectors(some_vectors())
        return writer.commit(CARD)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_reads_back_as_it_was_written(tmp_path):
    source = tmp_path / "kept.bin"
    source.write_bytes(b"kept" * 1000)
    with BundleWriter(tmp_path / "build" / "waves") as writer:
        writer.add("model.tflite", b"model")
        writer.add_file("model.keras", source)
        writer.add("report.html", b"<html>")
        writer.add_vectors(some_vectors())
        path = writer.commit(CARD)
    found = read_bundle(path, verify=True)
    assert found.model_bytes == b"model"
    assert list(found.card.files) == ["model.keras", "model.tflite", "vectors.npz"]
    assert found.card.files["model.keras"] == hashlib.sha256(b"kept" * 1000).hexdigest()
    for name, value in vars(some_vectors()).items():
        np.testing.assert_array_equal(getattr(found.vectors(), name), value)
    assert sorted(tree(path)) == ["card.json", "model.keras", "model.tflite", "report.html", "vectors.npz"]
    assert [entry.name for entry in path.parent.iterdir()] == ["waves"]


def test_vectors_without_keras_outputs_and_without_rows(tmp_path):
    for vectors in (some_vectors(keras=False), some_vectors(0)):
        with BundleWriter(tmp_path / "b") as writer:
            writer.add_vectors(vectors)
            found = read_bundle(writer.commit(CARD)).vectors()
        np.testing.assert_array_equal(found.groups, vectors.groups)
        assert (found.keras_outputs is None) == (vectors.keras_outputs is None)


def test_a_new_bundle_replaces_the_old_one_whole(tmp_path):
    write(tmp_path / "b", b"old")
    (tmp_path / "b" / "report.html").write_bytes(b"timings of the old model")
    write(tmp_path / "b", b"new")
    assert read_bundle(tmp_path / "b", verify=True).model_bytes == b"new"
    assert "report.html" not in tree(tmp_path / "b")
    assert names(tmp_path) == ["b"]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


STEPS = [
    (Path, "mkdir"),
    (bundle_module, "write_flushed"),
    (bundle_module, "write_vectors"),
    (bundle_module, "sha256_of"),
    (Path, "open"),
    (Path, "chmod"),
    (Path, "rename"),
    (Path, "unlink"),
    (os, "fsync"),
    (replacement, "_flush"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    step=st.sampled_from(STEPS),
    call=st.integers(0, 6),
    after=st.booleans(),
    error=st.sampled_from([KeyboardInterrupt(), MemoryError(), OSError(errno.ENOSPC, "No space left on device")]),
)
def test_a_failure_anywhere_leaves_a_whole_bundle(tmp_path_factory, monkeypatch, step, call, after, error):
    folder = tmp_path_factory.mktemp("failing")
    old = tree(write(folder / "b", b"old"))
    target, name = step
    original, calls = getattr(target, name), []

    def failing(*arguments, **named):
        calls.append(1)
        if len(calls) == call + 1 and not after:
            raise error
        result = original(*arguments, **named)
        if len(calls) == call + 1 and after:
            if hasattr(result, "close"):
                result.close()
            raise error
        return result

    failure: BaseException | None = None
    with monkeypatch.context() as patch:
        patch.setattr(target, name, failing)
        try:
            write(folder / "b", b"new")
        except (KeyboardInterrupt, MemoryError, BundleError) as caught:
            failure = caught
    assert isinstance(failure, (type(None), BundleError if isinstance(error, OSError) else type(error)))
    found = read_bundle(folder / "b", verify=True)
    if failure is None:
        assert found.model_bytes == b"new"
    elif found.model_bytes == b"old":
        assert tree(folder / "b") == old
    # Nothing is left but what the next run clears away.
    write(folder / "b", b"newest")
    assert read_bundle(folder / "b", verify=True).model_bytes == b"newest"
    assert names(folder) == ["b"]


def test_a_full_disk_is_one_line_and_the_old_bundle_stays(tmp_path, monkeypatch):
    old = tree(write(tmp_path / "b", b"old"))

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BundleError, match=r"model\.tflite: No space left on device$"):
        write(tmp_path / "b", b"new")
    assert tree(tmp_path / "b") == old
    assert names(tmp_path) == ["b"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_fills_up_while_vectors_are_written(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        write_vectors(Path("/dev/full"), some_vectors(20_000))


def test_a_run_that_died_between_the_renames_is_undone_by_the_next(tmp_path):
    old = tree(write(tmp_path / "b", b"old"))
    (tmp_path / "b").rename(tmp_path / ".b.old")
    with BundleWriter(tmp_path / "b") as writer:
        writer.add("model.tflite", b"left without commit")
    assert tree(tmp_path / "b") == old
    assert names(tmp_path) == ["b"]


KILLED = """
import os, sys
from pathlib import Path
from edgecnn_firmware.bundle import BundleWriter
writer = BundleWriter(Path(sys.argv[1])).__enter__()
writer.add("model.tflite", b"half a bundle")
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there; folders go after a day")
def test_folders_of_killed_runs_are_removed_and_those_of_living_ones_are_not(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "b")], check=False)
    (dead,) = tmp_path.iterdir()
    os.utime(dead, (time.time() - 3600,) * 2)
    with BundleWriter(tmp_path / "b") as living:
        assert not dead.exists()
        living.add("model.tflite", b"living")
        (folder,) = tmp_path.iterdir()
        os.utime(folder, (time.time() - 3600,) * 2)
        write(tmp_path / "b", b"of another run meanwhile")
        assert folder.exists()
        living.commit(CARD)
    assert read_bundle(tmp_path / "b").model_bytes == b"living"


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_something_else_in_the_place_is_not_touched(tmp_path, make):
    make(tmp_path / "photos")
    with pytest.raises(BundleError, match="not an edgecnn bundle; choose another name or remove it"):
        write(tmp_path / "photos")
    assert names(tmp_path) == ["photos"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=r"file/b: (File exists|Not a directory)$"):
        write(tmp_path / "file" / "b")


def test_through_a_link_the_bundle_goes_where_the_link_points(tmp_path):
    write(tmp_path / "real", b"old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert read_bundle(tmp_path / "real").model_bytes == b"new"


@pytest.mark.parametrize("name", ["", "../up", "/etc/passwd", "a/../b", ".hidden", "a\\b", "a//b", "a/", "é", "a\n"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name):
    with BundleWriter(tmp_path / "b") as writer, pytest.raises(BundleError, match="not a name for a file"):
        writer.add(name, b"")


@pytest.mark.parametrize("name", ["card.json", "model.tflite", "Model.TFLITE"])
def test_a_file_is_added_once(tmp_path, name):
    with BundleWriter(tmp_path / "b") as writer:
        writer.add("model.tflite", b"")
        with pytest.raises(BundleError, match="was added before"):
            writer.add(name, b"")


def test_a_writer_that_is_not_open_refuses(tmp_path):
    writer = BundleWriter(tmp_path / "b")
    with pytest.raises(BundleError, match="not open"):
        writer.add("a", b"")
    with writer:
        writer.commit(CARD)
        with pytest.raises(BundleError, match="not open"):
            writer.commit(CARD)


def test_the_source_of_a_copy_is_named_when_it_is_missing(tmp_path):
    with BundleWriter(tmp_path / "b") as writer, pytest.raises(BundleError, match=r"gone\.keras: No such file"):
        writer.add_file("model.keras", tmp_path / "gone.keras")


WRITE_VECTORS = """
import sys, numpy as np
from pathlib import Path
from edgecnn_firmware.vectors import Vectors, write_vectors
order = {"": "=", "big": ">"}[sys.argv[2]]
write_vectors(Path(sys.argv[1]), Vectors(
    windows=np.linspace(0, 1, 12, dtype=order + "f4").reshape(4, 3, 1), labels=np.arange(4, dtype=order + "i8"),
    groups=np.array(["p"] * 4, dtype=order + ("U1" if not sys.argv[2] else "U40")), inputs=np.zeros((4, 3, 1), np.int8),
    outputs=np.asfortranarray(np.arange(8, dtype=np.int8).reshape(4, 2))))
"""


def test_vectors_are_the_same_bytes_in_two_processes_at_different_times(tmp_path):
    paths = [tmp_path / "first.npz", tmp_path / "second.npz"]
    for path, order, zone in zip(paths, ("", "big"), ("UTC", "Asia/Tokyo"), strict=True):
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": str(len(order))}
        subprocess.run([sys.executable, "-c", WRITE_VECTORS, str(path), order], check=True, env=environment)
        time.sleep(2.1 if not order else 0)  # zip files count time in steps of 2 s
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_vectors_of_different_lengths_are_not_written(tmp_path):
    broken = Vectors(**{**vars(some_vectors(4)), "labels": np.zeros(3, np.int64)})
    with pytest.raises(ValueError, match="different length"):
        write_vectors(tmp_path / "v.npz", broken)


def test_numpy_reads_the_vectors_too(tmp_path):
    write_vectors(tmp_path / "v.npz", some_vectors())
    with np.load(tmp_path / "v.npz", allow_pickle=False) as arrays:
        for name, value in vars(some_vectors()).items():
            np.testing.assert_array_equal(arrays[name], value)


@pytest.fixture
def bundle(tmp_path) -> Bundle:
    return read_bundle(write(tmp_path / "b"))


def test_a_changed_file_is_named(bundle):
    (bundle.path / "model.tflite").write_bytes(b"evil")
    with pytest.raises(BundleError, match=r"model\.tflite: SHA-256"):
        _ = bundle.model_bytes
    with pytest.raises(BundleError, match=r"model\.tflite: SHA-256"):
        read_bundle(bundle.path, verify=True)
    read_bundle(bundle.path)


def test_a_missing_file_is_named(bundle):
    (bundle.path / "model.tflite").unlink()
    with pytest.raises(BundleError, match=r"model\.tflite: No such file"):
        bundle.verify()


def test_a_file_that_the_card_does_not_list_is_not_read(bundle):
    (bundle.path / "extra.bin").write_bytes(b"extra")
    with pytest.raises(BundleError, match="the card lists no such file"):
        bundle.read("extra.bin", 100)


def test_a_file_larger_than_asked_for_is_not_read(bundle):
    with pytest.raises(BundleError, match="5 bytes; at most 4 are read"):
        bundle.read("model.tflite", 4)


@pytest.mark.parametrize("name", ["model.tflite", "card.json", "firmware"])
def test_links_are_refused(bundle, tmp_path, name):
    path = bundle.path / name
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(BundleError, match="plain file"):
        read_bundle(bundle.path, verify=True)


def test_a_pipe_does_not_block(bundle):
    (bundle.path / "model.tflite").unlink()
    os.mkfifo(bundle.path / "model.tflite")
    with pytest.raises(BundleError, match="is no plain file"):
        _ = bundle.model_bytes


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside"])
def test_a_card_cannot_list_files_outside(bundle, name):
    card = json.loads((bundle.path / "card.json").read_text())
    card["files"][name] = "0" * 64
    (bundle.path / "card.json").write_text(json.dumps(card))
    with pytest.raises(BundleError, match="files"):
        read_bundle(bundle.path)


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="not an edgecnn bundle"):
        read_bundle(tmp_path)
    with pytest.raises(BundleError, match="not an edgecnn bundle"):
        read_bundle(tmp_path / "gone")


def with_vectors(bundle: Bundle, data: bytes) -> Bundle:
    """The bundle with other vectors that its card vouches for, as a hostile author makes it."""
    (bundle.path / "vectors.npz").write_bytes(data)
    files = {**bundle.card.files, "vectors.npz": hashlib.sha256(data).hexdigest()}
    return Bundle(bundle.path, bundle.card.model_copy(update={"files": files}))


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def of(**changes: object) -> bytes:
    return npz(**{**vars(some_vectors()), **changes})


HOSTILE = {
    "no zip": (b"PK nonsense", "not readable"),
    "empty": (b"", "not readable"),
    "no arrays": (npz(), "holds nothing"),
    "other arrays": (npz(a=np.zeros(3)), "holds a.npy"),
    "one more": (of(more=np.zeros(4)), "expected windows"),
    "pickles": (of(groups=np.array([{}] * 4, dtype=object)), "not an array of numbers or text"),
    "wrong window": (of(windows=np.zeros((4, 5, 1), np.float32)), r"windows is float32 \(4, 5, 1\)"),
    "wrong type": (of(inputs=np.zeros((4, 3, 1), np.int16)), "inputs is int16"),
    "float labels": (of(labels=np.zeros(4)), "labels is float64"),
    "two labels each": (of(labels=np.zeros((4, 2), np.int64)), "labels is int64"),
    "number groups": (of(groups=np.zeros(4, np.int64)), "groups is int64"),
    "wrong outputs": (of(outputs=np.zeros((4, 3), np.int8)), "outputs is int8"),
    "fewer rows": (of(outputs=np.zeros((3, 2), np.int8)), "outputs is int8"),
    "fortran order": (of(outputs=np.asfortranarray(np.zeros((4, 2), np.int8))), "C order"),
    "no text": (of(groups=np.full(4, 0x7FFFFFFF, np.uint32).view("<U1")), "is not text"),
}


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_vectors_are_one_line(bundle, data, message):
    with pytest.raises(BundleError, match=message):
        with_vectors(bundle, data).vectors()


def with_header(name: str, header: bytes, size: int | None = None) -> bytes:
    """Vectors where one array's header says something else; `size` is what the zip file says of its length."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in vars(some_vectors()).items():
            member = io.BytesIO()
            np.save(member, value)
            content = member.getvalue()
            if key == name:
                content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content[128:]
            archive.writestr(f"{key}.npy", content)
    data = bytearray(stream.getvalue())
    if size is not None:
        place = data.rindex(f"{name}.npy".encode()) - 46
        data[place + 24 : place + 28] = size.to_bytes(4, "little")
    return bytes(data)


HEADERS = {
    "huge": b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999999, 3), }\n",
    "negative": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3, 1), }\n",
    "nested": b"(" * 900 + b"\n",
    "code": b"__import__('os').abort()\n",
    "wide text": b"{'descr': '<U99999999', 'fortran_order': False, 'shape': (4,), }\n",
    "odd type": b"{'descr': '<f3', 'fortran_order': False, 'shape': (4, 3, 1), }\n",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_hostile_headers_do_not_eat_memory(bundle, header):
    with pytest.raises(BundleError):
        with_vectors(bundle, with_header("windows", header)).vectors()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(bundle):
    honest = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 3, 1), }\n"
    with pytest.raises(BundleError, match=r"unpacks to|not readable|bytes"):
        with_vectors(bundle, with_header("windows", honest, 0xFFFFFFF0)).vectors()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_vectors_give_arrays_or_one_line(bundle, data):
    content = bytearray(of())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    changed = with_vectors(bundle, bytes(content))
    message, shape = "", (4, 3, 1)
    try:
        shape = changed.vectors().windows.shape
    except BundleError as error:
        message = str(error)
    assert "\n" not in message
    assert shape == (4, 3, 1)


def test_reports_are_swapped_in_file_by_file(bundle, monkeypatch):
    replace_report(bundle.path, b"<html>", b"{}", b"# old")

    def fail(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files_module, "write_flushed", fail)
    with pytest.raises(BundleError, match=r"report\.html: No space left on device"):
        replace_report(bundle.path, b"<new>", b"{new}", b"# new")
    assert (bundle.path / "report.html").read_bytes() == b"<html>"
    assert (bundle.path / "report.md").read_bytes() == b"# old"
    assert not list(bundle.path.glob(".*"))
    bundle.verify()


def test_a_file_is_readable_for_others(tmp_path):
    write_file_atomically(tmp_path / "new" / "file.md", b"text")
    assert (tmp_path / "new" / "file.md").stat().st_mode & 0o777 == 0o644
    assert write(tmp_path / "b").stat().st_mode & 0o777 == 0o755
