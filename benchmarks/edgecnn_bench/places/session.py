"""The worker of a place, started again after an engine has killed it, and what it says of itself."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edgecnn_bench.places.process import Launch, Worker
from edgecnn_bench.places.protocol import Frame, PlaceError, shown
from edgecnn_bench.results import Environment

START_S: Final = 60.0
"""Until the first answer: connecting, starting Python, importing numpy on a slow machine."""
MAX_STARTS: Final = 12

Text = Annotated[str, Field(max_length=2000), AfterValidator(shown)]


class Hello(BaseModel):
    """What a worker says of itself; a stranger's text."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    python: Text
    libraries: Annotated[dict[Text, Text], Field(max_length=20)]
    interpreter: Literal["ai-edge-litert", "tflite-runtime", "tensorflow", ""]
    why: Text
    """Why there is no interpreter."""
    system: Text
    machine: Text
    cpu: Text
    cores: Annotated[int, Field(ge=1, le=1 << 16)]
    pointer_bits: Literal[32, 64]
    libc: Text
    features: Annotated[list[Text], Field(max_length=1000)]
    """The processor's extensions, as the system's kernel names them."""

    @property
    def environment(self) -> Environment:
        """For the report."""
        return Environment(
            system=self.system,
            machine=self.machine,
            cpu=self.cpu,
            cores=self.cores,
            python=self.python,
            libraries=dict(sorted(self.libraries.items())),
        )

    @property
    def interpreter_title(self) -> str:
        """The interpreter's name and version for people; empty where there is none."""
        names = {"ai-edge-litert": "LiteRT", "tflite-runtime": "TFLite Runtime", "tensorflow": "TensorFlow Lite"}
        return (
            f"{names[self.interpreter]} {self.libraries.get(self.interpreter, '')}".rstrip() if self.interpreter else ""
        )


class Session:
    """Asks a worker and starts a new one after a death: what was loaded is then gone, and `generation` is another."""

    def __init__(self, launch: Launch, start_s: float = START_S) -> None:
        """Start the first worker.

        Raises:
            PlaceError: it does not start, or cannot be used.
        """
        self._launch, self._start_s = launch, start_s
        self.name = launch.name
        self.generation = 0
        self.notes: dict[str, None] = {}
        """Sentences for the report, each once."""
        self._worker = self._started()

    def ask(self, header: Mapping[str, Any], body: bytes = b"", *, limit_s: float, max_body_bytes: int = 0) -> Frame:
        """See `Worker.ask`; the worker must be alive."""
        return self._worker.ask(header, body, limit_s=limit_s, max_body_bytes=max_body_bytes)

    def revive(self) -> None:
        """Start a new worker where the last one has died.

        Raises:
            PlaceError: it does not start, or too many have died.
        """
        if self._worker.usable:
            return
        self._worker.close(0)
        if self.generation >= MAX_STARTS:
            raise PlaceError(f"{self.name}: the worker has died {self.generation} times")
        self._worker = self._started()

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _started(self) -> Worker:
        self.generation += 1
        worker = Worker(self._launch)
        try:
            self.hello = self._greet(worker)
        except BaseException:
            worker.close()
            raise
        return worker

    def _greet(self, worker: Worker) -> Hello:
        answer = worker.ask({"command": "hello"}, limit_s=self._start_s)
        try:
            hello = Hello.model_validate(dict(answer.header))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = shown(".".join(str(part) for part in first["loc"]))
            raise PlaceError(f"{self.name}: the worker's greeting makes no sense: {where}: {first['msg']}") from error
        if "numpy" not in hello.libraries:
            # LiteRT has no wheels for 32-bit systems, and the last TFLite Runtime crashes under numpy 2.
            packages = "ai-edge-litert" if hello.pointer_bits == 64 else "tflite-runtime 'numpy<2'"
            install = f"pip install {packages}"
            raise PlaceError(f"{self.name}: its Python {hello.python} has no numpy; install it there: {install}")
        return hello
