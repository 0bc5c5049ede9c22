"""Runs a network where edgecnn is not installed: another Python environment, or another machine.

This one file is copied there and started by the Python there. It needs Python 3.7, numpy, and for `.tflite` files one
interpreter package; it imports nothing of edgecnn. Requests come on standard input and answers leave on standard output,
each a frame: the magic, the version, the length of a JSON header, the length of the bytes behind it, and these two.
Whatever native libraries print goes to standard error.

The arithmetic around the network is that of `edgecnn_firmware.numerics`, bit for bit.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import platform
import struct
import sys
import time
from typing import Any

try:
    import numpy as np
except ImportError:  # the first answer says so
    np = None  # type: ignore[assignment]

PREFIX = struct.Struct("<4sHIQ")
"""Magic, version, bytes of the header, bytes of the body."""
MAGIC = b"ECNN"
VERSION = 1
MAX_HEADER_BYTES = 1 << 16
MAX_BODY_BYTES = 1 << 28
MAX_MODELS = 64
MAX_CALLS = 100000
MAX_TENSOR_BYTES = 1 << 28
LINE_BYTES = 64
"""Buffers of a compiled network begin at a multiple of it."""

MODULES = (("ai-edge-litert", "ai_edge_litert"), ("tflite-runtime", "tflite_runtime"), ("tensorflow", "tensorflow"))
RESOLVERS = {"default": "AUTO", "reference": "BUILTIN_REF", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}
CPU_KEYS = ("Model", "model name", "Hardware", "Processor", "cpu model")
MAX_SAID = 400
_FAR = 1024.0


class Refused(Exception):
    """A request that cannot be answered; the worker goes on."""


def normalize(windows: Any, offset: Any, gain: Any) -> Any:
    """`(x - offset) * gain` per channel in float32, each operation rounded once."""
    with np.errstate(over="ignore", invalid="ignore"):
        centered = np.subtract(windows, np.asarray(offset, np.float32), dtype=np.float32)
        return np.multiply(centered, np.asarray(gain, np.float32), out=centered)


def quantize(normalized: Any, scale: float, zero_point: int) -> Any:
    """`clamp(round_half_away(x / scale) + zero_point, -128, 127)` with the division in float32."""
    with np.errstate(over="ignore", under="ignore"):
        quotient = np.asarray(normalized, np.float32) / np.float32(scale)
    if np.isnan(quotient).any():
        raise Refused("the window holds a NaN")
    bounded = np.clip(quotient, np.float32(-_FAR), np.float32(_FAR))
    whole = np.trunc(bounded)
    away = np.where(np.abs(bounded - whole) >= 0.5, np.copysign(np.float32(1), bounded), np.float32(0))
    rounded = (whole + away).astype(np.int32) + zero_point
    return np.clip(rounded, -128, 127).astype(np.int8)


def quantize_int16(normalized: Any, scale: float, zero_point: int) -> Any:
    """As `quantize`, to int16."""
    scaled = normalized / np.float32(scale)
    rounded = np.copysign(np.floor(np.abs(scaled).astype(np.float64) + 0.5), scaled)
    return np.clip(rounded + zero_point, -(1 << 15), (1 << 15) - 1).astype(np.int16)


def probabilities(raw: Any, scale: float, zero_point: int) -> Any:
    """Outputs `(n, outputs)` to probabilities: `scale * (q - zero_point)` within 0 and 1; floats stay as they are."""
    if raw.dtype == np.float32:
        return raw
    steps = raw.astype(np.int32) - zero_point
    return np.clip(steps.astype(np.float32) * np.float32(scale), np.float32(0), np.float32(1))


def decide(found: Any, output: str) -> Any:
    """Probabilities `(n, outputs)` to label numbers `(n,)`."""
    return np.argmax(found, axis=1) if output == "softmax" else (found[:, 0] > 0.5).astype(np.int64)


class Tensor:
    """The network's input or output."""

    def __init__(self, shape: Any, dtype: Any, scale: float, zero_point: int) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype)
        self.scale, self.zero_point = float(scale), int(zero_point)
        elements = 1
        for size in self.shape:
            elements *= size
        if not 0 < elements * self.dtype.itemsize <= MAX_TENSOR_BYTES:
            raise Refused(f"a tensor of shape {self.shape}")
        self.elements = elements

    def described(self) -> dict[str, Any]:
        """For the answer."""
        return {
            "dtype": self.dtype.name,
            "shape": list(self.shape),
            "scale": self.scale,
            "zero_point": self.zero_point,
        }


class Ends:
    """What the bundle's card says about a network's ends."""

    def __init__(self, ends: dict[str, Any]) -> None:
        self.offset = np.asarray(ends["offset"], np.float64).astype(np.float32)
        self.gain = np.asarray(ends["gain"], np.float64).astype(np.float32)
        self.output = str(ends["output"])


class Model:
    """A network that holds its input and output; kinds of it add `put`, `invoke` and `get`."""

    into: Tensor
    out: Tensor
    ends: Ends
    invoke: Any

    def put(self, encoded: Any) -> None:
        """Make one encoded window `(1, ...)` the input."""
        raise NotImplementedError

    def get(self) -> Any:
        """The latest output `(1, ...)`."""
        raise NotImplementedError

    def encode(self, windows: Any) -> Any:
        """Windows in physical units as the network takes them."""
        normalized = normalize(windows, self.ends.offset, self.ends.gain)
        if self.into.dtype == np.int8:
            return quantize(normalized, self.into.scale, self.into.zero_point)
        if self.into.dtype == np.int16:
            return quantize_int16(normalized, self.into.scale, self.into.zero_point)
        return normalized

    def classify(self, window: Any) -> int:
        """One window in physical units to the number of its label."""
        self.put(self.encode(window[np.newaxis]))
        self.invoke()
        found = probabilities(self.get().reshape(1, -1), self.out.scale, self.out.zero_point)
        return int(decide(found, self.ends.output)[0])

    def run(self, windows: Any) -> Any:
        """Encoded windows `(n, ...)` one by one to raw outputs `(n, outputs)`."""
        raw = np.empty((len(windows), self.out.elements), self.out.dtype)
        for index in range(len(windows)):
            self.put(windows[index : index + 1])
            self.invoke()
            raw[index] = self.get().reshape(-1)
        return raw


class InterpreterModel(Model):
    """A `.tflite` file in an interpreter."""

    def __init__(self, content: bytes, kernels: str, ends: Ends) -> None:
        if kernels not in RESOLVERS:
            raise Refused(f"kernels {kernels!r}: expected {', '.join(RESOLVERS)}")
        package, why = best_package()
        if not package:
            raise Refused(why)
        make, resolvers = import_interpreter(package)
        self._interpreter = interpreter = make(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=getattr(resolvers, RESOLVERS[kernels]),
        )
        interpreter.allocate_tensors()
        self._into, self.into = self._only(interpreter.get_input_details(), "input")
        self._out, self.out = self._only(interpreter.get_output_details(), "output")
        self.ends = ends
        self.invoke = interpreter.invoke

    @staticmethod
    def _only(details: Any, role: str) -> tuple[int, Tensor]:
        if len(details) != 1:
            raise Refused(f"the model has {len(details)} {role}s; expected one")
        scale, zero_point = details[0]["quantization"]
        return details[0]["index"], Tensor(details[0]["shape"], details[0]["dtype"], scale, zero_point)

    def put(self, encoded: Any) -> None:
        """See `Model.put`."""
        self._interpreter.set_tensor(self._into, encoded)

    def get(self) -> Any:
        """See `Model.get`."""
        return self._interpreter.get_tensor(self._out)


class HostCall(ctypes.Structure):
    """`struct edgecnn_host_call`."""

    _fields_ = (("input", ctypes.c_void_p), ("output", ctypes.c_void_p), ("room", ctypes.c_void_p))


class LibraryModel(Model):
    """A compiled network in a shared library."""

    def __init__(self, path: str, header: dict[str, Any], ends: Ends) -> None:
        self.into, self.out = (
            Tensor(part["shape"], part["dtype"], part["scale"], part["zero_point"])
            for part in (header["input"], header["output"])
        )
        self.ends = ends
        self._library = ctypes.CDLL(path)
        self._input, self._output = aligned(self.into), aligned(self.out)
        self._room = aligned(Tensor((max(1, int(header["room_bytes"])),), np.uint8, 1, 0))
        self._call = HostCall(self._input.ctypes.data, self._output.ctypes.data, self._room.ctypes.data)
        once = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)((header["function"], self._library))
        where = ctypes.c_void_p(ctypes.addressof(self._call))
        self.invoke = lambda: once(where)

    def put(self, encoded: Any) -> None:
        """See `Model.put`."""
        self._input[:] = encoded.reshape(-1)

    def get(self) -> Any:
        """See `Model.get`."""
        return self._output


def aligned(tensor: Tensor) -> Any:
    """Zeros whose first byte lies at a multiple of `LINE_BYTES`."""
    size = tensor.elements * tensor.dtype.itemsize
    whole = np.zeros(size + LINE_BYTES, np.uint8)
    start = -whole.ctypes.data % LINE_BYTES
    return whole[start : start + size].view(tensor.dtype)


def best_package() -> tuple[str, str]:
    """The interpreter package to use, or none and the reason."""
    wheels = "ai-edge-litert" if struct.calcsize("P") == 8 else "tflite-runtime 'numpy<2'"
    reason = f"no .tflite interpreter is installed there: pip install {wheels}"
    for package, module in MODULES:
        if importlib.util.find_spec(module) is None:
            continue
        if package == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
            reason = f"tflite-runtime needs numpy < 2: it crashes under the numpy {np.__version__} installed there"
            continue
        return package, ""
    return "", reason


def import_interpreter(package: str) -> tuple[Any, Any]:
    """The class and its kernel choices."""
    if package == "tensorflow":
        lite = importlib.import_module("tensorflow").lite
        return lite.Interpreter, lite.experimental.OpResolverType
    module = importlib.import_module(dict(MODULES)[package] + ".interpreter")
    return module.Interpreter, module.OpResolverType


def version_of(package: str, module: str) -> str:
    """Version of an installed package, without importing large ones where Python can tell."""
    try:
        metadata = importlib.import_module("importlib.metadata")
    except ImportError:  # Python 3.7
        return str(getattr(importlib.import_module(module), "__version__", "unknown version"))
    try:
        return str(metadata.version(package))
    except metadata.PackageNotFoundError:
        return "unknown version"


def read_text(path: str) -> str:
    """The text of a small file of the system; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read(1 << 20)
    except OSError:
        return ""


def cpu_facts() -> tuple[str, list[str]]:
    """Name of the processor or the board, and the extensions that the kernel knows of."""
    fields: dict[str, str] = {}
    for line in read_text("/proc/cpuinfo").splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            fields.setdefault(key.strip(), " ".join(value.split()))
    names = [fields[key] for key in CPU_KEYS if key in fields]
    name = names[0] if names else platform.processor() or platform.machine() or "unknown"
    return name, (fields.get("flags") or fields.get("Features") or "").split()


def system_name() -> str:
    """The operating system for people."""
    for line in read_text("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip("\"'")
    return f"{platform.system() or 'unknown'} {platform.mac_ver()[0]}".strip()


def hello() -> dict[str, Any]:
    """What is here."""
    package, why = ("", "") if np is None else best_package()
    cpu, features = cpu_facts()
    libraries = {name: version_of(name, module) for name, module in MODULES if importlib.util.find_spec(module)}
    if np is not None:
        libraries["numpy"] = np.__version__
    return {
        "python": platform.python_version(),
        "libraries": libraries,
        "interpreter": package,
        "why": why,
        "system": system_name(),
        "machine": platform.machine() or "unknown",
        "cpu": cpu,
        "cores": os.cpu_count() or 1,
        "pointer_bits": struct.calcsize("P") * 8,
        "libc": platform.libc_ver()[0],
        "features": features[:1000],
    }


class Worker:
    """Answers requests."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._models: list[Model] = []

    def answer(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One request to its answer."""
        command = header.get("command")
        if command == "hello":
            return hello(), b""
        if np is None:
            raise Refused("numpy is not installed there")
        if command == "load":
            return self._load(header, body), b""
        if command == "run":
            model = self._model(header)
            raw = np.ascontiguousarray(model.run(self._encoded(model, header, body)))
            return {"dtype": raw.dtype.name, "shape": list(raw.shape)}, raw.tobytes()
        if command == "time":
            return self._time(self._model(header), header, body)
        raise Refused(f"unknown command {command!r}")

    def _load(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        if len(self._models) >= MAX_MODELS:
            raise Refused(f"{MAX_MODELS} models are loaded")
        ends = Ends(header["ends"])
        if header["kind"] == "library":
            path = os.path.join(self._folder, f"network{len(self._models)}.so")  # noqa: PTH118
            with open(path, "wb") as stream:  # noqa: PTH123
                stream.write(body)
            model: Model = LibraryModel(path, header, ends)
        else:
            model = InterpreterModel(body, header["kernels"], ends)
        self._models.append(model)
        return {
            "model": len(self._models) - 1,
            "input": model.into.described(),
            "output": model.out.described(),
        }

    def _model(self, header: dict[str, Any]) -> Model:
        number = header["model"]
        if not isinstance(number, int) or not 0 <= number < len(self._models):
            raise Refused(f"model {number!r} is not loaded")
        return self._models[number]

    @staticmethod
    def _windows(model: Model, header: dict[str, Any], body: bytes, dtype: Any) -> Any:
        window = (header["windows"], *model.into.shape[1:])
        try:
            return np.frombuffer(body, dtype).reshape(window)
        except ValueError as error:
            raise Refused(f"{len(body)} bytes for {window[0]} windows of {window[1:]}") from error

    def _encoded(self, model: Model, header: dict[str, Any], body: bytes) -> Any:
        if header["encoded"]:
            return self._windows(model, header, body, model.into.dtype)
        return model.encode(self._windows(model, header, body, np.float32))

    def _time(self, model: Model, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        windows, calls = self._windows(model, header, body, np.float32), header["calls"]
        if not isinstance(calls, int) or not 0 < calls <= MAX_CALLS or not len(windows):
            raise Refused(f"{calls!r} calls on {len(windows)} windows")
        was_on = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            times, labels = timed(model, windows, calls)
        finally:
            if was_on:
                gc.enable()
        return {"labels": labels[: len(windows)]}, np.asarray(times, np.int64).tobytes()


def timed(model: Model, windows: Any, calls: int) -> tuple[list[list[int]], list[int]]:
    """Nanoseconds of `calls` calls alone and of as many from window to label, after one that is not timed."""
    clock, invoke, n = time.perf_counter_ns, model.invoke, len(windows)
    invoke_ns, whole_ns, labels = [], [], []
    model.put(model.encode(windows[:1]))
    invoke()
    for call in range(calls):
        model.put(model.encode(windows[call % n][np.newaxis]))
        start = clock()
        invoke()
        invoke_ns.append(clock() - start)
    for call in range(calls):
        window = windows[call % n]
        start = clock()
        label = model.classify(window)
        whole_ns.append(clock() - start)
        labels.append(label)
    return [invoke_ns, whole_ns], labels


def read_exactly(stream: Any, size: int) -> bytes:
    """Read `size` bytes, or fewer at the end."""
    parts = []
    while size:
        part = stream.read(min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(stream: Any) -> tuple[dict[str, Any], bytes] | None:
    """The next request; None at the end, also where it is cut short or makes no sense."""
    prefix = read_exactly(stream, PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    magic, version, header_bytes, body_bytes = PREFIX.unpack(prefix)
    if magic != MAGIC or version != VERSION or header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        sys.stderr.write(f"the request is no frame of version {VERSION}, or too large\n")
        return None
    header, body = read_exactly(stream, header_bytes), read_exactly(stream, body_bytes)
    if len(header) < header_bytes or len(body) < body_bytes:
        return None
    request = json.loads(header.decode("utf-8"))
    return (request, body) if isinstance(request, dict) else None


def write_frame(stream: Any, header: dict[str, Any], body: bytes) -> None:
    """Send an answer."""
    text = json.dumps(header).encode("utf-8")
    stream.write(PREFIX.pack(MAGIC, VERSION, len(text), len(body)) + text)
    stream.write(body)
    stream.flush()


def own_streams() -> tuple[Any, Any]:
    """Keep the pipes for frames alone: others read nothing, and write to standard error."""
    if sys.platform == "win32":
        msvcrt = importlib.import_module("msvcrt")
        for descriptor in (0, 1):
            msvcrt.setmode(descriptor, os.O_BINARY)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    return requests, answers


def serve(requests: Any, answers: Any, folder: str) -> None:
    """Answer requests until there are no more."""
    worker = Worker(folder)
    while True:
        frame = read_frame(requests)
        if frame is None or frame[0].get("command") == "close":
            return
        request, body = frame
        # Ends the process even from inside a native call that never returns.
        faulthandler.dump_traceback_later(float(request["limit_s"]), exit=True)
        try:
            header, found = worker.answer(request, body)
        except Exception as error:  # noqa: BLE001 - the other side reports it, whatever it is
            said = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
            header, found = {"error": " ".join(said.split())[:MAX_SAID]}, b""
        finally:
            faulthandler.cancel_dump_traceback_later()
        write_frame(answers, header, found)


def main() -> None:
    """Serve on standard input and output; the folder of this file takes what must be a file."""
    requests, answers = own_streams()
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(requests, answers, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120


if __name__ == "__main__":
    main()
