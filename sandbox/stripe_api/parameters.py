"""Parameter types: each parses one raw value (a string or nested dict) or raises Stripe's error for it.

Undeclared parameters are unknown, as at Stripe, including those that the sandbox does not simulate.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from sandbox.http_messages import Json
from sandbox.stripe_api.errors import bad_parameter, empty_parameter, missing_parameter, unknown_parameter

INTEGER = re.compile(r"-?[0-9]{1,15}")
DESCRIPTOR_FORBIDS = "<>\\'\"*"
METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 50, 40, 500


class Kind(Protocol):
    def read(self, raw: Any, name: str) -> Any: ...


@dataclass(frozen=True)
class Text:
    limit: int = 5000
    unset: bool = False  # an empty string unsets the value

    def read(self, raw: Any, name: str) -> str | None:
        if not isinstance(raw, str):
            raise bad_parameter(name, "Invalid string: must be a string")
        if raw == "":
            if self.unset:
                return None
            raise empty_parameter(name)
        if len(raw) > self.limit:
            message = f"Invalid string: {raw[:12]}...; must be at most {self.limit} characters"
            raise bad_parameter(name, message)
        return raw


@dataclass(frozen=True)
class Descriptor:
    """https://docs.stripe.com/get-started/account/statement-descriptors"""

    def read(self, raw: Any, name: str) -> str | None:
        text = Text(22, unset=True).read(raw, name)
        if text and any(sign in text for sign in DESCRIPTOR_FORBIDS):
            message = (
                f"Invalid statement descriptor. Cannot contain the characters {', '.join(DESCRIPTOR_FORBIDS)}"
            )
            raise bad_parameter(name, message, "invalid_statement_descriptor")
        if text and not re.search("[A-Za-z]", text):
            message = "The statement descriptor must contain at least one letter."
            raise bad_parameter(name, message, "invalid_statement_descriptor")
        return text


@dataclass(frozen=True)
class Url:
    def read(self, raw: Any, name: str) -> str:
        text = Text().read(raw, name) or ""
        if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).netloc:
            raise bad_parameter(name, "Not a valid URL", "url_invalid")
        return text


@dataclass(frozen=True)
class Int:
    minimum: int | None = None
    maximum: int | None = None

    def read(self, raw: Any, name: str) -> int:
        if raw == "":
            raise empty_parameter(name)
        if not isinstance(raw, str) or not INTEGER.fullmatch(raw):
            raise bad_parameter(name, f"Invalid integer: {raw}", "parameter_invalid_integer")
        number = int(raw)
        if self.minimum is not None and number < self.minimum:
            message = f"This value must be greater than or equal to {self.minimum}."
            raise bad_parameter(name, message, "parameter_invalid_integer")
        if self.maximum is not None and number > self.maximum:
            message = f"This value must be less than or equal to {self.maximum}."
            raise bad_parameter(name, message, "parameter_invalid_integer")
        return number


@dataclass(frozen=True)
class Flag:
    def read(self, raw: Any, name: str) -> bool:
        if raw not in {"true", "false"}:
            raise bad_parameter(name, f"Invalid boolean: {raw}")
        return bool(raw == "true")


class Choice:
    def __init__(self, *values: str) -> None:
        self.values = values

    def read(self, raw: Any, name: str) -> str:
        if raw not in self.values:
            choices = (
                ", ".join(self.values[:-1]) + f", or {self.values[-1]}" if self.values[1:] else self.values[0]
            )
            raise bad_parameter(name, f"Invalid {name}: must be one of {choices}")
        return str(raw)


class Unsettable:
    """An empty string unsets the value."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def read(self, raw: Any, name: str) -> Any:
        return None if raw == "" else self.kind.read(raw, name)


@dataclass(frozen=True)
class Many:
    kind: Kind

    def read(self, raw: Any, name: str) -> list[Any]:
        if raw == "":
            return []
        if not isinstance(raw, dict) or not all(key.isdecimal() for key in raw):
            raise bad_parameter(name, "Invalid array")
        return [self.kind.read(raw[key], f"{name}[{key}]") for key in sorted(raw, key=int)]


@dataclass(frozen=True)
class Map:
    fields: Mapping[str, Kind] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def read(self, raw: Any, name: str = "") -> Json:
        if not isinstance(raw, dict):
            raise bad_parameter(name, "Invalid object")
        for key in raw:
            if key not in self.fields:
                raise unknown_parameter(inside(name, key))
        for key in self.required:
            if key not in raw:
                raise missing_parameter(inside(name, key))
        return {key: self.fields[key].read(value, inside(name, key)) for key, value in raw.items()}

    def with_fields(self, **more: Kind) -> "Map":
        return Map({**self.fields, **more}, self.required)


@dataclass(frozen=True)
class Metadata:
    """Changes to metadata: None unsets a key, or everything if it replaces the dict."""

    def read(self, raw: Any, name: str) -> dict[str, str | None] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
            raise bad_parameter(name, "Invalid object")
        if len(raw) > METADATA_PAIRS:
            raise bad_parameter(name, f"You can specify up to {METADATA_PAIRS} keys.")
        for key, value in raw.items():
            if len(key) > METADATA_KEY:
                message = f"Metadata keys must be at most {METADATA_KEY} characters long"
                raise bad_parameter(inside(name, key[:METADATA_KEY]), message)
            if len(value) > METADATA_VALUE:
                message = f"Metadata values can have up to {METADATA_VALUE} characters, but you passed in {len(value)}"
                raise bad_parameter(inside(name, key), message)
        return {key: value or None for key, value in raw.items()}


@dataclass(frozen=True)
class Span:
    """`created=1` or `created[gte]=1&created[lt]=2`, as a dict of bounds."""

    def read(self, raw: Any, name: str) -> dict[str, int]:
        bounds: Mapping[str, Kind] = {bound: Int() for bound in ("gt", "gte", "lt", "lte")}
        if isinstance(raw, str):
            moment = Int().read(raw, name)
            return {"gte": moment, "lte": moment}
        return Map(bounds).read(raw, name)


ADDRESS = Map(
    {part: Text(unset=True) for part in ("city", "country", "line1", "line2", "postal_code", "state")}
)
SHIPPING = Map(
    {"address": ADDRESS, "name": Text(), "carrier": Text(), "phone": Text(), "tracking_number": Text()},
    required=("address", "name"),
)


def inside(outer: str, key: str) -> str:
    return f"{outer}[{key}]" if outer else key


def merged(old: Mapping[str, str], change: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return the metadata after a change."""
    if change is None:
        return {}
    return {key: value for key, value in {**old, **change}.items() if value is not None}
