"""A report as large and as ill-meant as the schema allows: the page must stay small, whole and harmless."""

from edgecnn_bench.results import (
    ArenaBlock,
    BoardLayer,
    Calibration,
    CalibrationBin,
    Changed,
    ClassDelta,
    ClassScore,
    LayerNoise,
    McNemar,
    MemoryMap,
    PlottedWindow,
    Report,
    Robustness,
    RobustnessPoint,
    StageChange,
    StageSplit,
    StageStep,
)
from edgecnn_bench.statistics import wilson
from edgecnn_firmware.card import ScoreCard

EVIL = "<script>alert(1)</script>\"'>&]]>"
LONG = EVIL + "x" * 10_000
HUGE = 10**30
CLASSES, LAYERS, BOARDS = 200, 300, 60


def hostile(report: Report) -> Report:
    """Every list long, every name long and hostile, some numbers beyond any float's digits."""
    labels = tuple(f"{number} {LONG}" for number in range(CLASSES))
    card = report.card.model_copy(update={"labels": labels, "name": LONG, "version": LONG, "description": LONG})
    engines = tuple(_engine(engine, number) for number, engine in enumerate(report.engines * 8))
    layers = tuple(
        report.layers[0].model_copy(update={"index": number, "op": LONG, "name": LONG, "macs": HUGE})
        for number in range(LAYERS)
    )
    changes = {
        "card": card,
        "engines": engines,
        "parity": _parity(report, labels),
        "layers": layers,
        "footprint": _footprint(report),
        "places": tuple(place.model_copy(update={"title": LONG}) for place in report.places * 10),
        "boards": _boards(report),
        "memory_map": _memory_map(),
        "layer_noise": tuple(
            LayerNoise(
                index=number,
                op=LONG,
                name=LONG,
                sqnr_db=-1e308 if number % 2 else 1e308,
                clipped_share=1e308,
                windows=HUGE,
            )
            for number in range(LAYERS)
        ),
        "robustness": _robustness(),
        "calibration": _calibration(),
        "plotted": tuple(
            PlottedWindow(window=number, sample_step=1, samples=((1e308, -1e308) * 5_000,) * 9, channels=(LONG,))
            for number in range(60)
        ),
        "stages": tuple(_stages(way) for way in ("float", "counts") * 20),
        "not_measured": {f"{number} {LONG}": LONG for number in range(60)},
        "gates": tuple(gate.model_copy(update={"name": LONG}) for gate in report.gates * 40),
    }
    return report.model_copy(update=changes)


def _stages(way):
    accuracy = wilson(1, 2).model_copy(update={"n": HUGE})
    change = StageChange(
        inputs_differing=HUGE,
        max_input_step=HUGE,
        outputs_differing=-HUGE,
        max_output_step=-HUGE,
        labels_changed=HUGE,
        accuracy_before=accuracy,
        accuracy_after=accuracy,
        mcnemar=McNemar(reference_only=HUGE, candidate_only=-HUGE, p_value=0.5),
    )
    step = StageStep(key="counts", part="preprocessing", title=LONG, what=LONG, by=LONG, status="run", change=change)
    missing = step.model_copy(update={"status": "not run", "reason": LONG, "change": None})
    return StageSplit.model_construct(
        way=way, first=LONG, last=LONG, windows=HUGE, steps=(missing, step) * 30, whole=change
    )


def _engine(engine, number):
    classes = tuple(
        ClassScore(label=f"{index} {LONG}", support=HUGE, precision=0.5, recall=0.5, f1=0.5) for index in range(CLASSES)
    )
    score = engine.score
    if score is not None:
        confusion = tuple((1,) * CLASSES for _ in range(CLASSES))
        score = ScoreCard.model_construct(**{**dict(score), "confusion": confusion})
    key = engine.key if number < 10 else f"{engine.key} {number}"
    return engine.model_copy(
        update={"key": key, "title": LONG, "file": LONG, "classes": classes, "score": score, "reason": LONG}
    )


def _parity(report, labels):
    changed = tuple(
        Changed(
            window=number,
            group=LONG,
            truth=labels[0],
            reference=labels[1],
            candidate=labels[2],
            reference_probability=1.0,
            candidate_probability=0.0,
        )
        for number in range(50)
    )
    classes = tuple(
        ClassDelta(
            label=label,
            support=HUGE,
            reference_recall=index / CLASSES,
            candidate_recall=1 - index / CLASSES,
            reference_f1=0.0,
            candidate_f1=1.0,
        )
        for index, label in enumerate(labels)
    )
    pairs = []
    for pair in report.parity * 8:
        verdict = pair.verdict.model_copy(update={"rule": LONG}) if pair.verdict else None
        first = pair.first_difference
        first = first.model_copy(update={"op": LONG, "name": LONG, "values": HUGE}) if first else None
        changes = {"changed": changed, "classes": classes, "verdict": verdict, "first_difference": first}
        pairs.append(pair.model_copy(update=changes))
    return tuple(pairs)


def _footprint(report):
    boards = []
    for number in range(BOARDS):
        board = report.footprint.boards[number % len(report.footprint.boards)]
        compiled = board.compiled
        if compiled is not None:
            compiled = compiled.model_copy(
                update={"reason": LONG, "basis": f"{number} {LONG}", "ram_needed_bytes": HUGE}
            )
        names = {"board": LONG, "part": LONG, "core": LONG, "source": LONG, "reason": LONG, "compiled": compiled}
        boards.append(board.model_copy(update={**names, "ram_bytes": number, "flash_needed_bytes": HUGE}))
    return report.footprint.model_copy(update={"boards": tuple(boards), "allowance_source": LONG})


def _boards(report):
    layers = tuple(BoardLayer(op=LONG, macs=HUGE, instructions=HUGE) for _ in range(LAYERS))
    names = {"title": LONG, "kernels": LONG, "toolchain": LONG, "note": LONG, "emulator": LONG, "flags": (LONG,) * 50}
    sections = {f"{number} {LONG}": HUGE for number in range(20)}
    found = []
    for number in range(BOARDS):
        board = report.boards[number % len(report.boards)]
        changes = {**names, "reason": LONG, "layers": layers, "sections": sections, "instructions_max": HUGE}
        found.append(board.model_copy(update=changes))
    return tuple(found)


def _memory_map():
    blocks = tuple(
        ArenaBlock(
            name=LONG,
            kind="scratch" if number % 2 else LONG,
            offset_bytes=-number if number % 5 == 0 else number,
            size_bytes=HUGE if number % 7 == 0 else -5,
            first_op=number - 20,
            last_op=number // 3,
        )
        for number in range(500)
    )
    return MemoryMap(target=LONG, arena_bytes=HUGE, lower_bound_bytes=-1, ops=(LONG,) * 150, blocks=blocks)


def _robustness():
    points = tuple(
        RobustnessPoint(level=level, float_accuracy=None, int8_accuracy=wilson(0, 0)) for level in (1e308, -1e308) * 200
    )
    empty = ("noise", points), ("gain", ())
    return tuple(
        Robustness(
            key=key, title=LONG, unit=LONG, how=LONG, float_engine=LONG, int8_engine=LONG, windows=HUGE, points=rows
        )
        for key, rows in empty * 20
    )


def _calibration():
    bins = tuple(CalibrationBin(low=0.0, high=0.0, n=HUGE, confidence=0.0, accuracy=wilson(0, 0)) for _ in range(500))
    return tuple(Calibration(engine=LONG, n=HUGE, ece=1.0, max_error=1.0, brier=1e308, bins=bins) for _ in range(20))
