"""Which channels of a file a project uses, and in which unit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgecnn.data.labels import did_you_mean, listed
from edgecnn.data.recording import Channel
from edgecnn.project import DataSettings
from edgecnn_firmware.errors import DataError, SettingsError


def select_channels(
    found: Sequence[Channel], settings: DataSettings, where: Path | str
) -> tuple[tuple[Channel, ...], list[int]]:
    """Pick `settings.channels` (all if unset) among the channels `found`: the channels and their column numbers.

    Raises:
        DataError: a named channel is not there.
        SettingsError: a channel is named twice, or a unit is given for a channel that is not used.
    """
    names = [channel.name for channel in found]
    wanted = list(names if settings.channels is None else settings.channels)
    for name in wanted:
        if name not in names:
            raise DataError(f"{where}: no channel '{name}'{did_you_mean(name, names)} (channels: {listed(names)})")
        if wanted.count(name) > 1:
            raise SettingsError(f"data.channels: '{name}' is named twice")
    for name in settings.units:
        if name not in wanted:
            raise SettingsError(f"data.units: '{name}' is no channel in use{did_you_mean(name, wanted)}")
    columns = [names.index(name) for name in wanted]
    channels = tuple(
        replace(found[column], unit=settings.units.get(names[column], found[column].unit)) for column in columns
    )
    return channels, columns
