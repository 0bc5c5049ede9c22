import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.project import MAX_PROJECT_BYTES, Project, load_project, to_samples
from edgecnn_firmware.errors import SettingsError

MINIMAL = """
[project]
name = "wrist"
[data]
path = "recordings"
[windows]
length = "2 s"
hop = 64
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "edgecnn.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_minimal_project_has_defaults_and_resolves_the_data_path(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, MINIMAL))
    assert project == load_project(tmp_path)
    assert project.data.path == tmp_path / "recordings"
    assert project.model.name == "small"


def test_absolute_data_path_is_kept(tmp_path: Path) -> None:
    absolute = tmp_path / "elsewhere"
    text = MINIMAL.replace('"recordings"', repr(str(absolute)))
    assert load_project(write(tmp_path, text)).data.path == absolute


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("hop = 64", "hop = '64 x'"), "'windows.hop' = '64 x': must be samples (128) or a duration"),
        (("hop = 64", "hop = 0"), "'windows.hop' = 0: must be at least 1 sample"),
        (("hop = 64", ""), "'windows.hop' is missing"),
        (("[data]", "[data]\nformt = 'csv'"), "unknown key 'data.formt'; did you mean 'format'? accepted: annotator"),
        (("[data]", "[data]\nformat = 'xls'"), "'data.format' = 'xls': must be 'auto', 'csv'"),
        (('"wrist"', '"my model"'), "'project.name' = 'my model'"),
        (("[windows]", "[split]\ntest = 1.5\n[windows]"), "'split.test' = 1.5: must be less than 1"),
        (("[windows]", "[labels]\nrule = 'any-of'\n[windows]"), "'labels': rule 'any-of' needs classes and background"),
        (
            ("[windows]", "[training.augment]\njiter = 1\n[windows]"),
            "unknown key 'training.augment.jiter'; did you mean",
        ),
        (("[windows]", "[training]\nlearning_rate = nan\n[windows]"), "'training.learning_rate' = nan"),
        (("[windows]", "[normalization]\noffset = [1.0]\n[windows]"), "offset and gain go with method 'constants'"),
        (("[windows]", "[windows"), "not valid TOML"),
        (("[project]", "[projct]"), "'project' is missing"),
    ],
)
def test_a_wrong_project_gives_one_line_with_key_and_accepted_values(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    file = write(tmp_path, MINIMAL.replace(*change))
    with pytest.raises(SettingsError) as caught:
        load_project(file)
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="edgecnn init"):
        load_project(tmp_path)


def test_huge_and_binary_and_deep_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "edgecnn.toml"
    file.write_bytes(b" " * (MAX_PROJECT_BYTES + 1))
    with pytest.raises(SettingsError, match="larger than"):
        load_project(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_project(file)
    file.write_text("x = " + "[" * sys.getrecursionlimit(), encoding="utf-8")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_project(file)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_project_or_a_settings_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "edgecnn.toml"
    file.write_bytes(data)
    with contextlib.suppress(SettingsError):
        assert isinstance(load_project(file), Project)


@given(st.integers(1, 100_000), st.sampled_from([50.0, 100.0, 360.0, 31.25]))
def test_durations_become_the_nearest_sample(milliseconds: int, rate: float) -> None:
    expected = max(1, round(milliseconds / 1000 * rate))
    assert to_samples(f"{milliseconds} ms", rate) == pytest.approx(expected, abs=1)
    assert to_samples(milliseconds, rate) == milliseconds
