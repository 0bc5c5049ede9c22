"""Python environments: found, or made with pip; pip finds small stand-ins in a folder, unless a test asks for the net."""

import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edgecnn_bench import latency
from edgecnn_bench.places import open_runtime
from edgecnn_bench.places.environments import (
    RUNTIMES,
    create_runtime,
    find_program,
    parse_runtime,
    python_of,
    runtime_key,
    user_cache,
)
from edgecnn_bench.places.protocol import PlaceError
from edgecnn_bench.places.session import Hello
from edgecnn_bench.running import Findings, run_engines
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.progress import silent

from .conftest import HELLO, FakeSsh

TFLITE = RUNTIMES["tflite-runtime"]
ANY_PYTHON = replace(TFLITE, oldest=(3, 0), newest=(3, 99))


def wheel(folder: Path, name: str, version: str, module: str, text: str = "") -> None:
    """A wheel that any Python can install."""
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": f"__version__ = {version!r}\n",
        f"{module}/interpreter.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in files) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, content)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which alone pip looks."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.26.4", "2.1.0"):
        wheel(folder, "numpy", version, "numpy")
    for version in ("2.13.0", "2.14.0"):
        wheel(folder, "tflite-runtime", version, "tflite_runtime")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("create", (TFLITE, "")),
        ("tflite-runtime", (TFLITE, "")),
        ("tflite-runtime==2.13.0", (TFLITE, "2.13.0")),
        ("ai-edge-litert==1.2.0", (RUNTIMES["ai-edge-litert"], "1.2.0")),
        ("python3.9", None),
        ("./tflite-runtime", None),
        ("numpy==1.0", None),
    ],
)
def test_choices(spec: str, expected: object) -> None:
    assert parse_runtime(spec) == expected


@pytest.mark.parametrize("version", ["", "--pre", "1 2", "1.0;x", "latest", "1.2.3.4.5", "2.14.0\n"])
def test_versions_that_are_none(version: str) -> None:
    with pytest.raises(SettingsError, match="expected a version such as"):
        parse_runtime(f"tflite-runtime=={version}")


def test_programs(tmp_path: Path) -> None:
    assert find_program(sys.executable) == Path(sys.executable)
    inside = python_of(tmp_path / "env")
    inside.parent.mkdir(parents=True)
    inside.symlink_to(sys.executable)
    assert find_program(str(tmp_path / "env")) == inside, "the link tells the environment"
    for spec in ("", "/no/such/python", "no-such-program", str(tmp_path)):
        with pytest.raises(SettingsError, match="no such program; expected a Python program"):
            find_program(spec)


def test_a_program_that_is_no_python(fake_ssh: FakeSsh, tmp_path: Path) -> None:
    program = tmp_path / "other"
    program.write_text("#!/bin/sh\necho 'no Python' >&2\nexit 4\n")
    program.chmod(0o755)
    with (
        pytest.raises(PlaceError, match=r"^runtime other: the worker ended with exit code 4: no Python$"),
        open_runtime(str(program)),
    ):
        pass


def test_keys() -> None:
    assert runtime_key(Hello.model_validate(HELLO)) == "tflite-runtime-2.14.0-py3.9"
    assert runtime_key(Hello.model_validate(HELLO | {"interpreter": ""})) == "no-interpreter-py3.9"


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "edgecnn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "edgecnn"


def test_no_python_with_wheels(tmp_path: Path) -> None:
    message = (
        "tflite-runtime has wheels for Python 3.7 to 3.11, and none with venv was found here: install one, or name"
    )
    with pytest.raises(PlaceError, match=message):
        create_runtime(tmp_path, pythons=("no-such-python", "/bin/true", "/bin/false"))
    assert list(tmp_path.iterdir()) == []


def test_an_environment_is_made_once(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, told = tmp_path / "kept" / "here", []
    python = create_runtime(
        kept, ANY_PYTHON, pythons=(sys.executable,), progress=lambda task, done, total, note="": told.append(done)
    )
    name = f"tflite-runtime-newest-py{sys.version_info[0]}.{sys.version_info[1]}"
    assert python == python_of(kept / name)
    assert told == [0, 1, 2, 3]
    assert [path.name for path in kept.iterdir()] == [name]
    packages = next((kept / name).glob("[Ll]ib/**/site-packages"))
    assert {"tflite_runtime-2.14.0.dist-info", "numpy-1.26.4.dist-info"} <= {path.name for path in packages.iterdir()}
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert create_runtime(kept, ANY_PYTHON, pythons=(sys.executable,)) == python


@pytest.mark.parametrize(
    ("version", "text", "message"),
    [
        ("9.9.9", "", r"^installing tflite-runtime==9\.9\.9: exit code 1: ERROR: No matching distribution found"),
        (
            "2.15.0",
            "raise ImportError('libc is too old')",
            r"^importing tflite-runtime==2\.15\.0: exit code 1: .*too old$",
        ),
    ],
)
def test_a_failure_leaves_nothing(wheels: Path, tmp_path: Path, version: str, text: str, message: str) -> None:
    wheel(wheels, "tflite-runtime", "2.15.0", "tflite_runtime", text)
    with pytest.raises(PlaceError, match=message) as caught:
        create_runtime(tmp_path / "kept", ANY_PYTHON, version, pythons=(sys.executable,))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_folder_that_cannot_be_made(wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaceError, match="cannot make an environment there: "):
        create_runtime(tmp_path / "file" / "kept", ANY_PYTHON, pythons=(sys.executable,))


@pytest.mark.skipif(
    "EDGECNN_TEST_NETWORK" not in os.environ, reason="EDGECNN_TEST_NETWORK is not set: pip would download"
)
def test_the_real_tflite_runtime(har_bundle: Path, tmp_path: Path) -> None:
    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    found = Findings()
    with open_runtime("create", cache=tmp_path) as place:
        run_engines(bundle, vectors, place.engines(bundle), found, silent, place.place.key)
        times = latency.measure(found.loaded, vectors.windows, timed_runs=30, warmup_runs=3)
    assert place.place.environment is not None
    libraries = place.place.environment.libraries
    assert libraries["numpy"].startswith("1.")
    assert place.place.title.startswith(f"TFLite Runtime {libraries['tflite-runtime']}, Python 3.")
    assert {row.status for row in found.rows.values()} == {"run"}
    assert all(len(pair) == 2 for pair in times.values())
