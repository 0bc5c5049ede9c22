"""A short run of the coverage-guided fuzzer over the reader and the compiler; longer ones: `EDGECNN_FUZZ_RUNS`."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.firmware.compiler.architectures import random_network

RUNS = int(os.environ.get("EDGECNN_FUZZ_RUNS", "20000"))
# The fuzzer itself grows by about 5 kB a run; one allocation of a gigabyte is a finding.
LIMITS = ("-timeout=20", f"-rss_limit_mb={1500 + RUNS // 100}", "-malloc_limit_mb=1000", "-max_len=40000")


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: it has wheels for Linux x86-64")
def test_any_bytes_compile_or_are_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for seed in range(30):
        (corpus / f"network{seed}").write_bytes(random_network(seed))
    target = Path(__file__).with_name("compile_target.py")
    command = [
        sys.executable,
        str(target),
        f"-runs={RUNS}",
        "-seed=1",
        *LIMITS,
        f"-artifact_prefix={tmp_path}/",
        str(corpus),
    ]
    found = subprocess.run(
        command, check=False, capture_output=True, text=True, errors="replace", timeout=RUNS / 20 + 300
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert f"Done {RUNS} runs" in found.stderr
