"""The doctor: what each check finds, that none of them can stop or delay the others, and the command."""

import json
import time
from datetime import timedelta
from threading import Event

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from artisans.core.doctor import database, processes
from artisans.core.doctor.registry import CHECKS, Check, Result, State, worst
from artisans.core.doctor.run import run_checks
from artisans.core.models import Heartbeat
from artisans.notifications.models import Notification


def in_order():
    yield Result("One", State.OK, "all well", "a limit", "not shown")


def states(results) -> dict[str, State]:
    return {result.name: result.state for result in results}


@pytest.mark.django_db
def test_checks_that_fail_or_hang_are_problems_and_the_others_have_results():
    release = Event()

    def fail():
        yield from in_order()
        raise RuntimeError("key sk_live_" + "a" * 24 + "\n is wrong")

    def hang():
        release.wait(20)
        return []

    checks = {
        "hangs": Check(hang, uses_network=True),
        "fails": Check(fail),
        "fails in a thread": Check(fail, uses_network=True),
        "database": Check(database.check_database),
        "one": Check(in_order, uses_network=True),
    }
    started = time.monotonic()
    found = run_checks(checks, seconds=1)
    seconds = time.monotonic() - started
    release.set()

    assert seconds < 10
    assert list(found) == list(checks)
    assert {name: worst(results) for name, results in found.items()} == {
        "hangs": State.PROBLEM,
        "fails": State.PROBLEM,
        "fails in a thread": State.PROBLEM,
        "database": State.OK,
        "one": State.OK,
    }
    assert found["hangs"][0].value == "no result within 1 seconds"
    assert found["fails"][0].value.startswith("RuntimeError: key ")
    assert "sk_live_aaaa" not in found["fails"][0].value
    assert "\n" not in found["fails"][0].value


@pytest.mark.django_db
def test_command_prints_a_report_and_exits_with_the_worst_state(monkeypatch, capsys):
    def late():
        yield Result("Two", State.WARNING, "slow", "5 seconds", "Make it faster.")

    def gone():
        yield Result("Three", State.PROBLEM, "gone", "", "Start it.")

    for checks, code in (([], 0), ([late], 1), ([gone, late], 2)):
        monkeypatch.setattr(
            "artisans.core.management.commands.doctor.CHECKS",
            {str(check): Check(check) for check in [in_order, *checks]},
        )
        if not code:
            call_command("doctor")
            assert capsys.readouterr().out == "OK       One: all well (limit: a limit)\n"
            continue
        with pytest.raises(CommandError) as ended:
            call_command("doctor", "--json")
        report = json.loads(capsys.readouterr().out)
        assert (ended.value.returncode, report["state"]) == (code, ["warning", "problem"][code - 1])
        assert report["results"][0]["remedy"] == ""

    with pytest.raises(CommandError, match="1 in order, 1 warnings, 1 problems"):
        call_command("doctor")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["PROBLEM  Three: gone", "         → Start it."]


@pytest.mark.django_db
def test_every_registered_check_has_results_here():
    """On any machine: what is missing here is a problem, never an error of the check."""
    found = run_checks({name: check for name, check in CHECKS.items() if not check.uses_network})

    for name, results in found.items():
        for result in results:
            assert not result.value.partition(":")[0].endswith("Error"), (name, result)
            assert result.state == State.OK or result.remedy or name == "settings", result
    assert {worst(found[name]) for name in ("database", "migrations", "triggers", "indexes")} == {State.OK}


@pytest.mark.django_db
def test_processes_and_queues_that_are_late_are_problems():
    assert states(processes.check_processes())["Process beat"] == State.PROBLEM  # never seen
    now = timezone.now()
    rows = {
        "beat@one": (3600, 0, "0.1.0"),  # dead for an hour
        "worker@one": (60, 0, "0.0.9"),
        "payments.execute_due_calls": (60, 0, ""),
        "payments.reconcile": (25 * 3600, 0, ""),
        "notifications.send_due": (10, 9, ""),  # runs, and fails since an hour ago
    }
    for name, (seconds, failures, version) in rows.items():
        Heartbeat.objects.create(
            name=name,
            at=now - timedelta(seconds=seconds),
            succeeded_at=now - timedelta(seconds=3600 if failures else seconds),
            failures=failures,
            version=version,
        )
    Notification.objects.create(kind="x", recipient="a@shop.test", dedupe_key="1")
    Notification.objects.update(next_try_at=now - timedelta(minutes=16))

    found = {result.name: result for result in [*processes.check_processes(), *processes.check_queues()]}

    assert {name: result.state for name, result in found.items() if result.state != State.OK} == {
        "Process beat": State.PROBLEM,
        "Version": State.WARNING,
        "Periodic tasks": State.PROBLEM,
        "Queue emails": State.PROBLEM,
    }
    assert found["Version"].value.endswith("worker@one 0.0.9")
    assert found["Periodic tasks"].value == "late or failing: notifications.send_due"
    assert found["Queue emails"].limit == "15 minutes"


def test_clocks_are_compared_within_the_time_that_the_answer_took():
    ours = timezone.now()
    cases = {
        (0, 0): State.OK,
        (-8, 10): State.OK,  # the answer took ten seconds
        (-12, 4): State.WARNING,
        (30, 1): State.WARNING,
        (600, 1): State.PROBLEM,  # off by ten minutes
        (-600, 1): State.PROBLEM,
    }
    for (behind, took), state in cases.items():
        theirs = ours - timedelta(seconds=behind)
        found = database.clock_result("Clock", theirs, ours, precision=timedelta(seconds=took))
        assert found.state == state, (behind, took, found)


@pytest.mark.django_db
@pytest.mark.postgresql
def test_damage_to_the_database_is_found():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_auditentry_rows")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'core' AND name > '0002'")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'webhook_due'::regclass")

    found = [*database.check_triggers(), *database.check_migrations(), *database.check_indexes()]

    assert [result.state for result in found] == [State.PROBLEM, State.PROBLEM, State.WARNING]
    named = [result.value.partition(": ")[2] for result in found]
    assert (named[0], named[2]) == ("audit_auditentry_rows", "webhook_due")
    assert named[1].startswith("core.0002_heartbeat")
    assert states(database.check_clock()) == {"Clock, compared with the database's": State.OK}
    assert [result.state for result in database.check_database()] == [State.OK, State.OK]
