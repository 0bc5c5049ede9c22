"""The parts of the sample report that other machines and conditions give: boards, memory, noise, robustness, calibration."""

import math
from pathlib import Path

import numpy as np

from edgecnn_bench.results import (
    ArenaBlock,
    BoardFit,
    BoardLayer,
    BoardRun,
    Calibration,
    CalibrationBin,
    ClassDelta,
    ClassScore,
    CompiledFit,
    FirstDifference,
    Layer,
    LayerNoise,
    MemoryMap,
    PlottedWindow,
    Robustness,
    RobustnessPoint,
    StageSplit,
)
from edgecnn_bench.stages.chain import Chain, Stage
from edgecnn_bench.stages.change import Point
from edgecnn_bench.statistics import Labels, wilson

KIB = 1024
# Ops as the compiler joins them, their MACs, and instructions on four cores: counted on a network of this shape.
OPS = (
    ("CONV_2D + MAX_POOL_2D", 129_024, 147_179, 705_727, 38_470, 497_657),
    ("CONV_2D + MAX_POOL_2D", 245_760, 214_619, 1_221_965, 46_331, 1_085_458),
    ("CONV_2D + MAX_POOL_2D", 245_760, 206_704, 1_193_493, 40_848, 1_074_324),
    ("CONV_2D", 147_456, 124_970, 735_244, 25_987, 680_682),
    ("MEAN", 0, 2_340, 9_404, 5_834, 3_080),
    ("REDUCE_MAX", 0, 7_557, 7_793, 6_852, 2_688),
    ("CONCATENATION", 0, 102, 186, 97, 519),
    ("FULLY_CONNECTED", 768, 3_555, 4_510, 3_382, 3_802),
    ("SOFTMAX", 0, 2_123, 8_667, 2_640, 3_333),
)
GCC = "arm-none-eabi-gcc 12.2.1"
# Key, title, kernels, toolchain, column of OPS, sections, arena, stack, estimated cycles.
CORES = (
    ("cortex-m0plus", "Cortex-M0+", "portable", GCC, 3, (3_716, 24_576, 412), 1_888, 156, None),
    ("cortex-m4", "Cortex-M4", "armv7e-m", GCC, 2, (3_396, 24_576, 444), 2_184, 156, 994_115),
    ("cortex-m55", "Cortex-M55", "armv8.1-m-mve", GCC, 4, (2_524, 24_576, 444), 2_080, 200, None),
    ("rv32imc", "RV32IMC", "portable", "zig 0.17.1", 5, (6_854, 24_576, 412), 1_888, 232, None),
)
# Name, kind, offset, size, first op, last op: the plan of the network above for armv7e-m.
BLOCKS = (
    ("value 16", "value", 550, 1_536, 0, 1),
    ("value 18", "value", 518, 1_024, 1, 2),
    ("value 20", "value", 470, 768, 2, 3),
    ("value 21", "value", 198, 1_024, 3, 5),
    ("value 23", "value", 134, 64, 4, 6),
    ("value 24", "value", 198, 64, 5, 6),
    ("value 25", "value", 6, 128, 6, 7),
    ("value 26", "value", 0, 6, 7, 8),
    ("scratch 0", "scratch", 0, 276, 0, 0),
    ("scratch 1", "scratch", 0, 480, 1, 1),
    ("scratch 2", "scratch", 1_544, 640, 2, 2),
    ("scratch 3", "scratch", 1_240, 576, 3, 3),
)
# Key, title, unit, levels, accuracy lost at the last level, what was done.
DISTURBANCES = (
    (
        "noise",
        "Noise",
        "training std",
        (0.0, 0.05, 0.1, 0.2, 0.5, 1.0),
        0.34,
        "White noise of the level times each channel's std.",
    ),
    ("gain", "Wrong gain", "times", (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0), 0.31, "All channels times the level."),
    (
        "offset",
        "Offset",
        "training std",
        (-1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0),
        0.42,
        "The level added to all samples.",
    ),
    (
        "sample-rate",
        "Wrong sample rate",
        "%",
        (-10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0),
        0.06,
        "Windows resampled about their middle.",
    ),
    (
        "dropped",
        "Lost samples",
        "%",
        (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0),
        0.12,
        "Lost samples hold the last value that arrived.",
    ),
    (
        "rotation",
        "Turned sensor",
        "degrees",
        (0.0, 5.0, 10.0, 20.0, 45.0, 90.0),
        0.55,
        "The sensor turned about a random axis.",
    ),
)


def boards() -> tuple[BoardRun, ...]:
    """Four cores that ran and one that did not."""
    run = tuple(_board(*core) for core in CORES)
    missing = BoardRun(
        board="aarch64", title="AArch64", status="not run", reason="no compiler for it: pip install ziglang"
    )
    return (*run, missing)


def _board(
    key: str,
    title: str,
    kernels: str,
    toolchain: str,
    column: int,
    sections: tuple[int, int, int],
    arena: int,
    stack: int,
    cycles: int | None,
) -> BoardRun:
    layers = tuple(BoardLayer(op=row[0], macs=row[1], instructions=row[column]) for row in OPS)
    total = sum(layer.instructions for layer in layers)
    return BoardRun(
        board=key,
        title=title,
        status="run",
        kernels=kernels,
        toolchain=toolchain,
        flags=("-O2", "-ffunction-sections"),
        emulator="unicorn 2.1.3",
        windows=5,
        byte_equal=True,
        instructions_min=total - 310,
        instructions_mean=total + 0.4,
        instructions_max=total + 402,
        estimated_cycles=cycles,
        layers=layers,
        flash_bytes=sum(sections),
        sections=dict(zip(("code", "weights", "tables"), sections, strict=True)),
        arena_bytes=arena,
        state_bytes=0,
        input_bytes=768,
        stack_bytes=stack,
        note="runs on a virtual Cortex-M0: ARMv6-M too" if key == "cortex-m0plus" else "",
    )


def memory_map() -> MemoryMap:
    """The plan of the compiled network."""
    return MemoryMap(
        target="armv7e-m",
        arena_bytes=2_184,
        lower_bound_bytes=2_048,
        ops=tuple(row[0] for row in OPS),
        blocks=tuple(
            ArenaBlock(name=name, kind=kind, offset_bytes=offset, size_bytes=size, first_op=first, last_op=last)
            for name, kind, offset, size, first, last in BLOCKS
        ),
    )


def with_compiled(board: BoardFit) -> BoardFit:
    """A part with the compiled network beside TFLite Micro."""
    flash, ram = 28_416, 3_108
    fits = flash <= board.flash_bytes and ram <= board.ram_bytes
    left = f"left: {board.flash_bytes - flash:,} bytes of flash, {board.ram_bytes - ram:,} bytes of RAM"
    short = f"RAM {ram - board.ram_bytes:,} bytes too small"
    compiled = CompiledFit(
        flash_needed_bytes=flash,
        ram_needed_bytes=ram,
        fits=fits,
        reason=left if fits else short,
        basis="measured on the virtual Cortex-M4",
        instructions=709_032 if "M4" in board.core else None,
    )
    return board.model_copy(update={"compiled": compiled})


def layer_noise(layers: tuple[Layer, ...]) -> tuple[LayerNoise, ...]:
    """Noise that grows with depth, and a pooling op that adds none."""
    return tuple(
        LayerNoise(
            index=layer.index,
            op=layer.op,
            name=layer.name,
            sqnr_db=200.0 if layer.op == "MAX_POOL_2D" and layer.index == 2 else 44.0 - 2.1 * layer.index,
            clipped_share=0.0004 * layer.index,
            windows=64,
        )
        for layer in layers
    )


def robustness(accuracy: float, n: int) -> tuple[Robustness, ...]:
    """Six disturbances; int8 loses a little sooner than float."""
    found = []
    for key, title, unit, levels, loss, how in DISTURBANCES:
        neutral = 1.0 if key == "gain" else 0.0
        reach = max(abs(level - neutral) for level in levels)
        points = []
        for level in levels:
            lost = loss * (abs(level - neutral) / reach) ** 1.6
            hits = round((accuracy - lost) * n)
            points.append(
                RobustnessPoint(
                    level=level, float_accuracy=wilson(hits, n), int8_accuracy=wilson(hits - round(0.04 * lost * n), n)
                )
            )
        found.append(
            Robustness(
                key=key,
                title=title,
                unit=unit,
                how=how,
                float_engine="keras",
                int8_engine="litert-reference",
                windows=n,
                points=tuple(points),
            )
        )
    return tuple(found)


def calibration(engine: str, n: int, boldness: float) -> Calibration:
    """A model that is a little too sure of itself."""
    lows = np.linspace(0.0, 0.9, 10)
    shares = np.array([0, 0, 0, 0.01, 0.03, 0.05, 0.06, 0.08, 0.12, 0.65])
    bins = []
    for low, share in zip(lows, shares, strict=True):
        count = int(share * n)
        confidence = float(low) + 0.06
        right = min(max(confidence - boldness * (1 - confidence) * 2, 0.0), 1.0)
        bins.append(
            CalibrationBin(
                low=round(float(low), 1),
                high=round(float(low) + 0.1, 1),
                n=count,
                confidence=confidence if count else 0.0,
                accuracy=wilson(round(right * count), count),
            )
        )
    return Calibration(
        engine=engine, n=n, ece=0.1 * boldness, max_error=boldness, brier=0.11 + boldness / 5, bins=tuple(bins)
    )


def plotted(windows: tuple[int, ...]) -> tuple[PlottedWindow, ...]:
    """Steps of a walk, in three channels."""
    found = []
    for window in windows:
        random = np.random.default_rng(window)
        times = np.arange(64) / 25
        rows = []
        for axis in range(3):
            wave = 0.3 * np.sin(2 * math.pi * (1.8 + axis / 5) * times + window) + random.normal(0, 0.05, 64)
            rows.append(tuple(round(float(value), 4) for value in wave + (1.0 if axis == 0 else 0.0)))
        found.append(PlottedWindow(window=window, sample_step=2, samples=tuple(rows), channels=("ax", "ay", "az")))
    return tuple(found)


def deltas(reference: tuple[ClassScore, ...], candidate: tuple[ClassScore, ...]) -> tuple[ClassDelta, ...]:
    """Classes in two engines."""
    return tuple(
        ClassDelta(
            label=one.label,
            support=one.support,
            reference_recall=one.recall,
            candidate_recall=other.recall,
            reference_f1=one.f1,
            candidate_f1=other.f1,
        )
        for one, other in zip(reference, candidate, strict=True)
    )


def stages(truth: Labels, float32: Labels, int8: Labels, rounded: Labels) -> tuple[StageSplit, ...]:
    """A way without loss after quantization, and one by counts that loses a little, whose kernels did not run."""
    windows = np.random.default_rng(2).integers(-100, 100, (len(truth), 4, 2)).astype(np.int8)
    shifted = windows + np.eye(len(truth), 8, dtype=np.int8).reshape(-1, 4, 2)
    before = Point("Keras, float32", float32)
    reference, same = (Point(title, int8, windows, windows[:, 0]) for title in ("LiteRT, int8", "Compiled C"))
    counts = Point("LiteRT, int8", rounded, shifted, shifted[:, 0])
    built = "C built here: portable kernels, gcc 12.2.0 -O2"
    quantized = Stage("int8", "quantization", "Int8 instead of float", "The int8 model.", "LiteRT, int8")
    kernels = Stage("kernels", "kernels", "Compiled kernels", "The compiled C.", built)
    one, other = (Chain(truth, Path("bundle")) for _ in range(2))
    for chain in (one, other):
        chain.start(quantized, before, reference)
    one.add(Stage("float-input", "preprocessing", "Normalization in C", "In C.", built), lambda: reference)
    one.add(kernels, lambda: same)
    other.add(Stage("counts", "preprocessing", "Rounding to sensor counts", "Rounded.", "Python"), lambda: counts)
    other.add(kernels, "no C compiler (cc, gcc or clang on PATH)")
    return one.made("float"), other.made("counts")


FIRST = FirstDifference(
    index=3,
    op="CONV_2D",
    name="conv2/Conv1D",
    windows=8,
    values=16_384,
    differing=42,
    max_lsb=1,
    mean_lsb=42 / 16_384,
)
