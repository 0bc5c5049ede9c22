"""Calls of convolution kernels; layers that differ in nothing but pointers and zero points share one specialized function.

A kernel is specialized by the C compiler for the constants of its layer. Networks repeat themselves: where two layers have
the same shape and the same form of requantization, one copy of that code serves both.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecnn_firmware.compiler.emit.context import qualifiers, struct_literal, wrapped

_RUN_TIME = ("table", "offset")
"""Fields of the requantization that a shared function takes as arguments."""


@dataclass(frozen=True)
class Layer:
    """One call of a kernel `(window, options..., requantization, arguments...)`."""

    number: int
    kernel: str
    window: Mapping[str, object]
    options: tuple[int, ...]
    requantization: Mapping[str, object]
    arguments: tuple[tuple[str, str], ...]
    """C type and expression of each."""

    @property
    def signature(self) -> str:
        """What layers that share a function have in common."""
        fixed = {name: value for name, value in self.requantization.items() if name not in _RUN_TIME}
        types = [kind for kind, _ in self.arguments]
        window = {name: name if name in self.lengths else value for name, value in self.window.items()}
        return f"{self.kernel} {self.options} {window} {fixed} {types}"

    @property
    def lengths(self) -> dict[str, str]:
        """Fields of the window that are expressions: not all rows are in memory."""
        return {name: value for name, value in self.window.items() if isinstance(value, str)}


def emit_layers(layers: Sequence[Layer], *, share: bool) -> tuple[list[str], dict[int, str]]:
    """Write the calls.

    Args:
        layers: in order.
        share: whether equal layers share a function.

    Returns:
        The shared functions, and the statements of each layer by its position.
    """
    counts = Counter(layer.signature for layer in layers)
    functions: dict[str, tuple[str, str]] = {}
    statements = {}
    seen: Counter[int] = Counter()
    for position, layer in enumerate(layers):
        # The groups of one convolution are layers of one number.
        seen[layer.number] += 1
        suffix = "" if seen[layer.number] == 1 else f"_{seen[layer.number]}"
        if not share or counts[layer.signature] == 1:
            statements[position] = _own(layer, suffix)
            continue
        if layer.signature not in functions:
            name = f"layers_like_op{layer.number}{suffix}"
            functions[layer.signature] = (name, _function(name, layer))
        values = [layer.requantization[field] for field in _RUN_TIME]
        given = [*map(str, values), *layer.lengths.values(), *(expression for _, expression in layer.arguments)]
        statements[position] = wrapped(f"{functions[layer.signature][0]}(", ", ".join(given), ");")
    return [text for _, text in functions.values()], statements


def _own(layer: Layer, suffix: str) -> str:
    window, struct = f"op{layer.number}_window{suffix}", f"op{layer.number}_requantization{suffix}"
    given = [f"&{window}", *map(str, layer.options), f"&{struct}", *(expression for _, expression in layer.arguments)]
    return "\n".join(
        (
            wrapped(f"{qualifiers(layer.window)} edgecnn_window {window} = ", struct_literal(layer.window), ";"),
            wrapped(f"static const edgecnn_requantization {struct} = ", struct_literal(layer.requantization), ";"),
            wrapped(f"{layer.kernel}(", ", ".join(given), ");"),
        )
    )


def _function(name: str, layer: Layer) -> str:
    parameters = ["const int32_t *table", "int32_t offset"]
    parameters += [f"int {field}" for field in layer.lengths]
    parameters += [f"{kind}a{number}" for number, (kind, _) in enumerate(layer.arguments)]
    window = {**layer.window, **{field: field for field in layer.lengths}}
    fields = {**layer.requantization, **{field: field for field in _RUN_TIME}}
    given = ["&window", *map(str, layer.options), "&requantization", *(f"a{n}" for n in range(len(layer.arguments)))]
    head = wrapped(f"EDGECNN_SHARED void {name}(", ", ".join(parameters), ") {").replace("\n    ", "\n")[4:]
    return "\n".join(
        (
            head,
            wrapped(f"{qualifiers(layer.window)} edgecnn_window window = ", struct_literal(window), ";"),
            wrapped("const edgecnn_requantization requantization = ", struct_literal(fields), ";"),
            wrapped(f"{layer.kernel}(", ", ".join(given), ");"),
            "}",
        )
    )
