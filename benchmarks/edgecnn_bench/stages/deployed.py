"""The emitted classifier, `NAME.c`, as functions of this process: what it makes of windows, and what its network says.

The C is written afresh from the bundle's model and card and built by this machine's compiler; the bundle's own C is not
built, because a bundle may come from anyone.
"""

import ctypes
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecnn_bench.engines.protocol import Windows
from edgecnn_firmware.bundle import Bundle
from edgecnn_firmware.card import Card
from edgecnn_firmware.classifier.write import Classifier, write_classifier
from edgecnn_firmware.errors import DataError
from edgecnn_firmware.host.library import build_library
from edgecnn_firmware.host.recipe import Recipe

_FLAGS: Final = ("-fvisibility=hidden",)
_SOURCE: Final = "edgecnn_stages.c"
# The classifier's own functions run; only the call of the network is led through a function that keeps its input.
_TEMPLATE: Final = """\
#include <stddef.h>
#include <string.h>
#include "{network}.h"

static signed char *kept_input;
static int with_network;
static void keep_and_invoke({state_parameter}int8_t *outputs, {network}_arena *arena);

#define {network}_invoke keep_and_invoke
#include "{name}.c"
#undef {network}_invoke

static void keep_and_invoke({state_parameter}int8_t *outputs, {network}_arena *arena) {{
    memcpy(kept_input, {network}_input(arena), {input_bytes});
    if (with_network)
        {network}_invoke({state_argument}outputs, arena);
    else
        memset(outputs, 0, {outputs});
}}

#if defined(_WIN32)
#define EDGECNN_HOST_EXPORT __declspec(dllexport)
#else
#define EDGECNN_HOST_EXPORT __attribute__((visibility("default")))
#endif

/* The first window that is refused, or n. */
{functions}
"""
_FUNCTION: Final = """\
EDGECNN_HOST_EXPORT size_t edgecnn_stages_{kind}(const {type} *windows, size_t n, int invoke, signed char *inputs,
                                       signed char *outputs, int *labels);
size_t edgecnn_stages_{kind}(const {type} *windows, size_t n, int invoke, signed char *inputs, signed char *outputs,
                        int *labels) {{
    size_t i;
    {name}_result result;
    with_network = invoke;
    for (i = 0; i < n; ++i) {{
        kept_input = inputs + i * {input_bytes};
{init}        if ({name}_{call}(windows + i * {input_bytes}, &result) != 0)
            return i;
        memcpy(outputs + i * {outputs}, result.outputs, {outputs});
        labels[i] = result.window_label;
    }}
    return n;
}}
"""


@dataclass(frozen=True)
class Classified:
    """What the classifier did with `n` windows."""

    inputs: npt.NDArray[np.int8]
    """`(n, window_samples, channels)`: what its preprocessing gave the network."""
    outputs: npt.NDArray[np.int8]
    """`(n, outputs)`; zeros where the network was left out."""
    labels: npt.NDArray[np.int64]
    """`(n,)` label numbers, as its C decides them."""


class DeployedClassifier:
    """A built classifier; one call at a time, because its working memory is static."""

    def __init__(self, card: Card, library: ctypes.CDLL, recipe: Recipe) -> None:
        self._card, self._library = card, library
        self.text = f"C built here: {recipe.text}"

    def classify(self, windows: Windows, *, network: bool = True) -> Classified:
        """Do what `NAME_classify` does with windows `(n, window_samples, channels)` in physical units.

        Raises:
            DataError: a window holds NaN.
        """
        return self._call("float", np.ascontiguousarray(windows, np.float32), network=network)

    def classify_counts(self, counts: npt.NDArray[np.int16], *, network: bool = True) -> Classified:
        """Do what `NAME_classify_counts` does with counts `(n, window_samples, channels)`; the card must have counts."""
        return self._call("counts", np.ascontiguousarray(counts, np.int16), network=network)

    def _call(self, kind: str, windows: npt.NDArray[Any], *, network: bool) -> Classified:
        n = len(windows)
        inputs = np.zeros(windows.shape, np.int8)
        outputs = np.zeros((n, self._card.output_count), np.int8)
        labels = np.zeros(n, np.intc)
        function = self._library[f"edgecnn_stages_{kind}"]
        function.restype = ctypes.c_size_t
        function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, *(ctypes.c_void_p,) * 3)
        addresses = (array.ctypes.data for array in (inputs, outputs, labels))
        done = function(windows.ctypes.data, n, int(network), *addresses)
        if done != n:
            raise DataError(f"window {done}: the classifier refuses it: a value is NaN")
        return Classified(inputs, outputs, labels.astype(np.int64))


def build_deployed(bundle: Bundle, recipe: Recipe) -> DeployedClassifier:
    """Write the bundle's classifier as C for the recipe's kernels, build it and load it.

    Raises:
        ModelError: the network does not compile.
        SettingsError: raw counts do not fit fixed point.
        BoardError: the C compiler fails, or what it made cannot be loaded.
    """
    written = write_classifier(bundle.model_bytes, bundle.card, target=recipe.target)
    files = {**written.files, _SOURCE: probe_source(written, bundle.card)}
    sources = (written.network.source, _SOURCE)
    loaded = build_library(files, sources, recipe, name=f"{written.name}.c", flags=_FLAGS)
    return DeployedClassifier(bundle.card, loaded, recipe)


def probe_source(written: Classifier, card: Card) -> str:
    """Write the C that includes the classifier and shows what its preprocessing hands to the network."""
    network = written.network
    numbers = {
        "name": written.name,
        "input_bytes": card.input.window_samples * len(card.input.channels),
        "outputs": card.output_count,
        # Each window starts from the state's first values, as in every engine.
        "init": f"        {network.prefix}_init(&state);\n        state_is_set = 1;\n" if network.state_bytes else "",
    }
    functions = _FUNCTION.format(kind="float", type="float", call="classify", **numbers)
    if card.deployment.counts is not None:
        functions += _FUNCTION.format(kind="counts", type="int16_t", call="classify_counts", **numbers)
    return _TEMPLATE.format(
        network=network.prefix,
        functions=functions,
        state_parameter=f"{network.prefix}_state *kept_state, " if network.state_bytes else "",
        state_argument="kept_state, " if network.state_bytes else "",
        **numbers,
    )
