"""Every error a user can cause: one tree, one clear line each.

The command line prints the line and exits with the error's `exit_code`. Anything outside this tree is a bug in edgecnn
and keeps its traceback.
"""


class EdgeCnnError(Exception):
    """Base of all errors that bad input, settings or surroundings cause."""

    exit_code = 1


class SettingsError(EdgeCnnError):
    """A setting is missing, unknown or out of range; the line names the key and what is accepted."""


class DataError(EdgeCnnError):
    """Recordings cannot be used as they are; the line names file, place, value and what would be accepted."""


class ModelError(EdgeCnnError):
    """A model file or a model-building function is unusable."""


class UnsupportedOp(ModelError):
    """An op of a model cannot be handled; the line names its number, name and reason."""


class BundleError(EdgeCnnError):
    """A bundle folder is incomplete, changed, or of an unknown schema version."""


class MissingDependency(EdgeCnnError):
    """Something the job needs is not installed; the line gives the command that installs it."""


class GateMissed(EdgeCnnError):
    """A `[gate]` limit was missed; the bundle is complete, the exit code differs from other errors."""

    exit_code = 3
