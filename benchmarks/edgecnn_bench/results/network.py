"""The int8 network, op by op."""

from edgecnn_bench.results.base import Result


class Layer(Result):
    """One op of the int8 model."""

    index: int
    op: str
    name: str
    output_shape: tuple[int, ...]
    parameters: int
    weight_bytes: int
    macs: int
    activation_bytes: int


class LayerNoise(Result):
    """How far int8 arithmetic is from float at one op's output."""

    index: int
    """Of the int8 model's op."""
    op: str
    name: str
    sqnr_db: float
    """Signal-to-quantization-noise ratio: 10 log10(power of the float values / power of the difference)."""
    clipped_share: float
    """Share of float values outside the int8 tensor's range."""
    windows: int
    """How many it is over."""


class ArenaBlock(Result):
    """One stretch of the compiled network's working memory while it is in use."""

    name: str
    kind: str
    """`value` or `scratch`."""
    offset_bytes: int
    size_bytes: int
    first_op: int
    last_op: int


class MemoryMap(Result):
    """The compiled network's arena over its ops."""

    target: str
    arena_bytes: int
    lower_bound_bytes: int
    """No plan for these ops in this order can need less."""
    ops: tuple[str, ...]
    """Labels of the compiled ops, in order."""
    blocks: tuple[ArenaBlock, ...]
