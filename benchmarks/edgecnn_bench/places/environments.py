"""Other Python environments of this machine: the user's own, or one that is made for a `.tflite` interpreter."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecnn_bench.places.process import Launch
from edgecnn_bench.places.protocol import PlaceError, shown
from edgecnn_bench.places.session import START_S, Hello, Session
from edgecnn_bench.places.worker_place import WorkerPlace
from edgecnn_bench.results import Place
from edgecnn_firmware.errors import SettingsError
from edgecnn_firmware.progress import Progress, silent

CREATE: Final = "create"
WORKER: Final = Path(__file__).with_name("worker.py")

_VENV_S: Final = 120.0
_PIP_S: Final = 900.0
_PROBE_S: Final = 20.0
_VERSION: Final = re.compile(r"[0-9]+(\.[0-9]+){0,3}")
_PROBE: Final = "import sys, venv, ensurepip; print(*sys.version_info[:2])"


@dataclass(frozen=True)
class Runtime:
    """An interpreter package that an environment can be made for.

    Attributes:
        package: Its name.
        requirements: What else is installed with it.
        oldest: Oldest Python that it has wheels for.
        newest: Newest Python that it has wheels for.
    """

    package: str
    requirements: tuple[str, ...]
    oldest: tuple[int, int]
    newest: tuple[int, int]


RUNTIMES: Final[Mapping[str, Runtime]] = {
    "tflite-runtime": Runtime("tflite-runtime", ("numpy<2",), (3, 7), (3, 11)),
    "ai-edge-litert": Runtime("ai-edge-litert", ("numpy",), (3, 9), (3, 14)),
}


@contextmanager
def open_runtime(spec: str, *, cache: Path | None = None, progress: Progress = silent) -> Iterator[WorkerPlace]:
    """Open another Python environment of this machine as a place.

    Args:
        spec: a Python program; `create`, which makes an environment with tflite-runtime; or one of `RUNTIMES` with or
            without `==VERSION`, which makes one with that.
        cache: folder where environments are kept; the user's cache folder if None.
        progress: told of a long installation.

    Raises:
        SettingsError: there is no such program.
        PlaceError: it is no Python that can be used, or no environment can be made.
    """
    parsed = parse_runtime(spec)
    python = find_program(spec) if parsed is None else create_runtime(cache, *parsed, progress=progress)
    with tempfile.TemporaryDirectory(prefix="edgecnn-place-") as folder:
        # Alone in a folder: Python looks there first for every module that is imported.
        worker = Path(folder) / WORKER.name
        shutil.copyfile(WORKER, worker)
        launch = Launch(
            name=f"runtime {_short(spec)}", command=(str(python), "-B", str(worker)), environment=_environment()
        )
        session = Session(launch, START_S)
        try:
            place = Place(
                key=runtime_key(session.hello), title=_title(session.hello), environment=session.hello.environment
            )
            yield WorkerPlace(place, session)
        finally:
            session.close()


def parse_runtime(spec: str) -> tuple[Runtime, str] | None:
    """The package and the version (empty for the newest) that a choice asks for; None where it is a program.

    Raises:
        SettingsError: the version is none.
    """
    if spec == CREATE:
        return RUNTIMES["tflite-runtime"], ""
    name, equals, version = spec.partition("==")
    if name not in RUNTIMES:
        return None
    if equals and not _VERSION.fullmatch(version):
        raise SettingsError(f"runtime '{shown(spec)}': expected a version such as {name}==2.14.0")
    return RUNTIMES[name], version


def find_program(spec: str) -> Path:
    """A Python program, or the one of an environment's folder.

    Raises:
        SettingsError: there is none.
    """
    folder = Path(spec).expanduser()
    for inside in (python_of(folder), folder):
        if inside.is_file():
            # Not resolved: an environment is told by the link through which its Python is called.
            return Path(os.path.abspath(inside))  # noqa: PTH100
    found = shutil.which(spec)
    if found is None:
        accepted = f"a Python program, an environment's folder, '{CREATE}', or {', '.join(RUNTIMES)} with ==VERSION"
        raise SettingsError(f"runtime '{shown(spec)}': no such program; expected {accepted}")
    return Path(found)


def create_runtime(
    folder: Path | None = None,
    runtime: Runtime = RUNTIMES["tflite-runtime"],
    version: str = "",
    *,
    pythons: Sequence[str] | None = None,
    progress: Progress = silent,
) -> Path:
    """Make an environment for an interpreter package, or find the one made before; return its Python.

    Args:
        folder: where environments are kept; the user's cache folder if None.
        runtime: the package.
        version: of it; empty for the newest one that pip finds.
        pythons: programs to try as the environment's Python, the best first.
        progress: told of the steps.

    Raises:
        PlaceError: there is no Python that the package has wheels for, or pip fails.
    """
    kept = user_cache() / "runtimes" if folder is None else folder
    python, found = _base_python(runtime, pythons)
    name = f"{runtime.package}-{version or 'newest'}-py{found[0]}.{found[1]}"
    ready = kept / name
    if python_of(ready).is_file():
        return python_of(ready)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=kept) as made:
            _install(python, Path(made) / "venv", runtime, version, progress)
            _move(Path(made) / "venv", ready)
    except OSError as error:
        raise PlaceError(f"{kept}: cannot make an environment there: {error.strerror or error}") from error
    return python_of(ready)


def python_of(folder: Path) -> Path:
    """Where the Python of an environment is."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def user_cache() -> Path:
    """The folder for what can be made again."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edgecnn"


def runtime_key(hello: Hello) -> str:
    """Key of a place that is an environment of this machine: what tells it from others."""
    python = ".".join(hello.python.split(".")[:2])
    package = hello.interpreter or "no-interpreter"
    return "-".join(part for part in (package, hello.libraries.get(package, ""), f"py{python}") if part)


def _title(hello: Hello) -> str:
    return f"{hello.interpreter_title or 'no .tflite interpreter'}, Python {hello.python}, on this machine"


def _short(spec: str) -> str:
    """Without the folder: errors may end up in a report."""
    return shown(Path(spec).name or spec)


def _environment() -> dict[str, str]:
    """Without what points other Pythons to the packages of this one."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def _base_python(runtime: Runtime, pythons: Sequence[str] | None) -> tuple[str, tuple[int, int]]:
    if pythons is None:
        (_, low), (_, high) = runtime.oldest, runtime.newest
        pythons = (sys.executable, *(f"python3.{minor}" for minor in range(high, low - 1, -1)), "python3")
    for name in pythons:
        program = shutil.which(name)
        version = _probe(program) if program else None
        if program and version and runtime.oldest <= version <= runtime.newest:
            return program, version
    span = f"{_dotted(runtime.oldest)} to {_dotted(runtime.newest)}"
    hint = "install one, or name an environment's Python with --runtime /path/to/python"
    raise PlaceError(f"{runtime.package} has wheels for Python {span}, and none with venv was found here: {hint}")


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _probe(program: str) -> tuple[int, int] | None:
    """Version of a Python that has venv and pip; None where it has not, or is none."""
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-I", "-c", _PROBE],
            check=False,
            capture_output=True,
            timeout=_PROBE_S,
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
        major, minor = (int(part) for part in done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return (major, minor) if done.returncode == 0 else None


def _install(python: str, folder: Path, runtime: Runtime, version: str, progress: Progress) -> None:
    what = f"{runtime.package}=={version}" if version else runtime.package
    progress("make a runtime", 0, 3, what)
    _finish((python, "-I", "-m", "venv", str(folder)), _VENV_S, "making an environment")
    progress("make a runtime", 1, 3, what)
    own = str(python_of(folder))
    pip = (own, "-I", "-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--quiet")
    _finish((*pip, "--only-binary=:all:", "--", what, *runtime.requirements), _PIP_S, f"installing {what}")
    progress("make a runtime", 2, 3, what)
    module = runtime.package.replace("-", "_")
    _finish((own, "-I", "-c", f"import numpy, {module}.interpreter"), _VENV_S, f"importing {what}")
    progress("make a runtime", 3, 3, what)


def _finish(command: Sequence[str], limit_s: float, doing: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            list(command),
            check=False,
            capture_output=True,
            timeout=limit_s,
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise PlaceError(f"{doing}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise PlaceError(f"{doing}: not finished after {limit_s:g} s") from error
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).decode("utf-8", "replace").splitlines() if line.strip()]
        # pip's last error says what is wrong; hints may follow it.
        told = [line for line in lines if line.startswith("ERROR:")] or lines or ["no message"]
        raise PlaceError(f"{doing}: exit code {done.returncode}: {shown(told[-1])}")


def _move(made: Path, ready: Path) -> None:
    """Give a finished environment its name; its Python works wherever it lies."""
    try:
        made.rename(ready)
    except OSError:
        if not python_of(ready).is_file():  # else another process was faster
            raise
