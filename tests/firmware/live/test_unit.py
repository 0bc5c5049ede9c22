"""The systemd unit."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.live.unit import systemd_unit

COMMAND = ["/bin/true", "run", "/opt/wrist 1", "100%", "$HOME", 'a"b\\c']


@pytest.mark.parametrize("source", ["udp://:5005", "serial:/dev/ttyUSB0@9600", "iio:lsm6dsox", "/var/x.csv"])
def test_systemd_takes_it(source: str, tmp_path: Path) -> None:
    unit = systemd_unit("wrist", [*COMMAND, "--from", source], source)
    assert "Restart=on-failure" in unit
    assert 'ExecStart=/bin/true run "/opt/wrist 1" 100%% $$HOME "a\\"b\\\\c" --from ' in unit
    assert ("DeviceAllow=/dev/ttyUSB0 rw" in unit) == source.startswith("serial")
    assert ("PrivateNetwork=yes" in unit) != source.startswith("udp")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "wrist.service"
    path.write_text(unit, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    assert "wrist.service" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "source", "line"),
    [
        (["/bin/true"], "-", "no standard input"),
        (["/bin/true"], "iio+buffer:0", "an IIO buffer needs root"),
        (["/bin/true", "a\nExecStart=/bin/sh"], "udp://:1", "a character that a unit cannot hold"),
        (["/bin/true"], "serial:COM3", "expected a path such as /dev/ttyUSB0"),
        (["/bin/true"], "serial:/dev/x rw\nUser=root", "expected a path such as /dev/ttyUSB0"),
    ],
)
def test_what_a_unit_cannot_hold(command: list[str], source: str, line: str) -> None:
    with pytest.raises(SettingsError, match=line):
        systemd_unit("wrist", command, source)
