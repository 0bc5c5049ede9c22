"""The real client and a real daemon on the loopback address, with a configuration, keys and a port of their own."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecnn_bench import latency
from edgecnn_bench.places import open_ssh
from edgecnn_bench.places.protocol import PlaceError
from edgecnn_bench.running import Findings, run_engines
from edgecnn_firmware.bundle import read_bundle
from edgecnn_firmware.progress import silent

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserEnvironment no
SetEnv TMPDIR={folder}/remote
"""
CLIENT = """\
Host the-pi
    HostName 127.0.0.1
    Port {port}
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""


class Daemon:
    """A running daemon."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.host = f"{getpass.getuser()}@the-pi"
        self.options = ("-F", str(folder / "client"))

    def left_behind(self) -> list[Path]:
        return list((self.folder / "remote").iterdir())

    def empties(self) -> bool:
        """Whether nothing is left behind, within a while."""
        end = time.monotonic() + 10
        while self.left_behind() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.left_behind()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd is installed")
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        pytest.skip("sshd started by root needs the folder /run/sshd")
    folder = tmp_path_factory.mktemp("sshd")
    (folder / "remote").mkdir()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copyfile(folder / "key.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "server").write_text(SERVER.format(folder=folder, port=port))
    (folder / "client").write_text(CLIENT.format(folder=folder, port=port))
    # -D: no process of its own that would outlive this test.
    running = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "server")], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        wait_for(port, running)
        yield Daemon(folder, port)
    finally:
        running.terminate()
        running.communicate(timeout=20)


def wait_for(port: int, running: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if running.poll() is not None:
            assert running.stderr is not None
            pytest.skip(f"sshd does not start here: {running.stderr.read().decode(errors='replace').strip()[:200]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("sshd does not listen")


def test_a_whole_run(daemon: Daemon, har_bundle: Path) -> None:
    bundle = read_bundle(har_bundle)
    vectors = bundle.vectors()
    found = Findings()
    with open_ssh(daemon.host, sys.executable, options=daemon.options) as place:
        assert len(daemon.left_behind()) == 1
        run_engines(bundle, vectors, place.engines(bundle), found, silent, place.place.key)
        times = latency.measure(found.loaded, vectors.windows, timed_runs=30, warmup_runs=3)
    assert daemon.left_behind() == [], "closing waits until the folder is gone"
    key = f"{daemon.host}/litert-reference"
    assert found.runs[key].outputs.raw.tobytes() == vectors.outputs.tobytes()
    without_zig = "nothing here compiles for"
    assert all(row.status == "run" or row.reason.startswith(without_zig) for row in found.rows.values())
    assert [key.rpartition("/")[2] for key in found.rows] == [
        *("litert", "litert-reference", "litert-builtin", "compiled", "compiled-portable")
    ]
    for one, run in found.runs.items():
        if "compiled" in one:
            assert run.outputs.raw.tobytes() == vectors.outputs.tobytes()
    assert [timed.n for timed in times[key]] == [30, 30]
    assert place.place.notes == ()


def test_a_lost_connection(daemon: Daemon) -> None:
    with open_ssh(daemon.host, sys.executable, options=daemon.options) as place:
        session = place._session
        session._worker._signal(force=True)  # the client: all that is on this side
        with pytest.raises(PlaceError, match="died of SIGKILL"):
            session.ask({"command": "hello"}, limit_s=20)
        assert daemon.empties()
        session.revive()
        assert len(daemon.left_behind()) == 1
    assert daemon.empties()


def test_who_may_not_come_in(daemon: Daemon, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    text = (daemon.folder / "client").read_text().replace(f"{daemon.folder}/key", str(tmp_path / "other"))
    (tmp_path / "client").write_text(text)
    with (
        pytest.raises(PlaceError, match=r"ssh ended: .*Permission denied"),
        open_ssh(daemon.host, options=("-F", str(tmp_path / "client"))),
    ):
        pass


def test_an_unknown_host_key(daemon: Daemon, tmp_path: Path) -> None:
    text = (daemon.folder / "client").read_text().replace(f"{daemon.folder}/known", str(tmp_path / "none"))
    (tmp_path / "client").write_text(text)
    with (
        pytest.raises(PlaceError, match=r"ssh ended: .*Host key verification failed"),
        open_ssh(daemon.host, options=("-F", str(tmp_path / "client"))),
    ):
        pass


def test_no_such_python(daemon: Daemon) -> None:
    with (
        pytest.raises(PlaceError, match=r"the-pi: no such program there: .*python3\.99"),
        open_ssh(daemon.host, "python3.99", options=daemon.options),
    ):
        pass
    assert daemon.empties()
