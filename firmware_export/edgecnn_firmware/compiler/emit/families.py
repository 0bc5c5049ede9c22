"""Importing this registers the emission and the arithmetic of every op family."""

from edgecnn_firmware.compiler.emit import convolution, movement

FAMILIES = (convolution, movement)
