"""Compiled networks in this process: equal to the numpy oracle, from any number of threads, and what can go wrong."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.boards.process import BoardError
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import MissingDependency, ModelError
from edgecnn_firmware.host import library
from edgecnn_firmware.host.compiler import HostCompiler, find_compiler
from edgecnn_firmware.host.network import HostNetwork, aligned, build_network
from edgecnn_firmware.host.recipe import Recipe, native_recipe, portable_recipe

from ..boards.test_program import stateful_network
from ..compiler.architectures import random_network
from ..compiler.networks import NetworkWriter

RECIPES = {"native": native_recipe, "portable": portable_recipe}


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return recipe_of(RECIPES[request.param])


def recipe_of(make: Callable[[HostCompiler], Recipe] = portable_recipe) -> Recipe:
    try:
        return make(find_compiler())
    except MissingDependency as error:
        pytest.skip(str(error))


def inputs_of(program: Program, count: int) -> "np.ndarray":
    shape = program.graph.inputs[0].shape
    return np.random.default_rng(3).integers(-128, 128, (count, *shape), dtype=np.int8)


def expected(program: Program, inputs: "np.ndarray") -> "np.ndarray":
    """Each from the state's first values."""
    return np.stack([Oracle(program.graph).run(window)[0].reshape(-1) for window in inputs])


@pytest.mark.parametrize("seed", [0, 4, 9])
def test_random_networks_are_byte_equal(recipe: Recipe, seed: int) -> None:
    program = compile_model(random_network(seed), "net", f"net{seed}", target=recipe.target)
    network = build_network(program, recipe)
    inputs = inputs_of(program, 5)
    wanted = expected(program, inputs)
    assert np.array_equal(network.run(inputs), wanted)
    bound = network.bind()
    assert [array.ctypes.data % 64 for array in (bound.input, bound.output)] == [0, 0]
    for window, output in zip(inputs, wanted, strict=True):
        bound.input[:] = window.reshape(-1)
        bound.call()
        assert np.array_equal(bound.output, output)


def test_state_starts_anew_for_every_window() -> None:
    recipe = recipe_of()
    program = compile_model(stateful_network(), "stateful", "net")
    assert program.state_bytes == 6
    network = build_network(program, recipe)
    inputs = inputs_of(program, 4)
    wanted = expected(program, inputs)
    assert np.array_equal(network.run(inputs), wanted)
    bound = network.bind()
    for index in (2, 0, 2):
        bound.input[:] = inputs[index].reshape(-1)
        bound.call()
        assert np.array_equal(bound.output, wanted[index])


def test_threads_do_not_disturb_each_other() -> None:
    recipe = recipe_of()
    program = compile_model(random_network(0), "net", "net0", target=recipe.target)
    network = build_network(program, recipe)
    inputs = inputs_of(program, 7)
    wanted = expected(program, inputs)
    order = np.random.default_rng(1).integers(0, 7, (8, 200))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda chosen: network.run(inputs[chosen]), order))
    for chosen, outputs in zip(order, found, strict=True):
        assert np.array_equal(outputs, wanted[chosen])


def test_it_is_built_once_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of()
    program = compile_model(random_network(1), "net", "built_once", target=recipe.target)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    calls = []
    finish = library.finish
    monkeypatch.setattr(library, "finish", lambda *given, **options: (calls.append(given), finish(*given, **options)))
    first, second = build_network(program, recipe), build_network(program, recipe)
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []
    inputs = inputs_of(program, 1)
    assert np.array_equal(first.run(inputs), second.run(inputs))
    build_network(program, Recipe("portable", recipe.compiler, ("-O1",)))
    assert len(calls) == 2


def test_inputs_of_another_type_or_size_are_refused() -> None:
    recipe = recipe_of()
    program = compile_model(stateful_network(), "stateful", "net")
    network = build_network(program, recipe)
    assert network.run(np.empty((0, 1, 6), np.int8)).shape == (0, 6)
    # Not contiguous, as every second of some windows.
    inputs = inputs_of(program, 6)
    assert np.array_equal(network.run(inputs[::2]), expected(program, inputs[::2]))
    with pytest.raises(BoardError, match=r"inputs uint8 \(6, 6\): the network takes int8 \(6, 6\)"):
        network.run(inputs.view(np.uint8))
    with pytest.raises(BoardError, match=r"inputs int8 \(4, 9\): the network takes int8 \(4, 6\)"):
        network.run(inputs.reshape(4, 9))


def test_networks_that_have_no_such_call_are_refused() -> None:
    net = NetworkWriter()
    first, second, output = (net.tensor((1, 5), 0.1 * scale, scale) for scale in (1, 2, 3))
    net.op("SUB", [first, second], [output], potScaleInt16=False)
    recipe = Recipe("portable", HostCompiler(("cc",), "", ""), ())
    with pytest.raises(ModelError, match="a network with 2 inputs and 1 outputs cannot be called"):
        build_network(compile_model(net.bytes([first, second], [output]), "two", "net"), recipe)
    program = compile_model(random_network(0), "net", "net", input_in_arena=True)
    with pytest.raises(ModelError, match="input lies in the arena"):
        build_network(program, recipe)


@pytest.mark.skipif(sys.platform == "win32", reason="a compiler that is a shell script")
def test_a_compiler_that_fails_or_makes_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compile_model(random_network(0), "net", "net")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = tmp_path / "cc"

    def build(text: str) -> HostNetwork:
        script.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        script.chmod(0o755)
        return build_network(program, Recipe("portable", HostCompiler((str(script),), "", "gcc"), ()))

    with pytest.raises(BoardError, match=r"compiling net\.c for this machine: exit code 4: no space left"):
        build("echo no space left >&2; exit 4")
    with pytest.raises(BoardError, match=r"net\.c: built for this machine, but not loaded: .*network\.") as found:
        build("echo rubbish > network.so; cp network.so network.dylib")
    assert str(tmp_path) not in str(found.value)
    with pytest.raises(BoardError, match="not loaded"):
        build("exit 0")
    script.unlink()
    with pytest.raises(MissingDependency, match="there is no program"):
        build_network(program, Recipe("portable", HostCompiler((str(script),), "", "gcc"), ()))
    assert list(tmp_path.iterdir()) == []


def test_zig_builds_it_too() -> None:
    if not shutil.which("cc") and not shutil.which("gcc"):
        pytest.skip("the other tests do that here")
    pytest.importorskip("ziglang", reason="ziglang is not installed")
    command = (sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline", "-fno-sanitize=all")
    compiler = HostCompiler(command, "-march=native", "clang")
    recipe = native_recipe(compiler)
    program = compile_model(random_network(4), "net", "net4", target=recipe.target)
    inputs = inputs_of(program, 3)
    assert np.array_equal(build_network(program, recipe).run(inputs), expected(program, inputs))


@pytest.mark.parametrize("elements", [1, 63, 64, 65])
def test_buffers_begin_at_a_cache_line(elements: int) -> None:
    for dtype in (np.int8, np.float32):
        array = aligned(elements, np.dtype(dtype))
        assert (array.shape, array.dtype, array.ctypes.data % 64) == ((elements,), np.dtype(dtype), 0)
        assert not array.any()
