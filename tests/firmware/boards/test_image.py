"""What an image costs, and builds that depend on nothing but their inputs."""

import hashlib
import importlib.util
import shutil
import sys
from importlib import import_module

import pytest

from edgecnn_firmware.boards import toolchain as toolchains
from edgecnn_firmware.boards.elf import read_elf
from edgecnn_firmware.boards.extras import load
from edgecnn_firmware.boards.machine import run
from edgecnn_firmware.boards.process import BoardError, finish
from edgecnn_firmware.boards.targets import TARGETS, target_named
from edgecnn_firmware.boards.toolchain import find_toolchain
from edgecnn_firmware.errors import MissingDependency, SettingsError

CONSTANTS = """
const int8_t table[1000] = {1, 2, 3};
static int8_t initialized[40] = {5};
static int8_t zeros[300];
int unused(void) { return table[4] * 17; }
void net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) {
    initialized[input[2] & 31]++;
    zeros[input[1] & 127]++;
    output[0] = (int8_t)(table[input[0] & 511] + initialized[input[3] & 31] + zeros[input[4] & 127]);
}
"""
EMPTY = "void net_invoke(const int8_t *input, int8_t *output, uint8_t *arena) {}"


@pytest.mark.parametrize("target", ["cortex-m0plus", "cortex-m4", "rv32imc", "aarch64", "cortex-m55"])
def test_sizes_are_those_of_the_code_alone(build, target):
    image = build(CONSTANTS, target)
    code = image.elf.symbol("net_invoke").size
    assert 1040 + code - 4 <= image.flash_bytes <= 1040 + code + 32
    assert 340 <= image.ram_bytes <= 340 + 32
    assert image.elf.symbol("table").size == 1000
    assert image.elf.symbol("table").section == "rodata"
    assert image.elf.symbol("initialized").section == "data"
    assert image.elf.symbol("zeros").section == "bss"
    assert "unused" not in {symbol.name for symbol in image.elf.symbols}
    assert image.elf.flash_bytes == sum(image.elf.sections[kind] for kind in ("text", "rodata", "data"))


@pytest.mark.parametrize("prefer", ["gcc", "zig"])
def test_a_function_that_does_nothing_costs_little(build, prefer):
    image = build(EMPTY, "cortex-m4", prefer)
    assert 0 < image.flash_bytes <= 16
    assert image.ram_bytes == 0


@pytest.mark.parametrize("prefer", ["gcc", "zig"])
def test_the_image_depends_on_its_inputs_only(build, prefer):
    first, second = (build(CONSTANTS, "cortex-m4", prefer) for _ in range(2))
    assert first.path != second.path
    digests = {hashlib.sha256(image.path.read_bytes()).hexdigest() for image in (first, second)}
    assert len(digests) == 1


def test_initial_values_are_there(build):
    assert run(build(CONSTANTS), bytes(32)).outputs[0] == 1 + 5 + 1 + 1


def test_the_compilers_words_reach_the_user(build):
    with pytest.raises(
        BoardError, match=r"(?s)compiling net.c for cortex-m4: exit code 1: .*error: expected expression"
    ):
        build("int nonsense = ;")


def test_an_unknown_function_is_a_linker_error(build):
    with pytest.raises(BoardError, match=r"(?s)linking image.elf for cortex-m4: .*elsewhere"):
        build("void elsewhere(void);\nvoid net_invoke(const int8_t *i, int8_t *o, uint8_t *a) { elsewhere(); }")


def test_a_symbol_that_is_not_there(build):
    with pytest.raises(BoardError, match="no symbol 'net_other'"):
        build(EMPTY).elf.symbol("net_other")


def test_a_file_that_is_no_image(tmp_path):
    pytest.importorskip("elftools", reason="pyelftools is not installed")
    (tmp_path / "image.elf").write_bytes(b"\x7fELF nothing more")
    with pytest.raises(BoardError, match=r"image.elf: cannot be read as an ELF file"):
        read_elf(tmp_path / "image.elf")


def test_unknown_targets_are_listed():
    with pytest.raises(SettingsError, match="unknown target 'cortex-m9'; known: cortex-m0plus, cortex-m3"):
        target_named("cortex-m9")


def test_targets_are_named_as_they_are_looked_up():
    assert [target_named(name).name for name in TARGETS] == list(TARGETS)


def test_no_compiler_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(toolchains, "find_spec", lambda name: None)
    hint = r"pip install 'edgecnn\[boards\]'"
    with pytest.raises(MissingDependency, match=f"put arm-none-eabi-gcc on PATH or run: {hint}"):
        find_toolchain(target_named("cortex-m4"))
    with pytest.raises(MissingDependency, match=f"arm-none-eabi-gcc is not on PATH; .*{hint}"):
        find_toolchain(target_named("cortex-m4"), "gcc")
    with pytest.raises(MissingDependency, match="does not compile for it"):
        find_toolchain(target_named("rv32imc"), "gcc")


def test_no_unicorn_says_how_to_get_it(build, monkeypatch):
    image = build(EMPTY)
    monkeypatch.setitem(sys.modules, "unicorn", None)
    with pytest.raises(MissingDependency, match=r"virtual CPU needs unicorn: pip install 'edgecnn\[boards\]'"):
        run(image, bytes(32))


def test_no_qemu_says_so(build, monkeypatch):
    image = build(EMPTY, "cortex-m55")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match="qemu-system-arm is not on PATH"):
        run(image, bytes(32))


def test_accesses_on_qemu_are_not_watched(build):
    with pytest.raises(BoardError, match="on unicorn only"):
        run(build(EMPTY, "cortex-m55"), bytes(32), watch=True)


def test_a_module_that_is_there_is_loaded():
    assert load("json", "testing") is import_module("json")
    assert importlib.util.find_spec("edgecnn_no_such_module") is None
    with pytest.raises(MissingDependency, match="testing needs edgecnn_no_such_module"):
        load("edgecnn_no_such_module.part", "testing")


def test_tools_that_fail_hang_or_are_missing(tmp_path):
    with pytest.raises(BoardError, match="trying: exit code 3: broken"):
        finish(
            (sys.executable, "-c", "import sys; sys.exit(sys.stderr.write('broken') and 3)"),
            folder=tmp_path,
            limit_s=30,
            doing="trying",
        )
    with pytest.raises(BoardError, match=r"trying: not finished after 0\.2 s"):
        finish((sys.executable, "-c", "import time; time.sleep(30)"), folder=tmp_path, limit_s=0.2, doing="trying")
    with pytest.raises(MissingDependency, match="trying: there is no program 'edgecnn-no-such-program'"):
        finish(("edgecnn-no-such-program",), folder=tmp_path, limit_s=1, doing="trying")
