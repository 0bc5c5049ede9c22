"""Options of presets: what a project file may change, and one clear line where it asks for something else."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from edgecnn_firmware.errors import SettingsError

Value: TypeAlias = int | float | str | tuple[int, ...]

MAX_LIST = 64


@dataclass(frozen=True)
class Option:
    """One option; the type of `default` is the type it takes. A list also takes one number, meant for every stage."""

    default: Value
    meaning: str
    low: float = 1
    high: float = 4096
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False


@dataclass(frozen=True)
class Options:
    """Checked values of all options of a preset."""

    model: str
    values: Mapping[str, Value]
    given: frozenset[str]

    def number(self, name: str) -> int:
        """An integer option."""
        value = self.values[name]
        if not isinstance(value, int):
            raise TypeError(f"option '{name}' is no integer")
        return value

    def rate(self, name: str) -> float:
        """A fraction."""
        value = self.values[name]
        if isinstance(value, (str, tuple)):
            raise TypeError(f"option '{name}' is no number")
        return float(value)

    def text(self, name: str) -> str:
        """A choice."""
        return str(self.values[name])

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of integers."""
        value = self.values[name]
        if not isinstance(value, tuple):
            raise TypeError(f"option '{name}' is no list")
        return value

    def per_stage(self, name: str, stages: int) -> tuple[int, ...]:
        """A list with one number a stage; a shorter list goes on with its last number.

        Raises:
            SettingsError: the project file gives more numbers than there are stages.
        """
        values = self.numbers(name)
        if len(values) > stages and name in self.given:
            raise SettingsError(
                f"model '{self.model}': option '{name}' has {len(values)} numbers for {stages} stages ('filters')"
            )
        return (values + values[-1:] * stages)[:stages]


def resolve(model: str, accepted: Mapping[str, Option], given: Mapping[str, Value]) -> Options:
    """Check the options a project file gives and fill in the defaults.

    Raises:
        SettingsError: an option is unknown, of the wrong type, or out of range.
    """
    values = {name: option.default for name, option in accepted.items()}
    for name, value in given.items():
        if name not in accepted:
            close = difflib.get_close_matches(name, accepted, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise SettingsError(f"model '{model}': unknown option '{name}'; {hint}accepted: {', '.join(accepted)}")
        values[name] = _checked(model, name, accepted[name], value)
    return Options(model, values, frozenset(given))


def _checked(model: str, name: str, option: Option, value: Value) -> Value:
    error = SettingsError(f"model '{model}': option '{name}' = {_shown(value)}: expected {expectation(option)}")
    default = option.default
    if isinstance(default, str):
        if value not in option.choices:
            raise error
        return value
    if isinstance(default, tuple):
        numbers = value if isinstance(value, tuple) else (value,)
        if len(numbers) > MAX_LIST or (not numbers and not option.may_be_empty):
            raise error
        whole = tuple(number for number in numbers if isinstance(number, int) and not isinstance(number, bool))
        if len(whole) < len(numbers) or not all(option.low <= number <= option.high for number in whole):
            raise error
        return whole
    if isinstance(value, (str, tuple, bool)) or (isinstance(default, int) and not isinstance(value, int)):
        raise error
    if not option.low <= value <= option.high:
        raise error
    return value


def expectation(option: Option) -> str:
    """What an option accepts, in a few words."""
    if isinstance(option.default, str):
        return "one of " + ", ".join(f"'{choice}'" for choice in option.choices)
    if isinstance(option.default, tuple):
        return f"a list of whole numbers from {option.low:g} to {option.high:g}"
    kind = "a whole number" if isinstance(option.default, int) else "a number"
    return f"{kind} from {option.low:g} to {option.high:g}"


def _shown(value: Value) -> str:
    return str(list(value)) if isinstance(value, tuple) else repr(value)
