"""A tool's `Params` as command-line options, and values from outside as `Params`.

What a field says about itself, and where it is used:

    Field(title=, description=)                label and tooltip; the option's help text is the description
    annotation, default, ge, le, Literal       required or not, bounds, choices; list[...] takes several
    json_schema_extra={"positional": True}     given without its name on the command line, before the options
                      {"unit": "seconds"}      shown as SECONDS in the help
                      {"advanced": True}       listed after the others; folded away in a host's panel
                      {"display_range": [..]}  the slider's range in a host's panel
"""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ..errors import UsageError


def validate(params_type: type[BaseModel], values: Mapping[str, Any], as_options: bool) -> BaseModel:
    """`values` as `params_type`; raises UsageError with one line that names each wrong field.

    `as_options`: name fields as a person types them (`--time-budget`) rather than as a host sends them.
    """
    try:
        return params_type.model_validate(dict(values))
    except ValidationError as error:
        wrong = [_in_words(params_type, detail, as_options) for detail in error.errors(include_url=False)]
        raise UsageError("; ".join(wrong)) from None


def add_options(parser: argparse.ArgumentParser, params_type: type[BaseModel]) -> None:
    """One option for each field. Values stay text: `validate` is the only place that reads them."""
    advanced = parser.add_argument_group("advanced options")
    for name, field in params_type.model_fields.items():
        _add_option(advanced if _extra(field).get("advanced") else parser, name, field)


def option_name(name: str, field: FieldInfo | None) -> str:
    """The field as typed on the command line."""
    if field is not None and _extra(field).get("positional"):
        return name.upper()
    return "--" + name.replace("_", "-")


def _add_option(target: argparse._ActionsContainer, name: str, field: FieldInfo) -> None:
    kind, choices, is_list = _shape(field.annotation)
    keywords: dict[str, Any] = {"help": _help(field, kind), "default": argparse.SUPPRESS}
    positional = bool(_extra(field).get("positional"))
    if kind is bool:
        keywords["action"] = argparse.BooleanOptionalAction
        target.add_argument(option_name(name, field), dest=name, **keywords)
        return
    if choices:
        keywords["choices"] = choices
    else:
        unit = str(_extra(field).get("unit", _letter(kind, name)))
        keywords["metavar"] = name.upper() if positional else unit.upper()
    if positional:
        several, one = ("+", None) if field.is_required() else ("*", "?")
        target.add_argument(name, nargs=several if is_list else one, **keywords)
    else:
        keywords.update(nargs="+" if is_list else None, required=field.is_required())
        target.add_argument(option_name(name, field), dest=name, **keywords)


def _shape(annotation: Any) -> tuple[Any, list[str], bool]:
    """(type of one value, choices, takes several values) of an annotation; `| None` does not count."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [member for member in typing.get_args(annotation) if member is not type(None)]
        return _shape(inner[0])
    if origin is typing.Annotated:
        return _shape(typing.get_args(annotation)[0])
    if origin in (list, tuple):
        kind, choices, _ = _shape(typing.get_args(annotation)[0])
        return kind, choices, True
    if origin is typing.Literal:
        return str, [str(choice) for choice in typing.get_args(annotation)], False
    return annotation, [], False


def _letter(kind: Any, name: str) -> str:
    if kind in (int, float):
        return "N"
    names_a_file = any(word in name for word in ("plate", "keyframes", "out", "folder", "file", "path"))
    return "PATH" if names_a_file or kind is Path else "TEXT"


def _help(field: FieldInfo, kind: Any) -> str:
    text = (field.description or field.title or "").rstrip()
    default = field.get_default(call_default_factory=False)
    if not field.is_required() and default not in (None, "", [], ()) and kind is not bool:
        text += f" (default: {default})"
    return text.replace("%", "%%")


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def _in_words(params_type: type[BaseModel], detail: ErrorDetails, as_options: bool) -> str:
    location = [str(part) for part in detail["loc"]]
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if not location:
        return message
    field = params_type.model_fields.get(location[0])
    name = option_name(location[0], field) if as_options else location[0]
    where = ".".join([name, *location[1:]])
    if detail["type"] == "missing":
        return f"{where} is needed and missing"
    if detail["type"] == "extra_forbidden":
        known = ", ".join(params_type.model_fields) or "none"
        return f"{where} is not a parameter of this tool, which has: {known}"
    if detail["type"] in ("value_error", "assertion_error"):
        return f"{where}: {message}"
    return f"{where} is {detail['input']!r} and should be {message}"
