"""Modules of the `boards` extra, imported where they are used: the base install has none of them."""

from importlib import import_module
from typing import Any

from edgecnn_firmware.errors import MissingDependency

INSTALL = "pip install 'edgecnn[boards]'"


def load(module: str, doing: str) -> Any:
    """Import a module of the extra.

    Args:
        module: Its full name.
        doing: What needs it; opens the error's line.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingDependency(f"{doing} needs {module.partition('.')[0]}: {INSTALL}") from None
