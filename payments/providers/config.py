"""A provider's configuration: a dataclass whose fields name their environment variables."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self

from artisans.core.money import CURRENCIES


def text(value: Any) -> str:
    return str(value).strip()


def base_url(value: Any) -> str:
    return text(value).rstrip("/")


def comma_separated(value: Any) -> tuple[str, ...]:
    """Parse a comma-separated list."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


def currency_codes(value: Any) -> tuple[str, ...]:
    """Parse a comma-separated list of ISO 4217 codes. Errors: ValueError for any other word."""
    codes = tuple(code.upper() for code in comma_separated(value))
    if unknown := [code for code in codes if code not in CURRENCIES]:
        raise ValueError(f"{unknown[0]!r} is not the code of a currency.")
    return codes


def boolean(value: Any) -> bool:
    """Parse a boolean. Errors: ValueError for any other value."""
    word = text(value).lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off", ""}:
        return False
    raise ValueError(f"{word!r} is neither true nor false.")


def variable(name: str, read: Callable[[Any], Any] = text, *, default: Any = "", secret: bool = False) -> Any:
    """A field that is read from an environment variable; secrets are excluded from `repr`."""
    return field(default=default, repr=not secret, metadata={"variable": name, "read": read})


@dataclass(frozen=True)
class ProviderConfig:
    @classmethod
    def variables(cls) -> dict[str, str]:
        """The environment variable of each field that has one."""
        return {row.name: row.metadata["variable"] for row in fields(cls) if "variable" in row.metadata}

    @classmethod
    def from_env(cls, get: Callable[[str], Any]) -> Self:
        """Read the configuration; `get(variable)` returns a value, "" if it is not set. Errors: ValueError
        for an invalid value."""
        values = {}
        for row in fields(cls):
            name = row.metadata.get("variable", "")
            value = get(name) if name else ""
            if value not in ("", None):
                try:
                    values[row.name] = row.metadata["read"](value)
                except ValueError as error:
                    raise ValueError(f"{name}={error}") from None
        return cls(**values)

    @property
    def can_verify_webhooks(self) -> bool:
        """Whether what is needed to verify the provider's webhooks is set."""
        return True

    @property
    def account(self) -> str:
        """The mode, and the account if it is known, that the provider's ids belong to: "live", "live ABC"; "" if
        there is only one."""
        return ""
