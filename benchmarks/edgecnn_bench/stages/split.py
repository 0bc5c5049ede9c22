"""The chains from the float model to the compiled C: through physical units, and through raw counts if a bundle has them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from edgecnn_bench.engines import recorded
from edgecnn_bench.results import StageSplit
from edgecnn_bench.running import Findings, one_line
from edgecnn_bench.stages.chain import Chain, Stage
from edgecnn_bench.stages.change import Point
from edgecnn_bench.stages.deployed import Classified, DeployedClassifier, build_deployed
from edgecnn_bench.stages.inputs import from_counts, mirrored_count_inputs, python_inputs, saturated, to_counts
from edgecnn_bench.stages.reference import Reference, find_reference
from edgecnn_firmware.bundle import Bundle, Vectors
from edgecnn_firmware.card import CountsCard
from edgecnn_firmware.classifier.counts import count_lines
from edgecnn_firmware.errors import EdgeCnnError
from edgecnn_firmware.host.compiler import find_compiler
from edgecnn_firmware.host.recipe import portable_recipe
from edgecnn_firmware.progress import Progress, silent

_FLOAT: Final = ("keras", recorded.KERAS)
_COMPILED: Final = ("compiled", "compiled-portable")
_MIRROR: Final = "Python that mirrors the C"
_C: Final = "Compiled C"

Deployed: TypeAlias = DeployedClassifier | str
"""The built classifier, or why there is none."""


@dataclass(frozen=True)
class _Task:
    """What both ways start from."""

    bundle: Bundle
    vectors: Vectors
    float_run: Point | str
    """The float model, or why it is missing."""
    reference: Reference
    deployed: Deployed


def split_by_stage(
    bundle: Bundle, vectors: Vectors, found: Findings, progress: Progress = silent
) -> tuple[StageSplit, ...] | str:
    """Split the loss on the bundle's windows by stage.

    Args:
        bundle: its classifier is written afresh and built here, if its compiled engine ran.
        vectors: its windows and labels.
        found: engines that ran, of which the float model, the reference kernels and the compiled C count.
        progress: told of each way.

    Returns:
        One split for windows in physical units, and one for raw counts where the card says what a count is; or why
        there is none.
    """
    try:
        reference = find_reference(bundle, vectors, found)
    except EdgeCnnError as error:
        return one_line(error, bundle.path)
    if reference is None:
        return "the int8 reference kernels did not run"
    counts = bundle.card.deployment.counts
    ways = 1 if counts is None else 2
    progress("loss by stage", 0, ways)
    task = _Task(bundle, vectors, _float_point(found), reference, _deployed(bundle, found))
    splits = [_float_way(task)]
    if counts is not None:
        progress("loss by stage", 1, ways)
        splits.append(_counts_way(task, counts))
    progress("loss by stage", ways, ways)
    return tuple(splits)


def _float_point(found: Findings) -> Point | str:
    run = next((found.runs[key] for key in _FLOAT if key in found.runs), None)
    if run is not None:
        return Point(found.rows[run.key].title, run.predicted)
    reasons = [found.rows[key].reason for key in _FLOAT if key in found.rows]
    return next(filter(None, reasons), "no float model was asked for")


def _deployed(bundle: Bundle, found: Findings) -> Deployed:
    # What crashes a compiler or its program has been found out by the compiled engines, in a process of their own.
    if not any(key in found.runs for key in _COMPILED):
        reasons = [found.rows[key].reason for key in _COMPILED if key in found.rows]
        return next(filter(None, reasons), "no compiled engine was asked for")
    try:
        return build_deployed(bundle, portable_recipe(find_compiler()))
    except EdgeCnnError as error:
        return one_line(error, bundle.path)


def _quantized(task: _Task) -> Chain:
    """The first stage, which both ways share."""
    chain = Chain(task.vectors.labels, task.bundle.path)
    stage = Stage(
        "int8",
        "quantization",
        "Int8 instead of float",
        "The int8 model on reference kernels instead of the float model, both fed by Python.",
        task.reference.title,
    )
    chain.start(stage, task.float_run, task.reference.start)
    return chain


def _float_way(task: _Task) -> StageSplit:
    windows, built = task.vectors.windows, task.deployed
    chain = _quantized(task)
    stage = Stage(
        "float-input",
        "preprocessing",
        "Normalization in C",
        "Windows in physical units become int8 inputs in the emitted C, in float32, instead of in Python.",
        _by(built),
    )
    if isinstance(built, str):
        chain.add(stage, lambda: task.reference.at(python_inputs(windows, task.bundle.card)))
    else:
        chain.add(stage, lambda: task.reference.at(built.classify(windows, network=False).inputs))
    _add_kernels(chain, built, lambda classifier: classifier.classify(windows))
    return chain.made("float")


def _counts_way(task: _Task, card: CountsCard) -> StageSplit:
    windows, built = task.vectors.windows, task.deployed
    chain = _quantized(task)
    integers = Stage(
        "integer-input",
        "preprocessing",
        "Integer arithmetic on counts",
        "Counts become int8 inputs in the emitted C's integers instead of in Python's float32.",
        _by(built),
    )
    try:
        count_lines(task.bundle.card)
        counts = to_counts(windows, card)
    except EdgeCnnError as error:
        for stage in (_rounding(0), integers, _kernels(built)):
            chain.add(stage, one_line(error, task.bundle.path))
        return chain.made("counts")
    rounded = from_counts(counts, card)
    chain.add(_rounding(saturated(windows, card)), lambda: task.reference.at(python_inputs(rounded, task.bundle.card)))
    if isinstance(built, str):
        chain.add(
            integers, lambda: task.reference.at(mirrored_count_inputs(counts, task.bundle.card), chain.points[-1])
        )
    else:
        chain.add(
            integers, lambda: task.reference.at(built.classify_counts(counts, network=False).inputs, chain.points[-1])
        )
    _add_kernels(chain, built, lambda classifier: classifier.classify_counts(counts))
    return chain.made("counts")


def _rounding(values: int) -> Stage:
    beyond = f" {values} values lie beyond int16 and saturate." if values else ""
    return Stage(
        "counts",
        "preprocessing",
        "Rounding to sensor counts",
        f"Windows are rounded to the sensor's int16 counts, then taken by Python as before.{beyond}",
        "Python",
    )


def _kernels(built: Deployed) -> Stage:
    return Stage(
        "kernels",
        "kernels",
        "Compiled kernels",
        "The same int8 inputs through the compiled C, which decides the label too, instead of reference kernels.",
        "" if isinstance(built, str) else built.text,
    )


def _add_kernels(chain: Chain, built: Deployed, classify: Callable[[DeployedClassifier], Classified]) -> None:
    if isinstance(built, str):
        chain.add(_kernels(built), built)
        return

    def run() -> Point:
        made = classify(built)
        return Point(_C, made.labels, made.inputs, made.outputs)

    chain.add(_kernels(built), run)


def _by(built: Deployed) -> str:
    return _MIRROR if isinstance(built, str) else built.text
