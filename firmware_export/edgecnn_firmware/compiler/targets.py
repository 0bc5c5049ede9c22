"""For which cores code is generated: which kernels they have."""

from dataclasses import dataclass
from typing import Final

from edgecnn_firmware.errors import ModelError


@dataclass(frozen=True)
class Target:
    """A family of cores that shares kernels and layouts of weights."""

    name: str
    description: str
    dsp: bool = False
    """Armv7E-M DSP instructions: SMLAD and its kin."""
    mve: bool = False
    """Armv8.1-M vector extension (Helium)."""
    vnni: bool = False
    """AVX-512 with VNNI."""
    avx2: bool = False
    """AVX2 of x86-64."""
    neon: bool = False
    """NEON of 64-bit Arm; whether with the dot product is up to the C compiler's flags."""

    @property
    def row_by_row(self) -> bool:
        """Whether its kernels need only the rows that they read: those of others copy whole inputs."""
        return not (self.vnni or self.avx2 or self.neon)


TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        Target("portable", "plain C99 for any core"),
        Target("armv7e-m", "Cortex-M4, M7, M33 and others with the DSP extension", dsp=True),
        Target("armv8.1-m-mve", "Cortex-M55, M85 and others with Helium", mve=True),
        Target(
            "x86-64-vnni",
            "x86-64 with AVX-512 VNNI (compile with -march=native or -march=x86-64-v4 -mavx512vnni)",
            vnni=True,
        ),
        Target("x86-64-avx2", "x86-64 with AVX2 (compile with -march=native or -march=x86-64-v3)", avx2=True),
        Target(
            "aarch64",
            "64-bit Arm with NEON (compile with -mcpu=native, or with -march=armv8.2-a+dotprod for the dot product)",
            neon=True,
        ),
    )
}


def find_target(name: str) -> Target:
    """A target by name.

    Raises:
        ModelError: there is none of that name.
    """
    if name not in TARGETS:
        raise ModelError(f"target {name!r}: expected one of {', '.join(TARGETS)}")
    return TARGETS[name]
