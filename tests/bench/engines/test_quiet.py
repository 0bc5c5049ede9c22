"""Chatter is held back, errors are not."""

import subprocess
import sys

CHATTER = (
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1 123 port.cc:153] something\n"
    b"2026-01-02 03:04:05.678: I tensorflow/core/x.cc:1] This binary is optimized\n"
    b"E0000 00:00:1.2 3 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error\n"
    b"To enable the following instructions: AVX2, rebuild\n\n"
)


def stderr_of(body: str) -> bytes:
    """What a script writes to stderr, its traceback left out."""
    code = f"import os, sys\nfrom edgecnn_bench.engines.quiet import quiet\nCHATTER = {CHATTER!r}\n{body}"
    return subprocess.run([sys.executable, "-c", code], check=False, stderr=subprocess.PIPE).stderr


def test_only_chatter_is_dropped() -> None:
    found = stderr_of(
        "with quiet():\n"
        "    os.write(2, CHATTER + b'ERROR: the model is broken\\nlast words\\n')\n"
        "    print('from Python', file=sys.stderr)\n"
        "print('afterwards', file=sys.stderr)"
    )
    assert found == b"ERROR: the model is broken\nlast words\nfrom Python\nafterwards\n"


def test_errors_come_out_before_an_exception_leaves() -> None:
    found = stderr_of("with quiet():\n    os.write(2, CHATTER + b'E0000 disk on fire\\n')\n    raise ValueError('x')")
    assert found.startswith(b"E0000 disk on fire\nTraceback")


def test_without_stderr() -> None:
    code = "import os; os.close(2)\nfrom edgecnn_bench.engines.quiet import quiet\nwith quiet(): print('ran')"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    assert done.stdout.strip() == b"ran"
