"""The page of the WebAssembly package in headless Chromium: opened from a disk, fed with files, measured."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.firmware.classifier.windows import conv_model, window_card
from tests.firmware.models import dense_model

from edgecnn_firmware.card import DeploymentCard
from edgecnn_firmware.classifier.results import Result, exact_probabilities
from edgecnn_firmware.classifier.stream import Stream
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.packages.formats import find_format
from edgecnn_firmware.packages.product import Product, make_product
from edgecnn_firmware.packages.write import write_package

from .chromium import CHROMIUM, Page, browser
from .conftest import wrist_card, write_bundle

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on PATH"),
    pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang, which compiles to WebAssembly, is not installed"),
]

_READY = "document.querySelector('.pill.good, .pill.bad') !== null"
_DONE = (
    "document.getElementById('busy').hidden && ['result', 'problem'].some((id) => !document.getElementById(id).hidden)"
)
_TABLE = (
    "[...document.querySelectorAll('#windows tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
)
HOSTILE = "</script><script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>\u2028<!--"


@dataclass(frozen=True)
class Made:
    """A product and its page."""

    product: Product
    address: str


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture(scope="module")
def made(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = write_package(find_format("wasm"), product, tmp_path_factory.mktemp("page"))
    return Made(product, (folder / "index.html").as_uri())


def opened(tab: Page, address: str, width: int = 1280) -> Page:
    tab.screen(width, 900)
    tab.open(address)
    tab.until(_READY)
    return tab


def choose(tab: Page, path: Path) -> None:
    tab.choose_file("#file", path)
    tab.until(_DONE)


def downloaded(tab: Page, folder: Path, name: str) -> str:
    """Press the button; what comes."""
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder / "downloads"))
    tab.run("document.getElementById('download').click()")
    path = folder / "downloads" / name
    for _ in range(500):
        if path.exists():
            return path.read_text(encoding="utf-8")
        tab.run("new Promise((resolve) => setTimeout(resolve, 20))")
    raise AssertionError(f"{name} never came")


def text(tab: Page, identity: str) -> str:
    found: str = tab.run(f"document.getElementById({json.dumps(identity)}).textContent")
    return found


def check_quiet(tab: Page, address: str) -> None:
    assert tab.complaints == []
    assert tab.requests == [address]


def samples_of(product: Product, count: int) -> "np.ndarray":
    normal = np.random.default_rng(9).normal(0, 1, (count, 2))
    return (normal / np.array(product.card.normalization.gain)).astype(np.float32)


def results_of(product: Product, samples: "np.ndarray") -> list[tuple[int, Result]]:
    """What Python makes of samples; with the number of samples up to each result."""
    graph = compile_model(dense_model(), "m", "m").graph
    oracle = Oracle(graph)
    stream = Stream(product.card, lambda window: oracle.run(window[np.newaxis])[0].reshape(-1))
    found = []
    for place, sample in enumerate(samples):
        try:
            result = stream.push(sample)
        except DataError:
            continue
        if result is not None:
            found.append((place + 1, result))
    return found


def write_csv(path: Path, product: Product, samples: "np.ndarray") -> Path:
    names = [channel.name for channel in product.card.input.channels]
    lines = [f"time;{names[1]};{names[0]}"]
    rate = product.card.input.sample_rate_hz
    for place, (first, second) in enumerate(samples.tolist()):
        cells = ["" if np.isnan(value) else repr(value) for value in (second, first)]
        lines.append(f"{place / rate!r};{cells[0]};{cells[1]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_recording_gives_the_labels_of_python(tab: Page, made: Made, tmp_path: Path) -> None:
    card = made.product.card
    samples = samples_of(made.product, 300)
    samples[101, 0] = np.nan
    opened(tab, made.address)
    assert text(tab, "state") == "✓ Self-test passed: byte for byte the reference kernels'"
    choose(tab, write_csv(tmp_path / "day one.csv", made.product, samples))
    wanted = results_of(made.product, samples)
    assert len(wanted) > 60
    rows = list(csv.DictReader(downloaded(tab, tmp_path, "day_one_wrist.csv").splitlines()))
    assert len(rows) == len(wanted)
    for row, (end, result) in zip(rows, wanted, strict=True):
        assert int(row["first_sample"]) == end - card.input.window_samples + 1
        assert row["label"] == card.labels[result.window_label]
        assert row["settled_label"] == (card.labels[result.label] if result.label >= 0 else "")
        exact = exact_probabilities(np.array(result.outputs, np.int8), card) / 32768
        assert [float(row[f"p {label}"]) for label in card.labels] == pytest.approx(exact, abs=6e-6)
        assert row["confidence"] == row[f"p {card.labels[result.window_label]}"]
    shown = tab.run(_TABLE)
    assert [(cells[2], cells[4]) for cells in shown] == [
        (card.labels[result.window_label], card.labels[result.label]) for _, result in wanted[:25]
    ]
    facts = text(tab, "facts")
    assert facts.startswith("day one.csv: 300 samples, ")
    assert "Columns were found by name. Left out: time. 1 row with a missing value" in facts
    assert "is not" not in facts
    tiles = text(tab, "tiles")
    assert "median of 21 batches of " in tiles
    assert "µs" in tiles
    check_quiet(tab, made.address)


def test_the_canvas_is_drawn_and_windows_can_be_chosen(tab: Page, made: Made, tmp_path: Path) -> None:
    opened(tab, made.address)
    choose(tab, write_csv(tmp_path / "a.csv", made.product, samples_of(made.product, 200)))
    ink = (
        "(() => { const plot = document.getElementById('plot'), canvas = document.createElement('canvas');"
        "canvas.width = plot.width; canvas.height = plot.height;"
        "canvas.getContext('2d', { willReadFrequently: true }).drawImage(plot, 0, 0);"
        "const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        "const colors = new Set(); for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255)"
        "colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]); return [...colors]; })()"
    )
    # The signal and the first two labels' bands, in the style sheet's colors.
    tab.until(f"[0x1c5fb5, 0xc4700f].every((color) => {ink}.includes(color))")
    before = tab.run("document.getElementById('plot').toDataURL()")
    tab.run("['in', 'in', 'forth'].forEach((id) => document.getElementById(id).click())")
    tab.until(f"document.getElementById('plot').toDataURL() !== {json.dumps(before)}")
    tab.run("document.querySelectorAll('#windows tbody button')[2].click()")
    cells = tab.run(_TABLE)[2]
    assert text(tab, "readout").startswith(f"Window 3, {cells[1]} to ")
    assert cells[2] in text(tab, "readout")
    assert tab.run("document.querySelectorAll('tr.picked').length") == 1
    # A tap on the drawing chooses too.
    tab.run("document.getElementById('all').click(); document.getElementById('plot').scrollIntoView()")
    box = tab.run("(({ x, y, width }) => [x, y, width])(document.getElementById('plot').getBoundingClientRect())")
    for kind in ("mousePressed", "mouseReleased"):
        tab.call(
            "Input.dispatchMouseEvent", type=kind, x=box[0] + box[2] - 3, y=box[1] + 40, button="left", clickCount=1
        )
    tab.until(
        "document.getElementById('readout').textContent"
        ".startsWith('Window ' + document.querySelector('#tiles .value').textContent)"
    )
    check_quiet(tab, made.address)


def test_pages_of_the_table_and_changes_alone(tab: Page, made: Made, tmp_path: Path) -> None:
    samples = samples_of(made.product, 400)
    wanted = results_of(made.product, samples)
    opened(tab, made.address)
    choose(tab, write_csv(tmp_path / "a.csv", made.product, samples))
    assert text(tab, "rows") == f"1 to 25 of {len(wanted)}"
    tab.run("document.getElementById('next').click()")
    assert text(tab, "rows") == f"26 to 50 of {len(wanted)}"
    tab.run("document.getElementById('changes').click()")
    changes = [str(place + 1) for place, (_, result) in enumerate(wanted) if result.changed]
    assert [cells[0] for cells in tab.run(_TABLE)] == changes[:25]


def test_a_file_is_dropped(tab: Page, made: Made, tmp_path: Path) -> None:
    samples = samples_of(made.product, 40)
    content = write_csv(tmp_path / "x", made.product, samples).read_text()
    opened(tab, made.address)
    tab.run(
        f"(() => {{ const files = new DataTransfer(); files.items.add(new File([{json.dumps(content)}], 'dropped.csv'));"
        "for (const kind of ['dragenter', 'dragover', 'drop'])"
        "document.getElementById('drop').dispatchEvent(new DragEvent(kind,"
        "{ dataTransfer: files, bubbles: true, cancelable: true })); })()"
    )
    tab.until(_DONE)
    assert text(tab, "facts").startswith("dropped.csv: 40 samples")
    labels = made.product.card.labels
    assert [cells[2] for cells in tab.run(_TABLE)] == [
        labels[result.window_label] for _, result in results_of(made.product, samples)
    ]
    check_quiet(tab, made.address)


def test_the_test_window(tab: Page, made: Made) -> None:
    opened(tab, made.address)
    tab.run("document.getElementById('example').click()")
    tab.until(_DONE)
    card = made.product.card
    assert f"Label{card.labels[made.product.example.label]}as the exported C says" in text(tab, "tiles")
    assert [cells[2] for cells in tab.run(_TABLE)] == [card.labels[made.product.example.label]]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("ax,gyro\n1,2\n1,high\n", "bad.csv: row 3, column 'gyro': 'high' is no number; expected one such as -0.25"),
        ("1,2\n3,4\n", "bad.csv: 2 samples; a window has 4, so expected at least as many rows"),
        ("1,\n" * 9, "bad.csv: no window without a missing value; a window has 4 samples"),
        ("<img src=x onerror=alert(1)>,1\n", "bad.csv: row 1, column 1: '<img src=x onerror=alert(1)>' is no number"),
    ],
)
def test_one_line_for_a_file_that_does_not_fit(tab: Page, made: Made, tmp_path: Path, content: str, line: str) -> None:
    opened(tab, made.address)
    (tmp_path / "bad.csv").write_text(content)
    choose(tab, tmp_path / "bad.csv")
    assert text(tab, "problem").startswith(line)
    assert tab.run("document.getElementById('result').hidden")
    # The next file that fits takes the complaint away.
    choose(tab, write_csv(tmp_path / "good.csv", made.product, samples_of(made.product, 20)))
    assert tab.run("document.getElementById('problem').hidden")
    check_quiet(tab, made.address)


def test_input_that_differs_is_told(tab: Page, made: Made, tmp_path: Path) -> None:
    opened(tab, made.address)
    assert tab.run("document.getElementById('warnings').hidden")
    deviation = np.array(made.product.card.statistics.deviation)  # type: ignore[union-attr]
    samples = samples_of(made.product, 100) + np.array([50, 0]) * deviation
    choose(tab, write_csv(tmp_path / "odd.csv", made.product, samples.astype(np.float32)))
    told = text(tab, "warninglist")
    assert told.startswith(f"{made.product.card.input.channels[0].name}: the mean is ")
    assert "standard deviations above the training data's" in told
    assert "beyond the model's range" in told
    assert made.product.card.input.channels[1].name not in told
    choose(tab, write_csv(tmp_path / "usual.csv", made.product, samples_of(made.product, 100)))
    assert tab.run("document.getElementById('warnings').hidden")


def test_raw_counts(tab: Page, made: Made, tmp_path: Path) -> None:
    opened(tab, made.address)
    tab.run("document.querySelector('input[value=counts]').click()")
    (tmp_path / "counts.csv").write_text("100,-200\n" * 8)
    choose(tab, tmp_path / "counts.csv")
    assert text(tab, "facts").startswith("counts.csv: 8 samples")
    (tmp_path / "units.csv").write_text("0.5,1\n" * 8)
    choose(tab, tmp_path / "units.csv")
    assert "'0.5' is no raw count; expected an integer from -32768 to 32767" in text(tab, "problem")


def test_a_job_is_stopped_or_replaced(tab: Page, made: Made, tmp_path: Path) -> None:
    opened(tab, made.address)
    (tmp_path / "long.csv").write_text("1,2\n" * 200_000)
    (tmp_path / "short.csv").write_text("1,2\n" * 20)
    tab.run(
        "window.watcher = new MutationObserver(() => document.getElementById('doing').textContent === 'Classifying' &&"
        "document.getElementById('stop').click()), watcher.observe(document.getElementById('doing'), {childList: true})"
    )
    choose(tab, tmp_path / "long.csv")
    assert " Stopped after " in text(tab, "facts")
    tab.run("watcher.disconnect()")
    tab.choose_file("#file", tmp_path / "long.csv")
    choose(tab, tmp_path / "short.csv")
    tab.run("new Promise((resolve) => setTimeout(resolve, 300))")
    assert text(tab, "facts").startswith("short.csv: 20 samples")
    check_quiet(tab, made.address)


def test_a_wrong_rate_is_told(tab: Page, made: Made, tmp_path: Path) -> None:
    opened(tab, made.address)
    (tmp_path / "slow.csv").write_text("time,a,b\n" + "".join(f"{0.3 * i:.1f},1,2\n" for i in range(20)))
    choose(tab, tmp_path / "slow.csv")
    assert "Its time column steps by 0.3, which is not " in text(tab, "facts")
    assert "Columns were taken in order: a as " in text(tab, "facts")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Texts that would be markup, many labels' worth of letters, and settings that take other paths."""
    folder = tmp_path_factory.mktemp("hostile")
    deployment = DeploymentCard(smoothing="mean", results=3, debounce=2)
    card = wrist_card(description=HOSTILE, labels=(HOSTILE, "W" * 300, "${x}"))
    channels = tuple(replace_name(channel, HOSTILE[: 99 - i]) for i, channel in enumerate(card.input.channels))
    card = card.model_copy(
        update={"input": card.input.model_copy(update={"channels": channels}), "deployment": deployment}
    )
    made = make_product(write_bundle(folder / "wrist", card))
    page = write_package(find_format("wasm"), made, folder) / "index.html"
    return Made(made, page.as_uri())


def replace_name(channel: Any, name: str) -> Any:
    return channel.model_copy(update={"name": name})


def test_texts_stay_texts(tab: Page, hostile: Made, tmp_path: Path) -> None:
    opened(tab, hostile.address)
    assert text(tab, "about") == HOSTILE
    name = "<img src=x onerror=window.hurt=1>.csv"
    (tmp_path / name).write_text("<b>one</b>,<i>two</i>\n" + "1,2\n" * 40)
    choose(tab, tmp_path / name)
    assert text(tab, "facts").startswith(name)
    assert "<b>one</b> as " in text(tab, "facts")
    assert tab.run("window.hurt === undefined && document.querySelectorAll('main img, main b, main i').length === 0")
    assert {cells[2] for cells in tab.run(_TABLE)} <= set(hostile.product.card.labels)
    check_quiet(tab, hostile.address)


def test_a_window_that_slides(tab: Page, tmp_path: Path) -> None:
    """The same results; the time is that of a hop."""
    bundle = write_bundle(tmp_path / "bundle", window_card(40, 12, 2), conv_model(40, 2))
    whole, slid = (make_product(bundle, sliding=one) for one in (False, True))
    rows = np.random.default_rng(3).normal(0, 1, (200, 2))
    (tmp_path / "x.csv").write_text("c0,c1\n" + "".join(f"{a:.6f},{b:.6f}\n" for a, b in rows))
    tables = []
    for product, time in ((whole, "Time for a window"), (slid, "Time for a hop")):
        folder = write_package(find_format("wasm"), product, tmp_path / time)
        address = (folder / "index.html").as_uri()
        opened(tab, address)
        choose(tab, tmp_path / "x.csv")
        tables.append(tab.run(_TABLE))
        assert time in text(tab, "tiles")
        check_quiet(tab, address)
    assert len(tables[0]) == 1 + (200 - 40) // 12
    assert tables[0] == tables[1]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("kind", ["made", "hostile"])
def test_nothing_is_wider_than_the_screen(
    kind: str, width: int, tab: Page, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found: Made = request.getfixturevalue(kind)
    opened(tab, found.address, width)
    (tmp_path / "x.csv").write_text("1,2\n" * 100)
    choose(tab, tmp_path / "x.csv")
    for dark in (False, True):
        tab.screen(width, 900, dark=dark)
        assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        background = tab.run("getComputedStyle(document.body).backgroundColor")
        # A style sheet that the page's own security policy blocks leaves the browser's background.
        assert background == ("rgb(16, 19, 23)" if dark else "rgb(255, 255, 255)")
    small = (
        "[...document.querySelectorAll('main button, main label.button')]"
        ".filter((one) => one.offsetHeight && one.offsetHeight < 32).length"
    )
    assert tab.run(small) == 0
    check_quiet(tab, found.address)


def test_every_control_has_a_name_and_keys_reach_it(tab: Page, made: Made, tmp_path: Path) -> None:
    opened(tab, made.address)
    (tmp_path / "x.csv").write_text("1,2\n" * 200)
    choose(tab, tmp_path / "x.csv")
    tree = tab.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "checkbox", "radio", "combobox", "img", "region", "table"}
    named = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles]
    unnamed = [node for node in named if not node.get("name", {}).get("value")]
    assert len(named) > 12
    assert [node["role"]["value"] for node in unnamed if node["role"]["value"] != "table"] == []
    tab.run("document.getElementById('example').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)
    tab.until("document.getElementById('facts').textContent.startsWith('Test window')")


def test_a_browser_that_computes_something_else_is_told(
    made: Made, tab: Page, product: Product, tmp_path: Path
) -> None:
    other = replace(product, model_sha256="0" * 64)
    folder = write_package(find_format("wasm"), other, tmp_path)
    page = (folder / "index.html").read_text(encoding="utf-8")
    (folder / "index.html").write_text(page.replace('"wasm":"AGFzbQ', '"wasm":"AGFzbR'), encoding="utf-8")
    tab.open((folder / "index.html").as_uri())
    tab.until(_READY)
    assert text(tab, "state").startswith("✗ wrist: no WebAssembly module that this engine runs")
    assert tab.run("document.getElementById('file').disabled")
