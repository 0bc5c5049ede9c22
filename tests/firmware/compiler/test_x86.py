"""The AVX2 and AVX-512 kernels in all their shapes: in plain C, and as machine code where this processor has the instructions."""

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit import avx2, vnni
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.errors import ModelError

from . import batch
from .architectures import random_network
from .batch import SANITIZERS, run_batch
from .networks import NetworkWriter, Reference, random_int8
from .test_neon import Chain, chains
from .test_winograd import extreme_network

CALLS = 4
SEEDS = range(24)
FEATURES = {
    "x86-64-avx2": ("avx2", "fma"),
    "x86-64-vnni": ("avx512f", "avx512bw", "avx512vl", "avx512_vnni"),
}
"""What each target's machine code needs, as Linux names it."""
TARGETS = tuple(FEATURES)
Compiled: TypeAlias = "tuple[list[Program], list[np.ndarray], list[np.ndarray]]"


def _models() -> dict[str, bytes]:
    found = {name: chain.model() for name, chain in chains()}
    # Blocks of 64 channels and what remains; pooled rows longer than a block of rows.
    found["wide"] = Chain(11, 19, 30).conv(65, 3).depthwise(3, same=True).conv(150, 2).depthwise(6, 2).dense(70).model()
    found["three taps"] = Chain(12, 30, 8).conv(128).depthwise(3).depthwise(3, 2, 2, same=True).conv(96).model()
    found["long pools"] = Chain(13, 66, 4).conv(70, 2).pool(13).model()
    found["long narrow pools"] = Chain(14, 68, 3).conv(12, 2).pool(17).conv(4).model()
    found["maxima"] = _pooled(71, "MAX_POOL_2D")
    return found


_EXTREMES = {3: 128, 4: 131, 5: 80}
"""Input channels by taps."""


def _winograd_models() -> dict[str, bytes]:
    """Convolutions that AVX2 computes in fewer products: every remainder of taps, rows, pairs, channels and pools."""
    found = {}
    for kernel in range(3, 9):
        for same in (False, True):
            rows, out, pool = 3 + 5 * kernel % 17, 7 * kernel % 40 + 1, (1, 2, 4)[kernel % 3]
            length = rows * pool + (0 if same else kernel - 1)
            chain = Chain(kernel, length, 21 + 2 * kernel + same).conv(out, kernel, same=same)
            found[f"{kernel} taps{', same' * same}"] = (chain.pool(pool) if pool > 1 else chain).conv(5).model()
    # The widest of which the requantization still has a short form.
    return found | {f"extreme, {taps} taps": extreme_network(channels, taps) for taps, channels in _EXTREMES.items()}


def _widths(first: int) -> dict[str, bytes]:
    """Convolutions to each of ten widths from `first` on, over 1 to 9 rows, of all kernels, strides and dilations up to 3."""
    found = {}
    for out in range(first, first + 10):
        rows, kernel, stride, dilation = 1 + out % 9, 1 + out % 5, 1 + out % 2, 1 + out // 2 % 3
        length = (rows - 1) * stride + (kernel - 1) * dilation + 1
        chain = Chain(out, length, 1 + 7 * out % 40).conv(out, kernel, stride, dilation)
        found[f"to {out}"] = chain.depthwise(1 + out % 4, same=True).conv(41 - out).model()
    return found


def _pooled(channels: int, name: str) -> bytes:
    """A pooling of overlapping rows with padding, that no convolution takes in, and a mean of few channels."""
    net = NetworkWriter()
    first = net.tensor((1, 1, 23, channels), 0.1, -7)
    pooled = net.tensor((1, 1, 12, channels), 0.1, -7)
    options = {"strideW": 2, "strideH": 1, "filterWidth": 3, "filterHeight": 1}
    net.op(name, [first], [pooled], padding=0, fusedActivationFunction=1, **options)
    mean = net.tensor((1, 1, 1, channels), 0.07, 3)
    net.op("MEAN", [pooled, net.const(np.array([2], np.int32))], [mean], keepDims=True)
    return net.bytes([first], [mean])


def _has(target: str) -> bool:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    return set(FEATURES[target]) <= set(flags)


def _compilers() -> dict[str, list[str]]:
    """GCC and Clang, which the `ziglang` package brings along too."""
    found = {name: [name] for name in ("gcc", "clang") if shutil.which(name)}
    if "clang" not in found and importlib.util.find_spec("ziglang") is not None:
        found["clang"] = [sys.executable, "-m", "ziglang", "cc"]
    return found


def _flags(target: str) -> list[str]:
    return ["-m" + name.replace("_", "") for name in FEATURES[target]]


def _compiled(models: dict[str, bytes], target: str) -> Compiled:
    """Programs, inputs, and what LiteRT's reference kernels make of them."""
    programs, inputs, wanted = [], [], []
    for number, (name, model) in enumerate(models.items()):
        try:
            program = compile_model(model, name, f"net{number}", target=target)
        except ModelError as error:
            assert "beyond int32" in str(error), name
            continue
        reference, rng = Reference(model), np.random.default_rng(number)
        windows = [random_int8(rng, program.graph.inputs[0].shape, kind) for kind in range(CALLS)]
        programs.append(program)
        inputs.append(np.stack([window.ravel() for window in windows]))
        wanted.append(np.stack([reference.run(window)[0].view(np.uint8).ravel() for window in windows]))
    return programs, inputs, wanted


def _check(
    models: dict[str, bytes], target: str, folder: Path, flags: Sequence[str], compiler: str = "gcc"
) -> set[str]:
    compiled = _compiled(models, target)
    assert len(compiled[0]) > len(models) // 2
    return _check_compiled(compiled, target, folder, flags, compiler)


def _check_compiled(compiled: Compiled, target: str, folder: Path, flags: Sequence[str], compiler: str) -> set[str]:
    programs, inputs, wanted = compiled
    found = run_batch(programs, inputs, folder, flags, compiler)
    for program, outputs, expected in zip(programs, found, wanted, strict=True):
        assert np.array_equal(outputs, expected), f"{program.graph.name} ({target}, {compiler})"
    return {header for program in programs for header in program.files}


@pytest.fixture(params=["gcc", "clang"])
def compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A compiler that is there."""
    name = str(request.param)
    if name not in _compilers():
        pytest.skip(f"{name} is not installed")
    monkeypatch.setattr(batch, "compilers", _compilers)
    return name


@pytest.mark.parametrize("target", TARGETS)
def test_plain_c_is_byte_equal(target: str, tmp_path: Path) -> None:
    if "gcc" not in _compilers():
        pytest.skip("gcc is not installed")
    headers = _check(_models(), target, tmp_path, (*SANITIZERS, "-DEDGECNN_NO_SIMD", "-DEDGECNN_NO_INLINE"))
    kind = target.rpartition("-")[2]
    kernels = {f"edgecnn_{name}_{kind}.h" for name in ("conv1d", "depthwise1d", "elementwise", "reduce")}
    assert kernels <= headers


@pytest.mark.parametrize("target", TARGETS)
def test_machine_code_is_byte_equal(target: str, compiler: str, tmp_path: Path) -> None:
    if not _has(target):
        pytest.skip(f"this processor lacks one of {', '.join(FEATURES[target])}")
    # Exact-size blocks under AddressSanitizer show vectors that reach too far; zig has no AddressSanitizer.
    programs = _compiled(_models(), target)
    for number, checks in enumerate([SANITIZERS, ("-O2",)] if compiler == "gcc" else [("-O2",)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        # AVX2 once without fused multiplication and addition, which its kernels use where they may.
        flags = ["-mavx2"] if target == "x86-64-avx2" and checks == ("-O2",) else _flags(target)
        _check_compiled(programs, target, folder, (*checks, *flags), compiler)


def test_fewer_products_are_byte_equal(compiler: str, tmp_path: Path) -> None:
    target = "x86-64-avx2"
    programs = _compiled(_winograd_models(), target)
    assert all("edgecnn_winograd1d_avx2.h" in program.files for program in programs[0])
    builds = [(*SANITIZERS, "-DEDGECNN_NO_SIMD", "-DEDGECNN_NO_INLINE")] if compiler == "gcc" else []
    if _has(target):
        builds.append((*(SANITIZERS if compiler == "gcc" else ("-O2",)), *_flags(target)))
    for number, flags in enumerate(builds):
        folder = tmp_path / str(number)
        folder.mkdir()
        _check_compiled(programs, target, folder, flags, compiler)


def test_code_for_size_keeps_ordinary_products() -> None:
    model = _winograd_models()["3 taps"]
    size = compile_model(model, "model", "net", target="x86-64-avx2", optimize="size")
    assert "edgecnn_conv1d_avx2.h" in size.files
    assert "edgecnn_winograd1d_avx2.h" not in size.files


@pytest.mark.parametrize("target", TARGETS)
def test_depthwise_requantizes_by_floats(target: str) -> None:
    model = _models()["depthwise"]
    program = compile_model(model, "model", "net", target=target)
    text = program.files[program.source]
    assert "EDGECNN_FLOAT_LINE" in text
    assert "EDGECNN_SIGNED_FLOAT_LINE" in text


@pytest.mark.parametrize("target", TARGETS)
def test_depthwise_without_a_float_form_is_byte_equal(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "gcc" not in _compilers():
        pytest.skip("gcc is not installed")
    for module in (vnni, avx2):
        monkeypatch.setattr(module, "solve_float_line", lambda *_, **__: None)
    compiled = _compiled({"depthwise": _models()["depthwise"]}, target)
    assert "FLOAT_LINE" not in compiled[0][0].files[compiled[0][0].source]
    for number, flags in enumerate([["-DEDGECNN_NO_SIMD"], *([_flags(target)] if _has(target) else [])]):
        folder = tmp_path / str(number)
        folder.mkdir()
        _check_compiled(compiled, target, folder, ("-O1", "-DEDGECNN_NO_INLINE", *flags), "gcc")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("first", [1, 11, 21, 31])
def test_every_width_is_byte_equal(first: int, target: str, tmp_path: Path) -> None:
    if "gcc" not in _compilers():
        pytest.skip("gcc is not installed")
    # Without the instructions the same kernels run in plain C.
    _check(_widths(first), target, tmp_path, ("-O1", *(_flags(target) if _has(target) else ["-DEDGECNN_NO_SIMD"])))


@pytest.mark.parametrize("target", TARGETS)
def test_random_networks_as_machine_code(target: str, compiler: str, tmp_path: Path) -> None:
    if not _has(target):
        pytest.skip(f"this processor lacks one of {', '.join(FEATURES[target])}")
    models = {f"seed {seed}": random_network(seed) for seed in (SEEDS if compiler == "gcc" else SEEDS[:8])}
    checks = (*SANITIZERS, "-O1") if compiler == "gcc" else ("-O2",)
    _check(models, target, tmp_path, (*checks, *_flags(target)), compiler)
