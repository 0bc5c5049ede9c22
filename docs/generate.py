"""Write the reference pages that are made from code: `python docs/generate.py`; a test checks them.

docs/settings.md from the settings' own declarations, docs/commands.md from the commands' help, and the JSON Schemas of
card.json and report.json.
"""

import ast
import inspect
import itertools
import json
import types
import typing
from pathlib import Path

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from edgecnn import project
from edgecnn.cli import COMMANDS, edgecnn
from edgecnn_bench.results import Report
from edgecnn_firmware.card import Card

DOCS = Path(__file__).resolve().parent


def settings_page() -> str:
    """Make the reference of edgecnn.toml."""
    lines = [
        "# edgecnn.toml",
        "",
        "`edgecnn init DATA_DIR` writes this file. All its tables and keys; a key without default is required.",
        "",
    ]
    for name, field in project.Project.model_fields.items():
        lines += _table(name, typing.cast("type[BaseModel]", field.annotation))
    return "\n".join(lines)


def _table(name: str, table: type[BaseModel]) -> list[str]:
    summary = inspect.cleandoc(table.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    _, _, meaning = summary.partition(": ")
    lines = [
        f"## [{name}]",
        "",
        meaning[:1].upper() + meaning[1:],
        "",
        "| key | accepts | default | meaning |",
        "|---|---|---|---|",
    ]
    notes = _attribute_docstrings(table)
    nested = []
    for key, field in table.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            nested.append((f"{name}.{key}", field.annotation))
            continue
        default = "" if field.default is PydanticUndefined else f"`{_toml(field.default)}`"
        accepts = ", ".join(_accepts(field.annotation, field.metadata))
        lines.append(f"| `{key}` | {accepts} | {default} | {notes.get(key, '')} |".replace("  ", " "))
    lines.append("")
    for sub_name, sub_table in nested:
        lines += _table(sub_name, sub_table)
    return lines


def _attribute_docstrings(table: type[BaseModel]) -> dict[str, str]:
    body = typing.cast("ast.ClassDef", ast.parse(inspect.getsource(table)).body[0]).body
    notes = {}
    for node, following in itertools.pairwise(body):
        is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_text:
            notes[node.target.id] = " ".join(str(following.value.value).split()).replace("|", "\\|")  # type: ignore[attr-defined]
    return notes


def _accepts(annotation: object, metadata: list[object] | None = None) -> list[str]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _accepts(arguments[0], list(arguments[1].metadata) if hasattr(arguments[1], "metadata") else [])
    if origin is typing.Literal:
        return [f"`{_toml(value)}`" for value in arguments]
    if origin in (typing.Union, types.UnionType):
        return [text for argument in arguments if argument is not type(None) for text in _accepts(argument, metadata)]
    if origin is tuple:
        return ["list of " + " or ".join(_accepts(arguments[0]))]
    if origin is dict:
        return ["table"]
    names = {int: "integer", float: "number", str: "text", bool: "`true`, `false`", Path: "path"}
    limits = [text for item in metadata or [] for text in _limits(item)]
    return [" ".join([names.get(typing.cast("type", annotation), str(annotation)), *limits])]


def _limits(item: object) -> list[str]:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return [f"{sign} {getattr(item, name)}" for name, sign in signs.items() if getattr(item, name, None) is not None]


def _toml(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return json.dumps(value, default=str)


def commands_page() -> str:
    """Make the reference of the command line."""
    lines = ["# Commands", "", "The help of every command, as `edgecnn COMMAND --help` prints it.", ""]
    context = click.Context(edgecnn, info_name="edgecnn", **edgecnn.context_settings)
    for name in COMMANDS:
        found = edgecnn.get_command(context, name)
        if found is None:
            raise LookupError(name)
        sub_context = click.Context(found, info_name=name, parent=context, max_content_width=100, terminal_width=100)
        lines += [f"## edgecnn {name}", "", "```", found.get_help(sub_context).rstrip(), "```", ""]
    return "\n".join(lines)


def schema(model: type[BaseModel]) -> str:
    """Make the JSON Schema of a document."""
    return json.dumps(model.model_json_schema(), indent=1, sort_keys=True) + "\n"


def pages() -> dict[str, str]:
    """All generated pages: file name -> text."""
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "card.schema.json": schema(Card),
        "report.schema.json": schema(Report),
    }


if __name__ == "__main__":
    for file_name, text in pages().items():
        (DOCS / file_name).write_text(text, encoding="utf-8")
