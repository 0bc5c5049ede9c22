"""Engines that crash or hang do so in a child."""

import sys
from pathlib import Path

import pytest

from edgecnn_bench.engines import trial

CHILD = """
import os, sys, time
for key in sys.argv[2:]:
    print("begin " + key, flush=True)
    if key == "segfault":
        os.kill(os.getpid(), 11)
    if key == "abort":
        os.abort()
    if key == "exit":
        os._exit(7)
    if key == "hang":
        time.sleep(60)
    if key == "noise":
        print("chatter without meaning")
    print("done " + key, flush=True)
if "late" in sys.argv:
    os._exit(9)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "child_of_a_test.py").write_text(CHILD, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "child_of_a_test"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_each_crash_is_named_and_the_others_go_on(child: str, tmp_path: Path) -> None:
    keys = ["fine", "segfault", "noise", "abort", "exit", "last"]
    assert trial.crashes(tmp_path, keys, module=child) == {
        "segfault": "its process died of SIGSEGV",
        "abort": "its process died of SIGABRT",
        "exit": "its process died with exit code 7",
    }


def test_a_hang_is_named(child: str, tmp_path: Path) -> None:
    found = trial.crashes(tmp_path, ["fine", "hang", "last"], module=child, timeout_s=2.0)
    assert found == {"hang": "gave no answer within 2 s"}


def test_all_well(child: str, tmp_path: Path) -> None:
    assert trial.crashes(tmp_path, ["fine", "last"], module=child) == {}
    assert trial.crashes(tmp_path, [], module="no_such_module") == {}


def test_a_death_that_is_no_engines_is_nobodys(child: str, tmp_path: Path) -> None:
    assert trial.crashes(tmp_path, ["fine", "late"], module=child) == {}
    assert trial.crashes(tmp_path, ["fine"], module="no_such_module_anywhere") == {}


def test_the_real_child_tries_real_engines(har_bundle: Path) -> None:
    keys = ["litert", "litert-reference", "litert-float32"]
    reason, lines = trial._try("edgecnn_bench.engines.trial", har_bundle, keys, 100.0)
    assert reason == ""
    assert lines == [
        "begin litert",
        "done litert",
        "begin litert-reference",
        "done litert-reference",
        "begin litert-float32",
        "error BundleError",
        "done litert-float32",
    ]
