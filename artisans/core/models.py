import uuid
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


def one_of(field: str, values: list[str], *, name: str) -> models.CheckConstraint:
    """The column holds one of these values, whoever writes it."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": values}), name=name)


def iso_currency(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name=name)
