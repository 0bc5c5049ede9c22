"""Measure the compiled reference networks on virtual boards and on this machine; write docs/firmware.json and .md.

    python benchmarks/firmware.py --models PATH/models --work /tmp/firmware

One run makes the whole page; `--render-only` draws it again from the JSON, `--host-only` measures this machine again and
keeps the boards' rows.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from edgecnn_bench.environment import installed, measure_environment
from edgecnn_firmware.boards.program import BoardMeasurement, measure_program
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.oracle import Oracle
from edgecnn_firmware.errors import EdgeCnnError, MissingDependency
from hide_avx512 import HIDDEN_FROM_GLIBC, Hidden

ROOT: Final = Path(__file__).resolve().parents[1]
MODELS: Final = ("har", "ecg", "ds", "tcn")
BOARDS: Final = (
    *(("cortex-m4", "armv7e-m"), ("cortex-m4", "portable"), ("cortex-m7", "armv7e-m"), ("cortex-m33", "armv7e-m")),
    *(("cortex-m55", "armv8.1-m-mve"), ("cortex-m3", "portable"), ("cortex-m0plus", "portable")),
    *(("rv32imc", "portable"), ("aarch64", "portable"), ("aarch64", "aarch64"), ("aarch64-dotprod", "aarch64")),
)
WAYS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "input in arena": {"input_in_arena": True},
    "least RAM": {"least_ram": True},
    "for speed": {"optimize": "speed"},
}
"""How the compiler is called besides."""
SEED: Final = 0
INPUTS: Final = 5
FLAGS: Final = ("-O2",)
PEER: Final = {
    # Instructions, flash and RAM of TensorFlow Lite Micro 90b983c with CMSIS-NN, -O2; flash and RAM of its leanest build.
    "cortex-m4": {
        "har": (2_287_000, 111_000, 13_300, 73_900, 10_800),
        "ecg": (1_418_000, 100_000, 12_500, 65_300, 10_000),
        "ds": (3_062_000, 136_000, 16_300, 91_100, 13_800),
        "tcn": (3_453_000, 116_000, 20_500, 72_700, 18_000),
    },
    "cortex-m0plus": {"har": (7_110_000,), "ds": (10_620_000,)},
    "cortex-m3": {"har": (3_050_000,), "ds": (4_940_000,)},
    "cortex-m55": {"har": (525_000,), "ds": (819_000,)},
}
HOST_ROUNDS: Final = 60
HOST_CALLS: Final = 100
EXTENSION: Final = ", extension"
"""How rows end whose calls go through the extension module."""
CACHE_LINE: Final = 64
WITHOUT_AVX512: Final = "--without-avx512"
Build: TypeAlias = tuple[str, list[str], str]
"""Label, compiler command and target."""


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of har_b1.tflite and the others")
    parser.add_argument("--work", type=Path, default=Path("build/firmware_benchmark"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--render-only", action="store_true", help="draw the page again from its JSON")
    parser.add_argument("--host-only", action="store_true", help="measure this machine only, keep the boards' rows")
    parser.add_argument(WITHOUT_AVX512, action="store_true", help="print this machine's times without AVX-512 as JSON")
    arguments = parser.parse_args()
    found = arguments.out / "firmware.json"
    if not arguments.render_only:
        if arguments.models is None:
            parser.error("--models is needed to measure")
        arguments.work.mkdir(parents=True, exist_ok=True)
        if arguments.without_avx512:
            print(json.dumps(hidden_host(arguments.models, arguments.work)))
            return
        if arguments.host_only:
            document = json.loads(found.read_text(encoding="utf-8"))
            document |= described() | measure_host(arguments.models, arguments.work)
        else:
            document = measure(arguments.models, arguments.work)
        found.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page = render(json.loads(found.read_text(encoding="utf-8")))
    (arguments.out / "firmware.md").write_text(page, encoding="utf-8")
    print(arguments.out / "firmware.md")


def measure(models: Path, work: Path) -> dict[str, Any]:
    """Everything of one run."""
    rows = []
    for name in MODELS:
        data = (models / f"{name}_b1.tflite").read_bytes()
        for board, target in BOARDS:
            for way in WAYS if board == "cortex-m4" and target == "armv7e-m" else ("",):
                row = on_board(name, data, board, target, work, way)
                rows.append(row)
                print(
                    name, board, target, "instructions", row.get("instructions"), row.get("reason", ""), file=sys.stderr
                )
    return {
        **described(),
        "qemu": _first_line("qemu-system-arm", "--version"),
        "seed": SEED,
        "inputs": INPUTS,
        "boards": rows,
        **measure_host(models, work),
    }


def described() -> dict[str, Any]:
    """This machine and what is installed."""
    return {
        "environment": measure_environment().model_dump(mode="json"),
        "libraries": installed(("ai-edge-litert", "unicorn", "ziglang", "numpy")),
    }


def measure_host(models: Path, work: Path) -> dict[str, Any]:
    """This machine as it is, and, where it has AVX-512 that can be hidden, in another process without."""
    builds = _host_builds()
    host = [on_host(name, (models / f"{name}_b1.tflite").read_bytes(), work, builds) for name in MODELS]
    if "avx512f" not in _cpu_flags():
        return {"host": host, "host_without_avx512": {"reason": "this processor has no AVX-512 to hide"}}
    command = [sys.executable, __file__, "--models", str(models), "--work", str(work), WITHOUT_AVX512]
    environment = {**os.environ, **HIDDEN_FROM_GLIBC}
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)  # noqa: S603
    return {"host": host, "host_without_avx512": json.loads(made.stdout)}


def hidden_host(models: Path, work: Path) -> dict[str, Any]:
    """Times without AVX-512, and what shows that it was hidden. Its own process: LiteRT asks for CPUID once."""
    try:
        hidden = Hidden(work)
    except EdgeCnnError as error:
        return {"reason": str(error)}
    rows = [on_host(name, (models / f"{name}_b1.tflite").read_bytes(), work, _avx2_builds(), hidden) for name in MODELS]
    return {"replaced": hidden.replaced, "answered": hidden.answered, "host": rows}


def on_board(name: str, data: bytes, board: str, target: str, work: Path, way: str) -> dict[str, Any]:
    """One network on one board, its outputs checked against the numpy oracle."""
    program = compile_model(data, name, name, target=target, **WAYS[way])
    rng = np.random.default_rng(SEED)
    windows = [rng.integers(-128, 128, program.graph.inputs[0].shape, dtype=np.int8) for _ in range(INPUTS)]
    place = work / f"{name}_{board}_{target}_{way.replace(' ', '_')}"
    place.mkdir(exist_ok=True)
    row: dict[str, Any] = {"model": name, "board": board, "kernels": target, "way": way}
    try:
        found = measure_program(program, board, [window.tobytes() for window in windows], work=place, flags=FLAGS)
    except MissingDependency as error:
        return {**row, "reason": str(error)}
    oracle = Oracle(program.graph)
    equal = all(made == oracle.run(window)[0].tobytes() for made, window in zip(found.outputs, windows, strict=True))
    return {**row, "macs": program.graph.macs, "byte_equal": equal, **_figures(found)}


def _figures(found: BoardMeasurement) -> dict[str, Any]:
    return {
        "toolchain": found.toolchain,
        "flags": " ".join(found.flags),
        "instructions": round(found.mean_instructions),
        "instructions_lowest": min(found.instructions),
        "instructions_highest": max(found.instructions),
        "estimated_cycles": found.estimated_cycles,
        "flash_bytes": found.flash_bytes,
        "ram_bytes": found.ram_bytes,
        "arena_bytes": found.arena_bytes,
        "stack_bytes": found.stack_bytes,
        "input_bytes": found.input_bytes,
        "layers": [{"op": layer.op, "macs": layer.macs, "instructions": layer.instructions} for layer in found.layers],
        "note": found.note,
    }


def on_host(name: str, data: bytes, work: Path, builds: list[Build], hidden: Hidden | None = None) -> dict[str, Any]:
    """Time the compiled C and LiteRT's XNNPACK in turns, one thread, in one process.

    The C is called in two ways: through ctypes, and as a method of an extension module, as LiteRT is. Where AVX-512 is
    hidden, LiteRT's kernels are sampled before.
    """
    import ctypes

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    window = np.random.default_rng(SEED).integers(-128, 128, detail["shape"], dtype=np.int8)
    interpreter.set_tensor(detail["index"], window)
    kernels = {"kernels": hidden.kernels_of(interpreter.invoke)} if hidden else {}
    runners: dict[str, Callable[[], object]] = {"litert-xnnpack": interpreter.invoke}
    keep: list[Any] = [window]
    binding = _extension(work)
    for label, command, target in builds:
        program = compile_model(data, name, name, target=target)
        place = work / f"host_{name}_{label.replace(' ', '_')}"
        place.mkdir(exist_ok=True)
        for file, text in program.files.items():
            (place / file).write_text(text, encoding="utf-8")
        library = place / "net.so"
        build = [*command, "-shared", "-fPIC", program.source, "-o", library.name]
        subprocess.run(build, cwd=place, check=True)  # noqa: S603 (a compiler on files written here)
        invoke = getattr(ctypes.CDLL(str(library.resolve())), f"{name}_invoke")
        output = np.zeros(program.graph.outputs[0].bytes, np.int8)
        room = np.zeros(program.arena.bytes + CACHE_LINE, np.int8)
        keep += [output, room]
        arena = room.ctypes.data + -room.ctypes.data % CACHE_LINE
        pointers = [ctypes.c_void_p(at) for at in (window.ctypes.data, output.ctypes.data, arena)]
        wanted = Oracle(program.graph).run(window)[0].reshape(-1)
        invoke(*pointers)
        if not np.array_equal(output.view(np.int8), wanted):
            raise SystemExit(f"{name} {label}: differs from the oracle")
        runners[label] = partial(invoke, *pointers)
        if binding is not None:
            function = ctypes.cast(invoke, ctypes.c_void_p).value
            bound = binding.bind(function, window.ctypes.data, output.ctypes.data, arena)
            runners[label + EXTENSION] = bound.invoke
    times = _in_turns(runners)
    return {"model": name, **kernels, "engines": {label: _summary(found) for label, found in times.items()}}


def _in_turns(runners: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Microseconds of each call: blocks of calls, in an order drawn anew each round."""
    times: dict[str, list[float]] = {label: [] for label in runners}
    order = np.random.default_rng(SEED)
    for run_it in runners.values():
        for _ in range(HOST_CALLS):
            run_it()
    for _ in range(HOST_ROUNDS):
        for label in order.permutation(list(runners)):
            run_it, found = runners[label], times[label]
            for _ in range(HOST_CALLS):
                begin = time.perf_counter_ns()
                run_it()
                found.append((time.perf_counter_ns() - begin) / 1000)
    return times


def _summary(found: list[float]) -> dict[str, float]:
    return {
        "n": len(found),
        "median_us": round(float(np.median(found)), 3),
        "p5_us": round(float(np.percentile(found, 5)), 3),
        "p95_us": round(float(np.percentile(found, 95)), 3),
    }


def _extension(work: Path) -> Any:
    """The module of bound_call.c; None without gcc or Python's headers."""
    include = Path(sysconfig.get_paths()["include"])
    if not shutil.which("gcc") or not (include / "Python.h").is_file():
        return None
    library = work.resolve() / f"bound_call{sysconfig.get_config_var('EXT_SUFFIX')}"
    source = Path(__file__).with_name("bound_call.c")
    build = ["gcc", "-O2", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(library)]
    subprocess.run(build, check=True)  # noqa: S603 (a compiler on a file of this folder)
    spec = importlib.util.spec_from_file_location("bound_call", library)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _host_builds() -> list[Build]:
    """What this machine can run."""
    flags = _cpu_flags()
    builds = []
    for label, compiler in _compilers():
        builds.append((f"portable C, {label} -O3 -march=native", [*compiler, "-O3", "-march=native"], "portable"))
        if "avx2" in flags:
            builds.append((f"AVX2, {label} -O3 -mavx2", [*compiler, "-O3", "-mavx2"], "x86-64-avx2"))
        if "avx512_vnni" in flags:
            builds.append((f"VNNI, {label} -O3 -march=native", [*compiler, "-O3", "-march=native"], "x86-64-vnni"))
    return builds


def _avx2_builds() -> list[Build]:
    """What runs on processors with AVX2 and no AVX-512."""
    builds = []
    for label, compiler in _compilers():
        level = "-mcpu=x86_64_v3" if label == "clang" else "-march=x86-64-v3"
        name = f"{label} -O3 -march=x86-64-v3"
        builds.append((f"portable C, {name}", [*compiler, "-O3", level], "portable"))
        builds.append((f"AVX2, {name}", [*compiler, "-O3", level], "x86-64-avx2"))
    return builds


def _compilers() -> list[tuple[str, list[str]]]:
    """GCC where it is, and the Clang that Zig brings along."""
    zig = [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"]
    return [*([("gcc", ["gcc"])] if shutil.which("gcc") else []), ("clang", zig)]


def _cpu_flags() -> set[str]:
    return set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split()) if sys.platform == "linux" else set()


def render(document: dict[str, Any]) -> str:
    """The page, from the JSON alone."""
    environment = document["environment"]
    lines = [
        "# Compiled networks on virtual boards",
        "",
        "Made by one command, `python benchmarks/firmware.py --models MODELS`, from the four reference networks of this",
        "project's test data (int8, batch 1). Every row is byte-equal to LiteRT's reference kernels on the inputs of the run",
        f"({document['inputs']} uniform int8 windows, seed {document['seed']}).",
        "",
        f"- Boards: unicorn {document['libraries'].get('unicorn', '?')}; Cortex-M55: {document['qemu'] or 'QEMU not installed'}.",
        "- Instructions are counted, not timed: a virtual board has no latency. Estimated cycles follow the Cortex-M4's",
        "  published costs per instruction, without flash wait states; an estimate (source: edgecnn_firmware/boards/cycles.py).",
        "- Flash: code and constants of the linked image less those of an image without the network. RAM: arena, state, the",
        "  caller's input buffer and the deepest stack.",
        "- `input in arena`, `least RAM` and `for speed` are `--input-in-arena`, `--least-ram` and `--optimize speed` of",
        "  `edgecnn compile`.",
        "- TensorFlow Lite Micro 90b983c with CMSIS-NN was built with -O2 by the same gcc and counted on the same kind of",
        "  virtual core, in another run; its figures are in brackets, those of its leanest build after a slash.",
        "",
        "## Cortex-M4F",
        "",
        "| network | kernels | MACs | instructions | per MAC | ratio | estimated cycles | flash | RAM | arena | stack |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_m4_row(row) for row in document["boards"] if row["board"] == "cortex-m4"]
    lines += [
        "",
        "## Other cores",
        "",
        "| network | core | kernels | instructions | ratio | flash | RAM | toolchain |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_other_row(row) for row in document["boards"] if row["board"] != "cortex-m4"]
    lines += [
        "",
        "## This machine",
        "",
        f"One thread, calls in turns in one process, after {HOST_CALLS} warm-up calls; {environment['cpu']}, "
        f"{environment['system']}; ai-edge-litert {document['libraries'].get('ai-edge-litert', '?')}. The C is called in two "
        "ways: through Python's ctypes, which costs some 0.4 us more; and as a method of a small extension module "
        "(`benchmarks/bound_call.c`), as `invoke()` is one of LiteRT's. Both include two readings of the clock (0.1 us), as "
        "`invoke()` does. Buffers are aligned to 64 bytes.",
        "",
        *_host_table(document["host"]),
        *_without_avx512(document.get("host_without_avx512")),
    ]
    return "\n".join(lines) + "\n"


def _host_table(hosts: list[dict[str, Any]]) -> list[str]:
    return [
        "| network | engine | n | ctypes: median us | p5 | p95 | of XNNPACK's median | extension: median us | p5 | p95 | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(row for host in hosts for row in _host_rows(host)),
    ]


def _without_avx512(found: dict[str, Any] | None) -> list[str]:
    """The section on processors with AVX2 only; nothing where the JSON is of before it was measured."""
    if found is None:
        return []
    lines = ["", "## This machine without AVX-512", ""]
    if "reason" in found:
        return [*lines, f"Not measured: {found['reason']}."]
    kernels = {name: None for host in found["host"] for name in host["kernels"]}
    return [
        *lines,
        "Most processors have AVX2 and no AVX-512. Here LiteRT takes this one for such: in a process of its own, before",
        f"the first interpreter is made, the {found['replaced']} CPUID instructions of LiteRT's library are replaced by illegal",
        f"ones, and {found['answered']} of them that ran were answered without AVX-512's bits (`benchmarks/hide_avx512.c`). So",
        "XNNPACK chooses its AVX2 kernels. What ran was sampled each millisecond, before the times were taken; of XNNPACK's",
        "kernels these were met, none of which needs AVX-512:",
        "",
        *(f"- `{name}`" for name in sorted(kernels)),
        "",
        "The rest is as above; the C is compiled for `x86-64-v3`, so that it has no AVX-512 either. A processor with AVX-VNNI",
        "would run other kernels of XNNPACK's, and one with narrower vector units or another clock differs in all rows.",
        "",
        *_host_table(found["host"]),
    ]


def _host_rows(host: dict[str, Any]) -> list[str]:
    engines = host["engines"]
    base = engines["litert-xnnpack"]["median_us"]
    rows = []
    for label, found in engines.items():
        if label.endswith(EXTENSION):
            continue
        own = engines.get(label + EXTENSION)
        cells = [_host_cells(found, base), _host_cells(own, base) if own else " | | | "]
        if label == "litert-xnnpack":
            cells = [" | | | ", _host_cells(found, base)]
        rows.append(f"| {host['model']} | {label} | {found['n']:,} | {' | '.join(cells)} |")
    return rows


def _host_cells(found: dict[str, Any], base: float) -> str:
    numbers = (found["median_us"], found["p5_us"], found["p95_us"], found["median_us"] / base)
    return " | ".join(f"{number:.2f}" for number in numbers)


def _m4_row(row: dict[str, Any]) -> str:
    # JSON of before there were ways has a flag.
    way = row.get("way", "input in arena" if row.get("input_in_arena") else "")
    kernels = row["kernels"] + (f", {way}" if way else "")
    if "reason" in row:
        return f"| {row['model']} | {kernels} | not run: {row['reason']} | | | | | | | | |"
    peer = PEER["cortex-m4"][row["model"]]
    return (
        f"| {row['model']} | {kernels} | {row['macs']:,} | {row['instructions']:,} ({peer[0]:,}) | "
        f"{row['instructions'] / row['macs']:.2f} | {row['instructions'] / peer[0]:.2f} | {row['estimated_cycles'] or 0:,} | "
        f"{row['flash_bytes']:,} ({peer[1]:,} / {peer[3]:,}) | {row['ram_bytes']:,} ({peer[2]:,} / {peer[4]:,}) | "
        f"{row['arena_bytes']:,} | {row['stack_bytes']:,} |"
    )


def _other_row(row: dict[str, Any]) -> str:
    if "reason" in row:
        return f"| {row['model']} | {row['board']} | {row['kernels']} | not run: {row['reason']} | | | | |"
    peer = PEER.get(row["board"], {}).get(row["model"])
    count = f"{row['instructions']:,}" + (f" ({peer[0]:,})" if peer else "")
    ratio = f"{row['instructions'] / peer[0]:.2f}" if peer else ""
    return (
        f"| {row['model']} | {row['board']} | {row['kernels']} | {count} | {ratio} | {row['flash_bytes']:,} | "
        f"{row['ram_bytes']:,} | {row['toolchain'].split(' 20')[0]} |"
    )


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]  # noqa: S603


if __name__ == "__main__":
    main()
