"""Full int8 quantization after training, and the files it is compared with."""

from edgecnn.quantization.convert import convert
from edgecnn.quantization.representative import choose_representative

__all__ = ["choose_representative", "convert"]
