import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_lazy as _

M = TypeVar("M", bound=models.Model)


class BaseModel(models.Model):
    """UUID primary key and timestamps, for models whose ids are public."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class ChangedColumnsModel(models.Model):
    """A row that third-party code saves whole (sign-in, password and address forms of libraries).

    `save()` without `update_fields` writes only the fields set since the row was read, so that concurrent changes by
    others are not undone.
    """

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        is_whole = not args and not {"update_fields", "force_insert"} & kwargs.keys()
        if is_whole and not self._state.adding:
            save_columns(self, self._set_columns(), **kwargs)
            return
        super().save(*args, **kwargs)
        self._remember(kwargs.get("update_fields"))

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        self._remember(names)

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        row = super().from_db(*args, **kwargs)
        row._remember()
        return row

    def _remember(self, names: Collection[str] | None = None) -> None:
        values = self._values()
        known = values if names is None else {name: values[name] for name in names if name in values}
        self._read = getattr(self, "_read", {}) | known

    def _values(self) -> dict[str, Any]:
        held = vars(self)
        return {f.name: held[f.attname] for f in self._meta.concrete_fields if f.attname in held}

    def _set_columns(self) -> list[str]:
        return [name for name, value in self._values().items() if self._read.get(name, NOT_LOADED) != value]


NOT_LOADED = object()


def get_or_none(rows: models.QuerySet[M]) -> M | None:
    """The row of a unique key, or None; like `first()` without its ordering."""
    return next(iter(rows.order_by()), None)


def save_columns(row: models.Model, columns: Collection[str], **options: Any) -> None:
    """Save these columns and the time of the change; does nothing if there are none."""
    if not columns:
        return
    times = [field.name for field in row._meta.concrete_fields if getattr(field, "auto_now", False)]
    row.save(update_fields=[*columns, *times], **options)


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def choices_constraint(field: str, values: list[str], *, name: str) -> models.CheckConstraint:
    """A check constraint: the column holds one of these values."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": values}), name=name)


def label_of(statuses: type[models.TextChoices], value: str) -> str:
    """The label of a stored status; the value itself if this release does not know it."""
    return str(dict(statuses.choices).get(value, value))


def sums_by_currency(rows: QuerySet[Any], column: str) -> Counter[str]:
    """Minor units by currency. Amounts of rows in several currencies are added up by it only."""
    return Counter(dict(rows.order_by().values_list("currency").annotate(Sum(column))))


def currency_constraint(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name=name)


class IdempotencyState(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Answered")


class IdempotencyKey(models.Model):
    """A request with an Idempotency-Key and its response, kept for a day.

    `lease_until` is set while the work runs. `effect` is what the work wrote, such as "order:<id>", recorded in the
    same transaction. `body` is JSON without credentials, `fingerprint` a keyed hash of the request without card data.
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
            choices_constraint("state", IdempotencyState.values, name="idempotency_state_known"),
            models.CheckConstraint(
                condition=models.Q(state="done", status_code__isnull=False)
                | (~models.Q(state="done") & models.Q(status_code__isnull=True)),
                name="idempotency_done_has_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Purge(models.Model):
    """The last purge of the rows of a retention rule (artisans/core/retention.py).

    `removed`: how many rows it deleted or emptied. `overdue_since`: since when the oldest row that it left is due.
    """

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    removed = models.PositiveBigIntegerField()
    overdue_since = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class InvariantResult(models.Model):
    """The last check of an invariant (artisans/core/invariants.py), with the sentences about the first rows that
    violated it; `since`: when they were first found."""

    name = models.CharField(max_length=60, primary_key=True)
    at = models.DateTimeField()
    violations = models.PositiveBigIntegerField()
    since = models.DateTimeField(null=True)
    sentences = models.JSONField(default=list)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Heartbeat(models.Model):
    """When a process or a periodic task was last active (artisans/core/heartbeats.py).

    `name`: "beat@<host>", "worker@<host>", the task's name, or another note, such as "backup". `at`: its last sign
    of life, or the end of its last run. `version`: the release that it ran. `keys`: a hash of its SECRET_KEY and
    ENCRYPTION_KEYS, to find hosts that differ.
    """

    name = models.CharField(max_length=200, primary_key=True)
    at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)
    runs = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveBigIntegerField(default=0)
    version = models.CharField(max_length=30, blank=True)
    keys = models.CharField(max_length=8, blank=True, default="", db_default="")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


BEAT_LEASE = "beat"


class Lease(models.Model):
    """Who holds a name, and until when (artisans/core/leases.py). `holder`: "" once it was released."""

    name = models.CharField(max_length=100, primary_key=True)
    holder = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class SystemCheck(models.Model):
    """The last results of a check of the doctor (artisans/core/doctor/).

    `since`: when it came into this state. `at`: when it last ran. `results`: its lines, as in JSON.
    """

    name = models.CharField(max_length=100, primary_key=True)
    state = models.CharField(max_length=10)
    since = models.DateTimeField()
    at = models.DateTimeField()
    results = models.JSONField(default=list)

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = _("System")

    def __str__(self) -> str:
        return self.name


class ChangeMark(models.Model):
    """A fact changed that the figures of this day count (artisans/core/changes.py)."""

    id = models.BigAutoField(primary_key=True)
    family = models.CharField(max_length=20)
    day = models.DateField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["family", "day"], name="change_mark_of_day")]

    def __str__(self) -> str:
        return f"{self.family} {self.day}"
