"""The Rust crate: built by cargo with the crate `cc`, byte for byte the C, and nothing but `core` in it."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.firmware.classifier.test_classifier import card_of, model_of
from tests.firmware.models import make_card

from edgecnn_firmware import numerics
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.counts import count_lines, quantize_counts
from edgecnn_firmware.classifier.results import Result, window_result
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Example, Product
from edgecnn_firmware.packages.rust import crate_name, rust_float, rust_string, variant_names
from edgecnn_firmware.packages.write import write_package

from .conftest import check_golden, run

DEBIAN = Path("/usr/share/cargo/registry")
RUSTC = os.environ.get("RUSTC", "rustc")


def why_no_cargo() -> str:
    """Why crates cannot be built here; empty where they can."""
    if shutil.which("cargo") is None or shutil.which(RUSTC) is None:
        return "cargo is not installed"
    found = re.match(r"rustc (\d+)\.(\d+)", run([RUSTC, "--version"], Path.cwd()))
    if found is None or (int(found[1]), int(found[2])) < (1, 81):
        return "rustc is older than 1.81"
    if shutil.which("cc") is None:
        return "no C compiler called cc"
    return "" if any(DEBIAN.glob("cc-*")) else "the crate cc is not here (librust-cc-dev)"


WHY = why_no_cargo()
needs_cargo = pytest.mark.skipif(bool(WHY), reason=WHY)
needs_rustfmt = pytest.mark.skipif(shutil.which("rustfmt") is None, reason="rustfmt is not installed")
needs_clippy = pytest.mark.skipif(
    bool(WHY) or shutil.which("cargo-clippy") is None, reason=WHY or "clippy is not installed"
)

Cargo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """Run cargo in a folder without a network: the crate `cc` is Debian's, in the place of the registry's."""
    place = tmp_path_factory.mktemp("cargo")
    (place / "home").mkdir()
    source = f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{DEBIAN}"\n'
    (place / "home" / "config.toml").write_text(source)
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("CARGO_", "RUSTFLAGS", "CFLAGS"))}
    ours |= {
        "CARGO_HOME": str(place / "home"),
        "CARGO_TARGET_DIR": str(place / "target"),
        "CARGO_NET_OFFLINE": "true",
        "CARGO_INCREMENTAL": "0",
        "CARGO_PROFILE_DEV_DEBUG": "0",
    }

    def call(*arguments: str, folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["cargo", *arguments], cwd=folder, input=text, capture_output=True, text=True, check=False, env=ours
        )

    return call


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def write(product: Product, folder: Path) -> Path:
    return write_package(find_format("rust"), product, folder)


@pytest.fixture
def crate(product: Product, tmp_path: Path) -> Path:
    return write(product, tmp_path)


def test_golden(product: Product) -> None:
    for name, data in find_format("rust").files(product).items():
        if name != "LICENSE" and (not name.startswith("csrc/") or name.endswith("_layout.c")):
            check_golden(f"rust/{name}", data)


@needs_cargo
def test_its_own_tests_and_its_example(crate: Path, cargo: Cargo) -> None:
    out = ok(cargo("test", folder=crate))
    assert "test result: ok. 7 passed; 0 failed" in out
    assert "test result: ok. 1 passed; 0 failed" in out  # the README's
    assert ok(cargo("run", "--example", "selftest", folder=crate)).startswith("self-test passed; window is ")


@needs_clippy
def test_no_lint(crate: Path, cargo: Cargo) -> None:
    ok(cargo("clippy", "--all-targets", "--", "-D", "warnings", folder=crate))


@needs_rustfmt
@pytest.mark.parametrize("kind", ["plain", "nasty"])
def test_it_is_formatted(kind: str, product: Product, nasty: Product, tmp_path: Path) -> None:
    folder = write(product if kind == "plain" else nasty, tmp_path)
    files = [str(path) for path in folder.rglob("*.rs")]
    run(["rustfmt", "--check", "--edition", "2021", *files], folder)


_CALLS = """\
use std::io::Read;
use wrist::*;

fn show(outcome: &Outcome) -> String {
    let (label, margin) = (outcome.label as usize, outcome.margin);
    format!("[{label},{margin},{:?},{:?}]", outcome.outputs, outcome.probabilities)
}

fn decided(decision: Option<Decision>) -> String {
    let Some(found) = decision else { return "null".into() };
    let label = found.label.map_or(-1, |label| label as i32);
    format!("[{label},{},{}]", found.changed, show(&found.window))
}

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut all = text.split_whitespace();
    let mut classifier = Classifier::new().unwrap();
    let (mut alone, mut pushed) = (vec![], vec![]);
    while let Some(first) = all.next() {
        let mut window = [0f32; WINDOW_VALUES];
        window[0] = first.parse().unwrap();
        for value in &mut window[1..] {
            *value = all.next().unwrap().parse().unwrap();
        }
        alone.push(show(&classifier.classify(&window).unwrap()));
        for sample in window.chunks_exact(CHANNELS) {
            pushed.push(decided(classifier.push(sample.try_into().unwrap()).unwrap()));
        }
    }
    let drift = classifier.monitor().unwrap();
    classifier.reset().unwrap();
    let mut counted = vec![];
    for turn in 0..5 {
        let window: [i16; WINDOW_VALUES] = core::array::from_fn(|i| (turn * 4000 + i * 321) as i16 - 9000);
        counted.push(show(&classifier.classify_counts(&window)));
        for sample in window.chunks_exact(CHANNELS) {
            counted.push(decided(classifier.push_counts(sample.try_into().unwrap())));
        }
    }
    println!(
        "{{\\"alone\\":[{}],\\"pushed\\":[{}],\\"counted\\":[{}],\\"drift\\":[{},{:?},{:?},{:?}]}}",
        alone.join(","), pushed.join(","), counted.join(","),
        drift.samples, drift.mean_shift, drift.spread, drift.clipped
    );
}
"""


def shown(result: Result) -> list[object]:
    return [result.window_label, result.margin, list(result.outputs), list(result.probabilities)]


def decided(result: Result | None) -> list[object] | None:
    return None if result is None else [result.label, result.changed, shown(result)]


def oracle_of(model: bytes) -> "Callable[[np.ndarray], np.ndarray]":
    oracle = Oracle(compile_model(model, "m", "m").graph)
    return lambda window: oracle.run(window.reshape(oracle.graph.inputs[0].shape))[0].reshape(-1)


def quantized(window: "np.ndarray", card: Card) -> "np.ndarray":
    return numerics.quantize(numerics.normalize(window, card.normalization), card.quantization.input)


def check_calls(found: dict[str, object], card: Card, model: bytes, windows: "np.ndarray") -> None:
    """What `_CALLS` told of the windows against Python's classifier, which is byte-equal with the C."""
    infer = oracle_of(model)
    stream = Stream(card, infer)
    assert found["alone"] == [shown(window_result(infer(quantized(window, card)), card)) for window in windows]
    assert found["pushed"] == [decided(stream.push(sample)) for window in windows for sample in window]
    drift = stream.monitor.drift()
    assert drift is not None
    columns = [[one.mean_shift * 256 for one in drift], [one.spread * 256 for one in drift]]
    assert found["drift"] == [drift[0].samples, *columns, [one.clipped * 32768 for one in drift]]
    stream, lines, wanted = Stream(card, infer), count_lines(card), []
    for turn in range(5):
        counts = (turn * 4000 + np.arange(8) * 321 - 9000).astype(np.int16).reshape(4, 2)
        window = quantize_counts(counts, lines)
        wanted += [shown(window_result(infer(window), card)), *(decided(stream.push_quantized(one)) for one in window)]
    assert found["counted"] == wanted


def calls(crate: Path, cargo: Cargo, windows: "np.ndarray") -> dict[str, object]:
    (crate / "examples" / "calls.rs").write_text(_CALLS)
    text = " ".join(str(value) for value in windows.astype(np.float64).reshape(-1).tolist())
    found: dict[str, object] = json.loads(ok(cargo("run", "-q", "--example", "calls", folder=crate, text=text)))
    return found


@needs_cargo
def test_all_windows_as_the_c_gives_them(crate: Path, cargo: Cargo, bundle: Bundle) -> None:
    windows = bundle.vectors().windows
    found = calls(crate, cargo, windows)
    alone = found["alone"]
    assert isinstance(alone, list)
    assert [one[2] for one in alone] == bundle.vectors().outputs.tolist()
    check_calls(found, bundle.card, bundle.model_bytes, windows)


@needs_cargo
def test_a_sigmoid(cargo: Cargo, tmp_path: Path) -> None:
    card, model = card_of("sigmoid", smoothing="mean", results=3, debounce=2), model_of("sigmoid")
    inputs = np.random.default_rng(3).integers(-128, 128, (5, 4, 2)).astype(np.int8)
    outputs = np.stack([oracle_of(model)(window) for window in inputs])
    windows = np.random.default_rng(6).normal(0, 1, (20, 4, 2)) / np.array(card.normalization.gain)
    classifier, window = write_classifier(model, card, (inputs, outputs)), windows[0].astype(np.float32)
    label = window_result(oracle_of(model)(quantized(window, card)), card).label
    crate = write(Product(card, classifier, Example(window, label), "0" * 64), tmp_path)
    check_calls(calls(crate, cargo, windows.astype(np.float32)), card, model, windows.astype(np.float32))
    assert "test result: ok. 7 passed" in ok(cargo("test", "--lib", folder=crate))


_FIRMWARE = """\
#![no_std]
use wrist::{Classifier, WINDOW_VALUES};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[no_mangle]
pub extern "C" fn classify(window: &[f32; WINDOW_VALUES]) -> i32 {
    MAKE.and_then(|mut classifier| classifier.classify(window)).map_or(-1, |outcome| outcome.label as i32)
}
"""
_MANIFEST = """\
[package]
name = "firmware"
version = "0.1.0"
edition = "2021"
[lib]
crate-type = ["staticlib"]
[dependencies]
wrist = { path = "wrist_rust" }
[profile.release]
panic = "abort"
"""


def firmware(crate: Path, make: str = "Classifier::new()") -> Path:
    """A library for a program without `std`, which brings its own panic handler; with `std` there would be two."""
    folder = crate.parent
    assert 'wrist = { path = "wrist_rust" }' in (crate / "README.md").read_text()
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").write_text(_FIRMWARE.replace("MAKE", make))
    (folder / "Cargo.toml").write_text(_MANIFEST)
    return folder


@needs_cargo
def test_programs_without_std(crate: Path, cargo: Cargo) -> None:
    ok(cargo("build", "--release", folder=firmware(crate)))


_BOARD = """\
#include <stdint.h>
#include <stdio.h>
int classify(const float *window);
void _start(void);
static void reset(void) {
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* the FPU */
    _start();
}
__attribute__((section(".vectors"), used)) static const void *vectors[16] = {(void *)0x20010000, reset};
static const float windows[][8] = {WINDOWS};
int main(void) {
    for (unsigned i = 0; i < sizeof windows / sizeof *windows; i++) printf("%d ", classify(windows[i]));
    return 0;
}
"""


def on_board(library: Path, windows: "np.ndarray") -> list[int]:
    """The labels that the firmware's library gives on a Cortex-M4 that QEMU plays."""
    rows = [", ".join(f"{value:.9e}f" for value in window.reshape(-1).tolist()) for window in windows]
    (library.parent / "main.c").write_text(_BOARD.replace("WINDOWS", ", ".join(f"{{{row}}}" for row in rows)))
    core = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "--specs=rdimon.specs")
    link = ("main.c", library.name, "-Wl,--section-start=.vectors=0", "-o", "main.elf")
    run(["arm-none-eabi-gcc", "-O1", *core, *link], library.parent)
    board = ("-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none", "-semihosting")
    return [int(word) for word in run(["qemu-system-arm", *board, "-kernel", "main.elf"], library.parent).split()]


def has_target(target: str) -> bool:
    if WHY:
        return False
    return Path(run([RUSTC, "--print", "target-libdir", "--target", target], Path.cwd()).strip()).is_dir()


@needs_cargo
@pytest.mark.parametrize(
    ("target", "make", "core"),
    [
        ("thumbv7em-none-eabihf", "Classifier::new()", "v7E-M"),
        ("thumbv6m-none-eabi", "unsafe { Classifier::new_unchecked() }", "v6S-M"),
    ],
)
def test_it_cross_compiles(
    target: str, make: str, core: str, crate: Path, cargo: Cargo, bundle: Bundle, tmp_path: Path
) -> None:
    if not has_target(target):
        pytest.skip(f"rustc has no core for it (rustup target add {target})")
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    made = tmp_path / "made"
    ok(cargo("build", "--release", "--target", target, "--target-dir", str(made), folder=firmware(crate, make)))
    library = made / target / "release" / "libfirmware.a"
    assert f"Tag_CPU_arch: {core}" in run(["arm-none-eabi-readelf", "-A", str(library)], tmp_path)
    if core == "v7E-M" and shutil.which("qemu-system-arm"):
        vectors = bundle.vectors()
        wanted = [window_result(outputs, bundle.card).label for outputs in vectors.outputs]
        assert on_board(library, vectors.windows) == wanted


@needs_cargo
@pytest.mark.parametrize(
    ("file", "text", "other", "said"),
    [
        ("csrc/wrist.h", "int16_t margin; ", "int32_t margin; ", "wrist_rust_result_margin"),
        ("csrc/wrist.h", "int32_t clipped[", "int32_t more, clipped[", "wrist_rust_drift_clipped"),
        ("csrc/wrist.h", "WRIST_NEW_RESULT 1 ", "WRIST_NEW_RESULT 2 ", "wrist_rust_new_result"),
        ("src/ffi.rs", "pub margin: i16", "pub margin: i32", "assertion failed"),
        ("src/ffi.rs", "pub samples: u32", "pub samples: u64", "assertion failed"),
        ("csrc/wrist.h", "WRIST_CHANNELS 2", "WRIST_CHANNELS 3", "wrist_rust_channels"),
        ("src/lib.rs", "OUTPUTS: usize = 3", "OUTPUTS: usize = 4", "assertion failed"),
        ("src/lib.rs", "WINDOW_SAMPLES: usize = 4", "WINDOW_SAMPLES: usize = 3", "assertion failed"),
    ],
)
def test_memory_that_is_not_the_same_does_not_compile(
    file: str, text: str, other: str, said: str, crate: Path, cargo: Cargo
) -> None:
    path = crate / file
    before = path.read_text(encoding="utf-8")
    assert before.count(text) == 1
    path.write_text(before.replace(text, other), encoding="utf-8")
    done = cargo("build", folder=crate)
    assert done.returncode != 0
    assert said in done.stderr


_UNSOUND = {
    "a classifier from nothing": ("let _ = Classifier { _private: () };", "E0451"),
    "a second one by clone": ("let _ = Classifier::new().unwrap().clone();", "E0599"),
    "writing through a shared one": ("let c = Classifier::new().unwrap(); c.classify_q(&[0; WINDOW_VALUES]);", "E0596"),
    "one made unchecked": ("let _ = Classifier::new_unchecked();", "E0133"),
    "a window too short": ("let _ = Classifier::new().unwrap().classify_q(&[0; WINDOW_VALUES - 1]);", "E0308"),
}


@needs_cargo
def test_what_safe_code_cannot_say(crate: Path, cargo: Cargo) -> None:
    shutil.rmtree(crate / "examples")
    (crate / "examples").mkdir()
    for number, (line, _) in enumerate(_UNSOUND.values()):
        text = f"#![allow(unused)]\nuse wrist::*;\nfn main() {{ {line} }}\n"
        (crate / "examples" / f"unsound_{number}.rs").write_text(text)
    done = cargo("build", "--examples", "--keep-going", "--message-format=short", folder=crate)
    assert done.returncode != 0
    for number, (what, (_, code)) in enumerate(_UNSOUND.items()):
        assert re.search(rf"unsound_{number}\.rs:\d+:\d+: error\[{code}\]", done.stderr), (what, done.stderr)


@needs_clippy
def test_any_texts(nasty: Product, cargo: Cargo, tmp_path: Path) -> None:
    folder = write(nasty, tmp_path)
    ok(cargo("clippy", "--all-targets", "--", "-D", "warnings", folder=folder))
    ok(cargo("test", "--lib", folder=folder))


@needs_clippy
def test_without_counts_statistics_and_self_test(
    product: Product, bundle: Bundle, cargo: Cargo, tmp_path: Path
) -> None:
    card = make_card(name="Match", version="01.0.007")
    card = card.model_copy(update={"input": card.input.model_copy(update={"rate_known": False, "sample_rate_hz": 1.0})})
    classifier = write_classifier(bundle.model_bytes, card)
    # As if the network kept state: then a window of a stream gives other results than the same alone.
    network = dataclasses.replace(classifier.network, state_bytes=4)
    bare = dataclasses.replace(product, card=card, classifier=dataclasses.replace(classifier, network=network))
    folder = write(bare, tmp_path)
    text = (folder / "src" / "lib.rs").read_text()
    assert not re.search("SAMPLE_RATE_HZ|_counts|fn selftest", text)
    ok(cargo("clippy", "--all-targets", "--", "-D", "warnings", folder=folder))
    assert "match_classifier v1.0.7" in cargo("test", "--lib", folder=folder).stderr
    run(["rustfmt", "--check", "--edition", "2021", *(str(path) for path in folder.rglob("*.rs"))], folder)


def test_names_of_crates() -> None:
    assert [crate_name(name) for name in ("wrist", "Wrist_2", "match", "Core", "cc")] == [
        *("wrist", "wrist_2", "match_classifier", "core_classifier", "cc_classifier"),
    ]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("walking", "stand to sit", "LAYING_down", "ECG"), ["Walking", "StandToSit", "LayingDown", "Ecg"]),
        (("a-b", "a b", "2", "é", "self", "Label 7"), ["Label0", "Label1", "Label2", "Label3", "Label4", "Label5"]),
        (("label 1", "-"), ["Label0", "Label1"]),
    ],
)
def test_names_of_variants(labels: tuple[str, ...], names: list[str]) -> None:
    assert variant_names(labels) == names


@given(st.lists(st.text(max_size=8), max_size=12, unique=True))
def test_variants_are_names_and_differ(labels: list[str]) -> None:
    names = variant_names(tuple(labels))
    assert len(set(names)) == len(labels)
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) and name != "Self" for name in names)


@given(st.text())
def test_strings_read_back(text: str) -> None:
    literal = rust_string(text)
    assert re.fullmatch(r'"([ !#-\[\]-~]|\\["\\]|\\u\{[0-9a-f]{1,6}\})*"', literal)
    back = re.sub(r"\\u\{([0-9a-f]+)\}|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], literal[1:-1])
    assert back == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_read_back(value: float) -> None:
    literal = rust_float(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", literal)
    assert re.search(r"[.e]", literal)
    assert np.float32(literal) == np.float32(value)
