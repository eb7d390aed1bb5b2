"""What this package checks itself, by name."""

from django.utils.translation import gettext_lazy as _

from artisans.core.doctor.backups import check_backups
from artisans.core.doctor.database import (
    check_clock,
    check_connections,
    check_database,
    check_indexes,
    check_migrations,
    check_triggers,
)
from artisans.core.doctor.environment import (
    check_broker,
    check_cache,
    check_certificate,
    check_disk_space,
    check_encryption_keys,
    check_metric_files,
    check_proxy,
)
from artisans.core.doctor.hosts import check_beats, check_hosts
from artisans.core.doctor.invariants import check_invariants
from artisans.core.doctor.media import check_media
from artisans.core.doctor.processes import check_processes, check_queues, check_secret_key, check_settings
from artisans.core.doctor.registry import Check
from artisans.core.doctor.retention import check_retention

CHECKS = {
    "database": Check(check_database),
    "database connections": Check(check_connections),
    "migrations": Check(check_migrations),
    "triggers": Check(check_triggers),
    "indexes": Check(check_indexes),
    "database clock": Check(check_clock, is_per_host=True),
    "settings": Check(check_settings),
    "secret key": Check(check_secret_key),
    "encryption keys": Check(check_encryption_keys),
    "disk space": Check(check_disk_space, is_per_host=True),
    "files of metrics": Check(check_metric_files),
    "reverse proxy": Check(check_proxy, uses_network=True),
    "cache": Check(check_cache, uses_network=True, is_per_host=True),
    "storage of pictures": Check(check_media, uses_network=True, is_per_host=True),
    "message broker": Check(
        check_broker,
        uses_network=True,
        is_per_host=True,
        remedy=_(
            "Start the broker, and compare CELERY_BROKER_URL with its address. Until then periodic tasks do not run."
        ),
    ),
    "TLS certificate": Check(
        check_certificate,
        uses_network=True,
        remedy=_(
            "Start the proxy, check its log for certificate errors, and check that SITE_URL leads to it."
        ),
    ),
    "processes": Check(check_processes),
    "queues": Check(check_queues),
    "beats": Check(check_beats),
    "hosts": Check(check_hosts),
    "retention": Check(check_retention),
    "invariants": Check(check_invariants),
    "backups": Check(check_backups),
}
