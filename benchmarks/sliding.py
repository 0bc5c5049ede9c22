"""Measure the reference networks with windows that slide on virtual boards; write docs/sliding.json and .md.

    python benchmarks/sliding.py --models PATH/models --work /tmp/sliding

`--render-only` draws the page again from the JSON.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn_firmware.boards.program import KERNELS_OF_BOARD, measure_program
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.program import Program
from edgecnn_firmware.compiler.oracle import Oracle
from firmware import FLAGS, INPUTS, PEER, ROOT, SEED, described

BOARDS: Final = ("cortex-m4", "cortex-m0plus")
HOPS: Final = {"har": (4, 16, 32, 64), "ecg": (16, 64, 128), "ds": (1, 2, 4), "tcn": (1, 4, 8, 16)}
"""Rows of the input; those of ds are frames of a spectrogram, all others samples."""
WAYS: Final[dict[str, dict[str, Any]]] = {"": {}, "least RAM": {"least_ram": True}}


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of har_b1.tflite and the others")
    parser.add_argument("--work", type=Path, default=Path("build/sliding_benchmark"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--render-only", action="store_true", help="draw the page again from its JSON")
    arguments = parser.parse_args()
    found = arguments.out / "sliding.json"
    if not arguments.render_only:
        if arguments.models is None:
            parser.error("--models is needed to measure")
        document = measure(arguments.models, arguments.work)
        found.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page = render(json.loads(found.read_text(encoding="utf-8")))
    (arguments.out / "sliding.md").write_text(page, encoding="utf-8")
    print(arguments.out / "sliding.md")


def measure(models: Path, work: Path) -> dict[str, Any]:
    """Everything of one run."""
    rows = []
    for board in BOARDS:
        for name, hops in HOPS.items():
            data = (models / f"{name}_b1.tflite").read_bytes()
            for hop in (None, *hops):
                for way in WAYS:
                    rows.append(measured(name, data, board, hop, way, work / f"{board}_{name}_{hop}_{way[:5]}"))
                    print(board, name, hop, way, rows[-1]["instructions"], file=sys.stderr)
    return {**described(), "seed": SEED, "inputs": INPUTS, "rows": rows}


def measured(name: str, data: bytes, board: str, hop: int | None, way: str, work: Path) -> dict[str, Any]:
    """One network on one board; byte-equal, or the run ends."""
    work.mkdir(parents=True, exist_ok=True)
    kernels = KERNELS_OF_BOARD.get(board, "portable")
    program = compile_model(data, name, "net", target=kernels, hop=hop, **WAYS[way])
    rng = np.random.default_rng(SEED)
    shape = program.graph.inputs[0].shape
    calls = [rng.integers(-128, 128, shape, dtype=np.int8) for _ in range(INPUTS)]
    found = measure_program(program, board, [call.tobytes() for call in calls], work=work, flags=FLAGS)
    wanted = [Oracle(program.graph).run(call)[0].tobytes() for call in calls]
    if list(found.outputs) != wanted or not slides_right(compile_model(data, name, "net"), program):
        raise SystemExit(f"{name}, hop {hop}, on {board}: other bytes than the whole network")
    return {
        "model": name,
        "board": board,
        "kernels": kernels,
        "way": way,
        "hop": hop,
        "macs": program.graph.macs,
        "instructions": round(found.mean_instructions),
        "estimated_cycles": found.estimated_cycles,
        "flash_bytes": found.flash_bytes,
        "ram_bytes": found.ram_bytes,
        "arena_bytes": found.arena_bytes,
        "state_bytes": found.state_bytes,
        "toolchain": found.toolchain,
    }


def slides_right(whole: Program, program: Program) -> bool:
    """Whether the first full windows of a random stream give what the whole network gives."""
    sliding = program.graph.sliding
    if sliding is None:
        return True
    value, hop = whole.graph.inputs[0], sliding.hop_rows
    stream = np.random.default_rng(SEED).integers(-128, 128, ((sliding.calls + INPUTS) * hop, value.channels), np.int8)
    oracle = Oracle(program.graph)
    for end in range(hop, len(stream) + 1, hop):
        made = oracle.run(stream[end - hop : end].reshape(program.graph.inputs[0].shape))[0]
        if end >= value.length:
            window = stream[end - value.length : end].reshape(value.shape)
            if not np.array_equal(made, Oracle(whole.graph).run(window)[0]):
                return False
    return True


def render(document: dict[str, Any]) -> str:
    """The page, from the JSON alone."""
    calls, unicorn = document["inputs"], document["libraries"].get("unicorn", "?")
    lines = [
        "# Windows that slide, on virtual boards",
        "",
        "Made by one command, `python benchmarks/sliding.py --models MODELS`, from the four reference networks of this",
        "project's test data (int8, batch 1). `edgecnn compile --hop ROWS` makes networks that take the newest rows of a window",
        "and keep what the next call reads ([compiler.md](compiler.md)). Every row of the tables is byte-equal: the board to",
        f"the compiler's arithmetic on {calls} calls (seed {document['seed']}), and that to the whole network on the first",
        f"{calls + 1} full windows of a random stream.",
        "",
        f"- Boards: unicorn {unicorn}; {document['rows'][0]['toolchain']}, `{' '.join(FLAGS)}`.",
        "- Instructions are counted, not timed. Estimated cycles follow the Cortex-M4's published costs per instruction, without",
        "  flash wait states; an estimate. Instructions of a hop are those of one call; what sets the state's first values is",
        "  not among them.",
        "- RAM: arena, state, the caller's input buffer and the deepest stack. `least RAM` is `--least-ram`.",
        "- har (window 128 x 9) has no padding; ecg (1000 x 1), ds (49 x 40) and tcn (128 x 6) have. The columns `of the whole`",
        "  and `of TFLite Micro` say how many times as many instructions a whole window takes: compiled, and by TensorFlow Lite",
        "  Micro 90b983c with CMSIS-NN (-O2), which was counted on the same kind of virtual core, in another run.",
        "- Rows with least RAM are left out where they are the same as those without.",
    ]
    for board in BOARDS:
        lines += [
            "",
            f"## {board}",
            "",
            "| network | hop | | MACs | instructions | of the whole | estimated cycles | flash | RAM | state | of TFLite Micro |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            _row(row, document["rows"]) for row in document["rows"] if row["board"] == board and _is_new(row, document)
        ]
    return "\n".join(lines) + "\n"


def _is_new(row: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether it is another program than that without least RAM."""
    return not row["way"] or {**row, "way": ""} not in document["rows"]


def _row(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    whole = next(
        other
        for other in rows
        if other["hop"] is None and all(other[k] == row[k] for k in ("model", "board")) and not other["way"]
    )
    peer = PEER.get(row["board"], {}).get(row["model"])
    share = f"{whole['instructions'] / row['instructions']:.1f} times"
    cells = [
        row["model"],
        str(row["hop"] or "whole"),
        row["way"],
        f"{row['macs']:,}",
        f"{row['instructions']:,}",
        share,
        f"{row['estimated_cycles']:,}" if row["estimated_cycles"] else "",
        *(f"{row[name]:,}" for name in ("flash_bytes", "ram_bytes", "state_bytes")),
        f"{peer[0] / row['instructions']:.1f} times" if peer else "",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
