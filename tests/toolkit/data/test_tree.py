import pytest

from edgecnn.data.tree import find_pattern


@pytest.mark.parametrize("stem", ["{}", "rec{}", "rec_{}", "0{}"])
def test_a_folder_per_class_with_numbered_files_is_no_folder_per_person(stem: str) -> None:
    names = [f"{label}/{stem.format(take)}.csv" for label in ("walk", "run", "sit") for take in range(5)]
    assert find_pattern(names) is None


def test_a_folder_per_person_with_a_file_per_class_is_found() -> None:
    names = [f"{person}/{label}.csv" for person in ("ann", "bo") for label in ("walk", "run", "sit")]
    assert find_pattern(names) == "{group}/{label}.csv"


def test_a_folder_per_person_with_takes_is_found() -> None:
    names = [
        f"{person}/{label}_{take}.csv.gz" for person in ("ann", "bo") for label in ("walk", "run") for take in (1, 2)
    ]
    assert find_pattern(names) == "{group}/{label}_{take}.csv.gz"
