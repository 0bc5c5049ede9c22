"""The page's CSV reader under Node: what it takes, what it says of files that do not fit."""

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_firmware.live.lines import LineParser

NODE = shutil.which("node") or ""
pytestmark = pytest.mark.skipif(not NODE, reason="no node on PATH (nodejs)")

_SCRIPT = """\
import { readFileSync } from "node:fs";
import { CsvReader, readCsv } from "./csv.mjs";
const cases = JSON.parse(readFileSync(0, "utf8"));
const told = [];
for (const { text, hex, channels, isCounts, cuts } of cases) {
  const named = channels.map((name) => ({ name }));
  try {
    let found;
    if (cuts) {
      const reader = new CsvReader(named, isCounts);
      cuts.forEach((cut, i) => reader.take(text.slice(cut, cuts[i + 1] ?? text.length)));
      found = reader.finish();
    } else {
      const blob = new Blob([hex ? Buffer.from(hex, "hex") : text]);
      found = await readCsv(blob, named, isCounts, async () => true);
    }
    told.push({ ...found, values: Array.from(found.values, (value) => (Number.isNaN(value) ? null : value)) });
  } catch (error) {
    told.push(error.message);
  }
}
console.log(JSON.stringify(told));
"""
XY = ("acc_x", "acc_y")


def read(folder: Path, *cases: dict[str, Any]) -> list[Any]:
    """What the reader makes of each case, or its complaint."""
    source = files("edgecnn_firmware.packages") / "templates" / "wasm" / "csv.js"
    (folder / "csv.mjs").write_bytes(source.read_bytes())
    (folder / "run.mjs").write_text(_SCRIPT)
    full = [{"channels": XY, "isCounts": False, "cuts": None} | case for case in cases]
    done = subprocess.run(
        [NODE, "run.mjs"], cwd=folder, input=json.dumps(full), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2\n3,4\n", [1, 2, 3, 4]),
        ("1;2\r\n3,5;-4e1\r\n", [1, 2, 3.5, -40]),
        ("1\t2\r3\t,5", [1, 2, 3, 0.5]),
        ("1 2\n 3   4 \n", [1, 2, 3, 4]),
        ("\ufeffacc_x,acc_y\n1,2\n", [1, 2]),
        ("acc_y,acc_x\n1,2\n", [2, 1]),
        ("time,acc_y,label,acc_x\n0,1,walk,2\n1,3,sit,4\n", [2, 1, 4, 3]),
        ("Time [s];Acc X [g];ACC-Y (g)\n0;1;2\n", [1, 2]),
        ("t,left,right\n0,1,2\n", [1, 2]),
        (",left,right\n0,1,2\n", [1, 2]),
        ("timestamp_ms,a,b\n0,1,2\n", [1, 2]),
        ('"acc_x","acc_y"\n"1","2"\n', [1, 2]),
        ('"a,b",acc_x,acc_y\n"x, ""y""",1,2\n', [1, 2]),
        ("# made by hand\n\n1,2\n\n# more\n3,4", [1, 2, 3, 4]),
        ("1,\nnan,2\nNaN,NA\n", [1, None, None, 2, None, None]),
        ("1,2,\n3,4,\n", [1, 2, 3, 4]),
        ("acc_x,acc_y,\n1,2,\n", [1, 2]),
        ("+.5,5.\n1E-3,-0\n", [0.5, 5, float(np.float32(0.001)), 0]),
    ],
)
def test_what_is_read(text: str, values: list[float], tmp_path: Path) -> None:
    (found,) = read(tmp_path, {"text": text})
    assert found["values"] == values
    assert found["samples"] == len(values) // 2
    assert found["missing"] == sum(None in values[i : i + 2] for i in range(0, len(values), 2))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "1,2\n3,abc\n",
            "row 2, column 2: 'abc' is no number; expected one such as -0.25 or 1e-3, or an empty cell where it is missing",
        ),
        (
            "t,acc_x,acc_y\n0,1,2\n1,0x10,2\n",
            "row 3, column 'acc_x': '0x10' is no number; expected one such as -0.25 or 1e-3, "
            "or an empty cell where it is missing",
        ),
        ("1,2\n3\n", "row 2: 1 column; expected 2 as in the rows before"),
        ("1,2\n3,4,5\n", "row 2: 3 columns; expected 2 as in the rows before"),
        (
            "0,1,2\n",
            "row 1: 3 columns; expected 2 numbers (acc_x, acc_y); a time column needs a header that calls it time",
        ),
        ("0,1,2,3\n", "row 1: 4 columns; expected 2 numbers (acc_x, acc_y) or a header that names them"),
        ("acc_x,foo\n1,2\n", "row 1: the header has no column 'acc_y'; expected 2 numbers (acc_x, acc_y)"),
        ("acc_x,acc_y,Acc X\n1,2,3\n", "row 1: 2 columns are called 'acc_x'; expected one"),
        (
            "time,a,b,c\n0,1,2,3\n",
            "row 1: 3 columns beside time; expected 2 numbers (acc_x, acc_y), by name or in this order",
        ),
        ("a,b,c\n", "row 1: 3 columns; expected 2 numbers (acc_x, acc_y), by name or in this order"),
        ("1,1e39\n", "row 1, column 2: '1e39' does not fit float32; expected a number within 3.4e38"),
        ("", "no samples; expected rows of 2 numbers (acc_x, acc_y)"),
        ("acc_x,acc_y\n", "no samples; expected rows of 2 numbers (acc_x, acc_y)"),
        ("PK\x03\x04\x00\x00", "row 1: not a text file; expected CSV with rows of 2 numbers (acc_x, acc_y)"),
        ("1" * (3 << 19), "row 1: more than 1048576 characters; expected rows of 2 numbers (acc_x, acc_y)"),
        (
            "1,<b>\u202e" + "x" * 99,
            f"row 1, column 2: '<b>?{'x' * 33}...' is no number; expected one such as -0.25 or 1e-3, "
            "or an empty cell where it is missing",
        ),
    ],
)
def test_one_line_for_a_file_that_does_not_fit(text: str, line: str, tmp_path: Path) -> None:
    assert read(tmp_path, {"text": text}) == [line]


def test_counts_are_integers(tmp_path: Path) -> None:
    good, *bad = read(
        tmp_path, *({"text": text, "isCounts": True} for text in ("-32768,32767", "1,32768", "1,0.5", "1,", "1,x"))
    )
    assert good["values"] == [-32768, 32767]
    assert bad == [
        f"row 1, column 2: '{cell}' is no raw count; expected an integer from -32768 to 32767"
        for cell in ("32768", "0.5", "", "x")
    ]


def test_one_channel_and_many(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(40)]
    one, spaced, timed, many, lacking = read(
        tmp_path,
        {"text": "1\n2\n", "channels": ["ecg"]},
        {"text": "ECG lead II\n1\n2\n", "channels": ["ecg"]},
        {"text": "time,ecg\n0,1\n4,2\n8,3", "channels": ["ecg"]},
        {"text": ",".join(map(str, range(40))), "channels": names},
        {"text": "1,2", "channels": names},
    )
    assert one["values"] == spaced["values"] == [1, 2]
    assert (timed["taken"], timed["leftOut"], timed["timeStep"]) == (["ecg"], ["time"], 4)
    assert many["values"] == list(range(40))
    assert lacking == (
        "row 1: 2 columns; expected 40 numbers (c0, c1, c2, c3, c4, c5, c6, c7 and 32 more) or a header that names them"
    )


def test_encodings(tmp_path: Path) -> None:
    text = "acc_x;acc_y\r\n1;2\r\n"
    cases = [{"hex": text.encode(code).hex()} for code in ("utf-8-sig", "utf-16", "cp1252")]
    cases.append({"hex": b"\xfe\xff".hex() + text.encode("utf-16-be").hex()})
    assert [found["values"] for found in read(tmp_path, *cases)] == [[1, 2]] * 4


def test_any_cut_gives_the_same_as_the_live_reader(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    cases, wanted = [], []
    for separator, end in ((",", "\n"), (";", "\r\n"), ("\t", "\r"), (" ", "\n")):
        values = rng.normal(0, 10.0 ** rng.integers(-9, 9, (40, 3)))
        columns = rng.permutation(3)
        lines = [separator.join(("time", "acc_x", "acc_y")[column] for column in columns)]
        lines += [separator.join(f"{row[column]:.9g}" for column in columns) for row in values]
        text = end.join(lines) + end
        parser = LineParser(XY)
        samples = [parser.parse(line.encode()) for line in lines]
        wanted.append([float(np.float32(value)) for sample in samples if sample for value in sample])
        cuts = [0, *sorted(rng.integers(0, len(text), 60).tolist())]
        cases.append({"text": text, "cuts": cuts})
    assert [found["values"] for found in read(tmp_path, *cases)] == wanted
