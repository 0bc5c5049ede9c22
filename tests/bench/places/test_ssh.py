"""Machines over ssh: through a stand-in for the client always, through a real daemon where there is one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn_bench import latency
from edgecnn_bench.places import open_ssh
from edgecnn_bench.places.protocol import PlaceError
from edgecnn_bench.places.ssh import ssh_launch
from edgecnn_bench.running import Findings, run_engines
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.errors import EdgeCnnError, MissingDependency, SettingsError
from edgecnn_firmware.progress import silent

from .conftest import FakeSsh, posix

pytestmark = posix


@pytest.mark.parametrize(
    "host",
    [
        "",
        "-oProxyCommand=x",
        "a@-x",
        "a b",
        "a;b",
        "$(x)",
        "pi@",
        "@host",
        "a@b@c",
        "host\n",
        "pi@host/x",
        "x" * 400,
        "-",
    ],
)
def test_hosts_that_are_none(host: str, fake_ssh: FakeSsh) -> None:
    with pytest.raises(SettingsError, match="expected HOST or USER@HOST"), open_ssh(host):
        pass
    assert not fake_ssh.log.exists()


@pytest.mark.parametrize("host", ["pi@raspberrypi.local", "pi", "10.0.0.7", "me.too_1-a@h-1.x", "::1", "pi@fe80::1"])
def test_hosts(host: str, fake_ssh: FakeSsh) -> None:
    command = ssh_launch(host).command
    assert command[0] == str(fake_ssh.program)
    assert command[command.index("--") + 1] == host
    assert command.index("--") == len(command) - 3


@pytest.mark.parametrize("python", ["", "-c", "a\nb", "a\0b", "x" * 2000])
def test_pythons_that_are_none(python: str, fake_ssh: FakeSsh) -> None:
    with pytest.raises(SettingsError, match="expected a program's name or path"):
        ssh_launch("pi@host", python)


def test_no_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match=r"^pi@host: there is no ssh client on PATH"):
        ssh_launch("pi@host")


def test_runs_engines_and_leaves_nothing(har_bundle: Path, fake_ssh: FakeSsh) -> None:
    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    found = Findings()
    with open_ssh("pi@host", sys.executable) as place:
        (folder,) = fake_ssh.left_behind()
        assert (fake_ssh.remote / folder).stat().st_mode & 0o077 == 0
        assert (fake_ssh.remote / folder / "worker.py").is_file()
        run_engines(bundle, vectors, place.engines(bundle)[:3], found, silent, place.place.key)
        times = latency.measure(found.loaded, vectors.windows, timed_runs=30, warmup_runs=3)
    assert fake_ssh.left_behind() == []
    assert (place.place.key, place.place.title.partition(": ")[0]) == ("pi@host", "pi@host")
    assert next(iter(found.rows)) == "pi@host/litert"
    assert {row.status for row in found.rows.values()} == {"run"}
    assert all(len(pair) == 2 for pair in times.values())
    assert found.runs["pi@host/litert-reference"].outputs.raw.tobytes() == vectors.outputs.tobytes()
    arguments = fake_ssh.log.read_text().splitlines()
    assert "BatchMode=yes" in arguments


@pytest.mark.parametrize("shell", ["dash", "bash", "zsh", "fish", "csh", "busybox sh"])
def test_login_shells(fake_ssh: FakeSsh, shell: str, tmp_path: Path) -> None:
    if shutil.which(shell.partition(" ")[0]) is None:
        pytest.skip(f"{shell} is not installed")
    fake_ssh.use_shell(shell)
    # A name that a shell would take apart.
    odd = tmp_path / 'it\'s a $HOME "python"; `x`'
    odd.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    odd.chmod(0o755)
    with open_ssh("pi@host", str(odd)) as place:
        assert place.place.environment is not None
        assert len(fake_ssh.left_behind()) == 1
    assert fake_ssh.left_behind() == []


def failure(host: str = "pi@host", python: str = sys.executable) -> str:
    with pytest.raises(EdgeCnnError) as caught, open_ssh(host, python):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_such_host(fake_ssh: FakeSsh) -> None:
    expected = "nobody@nowhere: ssh ended: ssh: Could not resolve hostname nowhere: Name or service not known"
    assert failure("nobody@nowhere") == expected


def test_no_such_python(fake_ssh: FakeSsh) -> None:
    message = failure(python="python3.99")
    assert message.startswith("pi@host: no such program there: ")
    assert "python3.99" in message
    assert fake_ssh.left_behind() == []


def test_no_python_at_all(fake_ssh: FakeSsh) -> None:
    assert failure(python="cat").startswith("pi@host: ")
    assert fake_ssh.left_behind() == []


def test_no_room(fake_ssh: FakeSsh) -> None:
    fake_ssh.remote.rmdir()
    assert failure().startswith("pi@host: no temporary folder can be made there: mktemp")


def test_a_login_script_that_prints(fake_ssh: FakeSsh) -> None:
    fake_ssh.program.write_text("#!/bin/sh\necho Welcome\ncat > /dev/null\n")
    assert failure() == "pi@host: the answer is not the worker's: it begins with 'Welcome'"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_behind_after_an_error(fake_ssh: FakeSsh, error: type[BaseException]) -> None:
    with pytest.raises(error), open_ssh("pi@host", sys.executable):
        assert len(fake_ssh.left_behind()) == 1
        raise error
    assert fake_ssh.left_behind() == []


def test_nothing_is_left_behind_after_a_crash_there(fake_ssh: FakeSsh) -> None:
    with open_ssh("pi@host", sys.executable) as place:
        session = place._session
        (folder,) = fake_ssh.left_behind()
        pid = subprocess.run(
            ["pgrep", "-f", f"{folder}/worker.py$"], check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        subprocess.run(["kill", "-SEGV", pid], check=True)
        with pytest.raises(PlaceError, match="pi@host: the worker died of SIGSEGV"):
            session.ask({"command": "hello"}, limit_s=20)
        assert fake_ssh.left_behind() == []
        session.revive()
        assert len(fake_ssh.left_behind()) == 1
    assert fake_ssh.left_behind() == []


def test_nothing_is_left_behind_after_a_hang(fake_ssh: FakeSsh, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    launch = ssh_launch("pi@host", str(slow))
    from edgecnn_bench.places.session import Session

    with pytest.raises(PlaceError, match="pi@host: no answer within 1 s"):
        Session(launch, 1.0)
    assert fake_ssh.left_behind() == []
