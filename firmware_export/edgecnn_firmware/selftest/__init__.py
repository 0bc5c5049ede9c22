"""Self-test firmware: golden vectors that a board runs by itself, and a line protocol that lets a computer drive it.

The protocol is described in docs/firmware_protocol.md; `edgecnn_bench.places.serial` speaks it.
"""

from edgecnn_firmware.selftest.files import selftest_files

__all__ = ["selftest_files"]
