"""A bundle is written whole or not at all, and a strange one is refused with one line."""

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_firmware import bundle as bundle_module
from edgecnn_firmware import files, replacement
from edgecnn_firmware.bundle import (
    CARD,
    MODEL,
    VECTORS,
    BundleWriter,
    Vectors,
    read_bundle,
    replace_report,
    write_file_atomically,
)
from edgecnn_firmware.card import Card
from edgecnn_firmware.errors import BundleError

MakeCard = Callable[..., Card]


@pytest.fixture
def vectors() -> Vectors:
    """Four test windows of the tiny model."""
    dice = np.random.default_rng(0)
    return Vectors(
        windows=dice.normal(size=(4, 2, 3)).astype(np.float32),
        labels=np.array([0, 1, -1, 1]),
        groups=np.array(["s1", "s1", "s2", "Ü"]),
        inputs=dice.integers(-128, 128, (4, 2, 3)).astype(np.int8),
        outputs=dice.integers(-128, 128, (4, 2)).astype(np.int8),
        keras_outputs=dice.random((4, 2)).astype(np.float32),
    )


@pytest.fixture
def write(tiny: bytes, make_card: MakeCard, vectors: Vectors) -> Callable[..., Path]:
    """Write a bundle of the tiny model."""

    def to(target: Path, description: str = "first") -> Path:
        with BundleWriter(target) as writer:
            writer.add(MODEL, tiny)
            writer.add_vectors(vectors)
            writer.add("tiny_model.h", b"/* */\n")
            writer.add("report.md", b"# Report\n")
            writer.add("extra/notes.txt", b"notes\n")
            return writer.commit(make_card(description=description))

    return to


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bundle_reads_back(write: Callable[..., Path], tmp_path: Path, tiny: bytes, vectors: Vectors) -> None:
    bundle = read_bundle(write(tmp_path / "b"), verify=True)
    assert bundle.card.description == "first"
    assert bundle.model_bytes == tiny
    assert list(bundle.card.files) == ["extra/notes.txt", MODEL, "tiny_model.h", VECTORS]
    found = bundle.vectors()
    for name, expected in vars(vectors).items():
        array = getattr(found, name)
        np.testing.assert_array_equal(array, expected)
        assert array.dtype.kind == expected.dtype.kind
    assert names(tmp_path) == ["b"]


def test_vectors_without_keras_outputs_and_without_rows(
    tmp_path: Path, make_card: MakeCard, vectors: Vectors, tiny: bytes
) -> None:
    none = replace(vectors, keras_outputs=None, **{n: v[:0] for n, v in vars(vectors).items() if n != "keras_outputs"})
    with BundleWriter(tmp_path / "b") as writer:
        writer.add_vectors(none)
        writer.commit(make_card())
    found = read_bundle(tmp_path / "b").vectors()
    assert found.keras_outputs is None
    assert found.windows.shape == (0, 2, 3)


def test_two_bundles_of_the_same_input_have_the_same_bytes(write: Callable[..., Path], tmp_path: Path) -> None:
    first, second = content(write(tmp_path / "one" / "b")), content(write(tmp_path / "two" / "b"))
    assert first == second
    assert {CARD, MODEL, VECTORS} < set(first)


def test_a_new_bundle_replaces_the_old_one_whole(
    write: Callable[..., Path], tmp_path: Path, make_card: MakeCard
) -> None:
    write(tmp_path / "b")
    with BundleWriter(tmp_path / "b") as writer:
        writer.add("other.txt", b"x")
        writer.commit(make_card(description="second"))
    assert sorted(content(tmp_path / "b")) == [CARD, "other.txt"]
    assert read_bundle(tmp_path / "b", verify=True).card.description == "second"
    assert names(tmp_path) == ["b"]


def test_leaving_without_commit_leaves_the_old_bundle(write: Callable[..., Path], tmp_path: Path) -> None:
    before = content(write(tmp_path / "b"))
    with BundleWriter(tmp_path / "b") as writer:
        writer.add(MODEL, b"half")
    assert content(tmp_path / "b") == before
    with contextlib.suppress(KeyboardInterrupt), BundleWriter(tmp_path / "b") as writer:
        writer.add(MODEL, b"half")
        raise KeyboardInterrupt
    assert content(tmp_path / "b") == before
    assert names(tmp_path) == ["b"]


def failing(original: Callable[..., Any], count: int, calls: list[int]) -> Callable[..., Any]:
    """`original` that finds the disk full at call number `count`."""

    def call(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == count:
            raise OSError(28, "No space left on device")
        return original(*args, **options)

    return call


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize(
    "step",
    [
        (Path, "rename"),
        (Path, "open"),
        (Path, "mkdir"),
        (Path, "unlink"),
        (Path, "chmod"),
        (os, "fsync"),
        (bundle_module, "write_flushed"),
        (bundle_module, "write_vectors"),
        (bundle_module, "sha256_of"),
    ],
    ids=lambda step: step[1],
)
def test_a_full_disk_at_any_step_leaves_the_old_bundle_or_the_new_whole(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str], number: int
) -> None:
    before = content(write(tmp_path / "b"))
    after = content(write(tmp_path / "after" / "b", "second"))
    calls: list[int] = []
    owner, name = step
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing(getattr(owner, name), number + 1, calls))
        try:
            write(tmp_path / "b", "second")
        except BundleError as error:
            assert "\n" not in str(error)
            expected = before
        else:
            expected = after
    assert content(tmp_path / "b") == expected
    assert names(tmp_path) == ["after", "b"]


def test_a_run_that_died_between_the_renames_is_mended_by_the_next(write: Callable[..., Path], tmp_path: Path) -> None:
    before = content(write(tmp_path / "b"))
    (tmp_path / "b").rename(tmp_path / ".b.old")
    with BundleWriter(tmp_path / "b"):
        assert content(tmp_path / "b") == before
    assert content(tmp_path / "b") == before
    assert names(tmp_path) == ["b"]


def test_a_run_that_died_after_the_renames_leaves_the_new_one(write: Callable[..., Path], tmp_path: Path) -> None:
    write(tmp_path / "b").rename(tmp_path / ".b.old")
    write(tmp_path / "elsewhere" / "b", "second").rename(tmp_path / "b")
    with BundleWriter(tmp_path / "b"):
        pass
    assert read_bundle(tmp_path / "b").card.description == "second"
    assert names(tmp_path) == ["b", "elsewhere"]


def test_a_bundle_that_only_exists_aside_is_read(write: Callable[..., Path], tmp_path: Path, tiny: bytes) -> None:
    write(tmp_path / "b").rename(tmp_path / ".b.old")
    assert read_bundle(tmp_path / "b", verify=True).model_bytes == tiny


def test_a_strange_folder_in_the_place_does_not_cost_the_bundle_aside(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write(tmp_path / "b").rename(tmp_path / ".b.old")
    (tmp_path / "b").mkdir()
    with pytest.raises(BundleError, match="is not an edgecnn bundle"), BundleWriter(tmp_path / "b"):
        pass
    (tmp_path / "b").rmdir()
    read_bundle(tmp_path / "b", verify=True)


def test_folders_of_dead_runs_are_removed_and_of_living_ones_kept(write: Callable[..., Path], tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "b") as living:
        living.add(MODEL, b"x")
        (held,) = (path for path in tmp_path.iterdir() if path.name.startswith(".b.new."))
        dead, young = tmp_path / ".b.new.dead", tmp_path / ".b.new.young"
        dead.mkdir()
        (dead / ".lock").touch()
        young.mkdir()
        ancient = tmp_path / ".b.new.ancient"
        ancient.mkdir()
        for folder, age_s in ((dead, 600), (held, 600), (ancient, 100 * 3600)):
            time_s = folder.stat().st_mtime - age_s
            os.utime(folder, (time_s, time_s))
        write(tmp_path / "b")
        left = {held.name, young.name, "b"} | ({dead.name} if sys.platform == "win32" else set())
        assert set(names(tmp_path)) == left


def test_something_else_in_the_place_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for place in (folder, tmp_path / "file"):
        with pytest.raises(BundleError, match="exists and is not"), BundleWriter(place):
            pass
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert names(tmp_path) == ["file", "mine"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_place_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(BundleError, match="Permission denied"), BundleWriter(tmp_path / "b"):
            pass
    finally:
        tmp_path.chmod(0o755)


def test_a_parent_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError) as caught, BundleWriter(tmp_path / "file" / "b"):
        pass
    assert "\n" not in str(caught.value)


UNUSABLE = [
    "",
    ".",
    "..",
    "../x",
    "/etc/x",
    "a/../b",
    "a//b",
    "a\\b",
    "..\\x",
    "C:\\x",
    "C:x",
    "a/",
    "a b",
    "-x",
    ".x",
    "x\0",
    "é",
]


@pytest.mark.parametrize("name", [*UNUSABLE, "a/" * 5 + "b", "n" * 129, "x\n"])
def test_unusable_names_are_refused(tmp_path: Path, name: str) -> None:
    with BundleWriter(tmp_path / "b") as writer, pytest.raises(BundleError):
        writer.add(name, b"")


@pytest.mark.parametrize("name", [CARD, "CARD.json", MODEL, "Model.tflite"])
def test_no_file_is_added_twice(tmp_path: Path, name: str) -> None:
    with BundleWriter(tmp_path / "b") as writer:
        writer.add(MODEL, b"x")
        with pytest.raises(BundleError, match="was added before"):
            writer.add(name, b"y")


def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "b") as writer:
        writer.add("x", b"x")
        with pytest.raises(BundleError):
            writer.add("x/y", b"y")


def test_files_are_copied_in(tmp_path: Path, make_card: MakeCard) -> None:
    (tmp_path / "source").write_bytes(b"abc" * 100_000)
    with BundleWriter(tmp_path / "b") as writer:
        writer.add_file("copy.bin", tmp_path / "source")
        with pytest.raises(BundleError, match="missing"):
            writer.add_file("other.bin", tmp_path / "missing")
        writer.commit(make_card())
    assert (tmp_path / "b" / "copy.bin").read_bytes() == b"abc" * 100_000
    read_bundle(tmp_path / "b", verify=True)


def test_a_closed_writer_takes_nothing(tmp_path: Path, make_card: MakeCard) -> None:
    writer = BundleWriter(tmp_path / "b")
    with pytest.raises(BundleError, match="not open"):
        writer.add("x", b"")
    with writer:
        writer.commit(make_card())
    with pytest.raises(BundleError, match="not open"):
        writer.commit(make_card())


def test_changed_files_are_found(write: Callable[..., Path], tmp_path: Path) -> None:
    target = write(tmp_path / "b")
    (target / MODEL).write_bytes((target / MODEL).read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match=r"model.tflite: SHA-256"):
        read_bundle(target, verify=True)
    bundle = read_bundle(target)
    with pytest.raises(BundleError, match=r"model.tflite: SHA-256"):
        bundle.model_bytes  # noqa: B018 - reading is the test
    (target / MODEL).unlink()
    with pytest.raises(BundleError, match="No such file"):
        bundle.verify()


def test_links_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    target = write(tmp_path / "b")
    for name in (MODEL, CARD, "extra"):
        (target / name).rename(tmp_path / "moved")
        try:
            (target / name).symlink_to(tmp_path / "moved")
        except OSError:
            pytest.skip("no links on this system")
        with pytest.raises(BundleError, match=r"is no plain file|is a link"):
            read_bundle(target, verify=True)
        (target / name).unlink()
        (tmp_path / "moved").rename(target / name)
    read_bundle(target, verify=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_does_not_block(write: Callable[..., Path], tmp_path: Path) -> None:
    target = write(tmp_path / "b")
    (target / CARD).unlink()
    os.mkfifo(target / CARD)
    with pytest.raises(BundleError, match="is no plain file"):
        read_bundle(target)


def test_a_bundle_through_a_link_goes_where_the_link_points(write: Callable[..., Path], tmp_path: Path) -> None:
    real = write(tmp_path / "real" / "b")
    try:
        (tmp_path / "link").symlink_to(real)
    except OSError:
        pytest.skip("no links on this system")
    write(tmp_path / "link", "second")
    assert (tmp_path / "link").is_symlink()
    assert read_bundle(real, verify=True).card.description == "second"


def test_no_bundle_there_says_so(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BundleError, match=r"not an edgecnn bundle \(no card.json in it\)"):
            read_bundle(place)


def test_a_report_is_replaced_beside_the_listed_files(write: Callable[..., Path], tmp_path: Path) -> None:
    target = write(tmp_path / "b")
    replace_report(target, b"<p>", b"{}", b"# new")
    assert (target / "report.md").read_bytes() == b"# new"
    read_bundle(target, verify=True)


def test_an_atomic_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "file"
    write_file_atomically(path, b"old")
    for owner, name in ((files, "write_flushed"), (Path, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, failing(getattr(owner, name), 1, []))
            with pytest.raises(BundleError, match="No space left"):
                write_file_atomically(path, b"new")
        assert content(tmp_path) == {"folder/file": b"old"}
    write_file_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_failed_swap_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "b"
    target.mkdir()
    (target / "old").touch()
    new = replacement.Replacement(target)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing(Path.rename, 2, []))
        with pytest.raises(OSError, match="No space"):
            new.swap_in()
    new.discard()
    assert names(target) == ["old"]
    assert names(tmp_path) == ["b"]
