"""The Python package: without numpy, on each machine, byte for byte."""

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.packages import prebuilt
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.prebuilt import MACHINES, Machine, build_libraries, soname, sources_digest, this_machine
from edgecnn_firmware.packages.product import Product

from .conftest import check_golden, run

Write = Callable[[str], Path]
needs_zig = pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed")
needs_this_machine = pytest.mark.skipif(this_machine() is None, reason="no library is made for this machine")

_EMULATED = {
    "aarch64": ("qemu-aarch64-static", "/usr/aarch64-linux-gnu", "libc6-arm64-cross"),
    "armv7": ("qemu-arm-static", "/usr/arm-linux-gnueabihf", "libc6-armhf-cross"),
}

_CALLS = """\
import json, sys
import wrist
assert not {"numpy", "site"} & set(sys.modules)
floats = json.load(sys.stdin)
size = wrist.WINDOW_SAMPLES * wrist.CHANNELS
found = {"selftest": wrist.selftest(), "check": wrist.check(), "labels": wrist.labels, "before": wrist.monitor()}
found["windows"] = [wrist.classify(floats[i : i + size]) for i in range(0, len(floats), size)]
wrist.reset()
found["pushed"] = [wrist.push(floats[i : i + wrist.CHANNELS]) for i in range(0, len(floats), wrist.CHANNELS)]
found["monitor"] = wrist.monitor()
json.dump(found, sys.stdout)
"""


def python(folder: Path, script: str, text: str = "", **environment: str) -> str:
    """Run a script without site packages."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", script],
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_golden(product: Product) -> None:
    files = find_format("python").files(product)
    for name in ("wrist.py", "example.py"):
        # The digest changes with every kernel.
        check_golden(f"python/{name}", files[name].replace(sources_digest(product).encode(), b"DIGEST"))
        ast.parse(files[name], feature_version=(3, 7))
    if find_spec("ziglang") is not None:
        check_golden("python/README.md", files["README.md"])


def check_calls(folder: Path, bundle: Bundle) -> None:
    vectors = bundle.vectors()
    text = json.dumps(vectors.windows.reshape(-1).tolist())
    found = json.loads(python(folder, _CALLS, text))
    assert found["selftest"] is True
    assert found["check"] is True
    assert tuple(found["labels"]) == bundle.card.labels
    assert found["before"] is None
    assert [window[5] for window in found["windows"]] == vectors.outputs.tolist()
    oracle = Oracle(compile_model(bundle.model_bytes, "m", "m").graph)
    stream = Stream(bundle.card, lambda window: oracle.run(window[np.newaxis])[0].reshape(-1))
    labels = (*bundle.card.labels, None)
    for sample, pushed in zip(vectors.windows.reshape(-1, 2), found["pushed"], strict=True):
        wanted = stream.push(sample)
        if wanted is None:
            assert pushed is None
            continue
        assert pushed == [
            labels[wanted.label],
            labels[wanted.window_label],
            wanted.changed,
            [value / 32768 for value in wanted.probabilities],
            wanted.margin / 32768,
            list(wanted.outputs),
        ]
    drift = stream.monitor.drift()
    assert drift is not None
    assert found["monitor"] == [[one.samples, one.mean_shift, one.spread, one.clipped] for one in drift]


@needs_this_machine
def test_the_windows_of_the_bundle(package: Write, bundle: Bundle) -> None:
    folder = package("python")
    assert run([sys.executable, "-S", "example.py"], folder).startswith("self-test passed; window is ")
    check_calls(folder, bundle)
    assert not list(folder.glob("*.linux-*"))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler called cc")
def test_without_a_library_one_is_built(package: Write, bundle: Bundle) -> None:
    folder = package("python")
    for path in folder.glob("*.so"):
        path.write_bytes(b"of another machine")
    check_calls(folder, bundle)
    (built,) = [path for path in folder.glob("*.so") if path.read_bytes() != b"of another machine"]
    before = built.stat().st_mtime_ns
    check_calls(folder, bundle)
    assert built.stat().st_mtime_ns == before


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler called cc")
def test_a_folder_that_cannot_be_written(package: Write) -> None:
    folder = package("python")
    for path in folder.glob("*.so"):
        path.unlink()
    # As root every folder can be written, so the name itself is in the way.
    script = (
        "import wrist, os\nos.replace = lambda *_: (_ for _ in ()).throw(PermissionError())\nprint(wrist.selftest())"
    )
    assert python(folder, script) == "True\n"


@needs_this_machine
def test_forms_of_a_window(package: Write, bundle: Bundle) -> None:
    folder = package("python")
    script = """\
import array, wrist
flat = [0.5, -1, 2, 3, 4, 5, 6, 7]
rows = [flat[0:2], tuple(flat[2:4]), flat[4:6], flat[6:8]]
single = array.array("f", flat)
found = {wrist.classify(form) for form in (flat, rows, single, array.array("d", flat), single.tobytes(), memoryview(single))}
assert len(found) == 1
for form in (flat[1:], flat + [1], b"12", rows[1:], [], ["a"] * 8, [float("nan")] * 8):
    try:
        wrist.classify(form)
    except (ValueError, TypeError) as error:
        print(error)
assert wrist.push([float("nan"), 1]) is None
"""
    assert python(folder, script).splitlines() == [
        "7 numbers; expected 8",
        "9 numbers; expected 8",
        "2 bytes; expected 8 float32",
        "6 numbers; expected 8",
        "0 numbers; expected 8",
        "must be real number, not str",
        "a value of the window is NaN",
    ]


@pytest.mark.parametrize(
    ("machine", "sources", "compiler", "line"),
    [
        (
            "riscv64",
            True,
            "no-such-cc",
            "there is no library for linux riscv64, and no C compiler to build one (set CC)",
        ),
        ("riscv64", False, "cc", "there is no library for linux riscv64, and no src/ to build one from"),
        ("riscv64", True, "false", "there is no library for linux riscv64, and building one failed: "),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the lines name Linux")
def test_where_no_library_can_be_had(machine: str, sources: bool, compiler: str, line: str, package: Write) -> None:
    folder = package("python")
    if not sources:
        shutil.rmtree(folder / "src")
    script = (
        f"import platform\nplatform.machine = lambda: {machine!r}\nimport wrist\n"
        "try:\n    wrist.classify([0] * 8)\nexcept RuntimeError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CC": compiler},
    )
    assert done.stdout == f"wrist: {line}\n"


@needs_zig
def test_the_libraries_do_not_depend_on_folder_or_time(product: Product) -> None:
    first = build_libraries(product)
    prebuilt._build_all.cache_clear()
    assert build_libraries(product) == first
    assert set(first) == set(MACHINES)


@needs_zig
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.key)
def test_the_libraries_are_what_they_say(machine: Machine, product: Product, tmp_path: Path) -> None:
    data = build_libraries(product)[machine]
    bits, elf_machine = {"aarch64": (64, 183), "armv7": (32, 40), "x86_64": (64, 62)}[machine.key]
    assert data[:6] == b"\x7fELF" + bytes((bits // 32, 1))
    assert int.from_bytes(data[18:20], "little") == elf_machine
    assert soname(product).encode() in data
    assert str(Path.home()).encode() not in data
    if machine.key == "armv7" and shutil.which("readelf"):
        (tmp_path / "x.so").write_bytes(data)
        attributes = run(["readelf", "-A", "x.so"], tmp_path)
        assert "Tag_Advanced_SIMD_arch: NEON" in attributes
        assert "Tag_ABI_VFP_args: VFP registers" in attributes


_HARNESS = """\
#include <stdio.h>
#include "wrist.h"
/* Windows from stdin, outputs to stdout. */
int main(void) {
    float window[WRIST_WINDOW_SAMPLES * WRIST_CHANNELS];
    wrist_result result;
    if (wrist_init() != WRIST_OK || wrist_selftest() != WRIST_OK)
        return 1;
    while (fread(window, sizeof window, 1, stdin) == 1) {
        if (wrist_classify(window, &result) != WRIST_OK)
            return 2;
        fwrite(result.outputs, 1, WRIST_OUTPUTS, stdout);
        fwrite(result.probabilities, 2, WRIST_LABELS, stdout);
    }
    return 0;
}
"""


@needs_zig
@pytest.mark.parametrize("key", _EMULATED)
def test_emulated_arm_gives_the_same_bytes(key: str, product: Product, bundle: Bundle, tmp_path: Path) -> None:
    emulator, root, package = _EMULATED[key]
    if shutil.which(emulator) is None:
        pytest.skip(f"{emulator} is not installed (qemu-user-static)")
    if not Path(root).is_dir():
        pytest.skip(f"there is no C library of that machine ({package})")
    machine = next(machine for machine in MACHINES if machine.key == key)
    for name, text in {**product.headers, "main.c": _HARNESS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    # The very library of the package, loaded as a program on such a machine would.
    (tmp_path / soname(product)).write_bytes(build_libraries(product)[machine])
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine.triplet}.{prebuilt.GLIBC}", *machine.flags]
    run([*zig, "-std=c99", "-Wall", "-Werror", "main.c", soname(product), "-o", "main"], tmp_path)
    (tmp_path / "main").chmod(stat.S_IRWXU)
    vectors = bundle.vectors()
    done = subprocess.run(
        [emulator, "-L", root, "-E", "LD_LIBRARY_PATH=.", "./main"],
        cwd=tmp_path,
        input=vectors.windows.astype("<f4").tobytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs, labels = vectors.outputs.shape[1], len(bundle.card.labels)
    found = np.frombuffer(done.stdout, [("outputs", "i1", outputs), ("probabilities", "<i2", labels)])
    assert np.array_equal(found["outputs"], vectors.outputs)
    assert np.array_equal(found["probabilities"], np.minimum((vectors.outputs.astype(int) + 128) * 128, 32767))


def test_without_zig_this_machine_has_its_own(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prebuilt, "_has_zig", lambda: False)
    prebuilt._build_all.cache_clear()
    try:
        machine = this_machine()
        expected = [machine] if machine and shutil.which("cc") else []
        assert list(build_libraries(product)) == expected
        readme = find_format("python").files(product)["README.md"].decode()
        assert "only the package ziglang compiles for all machines: pip install 'edgecnn[boards]'" in readme
        monkeypatch.setattr(prebuilt, "this_machine", lambda: None)
        prebuilt._build_all.cache_clear()
        files = find_format("python").files(product)
        assert not [name for name in files if name.endswith(".so")]
        assert b"the first call compiles it" in files["README.md"]
    finally:
        prebuilt._build_all.cache_clear()


@needs_this_machine
def test_nasty_labels_stay_labels(nasty: Product, tmp_path: Path) -> None:
    files = find_format("python").files(nasty)
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    script = "import json, wrist\nprint(json.dumps([wrist.labels, wrist.__doc__]))"
    labels, text = json.loads(python(tmp_path, script))
    assert tuple(labels) == nasty.card.labels
    assert "rm -rf" in text
    assert run([sys.executable, "-S", "example.py"], tmp_path).startswith("self-test passed")
