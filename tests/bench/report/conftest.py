"""A report as a benchmark of smartphone activities writes it, with every part of it filled in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgecnn_bench.equivalence import tost_paired, verdict
from edgecnn_bench.report.survey import ChannelPart, ClassPart, GroupPart, SurveyPicture
from edgecnn_bench.report.traces import Example, Mark, Signal
from edgecnn_bench.results import (
    BoardFit,
    Changed,
    EngineResult,
    Environment,
    Footprint,
    Gate,
    Latency,
    Layer,
    Parity,
    Place,
    Report,
    Verdict,
)
from edgecnn_bench.statistics import class_scores, mcnemar_exact, score, wilson
from edgecnn_firmware.card import (
    ArenaCard,
    Card,
    ChannelCard,
    DataCard,
    EpochCard,
    InputCard,
    NormalizationCard,
    PartCard,
    QuantizationCard,
    TensorQuantization,
    TrainingCard,
)

from . import parts

Labels = npt.NDArray[np.int64]

LABELS = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying")
SUPPORT = (496, 471, 420, 508, 556, 545)
KIB = 1024
MODEL_BYTES = 38_776
ARENA_BYTES = 21_904
FLASH_ALLOWANCE = 64 * KIB
RAM_ALLOWANCE = 12 * KIB
# Name, part, core, MHz, flash and RAM in KiB: figures of the makers' data sheets.
BOARDS = (
    ("Arduino Uno R3", "ATmega328P", "AVR", 16, 32, 2),
    ("STM32 Nucleo-G031K8", "STM32G031K8", "Cortex-M0+", 64, 64, 8),
    ("Nucleo-L031K6", "STM32L031K6", "Cortex-M0+", 32, 32, 8),
    ("Nucleo-F103RB", "STM32F103RB", "Cortex-M3", 72, 128, 20),
    ("Arduino Zero", "ATSAMD21G18", "Cortex-M0+", 48, 256, 32),
    ("Arduino UNO R4 Minima", "RA4M1", "Cortex-M4F", 48, 256, 32),
    ("micro:bit v2", "nRF52833", "Cortex-M4F", 64, 512, 128),
    ("Arduino Nano 33 BLE Sense", "nRF52840", "Cortex-M4F", 64, 1024, 256),
    ("Nucleo-L476RG", "STM32L476RG", "Cortex-M4F", 80, 1024, 128),
    ("Nucleo-F446RE", "STM32F446RE", "Cortex-M4F", 180, 512, 128),
    ("Raspberry Pi Pico", "RP2040", "Cortex-M0+", 133, 2048, 264),
    ("Raspberry Pi Pico 2", "RP2350", "Cortex-M33", 150, 4096, 520),
    ("ESP32-DevKitC", "ESP32-WROOM-32", "Xtensa LX6", 240, 4096, 520),
    ("ESP32-C3-DevKitM", "ESP32-C3", "RV32IMC", 160, 4096, 400),
    ("ESP32-S3-DevKitC", "ESP32-S3", "Xtensa LX7", 240, 8192, 512),
    ("Teensy 4.1", "i.MX RT1062", "Cortex-M7", 600, 7936, 1024),
    ("Arduino Portenta H7", "STM32H747", "Cortex-M7", 480, 2048, 1024),
    ("Nucleo-H743ZI", "STM32H743ZI", "Cortex-M7", 480, 2048, 1024),
    ("XIAO nRF52840 Sense", "nRF52840", "Cortex-M4F", 64, 1024, 256),
    ("Apollo3 Blue EVB", "AMA3B1KK", "Cortex-M4F", 48, 1024, 384),
    ("SparkFun Thing Plus Matter", "MGM240P", "Cortex-M33", 78, 1536, 256),
    ("nRF5340 DK", "nRF5340", "Cortex-M33", 128, 1024, 512),
    ("FRDM-K64F", "MK64FN1M0", "Cortex-M4F", 120, 1024, 256),
    ("Longan Nano", "GD32VF103", "RV32IMAC", 108, 128, 32),
    ("Feather M4 Express", "ATSAMD51J19", "Cortex-M4F", 120, 512, 192),
)
LAYERS = (
    ("CONV_2D", "conv1/Conv1D", (1, 1, 128, 16), 688, 912, 86_016, 2_816),
    ("CONV_2D", "conv1b/Conv1D", (1, 1, 128, 16), 784, 1_008, 98_304, 4_096),
    ("MAX_POOL_2D", "pool1/MaxPool1d", (1, 1, 64, 16), 0, 0, 0, 3_072),
    ("CONV_2D", "conv2/Conv1D", (1, 1, 64, 32), 2_592, 2_912, 163_840, 3_072),
    ("CONV_2D", "conv2b/Conv1D", (1, 1, 64, 32), 5_152, 5_472, 327_680, 4_096),
    ("MAX_POOL_2D", "pool2/MaxPool1d", (1, 1, 32, 32), 0, 0, 0, 3_072),
    ("CONV_2D", "conv3/Conv1D", (1, 1, 32, 64), 6_208, 6_912, 196_608, 3_072),
    ("CONV_2D", "conv3b/Conv1D", (1, 1, 32, 64), 12_352, 13_056, 393_216, 4_096),
    ("MEAN", "global_average", (1, 64), 0, 0, 0, 2_112),
    ("FULLY_CONNECTED", "dense/MatMul", (1, 32), 2_080, 2_176, 2_048, 96),
    ("FULLY_CONNECTED", "logits/MatMul", (1, 6), 198, 216, 192, 38),
    ("SOFTMAX", "softmax", (1, 6), 0, 0, 0, 12),
)


@dataclass(frozen=True)
class Predictions:
    """What the engines of the sample said."""

    truth: Labels
    float32: Labels
    int8: Labels
    litert: Labels


@pytest.fixture(scope="session")
def predictions() -> Predictions:
    """Labels of 2,996 windows: two classes that are often confused, and an int8 model close to the float one."""
    random = np.random.default_rng(7)
    truth = np.repeat(np.arange(6), SUPPORT).astype(np.int64)
    float32 = truth.copy()
    for source, target, share in ((3, 4, 0.13), (4, 3, 0.06), (1, 0, 0.05), (2, 1, 0.06), (0, 2, 0.03), (3, 1, 0.01)):
        at = np.flatnonzero(truth == source)
        float32[random.choice(at, int(len(at) * share), replace=False)] = target
    int8 = float32.copy()
    flipped = random.choice(len(truth), 31, replace=False)
    int8[flipped] = np.where(truth[flipped] == 3, 4, np.where(truth[flipped] == 4, 3, truth[flipped]))
    litert = int8.copy()
    litert[random.choice(len(truth), 2, replace=False)] = 0
    return Predictions(truth, float32, int8, litert)


def latency(what: Any, median_us: float, seed: int) -> Latency:
    """Times as machines give them: a sharp lower edge and a tail."""
    random = np.random.default_rng(seed)
    times = median_us * (0.93 + 0.07 * random.gamma(1.4, 1.0, 500) + 0.25 * (random.random(500) > 0.96))
    p0, p5, median, p95, p99, p100 = (round(float(p), 3) for p in np.percentile(times, [0, 5, 50, 95, 99, 100]))
    counts, edges = np.histogram(times[times <= p99], 40, (p0, p99))
    return Latency(
        what=what,
        n=500,
        warmup=50,
        threads=1,
        min_us=p0,
        p5_us=p5,
        median_us=median,
        p95_us=p95,
        max_us=p100,
        mean_us=round(float(times.mean()), 3),
        histogram_edges_us=tuple(round(float(edge), 6) for edge in edges),
        histogram_counts=tuple(int(n) for n in counts),
    )


def _engine(key: str, title: str, precision: Any, size: int, found: tuple[Labels, Labels], us: float) -> EngineResult:
    truth, predicted = found
    return EngineResult(
        key=key,
        title=title,
        precision=precision,
        file="model.keras" if key == "keras" else "model.tflite" if precision == "int8" else "model_float32.tflite",
        file_bytes=size,
        status="run",
        score=score(truth, predicted, LABELS),
        classes=class_scores(truth, predicted, LABELS),
        latency=(latency("invoke", us, len(key)), latency("end-to-end", us * 1.25 + 22, len(key) + 1)),
    )


def _parity(names: tuple[str, str], truth: Labels, reference: Labels, candidate: Labels, lsb: int | None) -> Parity:
    changed = np.flatnonzero(reference != candidate)
    right, also_right = reference == truth, candidate == truth
    return Parity(
        reference=names[0],
        candidate=names[1],
        n=len(truth),
        agreement=wilson(int((reference == candidate).sum()), len(truth)),
        mcnemar=mcnemar_exact(right, also_right),
        accuracy_drop=float(right.mean() - also_right.mean()),
        max_probability_difference=0.0859375 if lsb is None else lsb / 256,
        mean_probability_difference=0.0031847 if lsb is None else 0.0000231,
        max_lsb_difference=lsb,
        changed=tuple(
            Changed(
                window=int(window),
                group=f"user{2 + int(window) % 23:02d}",
                truth=LABELS[truth[window]],
                reference=LABELS[reference[window]],
                candidate=LABELS[candidate[window]],
                reference_probability=0.515625 + (int(window) % 7) / 100,
                candidate_probability=0.5078125 + (int(window) % 5) / 100,
            )
            for window in changed[:50]
        ),
    )


def board(name: str, part: str, core: str, clock_mhz: float, flash_kib: int, ram_kib: int) -> BoardFit:
    """One board, with what is missing in words."""
    flash, ram = MODEL_BYTES + FLASH_ALLOWANCE, ARENA_BYTES + RAM_ALLOWANCE
    short = [
        f"{what} {(needed - there * KIB) / KIB:.1f} KiB too small"
        for what, needed, there in (("flash", flash, flash_kib), ("RAM", ram, ram_kib))
        if needed > there * KIB
    ]
    left = f"{(flash_kib * KIB - flash) / KIB:.0f} KiB of flash and {(ram_kib * KIB - ram) / KIB:.0f} KiB of RAM left"
    return BoardFit(
        board=name,
        part=part,
        core=core,
        clock_mhz=clock_mhz,
        flash_bytes=flash_kib * KIB,
        ram_bytes=ram_kib * KIB,
        source=f"{part} data sheet",
        flash_needed_bytes=flash,
        ram_needed_bytes=ram,
        fits=not short,
        reason="; ".join(short) or left,
    )


def _card(found: Predictions) -> Card:
    people = [f"user{number:02d}" for number in range(1, 31)]
    test = [people[number - 1] for number in (2, 4, 9, 10, 12, 13, 18, 20, 24)]
    rest = [person for person in people if person not in test]
    return Card(
        name="hapt_small",
        version="0.3.1",
        description="What a person does, from the accelerometer and gyroscope of a phone at the waist.",
        labels=LABELS,
        output="softmax",
        input=InputCard(
            window_samples=128,
            hop_samples=64,
            sample_rate_hz=50.0,
            channels=tuple(
                ChannelCard(name=n, unit="g" if n[0] == "a" else "rad/s") for n in ("ax", "ay", "az", "gx", "gy", "gz")
            ),
        ),
        normalization=NormalizationCard(
            method="standard",
            offset=(0.808, 0.023, 0.087, 0.0012, -0.0008, 0.0003),
            gain=(2.43, 2.61, 2.87, 1.71, 1.94, 2.5),
        ),
        quantization=QuantizationCard(
            input=TensorQuantization(scale=0.04712359607219696, zero_point=-3),
            output=TensorQuantization(scale=0.00390625, zero_point=-128),
            representative_windows=500,
        ),
        metrics={"float": score(found.truth, found.float32, LABELS), "int8": score(found.truth, found.int8, LABELS)},
        arena=ArenaCard(
            measured_bytes=ARENA_BYTES, word_bits=64, kernels="reference", runtime="tflite-micro 0.dev20250101"
        ),
        data=DataCard(
            name="hapt",
            format="uci-hapt",
            fingerprint="3f" * 32,
            split_method="official",
            parts={
                "train": PartCard(
                    windows=5_906,
                    recordings=34,
                    groups=tuple(rest[:17]),
                    class_windows=(980, 872, 806, 1013, 1085, 1150),
                ),
                "validation": PartCard(
                    windows=1_509, recordings=8, groups=tuple(rest[17:]), class_windows=(246, 221, 180, 280, 289, 293)
                ),
                "test": PartCard(windows=2_996, recordings=19, groups=tuple(test), class_windows=SUPPORT),
            },
            proof=(
                "Groups: train 17, validation 4, test 9; none of the 30 is in two parts.",
                "Recordings: train 34, validation 8, test 19; none of the 61 is in two parts.",
                "Samples: 10,411 windows compared by recording and position; no sample is in two parts.",
            ),
            notes=("Labels 7 to 12 (postural transitions) are left out by [labels] classes.",),
        ),
        training=TrainingCard(
            model="small",
            parameters=30_054,
            macs=1_267_904,
            best_epoch=29,
            epochs=tuple(_epoch(number) for number in range(1, 41)),
            settings={
                "model": {"name": "small", "options": {"filters": [16, 32, 64], "dropout": 0.3}},
                "training": {"epochs": 60, "batch_size": 64, "learning_rate": 0.002, "schedule": "cosine"},
                "quantization": {"representative_windows": 500, "variants": ["float32"]},
            },
        ),
        seed=0,
        libraries={"keras": "3.15.0", "numpy": "2.4.1", "tensorflow": "2.21.0"},
        files={"model.keras": "a1" * 32, "model.tflite": "b2" * 32, "vectors.npz": "c3" * 32},
    )


def _epoch(number: int) -> EpochCard:
    wobble = ((number * 7919) % 13 - 6) / 100
    decay = float(np.exp(-number / 7))
    overfit = max(number - 29, 0) * 0.004
    return EpochCard(
        epoch=number,
        loss=0.32 + 1.2 * decay,
        accuracy=0.965 - 0.5 * decay,
        val_loss=0.43 + 0.9 * decay + wobble + overfit if number != 29 else 0.385,
        val_accuracy=0.925 - 0.4 * decay - wobble / 3,
        learning_rate=2e-3 * (0.5 + 0.5 * float(np.cos(np.pi * number / 60))),
    )


@pytest.fixture(scope="session")
def sample(predictions: Predictions) -> Report:
    """The whole report."""
    truth = predictions.truth
    return Report(
        edgecnn_version="0.1.0",
        environment=Environment(
            system="Debian GNU/Linux 12 (bookworm)",
            machine="x86_64",
            cpu="Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz",
            cores=8,
            python="3.11.9",
            libraries={"ai-edge-litert": "2.3.0", "keras": "3.15.0", "numpy": "2.3.5", "tensorflow": "2.21.0"},
        ),
        card=_card(predictions),
        seed=0,
        windows=2_996,
        windows_source="test part, 2996 of 2996 windows",
        engines=(
            _engine("keras", "Keras on TensorFlow", "float32", 402_312, (truth, predictions.float32), 21_400),
            _engine("litert-float32", "LiteRT, float32", "float32", 124_560, (truth, predictions.float32), 214),
            _engine("litert", "LiteRT, int8", "int8", MODEL_BYTES, (truth, predictions.litert), 96),
            _engine(
                "litert-reference",
                "LiteRT reference kernels, int8",
                "int8",
                MODEL_BYTES,
                (truth, predictions.int8),
                3_120,
            ),
            EngineResult(
                key="tflite-runtime",
                title="tflite-runtime, int8",
                precision="int8",
                file="model.tflite",
                file_bytes=MODEL_BYTES,
                status="not run",
                reason="tflite-runtime is not installed: it has no wheels for Python 3.12 and later",
            ),
        ),
        parity=(
            _parity(("keras", "litert-reference"), truth, predictions.float32, predictions.int8, None),
            _parity(("keras", "litert-float32"), truth, predictions.float32, predictions.float32, None),
            _parity(("litert-reference", "litert"), truth, predictions.int8, predictions.litert, 2),
        ),
        layers=tuple(
            Layer(
                index=index,
                op=op,
                name=name,
                output_shape=shape,
                parameters=parameters,
                weight_bytes=weights,
                macs=macs,
                activation_bytes=activations,
            )
            for index, (op, name, shape, parameters, weights, macs, activations) in enumerate(LAYERS)
        ),
        footprint=Footprint(
            model_bytes=MODEL_BYTES,
            header_bytes=241_903,
            weight_bytes=32_664,
            arena_bytes=ARENA_BYTES,
            runtime_flash_allowance_bytes=FLASH_ALLOWANCE,
            runtime_ram_allowance_bytes=RAM_ALLOWANCE,
            allowance_source="measured: TFLite Micro with these ops, -Os, Cortex-M4",
            boards=tuple(board(*row) for row in BOARDS),
        ),
        gates=(
            Gate(name="min_accuracy", limit=0.9, value=0.937, passed=True),
            Gate(name="max_accuracy_drop", limit=0.01, value=0.0013, passed=True),
            Gate(name="max_model_bytes", limit=65_536, value=MODEL_BYTES, passed=True),
            Gate(name="max_arena_bytes", limit=32_768, value=ARENA_BYTES, passed=True),
        ),
    )


@pytest.fixture(scope="session")
def rich(sample: Report, predictions: Predictions) -> Report:
    """The whole report of a benchmark with virtual boards, another machine, another environment and a board."""
    truth = predictions.truth
    run = {engine.key: engine for engine in sample.engines}
    deltas = parts.deltas(run["keras"].classes, run["litert-reference"].classes)
    first, same, third = sample.parity
    parity = (
        first.model_copy(update={"classes": deltas, "verdict": _verdict(truth, predictions.float32, predictions.int8)}),
        same.model_copy(update={"verdict": _verdict(truth, predictions.float32, predictions.float32)}),
        third.model_copy(
            update={
                "verdict": _verdict(truth, predictions.int8, predictions.litert),
                "mean_lsb_difference": 0.0031,
                "first_difference": parts.FIRST,
            }
        ),
        _parity(("litert-reference", "compiled"), truth, predictions.int8, predictions.int8, 0).model_copy(
            update={"verdict": _verdict(truth, predictions.int8, predictions.int8), "mean_lsb_difference": 0.0}
        ),
    )
    footprint = sample.footprint.model_copy(
        update={"boards": tuple(parts.with_compiled(board) for board in sample.footprint.boards)}
    )
    return sample.model_copy(
        update={
            "engines": (*sample.engines[:-1], *_elsewhere(predictions)),
            "parity": parity,
            "footprint": footprint,
            "places": _places(),
            "boards": parts.boards(),
            "memory_map": parts.memory_map(),
            "layer_noise": parts.layer_noise(sample.layers),
            "robustness": parts.robustness(0.937, 2_996),
            "calibration": (
                parts.calibration("keras", 2_996, 0.09),
                parts.calibration("litert-reference", 2_996, 0.11),
            ),
            "plotted": parts.plotted(tuple(row.window for row in first.changed[:6])),
            "stages": parts.stages(truth, predictions.float32, predictions.int8, predictions.litert),
            "not_measured": {"places": "pi@garden: no route to host"},
        }
    )


def _verdict(truth: Labels, reference: Labels, candidate: Labels) -> Verdict | None:
    right, also_right = reference == truth, candidate == truth
    return verdict(
        all_equal=bool((reference == candidate).all()),
        equivalence=tost_paired(right, also_right, 0.01),
        mcnemar=mcnemar_exact(right, also_right),
        groups=9,
    )


def _elsewhere(found: Predictions) -> tuple[EngineResult, ...]:
    int8 = (found.truth, found.int8)
    gone = EngineResult(
        key="tflite-micro@serial",
        title="TFLite Micro on the board, int8",
        precision="int8",
        file="model.tflite",
        file_bytes=MODEL_BYTES,
        place="serial",
        status="not run",
        reason="the board did not answer within 5 s",
    )
    return (
        _engine("compiled", "Compiled C, int8, native", "int8", MODEL_BYTES, int8, 14.2),
        _engine("litert@pi", "LiteRT, int8", "int8", MODEL_BYTES, int8, 412).model_copy(update={"place": "pi@host"}),
        _engine("compiled@pi", "Compiled C, int8", "int8", MODEL_BYTES, int8, 131).model_copy(
            update={"place": "pi@host"}
        ),
        _engine("tflite-runtime", "tflite-runtime, int8", "int8", MODEL_BYTES, int8, 118).model_copy(
            update={"place": "py39"}
        ),
        _engine("compiled@serial", "Compiled C on the board, int8", "int8", MODEL_BYTES, int8, 15_300).model_copy(
            update={"place": "serial"}
        ),
        gone,
    )


def _places() -> tuple[Place, ...]:
    pi = Environment(
        system="Debian GNU/Linux 12 (bookworm)",
        machine="aarch64",
        cpu="Cortex-A76",
        cores=4,
        python="3.11.2",
        libraries={"ai-edge-litert": "2.3.0", "numpy": "2.3.5"},
    )
    old = Environment(
        system="Debian GNU/Linux 12 (bookworm)",
        machine="x86_64",
        cpu="Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz",
        cores=8,
        python="3.9.19",
        libraries={"numpy": "1.26.4", "tflite-runtime": "2.14.0"},
    )
    return (
        Place(key="pi@host", title="pi@host, over ssh", environment=pi),
        Place(key="py39", title="tflite-runtime environment", environment=old),
        Place(key="serial", title="Board on /dev/ttyACM0", environment=None),
    )


@pytest.fixture(scope="session")
def bare(sample: Report) -> Report:
    """A report of a model that came alone: no data, no training, no labels, no arena, one engine that ran."""
    card = sample.card.model_copy(
        update={
            "data": None,
            "training": None,
            "metrics": {},
            "arena": None,
            "arena_note": "tflite-micro is not installed: pip install 'edgecnn[boards]' (Linux x86-64)",
            "seed": None,
            "libraries": {},
            "files": {},
            "description": "",
        }
    )
    unscored = {"score": None, "classes": (), "latency": ()}
    engines = (
        sample.engines[2].model_copy(update=unscored),
        sample.engines[0].model_copy(update={**unscored, "status": "not run", "reason": "tensorflow is not installed"}),
    )
    boards = tuple(
        row.model_copy(update={"ram_needed_bytes": None, "fits": False, "reason": "the arena was not measured"})
        for row in sample.footprint.boards
    )
    footprint = sample.footprint.model_copy(update={"arena_bytes": None, "boards": boards})
    changes = {
        "card": card,
        "engines": engines,
        "parity": (),
        "layers": (),
        "footprint": footprint,
        "gates": (),
        "windows_source": "random windows: no labelled data were given",
    }
    return sample.model_copy(update=changes)


@pytest.fixture(scope="session")
def surveyed() -> SurveyPicture:
    """A data set of three classes with long names, six channels, and 24 people."""
    rng = np.random.default_rng(0)
    labels = ("WALKING_DOWNSTAIRS_WITHOUT_A_SPACE_TO_BREAK_AT", "sitting", "V")

    def example(label: str) -> Example:
        values = rng.normal(size=(6, 128))
        channels = [f"{kind}_{axis}" for kind in ("acceleration", "gyro") for axis in "xyz"]
        signals = [
            Signal(name, "g", tuple((number / 50, float(value)) for number, value in enumerate(column)))
            for name, column in zip(channels, values, strict=True)
        ]
        marks = (Mark(1.2, "V"), Mark(1.3, "N")) if label == "V" else ()
        return Example(f"a/long/path/to/{label}.csv", 12.5, 2.56, tuple(signals), None, marks)

    return SurveyPicture(
        name="wrist_and_a_long_name_for_a_folder",
        format="csv",
        recordings=96,
        duration=30_000.0,
        sample_rate_hz=50.0,
        window_samples=128,
        classes=tuple(ClassPart(label, 90, 24, 9000.0, label == "V", example(label)) for label in labels),
        groups=tuple(GroupPart(f"person {number}", 4, 1250.0, (500.0, 400.0, 12.0)) for number in range(24)),
        channels=(ChannelPart("acceleration_x", "g", -2.0, 2.0, 0.0, 1.0),),
    )
