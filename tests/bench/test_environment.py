"""What a report says of the machine."""

import platform
import socket
from importlib.metadata import version
from pathlib import Path

import numpy as np

from edgecnn_bench.environment import cpu_model, installed, measure_environment

PI = """processor\t: 0
model name\t: ARMv7 Processor rev 3 (v7l)
BogoMIPS\t: 108.00

Hardware\t: BCM2711
Revision\t: c03111
Serial\t\t: 10000000abcdef01
Model\t\t: Raspberry Pi 4 Model B Rev 1.1
"""
PC = """processor\t: 0
model\t\t: 85
model name\t: Some(R) CPU   @ 2.00GHz
flags\t\t: fpu vme

processor\t: 1
model name\t: another
"""


def test_cpu_names() -> None:
    assert cpu_model(PI) == "Raspberry Pi 4 Model B Rev 1.1"
    assert cpu_model(PC) == "Some(R) CPU @ 2.00GHz"
    assert cpu_model("") == ""
    assert cpu_model("model name :\nno colon here") == ""


def test_versions_are_of_what_is_installed() -> None:
    assert installed(("numpy", "no-such-package-anywhere")) == {"numpy": version("numpy")}


def test_says_nothing_of_host_user_or_folder() -> None:
    found = measure_environment()
    assert found.python == platform.python_version()
    assert found.libraries["numpy"] == np.__version__
    assert found.cores >= 1
    text = found.model_dump_json()
    for secret in (socket.gethostname(), str(Path.home()), str(Path.cwd())):
        if len(secret) > 3:
            assert secret not in text
