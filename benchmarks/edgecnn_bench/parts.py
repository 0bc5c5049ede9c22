"""The table of parts: `boards.toml`, validated."""

import sys
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal

from pydantic import Field

from edgecnn_bench.results import Result

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Feature = Literal["fpu", "dsp", "mve", "vector"]

FEATURE_NAMES: Final[dict[Feature, str]] = {"fpu": "FPU", "dsp": "DSP", "mve": "Helium", "vector": "vector"}

_Kilobytes = Annotated[int, Field(gt=0)]
_Text = Annotated[str, Field(min_length=1)]


class Board(Result):
    """One `[[board]]` of `boards.toml`; sizes in KiB."""

    board: _Text
    part: _Text
    core: _Text
    features: tuple[Feature, ...] = ()
    virtual: str = ""
    """The virtual board whose image runs on this core as it is; empty where there is none."""
    clock_mhz: Annotated[float, Field(gt=0)]
    flash_kb: _Kilobytes
    ram_kb: _Kilobytes
    block_kb: _Kilobytes | None = None
    """Largest run of RAM at consecutive addresses; all of it if unset."""
    source: _Text

    @property
    def core_text(self) -> str:
        """The core with what int8 kernels can use of it: 'Cortex-M4, FPU, DSP'."""
        return ", ".join([self.core, *(FEATURE_NAMES[feature] for feature in self.features)])

    @property
    def is_arm(self) -> bool:
        """Whether Arm's microcontroller instruction set runs on it."""
        return self.core.startswith("Cortex-M")

    @property
    def flash_bytes(self) -> int:
        """Flash in bytes."""
        return self.flash_kb << 10

    @property
    def ram_bytes(self) -> int:
        """RAM in bytes."""
        return self.ram_kb << 10

    @property
    def block_bytes(self) -> int:
        """The largest run of RAM at consecutive addresses, in bytes."""
        return (self.block_kb or self.ram_kb) << 10

    def lacks(self, flash_bytes: int, ram_bytes: int, arena_bytes: int) -> str:
        """Say what is too small for these needs and by how much; empty where all fits.

        Args:
            flash_bytes: Flash needed in all.
            ram_bytes: RAM needed in all.
            arena_bytes: What of the RAM must lie at consecutive addresses.
        """
        found = []
        if flash_bytes > self.flash_bytes:
            found.append(f"flash: {flash_bytes - self.flash_bytes:,} bytes too little")
        if ram_bytes > self.ram_bytes:
            found.append(f"RAM: {ram_bytes - self.ram_bytes:,} bytes too little")
        elif arena_bytes > self.block_bytes:
            short = arena_bytes - self.block_bytes
            found.append(f"RAM: the largest block is {short:,} bytes too small for the arena")
        return "; ".join(found)

    def left(self, flash_bytes: int, ram_bytes: int) -> str:
        """Say what is left beside these needs."""
        return f"left: {self.flash_bytes - flash_bytes:,} bytes of flash, {self.ram_bytes - ram_bytes:,} bytes of RAM"


@cache
def boards() -> tuple[Board, ...]:
    """The table of parts."""
    text = files(__package__).joinpath("boards.toml").read_text(encoding="utf-8")
    return tuple(Board.model_validate(entry) for entry in tomllib.loads(text)["board"])
