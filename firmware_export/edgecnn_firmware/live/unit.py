"""A systemd unit for a command line: restarted where it fails, allowed as little as it needs."""

from collections.abc import Sequence
from typing import Final

from edgecnn_firmware.errors import SettingsError

_UNIT: Final = """\
# /etc/systemd/system/{name}.service; then: systemctl daemon-reload && systemctl enable --now {name}
# Results: journalctl -u {name} -o cat -f
# The command and the bundle must be readable by every user: /opt is, a home folder often is not.
[Unit]
Description=Classify a live stream with {name}
{after}StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=5
TimeoutStopSec=10
Environment=PYTHONDONTWRITEBYTECODE=1
DynamicUser=yes
{access}CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateTmp=yes
PrivateUsers={private_users}
ProcSubset=pid
ProtectClock={protect_clock}
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def systemd_unit(name: str, command: Sequence[str], source: str) -> str:
    """Write the unit.

    Args:
        name: of the classifier, fit for a file name.
        command: program and arguments with absolute paths.
        source: the word behind `--from`, which tells what the unit must be allowed.

    Raises:
        SettingsError: the source is standard input, which a service has not, or needs root; or an argument has a line end.
    """
    if source == "-":
        raise SettingsError("--systemd: a service has no standard input; choose another source with --from")
    if source.startswith("iio+buffer:"):
        raise SettingsError("--systemd: an IIO buffer needs root, which the unit does not give; use iio:DEVICE")
    is_udp, is_serial = source.startswith("udp"), source.startswith("serial:")
    access = (
        ["RestrictAddressFamilies=AF_INET AF_INET6"]
        if is_udp
        else ["PrivateNetwork=yes", "RestrictAddressFamilies=none"]
    )
    if is_serial:
        port = source.removeprefix("serial:").partition("@")[0]
        # Nobody's files are writable in a private user namespace, nor would the group of the port hold there.
        access += ["SupplementaryGroups=dialout", "DevicePolicy=closed", f"DeviceAllow={_device(port)} rw"]
    else:
        access.append("PrivateDevices=yes")
    return _UNIT.format(
        name=name,
        command=" ".join(_quoted(word) for word in command),
        after="After=network-online.target\nWants=network-online.target\n" if is_udp else "",
        access="".join(f"{line}\n" for line in access),
        private_users="no" if is_serial else "yes",
        # Protecting the clock closes all devices but those that DeviceAllow names, which a service cannot know of IIO.
        protect_clock="no" if is_serial else "yes",
    )


def _quoted(word: str) -> str:
    """A word of ExecStart: `%` and `$` are doubled, the rest is quoted where it must be."""
    if any(not character.isprintable() for character in word):
        raise SettingsError(f"--systemd: {word!r} has a character that a unit cannot hold")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = bool(word) and all(character.isalnum() or character in "/._-+=:@,%$" for character in word)
    return escaped if plain else f'"{escaped}"'


def _device(port: str) -> str:
    if not port.startswith("/dev/") or any(not c.isprintable() or c.isspace() for c in port):
        raise SettingsError(f"--systemd: serial port {port!r}; expected a path such as /dev/ttyUSB0")
    return port.replace("%", "%%")
