"""What this package checks itself, by name."""

from artisans.core.doctor.database import (
    check_clock,
    check_database,
    check_indexes,
    check_migrations,
    check_triggers,
)
from artisans.core.doctor.hosts import check_beats, check_hosts
from artisans.core.doctor.processes import check_processes, check_queues, check_settings
from artisans.core.doctor.registry import Check

CHECKS = {
    "database": Check(check_database),
    "migrations": Check(check_migrations),
    "triggers": Check(check_triggers),
    "indexes": Check(check_indexes),
    "database clock": Check(check_clock),
    "settings": Check(check_settings),
    "processes": Check(check_processes),
    "queues": Check(check_queues),
    "beats": Check(check_beats),
    "hosts": Check(check_hosts),
}
