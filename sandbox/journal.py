"""Every effect at the providers, in order: the independent record that tests compare the shop's books with."""

from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass

from sandbox.http_messages import Json
from sandbox.store import Store

TABLE = "journal"


@dataclass(frozen=True)
class Origin:
    """Who causes the current effects. `actor`: api, browser, dashboard (a person) or provider (delayed jobs)."""

    actor: str
    request_id: str | None = None
    idempotency_key: str | None = None


PROVIDER = Origin("provider")
origin: ContextVar[Origin] = ContextVar("origin", default=PROVIDER)


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, provider: str, effect: str, at: int, **facts: object) -> None:
        """`facts`: id, amount in minor units, currency, metadata and references to other objects."""
        seq = len(self._store.table(TABLE)) + 1
        cause = origin.get()
        row = {
            "seq": seq,
            "at": at,
            "provider": provider,
            "effect": effect,
            "actor": cause.actor,
            "request_id": cause.request_id,
            "idempotency_key": cause.idempotency_key,
            **facts,
        }
        self._store.save(TABLE, str(seq), row)

    def read(self, filters: dict[str, str]) -> list[Json]:
        """Return rows whose fields equal the filters; `since` skips rows up to that seq."""
        wanted = {name: value for name, value in filters.items() if name != "since"}
        since = int(filters.get("since", "0"))
        return [
            row
            for row in self._store.table(TABLE).values()
            if row["seq"] > since and all(str(row.get(name)) == value for name, value in wanted.items())
        ]

    def totals(self, provider: str | None = None) -> dict[str, dict[str, int]]:
        """Sum minor units captured, refunded (less reversed refunds) and disputed (less disputes won), by currency.

        For one provider, or for all.
        """
        sums: dict[str, Counter[str]] = {name: Counter() for name in ("captured", "refunded", "disputed")}
        signs = {
            "charge.captured": ("captured", 1),
            "capture.completed": ("captured", 1),
            "refund.succeeded": ("refunded", 1),
            "refund.completed": ("refunded", 1),
            "refund.reversed": ("refunded", -1),
            "capture.reversed": ("disputed", 1),
            "dispute.withdrawn": ("disputed", 1),
            "dispute.reinstated": ("disputed", -1),
        }
        for row in self._store.table(TABLE).values():
            if row["effect"] in signs and provider in {None, row["provider"]}:
                name, sign = signs[row["effect"]]
                sums[name][row["currency"]] += sign * row["amount"]
        return {name: dict(counter) for name, counter in sums.items()}
