"""JSON of strangers: parsed strictly, and held against a shape."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import canonical

DEPTH = 12

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""Never in any text: controls but for tab and newline, lone surrogates, byte-order marks."""

HIDDEN = re.compile(
    r"[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\U000e0000-\U000e007f]"
)
"""Not in what a submitter writes: zero width, bidirectional controls, other ends of a line, tag
characters."""

BREAK = re.compile(r"[\n\t]")
"""Not in what names something."""


class _Refused(ValueError):
    """Raised while parsing: code and value."""


def read_json(name: str, data: bytes) -> tuple[Any, list[Fault]]:
    """Parse a file's bytes; None where that cannot be done."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as ex:
        return None, [Fault("not-utf8", name, got=f"byte {ex.start}", mend="Write it as UTF-8")]
    if text.startswith("\ufeff"):
        return None, [Fault("bad-character", name, got="a byte-order mark", mend="Leave it out")]
    if _depth(text) > DEPTH:
        return None, [Fault("too-deep", name, expected=f"at most {DEPTH} levels")]
    try:
        return json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        ), []
    except _Refused as ex:
        code, value = ex.args
        return None, [Fault(code, name, got=shown(value))]
    except (ValueError, RecursionError) as ex:
        return None, [Fault("not-json", name, got=shown(str(ex)))]


def _depth(text: str) -> int:
    depth = most = 0
    # A text that is not closed is taken to the end: looking for its end at each quote in it would
    # take a minute for a file of nothing but quotes.
    for mark in re.sub(r'"(?:[^"\\]|\\.)*"?', "", text, flags=re.DOTALL):
        depth += (mark in "[{") - (mark in "]}")
        most = max(most, depth)
    return most


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused("duplicate-key", key)
            seen.add(key)
    return found


def _constant(text: str) -> float:
    raise _Refused("not-finite", text)


def _integer(text: str) -> int:
    if len(text) > 15:
        raise _Refused("not-finite", text)
    return int(text)


def _float(text: str) -> float:
    if not abs(value := float(text)) < 1e15:
        raise _Refused("not-finite", text)
    return value


def check_texts(name: str, value: Any, free: frozenset[str] = frozenset()) -> Iterator[Fault]:
    """Every text, keys too: no character that hides or breaks, and in normal form C.

    Args:
        name: of the file.
        value: what was parsed.
        free: fields in which a person or a program wrote prose, which may have line breaks.
    """
    for field, text in texts(value):
        last = field.rpartition(".")[2]
        wrong = CONTROL.search(text) or HIDDEN.search(text)
        wrong = wrong or (None if last in free else BREAK.search(text))
        if wrong:
            yield Fault("bad-character", name, field, None, shown(wrong[0]), "", "Remove it")
        elif not unicodedata.is_normalized("NFC", text):
            yield Fault("not-nfc", name, field, None, shown(text), "the text in NFC")


def texts(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Every text in parsed JSON with its field, such as runs.0.id; keys too."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"{field}.(key)", key
            yield from texts(item, f"{field}.{shown(key, 40)}".lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts(item, f"{field}.{number}".lstrip("."))


def check_canonical(name: str, value: Any, data: bytes) -> list[Fault]:
    """The bytes are the one form of what they say."""
    if canonical(value) == data:
        return []
    mend = "Sorted keys, no spaces, one newline at the end: run `panelist submit` again"
    return [Fault("not-canonical", name, mend=mend)]


@dataclass(frozen=True)
class Text:
    """A text of at most so many characters; `null` whether it may be null."""

    limit: int = 200
    null: bool = False


@dataclass(frozen=True)
class Number:
    """A number; `whole` for an integer, `null` whether it may be null."""

    whole: bool = True
    null: bool = False


class Flag:
    """True or false."""


@dataclass(frozen=True)
class Keys:
    """An object with exactly these keys; those in `optional` may lack."""

    shape: Mapping[str, Any]
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Each:
    """An object whose values, or a list whose items, all have one shape; at most `limit`."""

    shape: Any
    kind: type
    limit: int = 100_000


def check_shape(name: str, value: Any, shape: Any, field: str = "") -> Iterator[Fault]:
    """What does not fit a shape."""
    if isinstance(shape, Text):
        if isinstance(value, str):
            if len(value) > shape.limit:
                long = f"{len(value)} characters"
                yield Fault("text-too-long", name, field, None, long, f"at most {shape.limit}")
        elif not (value is None and shape.null):
            yield Fault("wrong-type", name, field, None, shown(value), "a text")
    elif isinstance(shape, Number):
        yield from _number(name, value, shape, field)
    elif isinstance(shape, Flag):
        if not isinstance(value, bool):
            yield Fault("wrong-type", name, field, None, shown(value), "true or false")
    elif isinstance(shape, Keys):
        yield from _keys(name, value, shape, field)
    elif isinstance(shape, Each):
        yield from _each(name, value, shape, field)


def _each(name: str, value: Any, shape: Each, field: str) -> Iterator[Fault]:
    if not isinstance(value, (dict, list)) or type(value) is not shape.kind:
        yield Fault("wrong-type", name, field, None, shown(value), shape.kind.__name__)
    elif len(value) > shape.limit:
        most = f"at most {shape.limit} items"
        yield Fault("wrong-type", name, field, None, f"{len(value)} items", most)
    else:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from check_shape(name, item, shape.shape, f"{field}.{shown(str(key), 40)}")


def _number(name: str, value: Any, shape: Number, field: str) -> Iterator[Fault]:
    kind = "an integer" if shape.whole else "a number"
    if value is None and shape.null:
        return
    if isinstance(value, bool):
        yield Fault("bool-as-number", name, field, None, shown(value), kind)
    elif isinstance(value, str):
        digits = re.fullmatch(r"[-+0-9.eE]+", value)
        code = "numeric-string" if digits else "wrong-type"
        yield Fault(code, name, field, None, shown(value), kind)
    elif not isinstance(value, int if shape.whole else (int, float)):
        yield Fault("wrong-type", name, field, None, shown(value), kind)


def _keys(name: str, value: Any, shape: Keys, field: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault("wrong-type", name, field, None, shown(value), "an object")
        return
    for key in sorted(set(value) - set(shape.shape)):
        yield Fault("unknown-key", name, f"{field}.{shown(key)}".lstrip("."), mend="Remove it")
    for key, inner in shape.shape.items():
        inside = f"{field}.{key}".lstrip(".")
        if key in value:
            yield from check_shape(name, value[key], inner, inside)
        elif key not in shape.optional:
            yield Fault("missing-key", name, inside)
