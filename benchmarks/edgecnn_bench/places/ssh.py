"""Machines over ssh: a worker there, in a private folder that is removed again.

One connection of the system's own ssh client does everything: the shell there makes the folder, takes the worker's source
from standard input, runs it, and removes the folder when it ends, which it also does where the connection breaks, because
its input then ends. Hosts, users, ports and keys are what the user's ssh configuration says.
"""

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from edgecnn_bench.places.compiled import compiled_engines
from edgecnn_bench.places.environments import WORKER
from edgecnn_bench.places.process import Launch
from edgecnn_bench.places.session import Session
from edgecnn_bench.places.worker_place import MoreEngines, WorkerPlace
from edgecnn_bench.results import Place
from edgecnn_firmware.errors import MissingDependency, SettingsError

REMOTE_PYTHON: Final = "python3"
START_S: Final = 90.0

_OPTIONS: Final = (
    "-T",
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=20"),
    *("-o", "ServerAliveInterval=15"),
    *("-o", "ServerAliveCountMax=4"),
    *("-o", "ClearAllForwardings=yes"),
    *("-o", "ForwardAgent=no"),
    *("-o", "ForwardX11=no"),
    *("-o", "PermitLocalCommand=no"),
    *("-o", "RequestTTY=no"),
)
# A name, an address, or an address of IPv6 in brackets; names of ssh's configuration are names, too.
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}@)?(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:]{2,45})"
)
_PYTHON: Final = re.compile(r"[^\x00-\x1f\x7f]{1,1000}")

_NO_FOLDER: Final = 97
_NO_SOURCE: Final = 98
# $1: bytes of the worker's source; $2: the Python. One line without single quotes or backslashes, so that every login
# shell passes it on as it is. dd reads byte by byte, so that it takes nothing of what comes behind the source.
_SCRIPT: Final = "; ".join(
    (
        "umask 077",
        f"d=$(mktemp -d) || exit {_NO_FOLDER}",
        'end() { rm -rf -- "$d"; }',
        "trap end EXIT",
        'trap "exit 129" HUP',
        'trap "exit 130" INT',
        'trap "exit 143" TERM',
        f'dd bs=1 count="$1" of="$d/worker.py" 2>/dev/null || exit {_NO_SOURCE}',
        '"$2" -B "$d/worker.py"',
    )
)
_DEATHS: Final = {
    127: "no such program there",
    134: "the worker died of SIGABRT",
    137: "the worker died of SIGKILL",
    138: "the worker died of SIGBUS",
    132: "the worker died of SIGILL",
    136: "the worker died of SIGFPE",
    139: "the worker died of SIGSEGV",
    255: "ssh ended",
    _NO_FOLDER: "no temporary folder can be made there",
    _NO_SOURCE: "the worker cannot be copied there",
}


@contextmanager
def open_ssh(
    host: str,
    remote_python: str = REMOTE_PYTHON,
    *,
    options: Sequence[str] = (),
    more: Sequence[MoreEngines] = (compiled_engines,),
) -> Iterator[WorkerPlace]:
    """Open a machine over ssh as a place.

    Args:
        host: `HOST` or `USER@HOST`, where HOST may be a name of the user's ssh configuration.
        remote_python: the Python there; a name, or a path.
        options: more options of the ssh client.
        more: makers of engines beside those of the `.tflite` interpreter.

    Raises:
        SettingsError: the host or the Python is no name.
        MissingDependency: there is no ssh client here.
        PlaceError: the host cannot be reached, or its Python cannot be used.
    """
    launch = ssh_launch(host, remote_python, options)
    session = Session(launch, START_S)
    try:
        hello = session.hello
        place = Place(key=host, title=f"{host}: {hello.cpu}, {hello.system}", environment=hello.environment)
        yield WorkerPlace(place, session, tuple(more))
    finally:
        session.close()


def ssh_launch(host: str, remote_python: str = REMOTE_PYTHON, options: Sequence[str] = ()) -> Launch:
    """How to start a worker there.

    Raises:
        SettingsError: the host or the Python is no name.
        MissingDependency: there is no ssh client here.
    """
    if not _HOST.fullmatch(host):
        raise SettingsError(f"host {host!r}: expected HOST or USER@HOST, of letters, digits, '.', '-' and '_'")
    if not _PYTHON.fullmatch(remote_python) or remote_python.startswith("-"):
        raise SettingsError(f"remote Python {remote_python!r}: expected a program's name or path")
    client = shutil.which("ssh")
    if client is None:
        raise MissingDependency(f"{host}: there is no ssh client on PATH; install OpenSSH's")
    source = WORKER.read_bytes()
    return Launch(
        name=host,
        command=(client, *_OPTIONS, *options, "--", host, remote_command(len(source), remote_python)),
        first_bytes=source,
        deaths=_DEATHS,
    )


def remote_command(source_bytes: int, remote_python: str) -> str:
    """The one line that the login shell there gets."""
    return shlex.join(("exec", "sh", "-c", _SCRIPT, "sh", str(source_bytes), remote_python))
