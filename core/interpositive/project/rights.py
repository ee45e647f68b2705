"""Who owns the material, and which clips a model may be trained on: the project's `rights.json`.

    {
      "schema": "interpositive.rights", "version": 1,
      "owner": "Northlight Pictures", "licence": "own production",
      "default": {"training": true, "expires": "2028-12-31"},
      "rules": [{"reel": "B0*", "training": false, "note": "second unit, not cleared"}],
      "persons": [{"name": "Ada Example", "consent": "C-0017", "scope": ["training"],
                   "granted": "2026-01-05", "clips": ["A001_*", "day2/interviews"]}]
    }

A rule names at least one of `path`, `reel`, `scene`, `clip` (the clip's name); all that it names must match.
Patterns ignore case and know * and ?; a path's pattern may begin at any folder, and a folder stands for
everything in it. A prohibition beats a permission, a permission beats the default. `expires` is the last day:
a permission that has expired no longer permits, a prohibition that has expired no longer prohibits.

Whoever appears in a clip - its `persons`, or a person whose `clips` match its name or path - must have given
consent with "training" in its scope, begun, not expired and not withdrawn. Without a rights file nothing
may be trained on.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from ..errors import RightsError
from .clips import Clip

SCHEMA = "interpositive.rights"
VERSION = 1
TRAINING = "training"

_LARGEST_BYTES = 16 * 1024**2

# version -> the function that turns a rights file of that version into one of the next.
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def _day(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        raise ValueError("expected a date such as 2027-01-31")
    return value


_Day = Annotated[datetime.date | None, BeforeValidator(_day)]
_Text = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Default(_Entry):
    training: StrictBool
    expires: _Day = None
    note: str = ""


class _Rule(_Default):
    path: _Text | None = None
    reel: _Text | None = None
    scene: _Text | None = None
    clip: _Text | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.path or self.reel or self.scene or self.clip):
            raise ValueError("expected a pattern for at least one of path, reel, scene, clip")
        return self

    def matches(self, clip: Clip) -> bool:
        asked = ((self.reel, clip.reel), (self.scene, clip.scene), (self.clip, clip.name))
        if not all(_matches(pattern, text) for pattern, text in asked if pattern is not None):
            return False
        return self.path is None or _matches_path(self.path, clip.path)

    def told(self) -> str:
        named = (("path", self.path), ("reel", self.reel), ("scene", self.scene), ("clip", self.clip))
        return ", ".join(f"{name} {pattern}" for name, pattern in named if pattern is not None)


class _Person(_Entry):
    name: _Text
    consent: _Text | None = None
    scope: tuple[str, ...] = ()
    granted: _Day = None
    expires: _Day = None
    withdrawn: _Day = None
    clips: tuple[_Text, ...] = ()
    note: str = ""

    def appears_in(self, clip: Clip) -> bool:
        if folded(self.name) in map(folded, clip.persons):
            return True
        return any(_matches(p, clip.name) or _matches_path(p, clip.path) for p in self.clips)

    def objection(self, day: datetime.date) -> str | None:
        """Why this person's pictures may not be trained on that day; None when they may."""
        if self.consent is None or self.granted is None:
            return f"{self.name} has not given consent"
        consent = f"{self.name}'s consent {self.consent}"
        if TRAINING not in map(folded, self.scope):
            return f"{consent} does not cover training"
        if self.withdrawn is not None and self.withdrawn <= day:
            return f"{consent} was withdrawn on {self.withdrawn}"
        if day < self.granted:
            return f"{consent} begins on {self.granted}"
        if self.expires is not None and self.expires < day:
            return f"{consent} ended on {self.expires}"
        return None


class _RightsFile(_Entry):
    schema_name: Literal["interpositive.rights"] = Field(alias="schema")
    version: Literal[1]
    owner: _Text
    licence: _Text
    default: _Default
    rules: tuple[_Rule, ...] = ()
    persons: tuple[_Person, ...] = ()

    @model_validator(mode="after")
    def _one_entry_a_person(self) -> Self:
        names = [folded(person.name) for person in self.persons]
        twice = next((person.name for person in self.persons if names.count(folded(person.name)) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands in persons more than once; write one entry a person")
        return self


@dataclass(frozen=True)
class Permission:
    """Whether a clip may be trained on, why, and the ids of the consents that were relied on."""

    allowed: bool
    reason: str
    consent_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rights:
    """A validated rights file, or none (`Rights.absent()`). `sha256` is of the file's bytes."""

    owner: str | None
    licence: str | None
    sha256: str | None
    _file: _RightsFile | None

    @classmethod
    def absent(cls) -> Self:
        """A project without rights file: nothing may be trained on."""
        return cls(None, None, None, None)

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a rights file. Raises RightsError with the first thing that is wrong."""
        content = _read(path)
        try:
            values = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_each_once)
        except (ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise RightsError(f"Rights file {path} is not sound JSON: {reason}. Correct it there.") from None
        if not isinstance(values, dict) or values.get("schema") != SCHEMA:
            raise RightsError(f'{path} is not a rights file: expected "schema": "{SCHEMA}" in it.')
        found = values.get("version")
        if isinstance(found, int) and found > VERSION:
            raise RightsError(
                f"Rights file {path} has version {found}, and this Interpositive reads up to {VERSION}. "
                "Update Interpositive."
            )
        while found in _UPGRADES:
            values = _UPGRADES[found](values)
            found = values.get("version")
        try:
            file = _RightsFile.model_validate(values)
        except ValidationError as error:
            wrong = _in_words(error.errors(include_url=False)[0])
            raise RightsError(f"Rights file {path}: {wrong}. Correct it there.") from None
        return cls(file.owner, file.licence, hashlib.sha256(content).hexdigest(), file)

    @property
    def is_absent(self) -> bool:
        return self._file is None

    def may_train(self, clip: Clip, on_date: datetime.date) -> Permission:
        """Whether a model may be trained on `clip` on that day, and the reason in plain words."""
        file = self._file
        if file is None:
            return Permission(False, "The project has no rights file, so nothing may be trained on.")
        objection, permission = _material(file, clip, on_date)
        if objection is not None:
            return Permission(False, objection)
        shown = [person for person in file.persons if person.appears_in(clip)]
        listed = {folded(person.name) for person in file.persons}
        unknown = [name for name in clip.persons if folded(name) not in listed]
        objections = [f"{name} is in it, and the rights file has no consent of theirs" for name in unknown]
        objections += [told for person in shown if (told := person.objection(on_date)) is not None]
        if objections:
            return Permission(False, "; ".join(objections) + ".")
        return Permission(True, permission, tuple(person.consent for person in shown if person.consent))


def folded(text: str) -> str:
    """Text for comparison: case and Unicode composition do not count."""
    return unicodedata.normalize("NFC", text).casefold()


def _material(file: _RightsFile, clip: Clip, day: datetime.date) -> tuple[str | None, str]:
    """(objection or None, what permits) by rules and default, before anybody's consent."""
    matching = [rule for rule in file.rules if rule.matches(clip)]
    for rule in matching:
        if not rule.training and not _is_over(rule, day):
            until = f" until {rule.expires}" if rule.expires is not None else ""
            return f"The rule for {rule.told()} forbids training{until}{_note(rule)}.", ""
    permitting = [rule for rule in matching if rule.training]
    for rule in permitting:
        if not _is_over(rule, day):
            return None, f"The rule for {rule.told()} permits training{_note(rule)}."
    if permitting:
        rule = permitting[0]
        return f"The permission for {rule.told()} ended on {rule.expires}{_note(rule)}.", ""
    if not file.default.training:
        return f"The rights file permits training only where a rule says so{_note(file.default)}.", ""
    if _is_over(file.default, day):
        return f"The permission to train ended on {file.default.expires}{_note(file.default)}.", ""
    return None, f"{file.owner} permits training{_note(file.default)}."


def _is_over(entry: _Default, day: datetime.date) -> bool:
    return entry.expires is not None and entry.expires < day


def _note(entry: _Default) -> str:
    return f" ({entry.note.rstrip('.')})" if entry.note else ""


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and _expression(pattern).fullmatch(folded(text)) is not None


def _matches_path(pattern: str, path: str) -> bool:
    return _path_expression(pattern).fullmatch(folded(path)) is not None


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(_wildcards(folded(pattern)), re.DOTALL)


@lru_cache(maxsize=4096)
def _path_expression(pattern: str) -> re.Pattern[str]:
    body = _wildcards(folded(pattern).rstrip("/"))
    start = "" if pattern.startswith(("/", "*")) else "(?:.*/)?"
    return re.compile(f"{start}{body}(?:/.*)?", re.DOTALL)


def _wildcards(pattern: str) -> str:
    once = re.sub(r"\*+", "*", pattern)
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in once)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise RightsError(f"{path} is larger than {_LARGEST_BYTES} bytes, which no rights file is.")
        return path.read_bytes()
    except OSError as error:
        raise RightsError(f"Rights file {path} cannot be read: {error.strerror}. Check the path.") from None


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no name stands twice: the second would silently replace the first."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" stands twice in one entry')
    return values


def _in_words(detail: ErrorDetails) -> str:
    where = ".".join(
        str(part + 1) if isinstance(part, int) else str(part) for part in detail["loc"]
    ).replace("schema_name", "schema")  # fmt: skip
    if detail["type"] == "missing":
        return f"{where} is missing"
    if detail["type"] == "extra_forbidden":
        return f"{where} is not known there; check the spelling"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if not where:
        return message
    if detail["type"] == "value_error":
        joined = "" if isinstance(detail["input"], dict) else f" is {detail['input']!r},"
        return f"{where}{joined or ':'} {message}"
    return f"{where} is {detail['input']!r} and should be {message}"
