from pathlib import Path

import pytest

from edgecnn.steps import digest, is_current, run_step

INPUTS = {"a": 1, "b": [1, 2]}


def write_output(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "out.txt").write_text("result", encoding="utf-8")


def test_unchanged_inputs_are_not_run_again(tmp_path: Path) -> None:
    step = tmp_path / "steps" / "train"
    assert run_step(step, INPUTS, write_output, force=False)
    assert not run_step(step, dict(reversed(INPUTS.items())), write_output, force=False)
    assert (step / "sub" / "out.txt").read_text(encoding="utf-8") == "result"


def test_changed_inputs_force_and_missing_or_cut_files_run_again(tmp_path: Path) -> None:
    step = tmp_path / "train"
    run_step(step, INPUTS, write_output, force=False)
    assert run_step(step, INPUTS, write_output, force=True)
    assert run_step(step, {**INPUTS, "a": 2}, write_output, force=False)
    (step / "sub" / "out.txt").write_text("res", encoding="utf-8")
    assert run_step(step, {**INPUTS, "a": 2}, write_output, force=False)
    (step / "sub" / "out.txt").unlink()
    assert run_step(step, {**INPUTS, "a": 2}, write_output, force=False)


@pytest.mark.parametrize("record", ["", "[]", "{", '{"inputs": 3}', '{"inputs": null, "files": []}'])
def test_a_damaged_record_is_not_current(tmp_path: Path, record: str) -> None:
    (tmp_path / "step.json").write_text(record, encoding="utf-8")
    assert not is_current(tmp_path, digest(INPUTS))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_old_output_and_no_leftovers(tmp_path: Path, error: type[BaseException]) -> None:
    step = tmp_path / "train"
    run_step(step, INPUTS, write_output, force=False)

    def fail(folder: Path) -> None:
        write_output(folder)
        raise error

    with pytest.raises(error):
        run_step(step, {"a": 3}, fail, force=False)
    assert is_current(step, digest(INPUTS))
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("9 requested and 0 written"), "9 req"),
    ],
)
def test_a_disk_error_without_a_file_names_the_step(tmp_path: Path, error: OSError, reason: str) -> None:
    def fail(_folder: Path) -> None:
        raise error

    with pytest.raises(OSError, match=reason) as caught:
        run_step(tmp_path / "train", INPUTS, fail, force=False)
    assert caught.value.filename == str(tmp_path / "train")
    assert caught.value.strerror is not None
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_names_its_file_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        run_step(tmp_path / "train", INPUTS, lambda _: (tmp_path / "data.csv").read_bytes(), force=False)
    assert caught.value.filename == str(tmp_path / "data.csv")
