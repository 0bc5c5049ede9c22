"""What the network costs on virtual boards, and which real parts have that much."""

from typing import Literal

from pydantic import Field

from edgecnn_bench.results.base import Result


class BoardLayer(Result):
    """One op of the compiled network on a board."""

    op: str
    macs: int
    instructions: int


class BoardRun(Result):
    """The compiled network on a virtual board, or the reason it did not run. Instructions are counted; nothing is timed."""

    board: str
    title: str
    status: Literal["run", "not run"]
    reason: str = ""
    kernels: str = ""
    """The compiler's target."""
    toolchain: str = ""
    flags: tuple[str, ...] = ()
    emulator: str = ""
    windows: int = 0
    byte_equal: bool | None = None
    """Whether every output is that of the reference kernels."""
    instructions_min: int | None = None
    instructions_mean: float | None = None
    instructions_max: int | None = None
    estimated_cycles: int | None = None
    """From published costs per instruction; an estimate."""
    layers: tuple[BoardLayer, ...] = ()
    flash_bytes: int | None = None
    """Code and constants of the linked image less those of an image without the network."""
    sections: dict[str, int] = Field(default_factory=dict)
    """The same by kind, such as code, weights, tables."""
    arena_bytes: int | None = None
    state_bytes: int | None = None
    input_bytes: int | None = None
    stack_bytes: int | None = None
    note: str = ""

    @property
    def ram_bytes(self) -> int | None:
        """Arena, state, input buffer and the deepest stack."""
        parts = (self.arena_bytes, self.state_bytes, self.input_bytes, self.stack_bytes)
        return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)


class CompiledFit(Result):
    """Whether the compiled network fits a part."""

    flash_needed_bytes: int
    ram_needed_bytes: int
    fits: bool
    reason: str
    """What is too small and by how much, or what is left."""
    basis: str
    """Where the needs come from: the virtual board that was measured, or an estimate from the bundle's card."""
    instructions: int | None = None
    """Of one inference, where a virtual board with this core was measured."""


class BoardFit(Result):
    """Whether the model fits a part, with TFLite Micro."""

    board: str
    part: str
    core: str
    clock_mhz: float
    flash_bytes: int
    ram_bytes: int
    source: str
    """Where the part's figures come from."""
    flash_needed_bytes: int
    ram_needed_bytes: int | None
    """None where the arena was not measured."""
    fits: bool
    reason: str
    """What is too small and by how much, or what is left."""
    compiled: CompiledFit | None = None
    """With the compiled network instead; None where the bundle has none."""


class Footprint(Result):
    """Bytes the model takes, and where that fits."""

    model_bytes: int
    header_bytes: int
    """The C header as text; its array takes `model_bytes` of flash."""
    weight_bytes: int
    arena_bytes: int | None
    runtime_flash_allowance_bytes: int
    runtime_ram_allowance_bytes: int
    allowance_source: str
    boards: tuple[BoardFit, ...]
