"""What the steps depend on."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgecnn import pipeline
from edgecnn.data.demo import demo_project
from edgecnn.pipeline import Job, PreparedData, train_model
from edgecnn.project import LEARNING_RATE, ModelSettings
from edgecnn.zoo.presets import PRESETS


class Stop(Exception):
    """Ends a step before it does anything."""


@pytest.fixture
def train_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The inputs of the training step of a job, without running it."""

    def inputs_of(model: str = "small", window_samples: int = 1000, **training: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def record(_folder: Path, inputs: dict[str, Any], *_: Any, **__: Any) -> None:
            found.update(inputs)
            raise Stop

        prepared: Any = SimpleNamespace(input=SimpleNamespace(window_samples=window_samples))
        monkeypatch.setattr(pipeline, "prepare_data", lambda _: PreparedData("key", prepared))
        monkeypatch.setattr(pipeline, "run_step", record)
        project = demo_project()
        project = project.model_copy(
            update={
                "model": ModelSettings(name=model),
                "training": project.training.model_copy(update=training),
            }
        )
        with pytest.raises(Stop):
            train_model(Job(project, tmp_path, tmp_path / "build"))
        return found

    return inputs_of


def test_each_preset_trains_with_its_own_learning_rate(train_inputs: Any) -> None:
    rates = {name: train_inputs(name)["training"]["learning_rate"] for name in PRESETS}
    assert rates == {name: preset.learning_rate for name, preset in PRESETS.items()}
    assert {name for name, rate in rates.items() if rate != LEARNING_RATE} == {"vgg1d"}
    # The default preset's steps and bundles stay what they were.
    assert rates["small"] == 2e-3


def test_the_project_file_overrides_the_presets_learning_rate(train_inputs: Any) -> None:
    assert train_inputs("vgg1d", learning_rate=5e-3)["training"]["learning_rate"] == 5e-3
    assert train_inputs("small", learning_rate=2e-3) == train_inputs("small")


def test_a_changed_learning_rate_of_a_preset_runs_training_again(
    train_inputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = train_inputs("tiny")
    monkeypatch.setitem(PRESETS, "tiny", dataclasses.replace(PRESETS["tiny"], learning_rate=1e-3))  # type: ignore[arg-type]
    after = train_inputs("tiny")
    assert before != after
    assert after == train_inputs("tiny", learning_rate=1e-3)


def test_a_users_model_has_the_common_learning_rate(tmp_path: Path) -> None:
    project = demo_project().model_copy(update={"model": ModelSettings(name="mine.py:build_model")})
    assert Job(project, tmp_path, tmp_path).training.learning_rate == LEARNING_RATE


def test_a_preset_with_other_defaults_runs_training_again(train_inputs: Any) -> None:
    short, long = train_inputs(window_samples=499), train_inputs(window_samples=500)
    assert short["options"]["filters"] != long["options"]["filters"]
