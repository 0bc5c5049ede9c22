"""A worker's process: started, asked within time limits, and ended; whatever it does wrong is one clear line."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from edgecnn_bench.places.protocol import Frame, Garbage, PlaceError, pack, read_frame, shown

END_S: Final = 8.0
"""Seconds that a worker gets to end by itself: it may be in the middle of a call, and has its folder to remove."""
_KILL_S: Final = 2.0
_MARGIN_S: Final = 5.0
"""The worker's own limit is later by this, so that a report comes from here."""
_PIECE: Final = 1 << 20
_STDERR_LINES: Final = 20
_STDERR_LINE_BYTES: Final = 2000


@dataclass(frozen=True)
class Launch:
    """How to start a worker.

    Attributes:
        name: What errors call it.
        command: Program and arguments; no shell sees them.
        first_bytes: Sent before the first frame.
        environment: Its environment variables; those of this process if None.
        deaths: Exit code -> what it means.
    """

    name: str
    command: tuple[str, ...]
    first_bytes: bytes = b""
    environment: Mapping[str, str] | None = None
    deaths: Mapping[int, str] | None = None


class Worker:
    """A running worker."""

    def __init__(self, launch: Launch) -> None:
        """Start it.

        Raises:
            PlaceError: there is no such program.
        """
        self._launch = launch
        try:
            self._process = subprocess.Popen(  # noqa: S603
                list(launch.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # No buffers here: closing one would wait for a worker that does not read.
                bufsize=0,
                env=None if launch.environment is None else dict(launch.environment),
                # Ctrl-C at the terminal is for this process, which then ends the worker in good order.
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            raise PlaceError(f"{launch.name}: {launch.command[0]}: {error.strerror or error}") from error
        self._said: deque[bytes] = deque(maxlen=_STDERR_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._unsent = launch.first_bytes
        self._usable = True

    @property
    def usable(self) -> bool:
        """Whether it can be asked once more."""
        return self._usable and self._process.poll() is None

    def ask(self, header: Mapping[str, Any], body: bytes = b"", *, limit_s: float, max_body_bytes: int = 0) -> Frame:
        """Send a request and wait for its answer.

        Args:
            header: The request.
            body: Bytes that go with it.
            limit_s: Seconds that it may take.
            max_body_bytes: How many bytes may come with the answer.

        Raises:
            PlaceError: the worker refuses the request, dies, answers nonsense, or takes too long. It is usable after a
                refusal only.
        """
        prefix = pack({**header, "limit_s": limit_s + _MARGIN_S}, len(body))
        if not self._usable:
            raise PlaceError(f"{self._launch.name}: the worker has ended")
        self._usable = False
        late = threading.Event()
        timer = threading.Timer(limit_s, self._end_late, (late,))
        timer.daemon = True
        timer.start()
        problem, answer = "", None
        try:
            answer = self._exchange(prefix, body, max_body_bytes)
        except Garbage as error:
            problem = f"the answer is not the worker's: {error}"
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():
            raise PlaceError(f"{self._launch.name}: no answer within {limit_s:g} s{self._last_line()}")
        if problem:
            self.close(0)
            raise PlaceError(f"{self._launch.name}: {problem}{self._last_line()}")
        if answer is None:
            raise PlaceError(f"{self._launch.name}: {self._death()}")
        self._usable = True
        if "error" in answer.header:
            raise PlaceError(f"{self._launch.name}: {shown(str(answer.header['error']))}")
        return answer

    def close(self, end_s: float = END_S) -> None:
        """End the worker: let it go by itself for `end_s` seconds, then by force."""
        self._usable = False
        with contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(end_s)
        except subprocess.TimeoutExpired:
            self._end_by_force()
        finally:
            if self._process.poll() is None:
                self._signal(force=True)
            self._listener.join(_KILL_S)
            if self._process.stdout is not None and not self._listener.is_alive():
                self._process.stdout.close()

    def _exchange(self, prefix: bytes, body: bytes, max_body_bytes: int) -> Frame | None:
        stdin, stdout = _open(self._process.stdin), _open(self._process.stdout)
        try:
            # A worker that has died is told by its missing answer.
            with contextlib.suppress(BrokenPipeError, OSError):
                for part in (self._unsent, prefix, body):
                    _write(stdin, part)
            return read_frame(stdout, max_body_bytes)
        finally:
            self._unsent = b""

    def _death(self) -> str:
        """How the process ended; it has closed its output."""
        try:
            code = self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            self._end_by_force()
            return f"the worker closed its output{self._last_line()}"
        meaning = (self._launch.deaths or {}).get(code)
        return f"{meaning or died(code)}{self._last_line()}"

    def _end_late(self, late: threading.Event) -> None:
        late.set()
        self._end_by_force()

    def _end_by_force(self) -> None:
        self._signal(force=False)
        try:
            self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            self._signal(force=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_KILL_S)

    def _signal(self, *, force: bool) -> None:
        """Signal the process and those that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.kill() if force else self._process.terminate()
            else:
                os.killpg(self._process.pid, signal.SIGKILL if force else signal.SIGTERM)

    def _listen(self) -> None:
        """Keep the last lines of standard error."""
        with contextlib.suppress(OSError, ValueError), io.BufferedReader(_open(self._process.stderr)) as stderr:
            while line := stderr.readline(_STDERR_LINE_BYTES):
                if line.strip():
                    self._said.append(line)

    def _last_line(self) -> str:
        if self._process.poll() is not None:
            self._listener.join(_KILL_S)
        lines = [text for line in self._said if (text := shown(line.decode("utf-8", "replace")))]
        return f": {lines[-1]}" if lines else ""


def died(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"the worker ended with exit code {code}"
    try:
        return f"the worker died of {signal.Signals(-code).name}"
    except ValueError:
        return f"the worker died of signal {-code}"


def _write(stream: Any, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[stream.write(left[:_PIECE]) :]


def _open(stream: IO[bytes] | None) -> Any:
    if stream is None:
        raise PlaceError("the worker has no pipes")
    return stream
