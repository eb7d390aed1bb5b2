import uuid
from collections.abc import Sequence
from typing import TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


class BaseModel(models.Model):
    """UUID key and times for everything that leaves the house."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


def only_row(rows: models.QuerySet[M]) -> M | None:
    """The row of a unique key, or None: `first()` without its sorting."""
    return next(iter(rows.order_by()), None)


def row_write(row: models.Model, columns: Sequence[str]) -> None:
    """Write these columns of a row, and the time of the change; nothing when there are none."""
    if not columns:
        return
    times = [field.name for field in row._meta.concrete_fields if getattr(field, "auto_now", False)]
    row.save(update_fields=[*columns, *times])


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def one_of(field: str, values: list[str], *, name: str) -> models.CheckConstraint:
    """The column holds one of these values, whoever writes it."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": values}), name=name)


def label_of(statuses: type[models.TextChoices], value: str) -> str:
    """What people read for a stored status; the value itself when this release does not know it."""
    return str(dict(statuses.choices).get(value, value))


def iso_currency(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name=name)


class IdempotencyState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Answered"


class IdempotencyKey(models.Model):
    """What a client asked for under an Idempotency-Key, and the answer it got: kept for a day.

    While the work runs `lease_until` names who does it. `effect` is what the work wrote, such as "order:<id>", in the
    transaction of that work. `body` is JSON without credentials, `fingerprint` a keyed hash of the request without
    card data.
    """

    principal = models.CharField(max_length=80)
    route = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=7, choices=IdempotencyState, default=IdempotencyState.RUNNING)
    lease_until = models.DateTimeField()
    effect = models.CharField(max_length=100, blank=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["principal", "route", "key"], name="idempotency_key_once_per_principal_and_route"
            ),
            one_of("state", IdempotencyState.values, name="idempotency_state_known"),
            models.CheckConstraint(
                condition=models.Q(state="done", status_code__isnull=False)
                | (~models.Q(state="done") & models.Q(status_code__isnull=True)),
                name="idempotency_done_has_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
