"""The WebAssembly module under Node: byte for byte what the C does, whatever comes in."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.firmware.classifier.built import Built
from tests.firmware.classifier.test_classifier import card_of, model_of

from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.write import write_classifier
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.compiler.targets import TARGETS
from edgecnn_firmware.errors import MissingDependency
from edgecnn_firmware.packages import wasm
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Example, Product, make_product
from edgecnn_firmware.packages.wasm import build_module, script_json
from edgecnn_firmware.packages.write import write_package

from .conftest import check_golden, run

Write = Callable[[str], Path]
NODE = shutil.which("node") or ""
pytestmark = [
    pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang, which compiles to WebAssembly, is not installed"),
]
needs_node = pytest.mark.skipif(not NODE, reason="no node on PATH (nodejs)")

_START = """\
import { readFileSync } from "node:fs";
import { load } from "./wrist.js";
const bytes = readFileSync("wrist.wasm");
const classifier = await load(bytes);
const input = JSON.parse(readFileSync("input.json", "utf8"));
const windows = (values, size, make) => {
  const found = [];
  for (let i = 0; i < values.length; i += size) found.push(make(values.slice(i, i + size)));
  return found;
};
const tell = (value) => console.log(JSON.stringify(value));
"""


def node(folder: Path, script: str, given: Any = None) -> Any:
    """Run a script beside a package's files; what it tells."""
    (folder / "input.json").write_text(json.dumps(given))
    (folder / "run.mjs").write_text(_START + script, encoding="utf-8")
    done = subprocess.run([NODE, "run.mjs"], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def product_of(output: str, **deployment: Any) -> tuple[Product, bytes]:
    """A small product of either kind of output."""
    card, model = card_of(output, **deployment), model_of(output)
    inputs = np.random.default_rng(3).integers(-128, 128, (5, 4, 2)).astype(np.int8)
    oracle = Oracle(compile_model(model, "m", "m").graph)
    outputs = np.stack([oracle.run(window.reshape(oracle.graph.inputs[0].shape))[0].reshape(-1) for window in inputs])
    window = np.array([[0.5, -1], [2, 3], [4, 5], [6, 7]], np.float32)
    return Product(card, write_classifier(model, card, (inputs, outputs)), Example(window, 0), "0" * 64), model


def fields(result: dict[str, Any], card: Card) -> tuple[Any, ...]:
    """What JavaScript told, in the numbers of C."""
    labels = (*card.labels, None)
    assert result["label"] == labels[result["index"]]
    assert result["windowLabel"] == labels[result["windowIndex"]]
    probabilities = tuple(round(value * 32768) for value in result["probabilities"])
    numbers = (result["index"], result["windowIndex"], result["changed"], tuple(result["outputs"].values()))
    return *numbers, probabilities, round(result["margin"] * 32768)


def test_golden(product: Product) -> None:
    files = dict(find_format("wasm").files(product))
    assert set(files) == {
        *("LICENSE", "README.md", "example.mjs", "index.html", "package.json", "wrist.d.ts", "wrist.js", "wrist.wasm"),
        *(f"src/{name}" for name in (*product.headers, *product.sources, "wrist_wasm.c")),
    }
    for name in ("wrist.js", "wrist.d.ts", "example.mjs", "package.json", "README.md", "src/wrist_wasm.c"):
        check_golden(f"wasm/{name}", files[name])
    page = files["index.html"].decode()
    for pattern, word in (
        (r"<style>.*?</style>", "<style>STYLE</style>"),
        (r'<script type="module">.*?</script>', '<script type="module">SCRIPT</script>'),
        (r'"wasm":"[^"]*"', '"wasm":"MODULE"'),
        (r"sha256-[\w+/=]{44}", "sha256-HASH"),
    ):
        page, count = re.subn(pattern, lambda _, word=word: word, page, flags=re.DOTALL)
        assert count, pattern
    check_golden("wasm/index.html", page.encode())
    assert json.loads(files["package.json"])["name"] == "wrist"


def test_the_module_does_not_depend_on_folder_or_time(product: Product) -> None:
    first = build_module(product)
    wasm._build.cache_clear()
    assert build_module(product) == first
    assert first[:8] == b"\0asm\1\0\0\0"
    assert str(Path.home()).encode() not in first
    assert b"edgecnn-package" not in first


def test_without_ziglang(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ziglang", None)
    with pytest.raises(MissingDependency, match=r"the package wasm needs ziglang: pip install 'edgecnn\[boards\]'"):
        find_format("wasm").files(product)


@pytest.mark.parametrize("target", TARGETS)
def test_kernels_of_every_target_compile(target: str, bundle: Bundle) -> None:
    assert build_module(make_product(bundle, target))


@needs_node
def test_the_example(package: Write) -> None:
    found = run([NODE, "example.mjs"], package("wasm"))
    assert re.fullmatch(r'self-test passed; window is "\w+", margin 0\.\d{5}\n', found)


@needs_node
def test_the_windows_of_the_bundle(package: Write, bundle: Bundle) -> None:
    vectors, card = bundle.vectors(), bundle.card
    found = node(
        package("wasm"),
        """
const size = classifier.window * classifier.channels.length;
const module = new WebAssembly.Module(bytes);
tell({
  imports: WebAssembly.Module.imports(module),
  exports: WebAssembly.Module.exports(module).map(({ name }) => name).sort(),
  selftest: classifier.selftest(), check: classifier.check(), classifier,
  single: windows(input, size, (values) => classifier.classify(new Float32Array(values))),
  plain: windows(input, size, (values) => classifier.classify(values)),
});
""",
        vectors.windows.reshape(-1).tolist(),
    )
    assert found["imports"] == []
    names = ["check", "classify", "classify_counts", "init", "monitor", "push", "push_counts", "selftest"]
    names += ["wasm_drift", "wasm_input", "wasm_result"]
    assert found["exports"] == ["memory", *(f"wrist_{name}" for name in names)]
    assert (found["selftest"], found["check"]) == (0, 0)
    assert [list(fields(one, card)[3]) for one in found["single"]] == vectors.outputs.tolist()
    assert found["single"] == found["plain"]
    assert found["classifier"] == {
        "name": "wrist",
        "version": card.version,
        "modelSha256": make_product(bundle).model_sha256,
        "labels": list(card.labels),
        "channels": [{"name": channel.name, "unit": channel.unit} for channel in card.input.channels],
        "window": 4,
        "hop": card.input.hop_samples,
        "sampleRate": card.input.sample_rate_hz,
        "hasCounts": True,
    }


@needs_node
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize(("smoothing", "results", "debounce"), [("none", 1, 2), ("majority", 4, 2), ("mean", 3, 1)])
def test_every_call_gives_the_bytes_of_the_c_build(
    output: str, smoothing: str, results: int, debounce: int, tmp_path: Path
) -> None:
    made, model = product_of(output, smoothing=smoothing, results=results, debounce=debounce)
    card = made.card
    built = Built(model, card, tmp_path / "native")
    rng = np.random.default_rng(6)
    samples = (rng.normal(0, 1, (120, 2)) / np.array(card.normalization.gain)).astype(np.float32)
    samples[37, 1] = np.nan
    counts = rng.integers(-32768, 32768, (80, 2)).astype(np.int16)
    found = node(
        write_package(find_format("wasm"), made, tmp_path),
        """
const samples = input.samples.map((value) => value ?? NaN), counts = Int16Array.from(input.counts);
const same = (make) => { try { return make(); } catch (error) { return error.message; } };
const found = { before: classifier.monitor() };
found.windows = windows(samples, 8, (values) => same(() => classifier.classify(values)));
found.counts = windows(counts, 8, (values) => classifier.classifyCounts(values));
found.pushed = windows(samples, 2, (values) => classifier.push(values));
found.monitor = classifier.monitor();
classifier.reset();
found.after = classifier.monitor();
found.pushedCounts = windows(counts, 2, (values) => classifier.pushCounts(values));
tell(found);
""",
        {
            "samples": [None if np.isnan(value) else value for value in samples.reshape(-1).tolist()],
            "counts": counts.reshape(-1).tolist(),
        },
    )
    assert found["before"] is None
    assert found["after"] is None
    assert built.call("init") == 0
    for window, result in zip(samples.reshape(-1, 4, 2), found["windows"], strict=True):
        if built.call("classify", window):
            assert result == "a value of the window is NaN"
        else:
            assert fields(result, card) == built.fields()
    for window, result in zip(counts.reshape(-1, 4, 2), found["counts"], strict=True):
        assert built.call("classify_counts", window) == 0
        assert fields(result, card) == built.fields()
    check_stream(built, "push", samples, found["pushed"])
    assert built.call("monitor") == 0
    columns = zip(built.drift.mean_shift, built.drift.spread, built.drift.clipped, strict=True)
    assert [[one["meanShift"] * 256, one["spread"] * 256, one["clipped"] * 32768] for one in found["monitor"]] == [
        list(column) for column in columns
    ]
    assert {one["samples"] for one in found["monitor"]} == {built.drift.samples}
    assert built.call("init") == 0
    check_stream(built, "push_counts", counts, found["pushedCounts"])


def check_stream(built: Built, function: str, samples: "np.ndarray", pushed: list[Any]) -> None:
    seen = 0
    for sample, result in zip(samples, pushed, strict=True):
        if built.call(function, sample) == 1:
            assert fields(result, built.card) == built.fields()
            seen += 1
        else:
            assert result is None
    assert seen > 30


@needs_node
def test_what_does_not_fit_is_refused(package: Write) -> None:
    script = """
const told = [];
const attempt = async (make) => {
  try { await make(); told.push("nothing"); } catch (error) { told.push(`${error.name}: ${error.message}`); }
};
await attempt(() => classifier.classify(new Float32Array(7)));
await attempt(() => classifier.classify(undefined));
await attempt(() => classifier.classify([NaN, 0, 0, 0, 0, 0, 0, 0]));
await attempt(() => classifier.push([1, 2, 3]));
await attempt(() => classifier.classifyCounts([0, 0, 0, 32768, 0, 0, 0, 0]));
await attempt(() => classifier.pushCounts([0.5, 1]));
await attempt(() => load(bytes.subarray(0, 100)));
await attempt(() => load(42));
await attempt(() => load());
await attempt(() => load(new Response("", { status: 404 })));
tell(told);
"""
    assert node(package("wasm"), script) == [
        "RangeError: 7 numbers; expected 8",
        "RangeError: no numbers; expected 8",
        "RangeError: a value of the window is NaN",
        "RangeError: 3 numbers; expected 2",
        "RangeError: 32768 at 3; expected integers from -32768 to 32767",
        "RangeError: 0.5 at 0; expected integers from -32768 to 32767",
        "Error: wrist: no WebAssembly module that this engine runs; it needs SIMD "
        "(Chrome 91, Firefox 89, Safari 16.4, Node 16.4)",
        "TypeError: wrist: load() takes the bytes of wrist.wasm or their URL",
        "TypeError: wrist: load() takes the bytes of wrist.wasm or their URL",
        "Error: wrist: : HTTP status 404",
    ]


@needs_node
def test_sources_of_the_module_and_memory_of_ones_own(package: Write) -> None:
    script = """
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const address = `data:application/wasm;base64,${bytes.toString("base64")}`;
const all = await Promise.all([buffer, new Uint8Array(buffer), address, new URL(address), new Response(buffer)].map(load));
const sample = [0.25, 1];
for (let i = 0; i < 3; ++i) all[0].push(sample);
tell({ names: all.map((one) => one.name), first: all[0].push(sample) !== null, second: all[1].push(sample) !== null });
"""
    assert node(package("wasm"), script) == {"names": ["wrist"] * 5, "first": True, "second": False}


@needs_node
def test_a_changed_constant_is_told(package: Write) -> None:
    folder = package("wasm")
    whole = (folder / "wrist.wasm").read_bytes()
    start, end = data_section(whole)
    script = """
const told = {};
for (let i = input[0]; i < input[1]; ++i) {
  const copy = Uint8Array.from(bytes);
  copy[i] ^= 1;
  try { await load(copy); } catch (error) { told[error.message] = (told[error.message] ?? 0) + 1; }
}
tell(told);
"""
    # The network's 24 weights, three biases and its multipliers lie there, beside what the CRC does not cover.
    assert node(folder, script, [start, end])["wrist: the module is damaged"] >= 24


def data_section(module: bytes) -> tuple[int, int]:
    """Where the data segments of a module are."""
    place = 8
    while True:
        kind, place, size, shift = module[place], place + 1, 0, 0
        while True:
            byte, place = module[place], place + 1
            size, shift = size | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        if kind == 11:
            return place, place + size
        place += size


@needs_node
def test_without_counts_and_statistics(bundle: Bundle, tmp_path: Path) -> None:
    made, model = product_of("softmax")
    deployment = made.card.deployment.model_copy(update={"counts": None})
    inputs = made.card.input.model_copy(update={"rate_known": False, "sample_rate_hz": 1.0})
    card = made.card.model_copy(update={"deployment": deployment, "statistics": None, "input": inputs})
    # Without known windows there is no self-test.
    bare = Product(card, write_classifier(model, card), made.example, made.model_sha256)
    script = """
const told = [classifier.sampleRate, classifier.hasCounts, classifier.selftest(), classifier.push([1, 2]), classifier.monitor()];
try { classifier.classifyCounts(new Int16Array(8)); } catch (error) { told.push(error.message); }
tell(told);
"""
    assert node(write_package(find_format("wasm"), bare, tmp_path), script) == [
        *(None, False, 0, None, None),
        "wrist: exported without unit_per_count, so raw counts cannot be classified",
    ]


@needs_node
def test_nasty_labels_stay_labels(nasty: Product, tmp_path: Path) -> None:
    folder = write_package(find_format("wasm"), nasty, tmp_path)
    assert node(folder, "tell(classifier.labels);") == list(nasty.card.labels)
    assert run([NODE, "example.mjs"], folder).startswith("self-test passed")
    json.loads((folder / "package.json").read_bytes())


@pytest.mark.parametrize(
    "value", ["</script><!--", "]]>&amp;\u2028\u2029\u00e9\U0001f600", ["\\", '"', "'"], None, 0.1]
)
def test_json_in_a_script_is_inert_and_the_same(value: Any) -> None:
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set(text) & set("<>&")
