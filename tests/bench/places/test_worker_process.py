"""The worker as a process, with an interpreter that chatters, hangs or takes the process down."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecnn_bench.places.environments import WORKER
from edgecnn_bench.places.process import Launch, Worker
from edgecnn_bench.places.protocol import PlaceError, array_of, numbers

from .conftest import frame, posix

INTERPRETER = """\
import os, sys, time
import numpy as np

class OpResolverType:
    AUTO, BUILTIN_REF, BUILTIN_WITHOUT_DEFAULT_DELEGATES = "auto", "reference", "builtin"

class Interpreter:
    def __init__(self, model_content, num_threads, experimental_op_resolver_type):
        assert num_threads == 1
        print("hello from Python")
        os.write(1, b"hello from native code")
        assert sys.stdin.read() == "" and os.read(0, 100) == b""
        self.does = bytes(model_content)
        self.kernels = experimental_op_resolver_type
    def allocate_tensors(self):
        pass
    def get_input_details(self):
        return [dict(index=1, shape=np.array([1, 4, 1], np.int32), dtype=np.int8, quantization=(0.5, 3))]
    def get_output_details(self):
        return [dict(index=2, shape=np.array([1, 3], np.int32), dtype=np.int8, quantization=(1 / 256, -128))]
    def set_tensor(self, index, value):
        assert index == 1 and value.shape == (1, 4, 1) and value.dtype == np.int8
        self.value = value
    def invoke(self):
        if self.does == b"crash":
            os.kill(os.getpid(), 11)
        if self.does == b"hang":
            time.sleep(60)
        self.made = self.value[:, :3, 0] + (self.kernels == "reference")
    def get_tensor(self, index):
        assert index == 2
        return self.made
"""
ENDS = {"offset": [1.0], "gain": [0.5], "output": "softmax"}
LOAD = {"command": "load", "kind": "tflite", "kernels": "default", "ends": ENDS}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copyfile(WORKER, tmp_path / "worker.py")
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert" / "__init__.py").touch()
    (tmp_path / "ai_edge_litert" / "interpreter.py").write_text(INTERPRETER)
    return tmp_path


@pytest.fixture
def worker(folder: Path) -> Iterator[Worker]:
    made = Worker(Launch("a place", (sys.executable, "-B", str(folder / "worker.py"))))
    yield made
    made.close()


def load(worker: Worker, what: bytes = b"", kernels: str = "default") -> int:
    answer = worker.ask(LOAD | {"kernels": kernels}, what, limit_s=60).header
    assert answer["input"] == {"dtype": "int8", "shape": [1, 4, 1], "scale": 0.5, "zero_point": 3}
    assert answer["output"] == {"dtype": "int8", "shape": [1, 3], "scale": 1 / 256, "zero_point": -128}
    return int(answer["model"])


def test_chatter_does_not_disturb(worker: Worker) -> None:
    assert worker.ask({"command": "hello"}, limit_s=60).header["interpreter"] == "ai-edge-litert"
    plain, reference = load(worker), load(worker, kernels="reference")
    windows = np.array([[[3.0], [1.0], [-1.0], [9.0]], [[1.0], [1.0], [9.0], [1.0]]], np.float32)
    # Less the offset; gain and scale cancel; and the zero point on top.
    expected = np.array([[5, 3, 1], [3, 3, 11]], np.int8)
    run = {"command": "run", "windows": 2, "encoded": False}
    for model, more in ((plain, 0), (reference, 1)):
        answer = worker.ask(run | {"model": model}, windows.tobytes(), limit_s=60, max_body_bytes=6)
        assert array_of(answer, "int8", (2, 3)).tolist() == (expected + more).tolist()
    encoded = np.array([[[5], [3], [1], [0]]], np.int8).tobytes()
    answer = worker.ask(
        {"command": "run", "model": plain, "windows": 1, "encoded": True}, encoded, limit_s=60, max_body_bytes=3
    )
    assert list(answer.body) == [5, 3, 1]
    answer = worker.ask(
        {"command": "time", "model": plain, "windows": 2, "calls": 5},
        windows.tobytes(),
        limit_s=60,
        max_body_bytes=80,
    )
    assert answer.header["labels"] == [0, 2]
    assert (numbers(answer.body, "int64", (2, 5)) >= 0).all()


@posix
def test_a_crash_is_named(worker: Worker) -> None:
    number = load(worker, b"crash")
    with pytest.raises(PlaceError, match="a place: the worker died of SIGSEGV: hello from native code"):
        worker.ask(
            {"command": "run", "model": number, "windows": 1, "encoded": True}, bytes(4), limit_s=60, max_body_bytes=3
        )


def test_a_worker_that_nobody_waits_for_ends_itself(folder: Path) -> None:
    requests = frame(LOAD | {"limit_s": 60}, b"hang")
    requests += frame({"command": "run", "model": 0, "windows": 1, "encoded": True, "limit_s": 0.5}, bytes(4))
    # Its input stays open meanwhile: it is the time that ends it.
    read, write = os.pipe()
    os.write(write, requests)
    try:
        done = subprocess.run(
            [sys.executable, "-B", str(folder / "worker.py")], check=False, stdin=read, capture_output=True, timeout=50
        )
    finally:
        os.close(read)
        os.close(write)
    assert done.returncode == 1
    assert b"Timeout" in done.stderr
    assert done.stdout.count(b"ECNN") == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n" * 20,
        frame({"command": "hello"}, version=2),
        b"ECNN\x01\x00" + b"\xff" * 12,
        frame({"command": "hello"})[:-3],
        frame([1]),
        frame({"command": "close"}),
    ],
)
def test_requests_that_are_none_end_it(folder: Path, request_: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-B", str(folder / "worker.py")], check=False, input=request_, capture_output=True, timeout=50
    )
    assert done.stdout == b""
    assert done.returncode == 0
