"""edgecnn: from labelled sensor recordings to a measured int8 1-D CNN for microcontrollers and Raspberry Pis."""

from edgecnn_firmware.version import __version__

__all__ = ["__version__"]
