"""Lines of CSV from a serial port."""

from importlib import import_module
from typing import Any, Final

from edgecnn_firmware.errors import DataError, MissingDependency, SettingsError
from edgecnn_firmware.live.feed import Feed
from edgecnn_firmware.live.sources import SourceSettings, TextFeeder

BAUD: Final = 115_200
_STOP_CHECK_S: Final = 0.2


class SerialSource:
    """An open port."""

    waits = False

    def __init__(self, port: Any, name: str, settings: SourceSettings) -> None:
        self._port = port
        self._name = name
        self._feeder = TextFeeder(settings)

    def run(self, feed: Feed) -> None:
        """Read until stopped; the first line, which may have begun before, is counted as bad where it is no sample."""
        try:
            while not feed.stopped:
                self._feeder.take(self._port.read(max(1, self._port.in_waiting)), feed)
        except OSError as error:  # pyserial's own errors are of this kind
            raise DataError(f"{self._name}: {error}") from None
        finally:
            self._port.close()


def open_serial(word: str, settings: SourceSettings) -> SerialSource:
    """Open `serial:PORT[@BAUD]`, 8 data bits, no parity, one stop bit.

    Raises:
        SettingsError: no port, or a rate that is no number.
        DataError: the port cannot be opened.
        MissingDependency: pyserial is not installed.
    """
    name, _, rate = word.removeprefix("serial:").partition("@")
    if not name or not (rate or str(BAUD)).isdecimal() or int(rate or BAUD) < 1:
        raise SettingsError(f"--from {word}: expected serial:PORT[@BAUD], such as serial:/dev/ttyUSB0@{BAUD}")
    try:
        serial = import_module("serial")
    except ImportError:
        raise MissingDependency("a serial port needs pyserial: pip install 'edgecnn[serial]'") from None
    try:
        port = serial.Serial(name, int(rate or BAUD), timeout=_STOP_CHECK_S)
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: cannot be opened: {error}") from None
    return SerialSource(port, name, settings)
