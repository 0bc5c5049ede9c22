"""Other places where engines run: interpreter environments, machines over ssh, boards on a serial port."""

from edgecnn_bench.places.environments import create_runtime, open_runtime
from edgecnn_bench.places.open_place import OpenPlace
from edgecnn_bench.places.protocol import PlaceError
from edgecnn_bench.places.ssh import open_ssh

__all__ = ["OpenPlace", "PlaceError", "create_runtime", "open_runtime", "open_ssh"]
