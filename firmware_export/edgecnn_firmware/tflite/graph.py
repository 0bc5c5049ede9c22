"""What holds between the ops of a model: values exist before they are read, and calls between subgraphs end."""

from collections.abc import Callable
from typing import Final

from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.tflite.model import Model, Operator, Subgraph
from edgecnn_firmware.tflite.options import CallOnceOptions, IfOptions, WhileOptions

_CALLERS: Final = frozenset({"CALL_ONCE", "IF", "WHILE"})


def require_order(subgraph: Subgraph, fail: Callable[[str], ModelError]) -> None:
    """Every input is a constant, a graph input, a variable, or written by an op before; nothing is written twice.

    It follows that the ops of a subgraph form no cycle.

    Raises:
        ModelError: naming the op and the tensor.
    """
    tensors = subgraph.tensors
    ready = {tensor.index for tensor in tensors if tensor.data is not None or tensor.is_variable}
    ready.update(subgraph.inputs)
    for op in subgraph.operators:
        for index in op.inputs:
            if index >= 0 and index not in ready and tensors[index].elements:
                raise fail(f"op #{op.index} {op.code.label} reads tensor {index} before any op wrote it")
        for index in op.outputs:
            if index in ready and not tensors[index].is_variable:
                raise fail(f"op #{op.index} {op.code.label} writes tensor {index}, which already has a value")
            ready.add(index)
    for index in subgraph.outputs:
        if index not in ready and tensors[index].elements:
            raise fail(f"output tensor {index} of subgraph {subgraph.index} is written by no op")


def called_subgraphs(op: Operator) -> tuple[int, ...]:
    """Numbers of the subgraphs that an op runs."""
    options = op.options
    if isinstance(options, CallOnceOptions):
        return (options.init_subgraph_index,)
    if isinstance(options, IfOptions):
        return (options.then_subgraph_index, options.else_subgraph_index)
    if isinstance(options, WhileOptions):
        return (options.cond_subgraph_index, options.body_subgraph_index)
    return ()


def require_calls(model: Model, fail: Callable[[str], ModelError]) -> None:
    """Subgraphs that are called exist, and no subgraph calls itself over any number of steps.

    Raises:
        ModelError: naming the op or the subgraph.
    """
    calls: list[set[int]] = []
    for subgraph in model.subgraphs:
        called: set[int] = set()
        for op in subgraph.operators:
            if op.name in _CALLERS and op.options is None:
                raise fail(f"op #{op.index} {op.name} of subgraph {subgraph.index} does not say which subgraph it runs")
            called.update(called_subgraphs(op))
        missing = [number for number in called if number >= len(model.subgraphs)]
        if missing:
            raise fail(f"subgraph {subgraph.index} calls subgraph {min(missing)}; there are {len(model.subgraphs)}")
        calls.append(called)
    _require_end(calls, fail)


def _require_end(calls: list[set[int]], fail: Callable[[str], ModelError]) -> None:
    """Take away subgraphs that call only ended ones, until none is left or the rest call each other in a ring."""
    callers: list[list[int]] = [[] for _ in calls]
    open_calls = [len(called) for called in calls]
    for caller, called in enumerate(calls):
        for number in called:
            callers[number].append(caller)
    ended = [number for number, count in enumerate(open_calls) if count == 0]
    for number in ended:
        for caller in callers[number]:
            open_calls[caller] -= 1
            if open_calls[caller] == 0:
                ended.append(caller)
    if len(ended) < len(calls):
        ring = next(number for number, count in enumerate(open_calls) if count)
        raise fail(f"subgraph {ring} calls itself, directly or through others")
