"""Ops that only move elements: what TRANSPOSE, CONCATENATION, SPLIT, slices, PAD and variables become."""

from dataclasses import dataclass

from edgecnn_firmware.compiler.ops.value import Op


@dataclass(frozen=True)
class Part:
    """One strided copy: `output[output_start + i . output_strides] = source[source_start + i . source_strides]`.

    All counted in elements, over all `i` with `0 <= i[k] < sizes[k]`.
    """

    source: int
    """Which of the op's inputs."""
    sizes: tuple[int, ...]
    source_start: int
    source_strides: tuple[int, ...]
    output_start: int
    output_strides: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Move(Op):
    """Fill the output with `fill`, if it is not None, then copy the parts in order.

    Where an input is the output itself, its part is the first, one run that moves to a lower place.
    """

    parts: tuple[Part, ...]
    fill: int | None = None


@dataclass(frozen=True, eq=False)
class Pad(Move):
    """A Move that is rows of the zero point around the input: a convolution can take it in."""

    before: int = 0
    after: int = 0


def simplify(part: Part) -> Part:
    """The same copy with axes of size 1 left out and axes that run on from each other merged."""
    axes = [axis for axis in zip(part.sizes, part.source_strides, part.output_strides, strict=True) if axis[0] != 1]
    merged: list[tuple[int, int, int]] = []
    for size, source, output in axes:
        if merged and merged[-1][1] == source * size and merged[-1][2] == output * size:
            merged[-1] = (merged[-1][0] * size, source, output)
        else:
            merged.append((size, source, output))
    sizes, sources, outputs = zip(*(merged or [(1, 1, 1)]), strict=True)
    return Part(part.source, sizes, part.source_start, sources, part.output_start, outputs)


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a row-major tensor, in elements."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
