"""Importing this registers the emission and the arithmetic of every op family."""

from edgecnn_firmware.compiler.emit import (
    activation,
    convolution,
    elementwise,
    matmul,
    movement,
    reduction,
    stripes,
    winograd,
)

FAMILIES = (activation, convolution, elementwise, matmul, movement, reduction, stripes, winograd)
