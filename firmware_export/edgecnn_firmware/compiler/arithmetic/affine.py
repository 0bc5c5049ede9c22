"""Scale and zero point of one tensor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Affine:
    """`real = scale * (q - zero_point)`."""

    scale: float
    """The file's float32, as a Python float."""
    zero_point: int
