"""Leases: one process at a time holds a name, until it releases it or its time is over.

A row instead of an advisory lock, which belongs to a session: behind a pooler in transaction mode, the next statement
may have another one. All times are the database's, so that the clocks of hosts may differ.
"""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from artisans.core.models import Lease


def lease_acquire(name: str, *, holder: str, seconds: float) -> bool:
    """Take the lease if it is free, or extend one's own. False while someone else has it."""
    if take(name, holder, seconds):
        return True
    if Lease.objects.filter(pk=name).exists():
        return False
    Lease.objects.bulk_create([Lease(name=name, expires_at=timezone.now())], ignore_conflicts=True)
    return take(name, holder, seconds)


def take(name: str, holder: str, seconds: float) -> bool:
    is_free = Q(holder__in=[holder, ""]) | Q(expires_at__lte=Now())
    expires_at = Now() + timedelta(seconds=seconds)
    return bool(Lease.objects.filter(is_free, pk=name).update(holder=holder, expires_at=expires_at))


def lease_release(name: str, *, holder: str) -> None:
    Lease.objects.filter(pk=name, holder=holder).update(holder="")


def lease_holder(name: str) -> str:
    """Who has the lease now, or ""."""
    held = Lease.objects.filter(pk=name, expires_at__gt=Now()).values_list("holder", flat=True)
    return held.first() or ""
