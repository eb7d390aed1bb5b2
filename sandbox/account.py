"""What the simulated accounts of all providers share: their objects, internal data beside them, and settings."""

from collections.abc import Mapping
from typing import ClassVar

from sandbox.http_messages import Json
from sandbox.simulator import Simulator


class ProviderAccount:
    """`settings_default` and `choices` define the account's settings; a setting without choices takes any value."""

    name: ClassVar[str]
    settings_default: ClassVar[Json]
    choices: ClassVar[Mapping[str, tuple[object, ...]]] = {}

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.store = simulator.store

    def rows(self, kind: str) -> list[Json]:
        """Oldest first."""
        return list(self.store.table(f"{self.name}.{kind}").values())

    def get(self, kind: str, object_id: str | None) -> Json | None:
        return self.store.table(f"{self.name}.{kind}").get(object_id or "")

    def internal(self, object_id: str) -> Json:
        return self.store.table(f"{self.name}.internal").get(object_id, {})

    def set_internal(self, object_id: str, **facts: object) -> None:
        self.store.save(f"{self.name}.internal", object_id, self.internal(object_id) | facts)

    @property
    def settings(self) -> Json:
        return self.settings_default | self.store.table("settings").get(self.name, {})

    def configure(self, changes: Json) -> Json:
        """Raises KeyError for an unknown setting, ValueError for an invalid value."""
        for name, value in changes.items():
            if name in self.choices and value not in self.choices[name]:
                raise ValueError(f"{name} must be one of {', '.join(map(str, self.choices[name]))}.")
            self.settings_default[name]
        self.store.save("settings", self.name, self.settings | changes)
        return self.settings
