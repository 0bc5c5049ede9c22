"""Networks of one elementwise op on all 256 bytes, and scales that put outputs on ties."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from edgecnn_firmware.compiler.arithmetic.affine import Affine

from .networks import NetworkWriter, Reference

EVERY = {
    "INT8": np.arange(-128, 128).astype(np.int8).reshape(1, 1, 256, 1),
    "UINT8": np.arange(256).astype(np.uint8).reshape(1, 1, 256, 1),
}
"""All inputs of a type."""


def f32(x: float) -> float:
    """The nearest float32."""
    return float(np.float32(x))


def unary_network(
    name: str, source: Affine, target: Affine, kinds: tuple[str, str] = ("INT8", "INT8"), **options: Any
) -> bytes:
    """One op of one input of shape (1, 1, 256, 1)."""
    net = NetworkWriter()
    value = net.tensor((1, 1, 256, 1), source.scale, source.zero_point, kind=kinds[0])
    made = net.tensor((1, 1, 256, 1), target.scale, target.zero_point, kind=kinds[1])
    net.op(name, [value], [made], **options)
    return net.bytes([value], [made])


def reference_table(
    name: str, source: Affine, target: Affine, kinds: tuple[str, str] = ("INT8", "INT8"), **options: Any
) -> np.ndarray | str:
    """What LiteRT gives for all 256 inputs, or why it refuses."""
    try:
        reference = Reference(unary_network(name, source, target, kinds, **options))
        return reference.run(EVERY[kinds[0]])[0].ravel()
    except (RuntimeError, ValueError) as error:
        return str(error)


def zero_points(low: int = -128) -> st.SearchStrategy[int]:
    """Often an end of the range."""
    return st.one_of(st.sampled_from([low, low + 255, low + 128]), st.integers(low, low + 255))


def scales(low: float = -5.0, high: float = 3.0) -> st.SearchStrategy[float]:
    """Float32 scales between two powers of ten."""
    return st.floats(low, high).map(lambda power: f32(10**power))


def affines(low: float = -5.0, high: float = 3.0) -> st.SearchStrategy[Affine]:
    """A quantization of any kind."""
    return st.builds(Affine, scales(low, high), zero_points())


@st.composite
def pairs(draw: st.DrawFn, factor: float = 1.0) -> tuple[Affine, Affine]:
    """Input and output: the quotient of the scales puts an output on a tie, is ordinary, or is extreme.

    Args:
        factor: what the op multiplies inputs with.
    """
    scale = draw(scales(-4, 1))
    kind = draw(st.integers(0, 3))
    if kind <= 1:
        # Float32 rounds the quotient to one side of the tie and float64 to the other, or not.
        zero_point = -128 if kind else 127
        steps, half = draw(st.integers(1, 200)), draw(st.integers(0, 120)) + 0.5
        return Affine(scale, zero_point), Affine(f32(scale * factor * steps / half), zero_point)
    spread = 1.0 if kind == 2 else 3.5
    target = f32(scale * factor * 10 ** draw(st.floats(-spread, spread)))
    return Affine(scale, draw(zero_points())), Affine(target, draw(zero_points()))
