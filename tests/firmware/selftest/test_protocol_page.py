"""What docs/firmware_protocol.md shows is what the console does."""

import re
import shutil
import zlib
from pathlib import Path

import pytest

from .builds import build_console, firmware, talk
from .console_model import ERRORS

PAGE = (Path(__file__).parents[3] / "docs" / "firmware_protocol.md").read_text(encoding="utf-8")
SESSION = re.findall(r"^([<>]) (.*)$", PAGE, re.MULTILINE)


def test_every_checksum_of_the_session_is_right() -> None:
    checked = [re.fullmatch(r"(.*) \*([0-9a-f]{8})", line) for _, line in SESSION]
    found = [match for match in checked if match]
    assert len(found) >= len(SESSION) // 2
    for match in found:
        assert int(match[2], 16) == zlib.crc32(match[1].encode()), match[0]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_session_goes_as_shown(tiny: bytes, tmp_path: Path) -> None:
    """With another network and no stack: the same commands, the same names, the same errors."""
    console = build_console(firmware(tiny, "tiny"), tmp_path)
    asked = [line for mark, line in SESSION if mark == ">"]
    shown = [line for mark, line in SESSION if mark == "<"]
    answers = talk(console, "".join(f"{line}\n" for line in asked).encode()).decode().splitlines()
    names = [re.sub(r"=\S*|\*\w+", "", line) for line in answers]
    assert names == [re.sub(r"=\S*|\*\w+", "", line) for line in shown]


def test_every_error_is_listed() -> None:
    listed = dict(re.findall(r"^\| ([1-9]) \| ([^|]+?) \|", PAGE, re.MULTILINE))
    assert listed == {str(code): text.decode() for code, text in ERRORS.items()}
