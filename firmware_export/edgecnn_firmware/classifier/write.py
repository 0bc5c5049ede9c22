"""`NAME.h` and `NAME.c`: the classifier as C99 around the compiled network `NAME_network.h`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgecnn_firmware.c_card import card_context
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.counts import count_lines
from edgecnn_firmware.classifier.monitor import training_inputs
from edgecnn_firmware.classifier.results import is_plain, probability_table
from edgecnn_firmware.compiler.compile import compile_model
from edgecnn_firmware.compiler.emit.context import c_numbers
from edgecnn_firmware.compiler.emit.program import Optimize, Program, runtime_text
from edgecnn_firmware.errors import ModelError
from edgecnn_firmware.numerics import Int8
from edgecnn_firmware.selftest.files import selftest_files

_LABEL_BYTES: Final = 8
"""A result's label and probability in the stack of `NAME_push`."""
_OTHERWISE: Final = "without sliding any hop will do"


@dataclass(frozen=True)
class Classifier:
    """The C sources of a classifier, and the network in them."""

    name: str
    files: Mapping[str, str]
    """Text of each file by its name: NAME.h, NAME.c, NAME_network.h, NAME_network.c and the kernels' headers."""
    network: Program

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the C files."""
        return tuple(sorted(name for name in self.files if name.endswith(".c")))

    @property
    def headers(self) -> tuple[str, ...]:
        """Names of the headers."""
        return tuple(sorted(name for name in self.files if name.endswith(".h")))

    @property
    def public_header(self) -> str:
        """The header that users include."""
        return f"{self.name}.h"


def write_classifier(
    model: bytes,
    card: Card,
    golden: tuple[Int8, Int8] | None = None,
    *,
    target: str = "portable",
    optimize: Optimize = "balanced",
    least_ram: bool = False,
    sliding: bool = False,
) -> Classifier:
    """Write a bundle's classifier; the same bytes for the same input.

    Args:
        model: the int8 `.tflite` file.
        card: names, labels, window, normalization, quantization and deployment; its text may hold any character.
        golden: int8 windows `(n, window_samples, channels)` and the reference kernels' outputs `(n, outputs)`: with them
            `NAME_selftest` is written. A network that keeps state begins each window anew.
        target: whose kernels are used: one of the compiler's targets.
        optimize: as of the compiler.
        least_ram: as of the compiler.
        sliding: the network takes the newest `hop_samples` of a window and keeps what it made of those before: the same
            results with fewer products a hop, but `NAME_classify` empties the window of `NAME_push`.

    Raises:
        ModelError: the network does not compile; by op number, name and reason. Or its window cannot slide by the hop.
        SettingsError: raw counts do not fit fixed point.
        DataError: a constant does not fit float32.
    """
    prefix = f"{card.name}_network"
    network = _network(model, prefix, target, optimize, least_ram=least_ram, hop=_hop(card) if sliding else None)
    _check_rows(network, card)
    context, environment = _context(model, card, network), _environment()
    context["has_selftest"] = golden is not None
    files = dict(network.files)
    if golden is not None:
        made = selftest_files(network, model, *golden)
        files |= {name: made[name].decode("utf-8") for name in (f"{prefix}_selftest.h", f"{prefix}_selftest.c")}
        files[f"{card.name}_selftest.c"] = environment.get_template("classifier_selftest.c.j2").render(context) + "\n"
    files["edgecnn_classifier.h"] = runtime_text("edgecnn_classifier.h")
    files[f"{card.name}.h"] = environment.get_template("classifier.h.j2").render(context) + "\n"
    files[f"{card.name}.c"] = environment.get_template("classifier.c.j2").render(context) + "\n"
    return Classifier(card.name, files, network)


def _hop(card: Card) -> int:
    hop, window = card.input.hop_samples, card.input.window_samples
    if hop >= window:
        raise ModelError(
            f"sliding: hop {hop}: windows of {window} samples share none; expected 1 to {window - 1}; {_OTHERWISE}"
        )
    return hop


def _network(
    model: bytes, prefix: str, target: str, optimize: Optimize, *, least_ram: bool, hop: int | None
) -> Program:
    try:
        return compile_model(
            model,
            "model.tflite",
            prefix,
            target=target,
            optimize=optimize,
            input_in_arena=True,
            least_ram=least_ram,
            hop=hop,
            checksum=True,
        )
    except ModelError as error:
        if str(error).startswith(f"hop {hop}: "):
            raise ModelError(f"sliding: {error}; {_OTHERWISE}") from None
        raise


def _check_rows(network: Program, card: Card) -> None:
    sliding, channels = network.graph.sliding, len(card.input.channels)
    if sliding and (sliding.window_rows, network.graph.inputs[0].channels) != (card.input.window_samples, channels):
        raise ModelError(
            f"sliding: the network's input is {sliding.window_rows} rows of {network.graph.inputs[0].channels}; "
            f"expected {card.input.window_samples} of {channels}, one for each sample; {_OTHERWISE}"
        )


@cache
def _environment() -> Environment:
    # The output is C, not HTML: texts are escaped for C below.
    return Environment(  # noqa: S701
        loader=PackageLoader("edgecnn_firmware", "templates"), undefined=StrictUndefined, keep_trailing_newline=False
    )


def _context(model: bytes, card: Card, network: Program) -> dict[str, Any]:
    quantization, channels = card.quantization, len(card.input.channels)
    sliding, constant_bytes = network.graph.sliding, network.constant_bytes
    if sliding:
        # The state is not set to anything: it has no first values in flash.
        constant_bytes -= network.state_bytes
    table = "" if is_plain(quantization.output) else c_numbers(probability_table(quantization.output).tolist(), "u")
    return card_context(model, card) | {
        "network": network.prefix,
        "network_upper": network.prefix.upper(),
        "deployment": card.deployment,
        "counts": count_lines(card) if card.deployment.counts else (),
        "monitor": training_inputs(card) or (),
        "table": table,
        "state_bytes": network.state_bytes,
        "sliding": sliding is not None,
        "calls": sliding.calls if sliding else 1,
        "macs": network.graph.macs,
        "window_macs": sliding.window_macs if sliding else network.graph.macs,
        "next_sample": "place_in_hop()" if sliding else "stream.next",
        "constant_bytes": constant_bytes + 8 * channels + 512 * bool(table),
        "arena_bytes": network.arena.bytes + network.state_bytes,
        "stream_bytes": _stream_bytes(card, is_sliding=sliding is not None),
        "stack_bytes": network.stack_bytes + _LABEL_BYTES * len(card.labels),
        "crc32": f"0x{network.crc32:08x}",
    }


def _stream_bytes(card: Card, *, is_sliding: bool) -> int:
    """The samples that are kept, the monitor's sums, the ring of results and counters."""
    channels, results = len(card.input.channels), card.deployment.results
    means = 4 * results * len(card.labels) if card.deployment.smoothing == "mean" else 0
    samples, counters = (card.input.hop_samples, 28) if is_sliding else (card.input.window_samples, 32)
    return samples * channels + 32 * channels + 4 * results + means + counters
