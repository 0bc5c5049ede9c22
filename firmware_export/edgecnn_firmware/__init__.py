"""Ground floor of edgecnn: the bundle, int8 `.tflite` files and the firmware made from them; no TensorFlow needed."""

from edgecnn_firmware.version import __version__

__all__ = ["__version__"]
