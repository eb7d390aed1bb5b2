"""The doctor: what each check finds, that none of them can stop or delay the others, and the command."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from artisans.core.admin import system
from artisans.core.append_only import needed_triggers
from artisans.core.doctor import database, environment, processes, stored
from artisans.core.doctor.media import check_media
from artisans.core.doctor.registry import CHECKS, Check, Result, State, duration, worst
from artisans.core.doctor.run import run_checks
from artisans.core.heartbeats import heartbeat_task
from artisans.core.metrics import QUEUE_LABELS, QUEUES
from artisans.core.models import Heartbeat, SystemCheck
from artisans.core.security import proxy
from artisans.core.templatetags.system import find_alert
from artisans.notifications.models import Notification

SYSTEM_PAGE = "/admin/core/systemcheck/"


def check_well():
    yield Result("One", State.OK, "all well", "a limit", "not shown")


def states(results) -> dict[str, State]:
    return {result.name: result.state for result in results}


@pytest.mark.django_db
def test_checks_that_fail_or_hang_are_problems_and_the_others_have_results():
    release = Event()

    def fail():
        yield from check_well()
        raise RuntimeError("key sk_live_" + "a" * 24 + "\n is wrong")

    def hang():
        release.wait(20)
        return []

    checks = {
        "hangs": Check(hang, uses_network=True),
        "fails": Check(fail),
        "fails in a thread": Check(fail, uses_network=True),
        "database": Check(database.check_database),
        "one": Check(check_well, uses_network=True),
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
            {str(check): Check(check) for check in [check_well, *checks]},
        )
        if not code:
            call_command("doctor")
            assert capsys.readouterr().out == "OK       One: all well (expected: a limit)\n"
            continue
        with pytest.raises(CommandError) as ended:
            call_command("doctor", "--json")
        report = json.loads(capsys.readouterr().out)
        assert (ended.value.returncode, report["state"]) == (code, ["warning", "problem"][code - 1])
        assert report["results"][0]["remedy"] == ""

    with pytest.raises(CommandError, match="1 in order, 1 warnings, 1 problems"):
        call_command("doctor")
    output = capsys.readouterr()
    assert output.err.startswith("Running 3 checks, for at most 15 seconds")
    lines = output.out.splitlines()
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
    assert states(processes.check_processes())["Beat (starts periodic tasks)"] == State.PROBLEM  # never seen
    now = timezone.now()
    rows = {
        "beat@one": (3600, 0, "0.1.0"),  # dead for an hour
        "worker@one": (60, 0, "0.0.9"),
        "payments.execute_due_calls": (60, 0, ""),
        "payments.reconcile": (25 * 3600, 0, ""),
        "notifications.send_due": (10, 9, ""),  # runs, and fails since an hour ago
        "payments.check_ledger": (3600, 1, ""),  # has never succeeded
    }
    for name, (seconds, failures, version) in rows.items():
        Heartbeat.objects.create(
            name=name,
            at=now - timedelta(seconds=seconds),
            succeeded_at=None if failures == 1 else now - timedelta(seconds=3600 if failures else seconds),
            failures=failures,
            version=version,
        )
    Notification.objects.create(kind="x", recipient="a@shop.test", dedupe_key="1")
    Notification.objects.update(next_try_at=now - timedelta(minutes=16))

    found = {result.name: result for result in [*processes.check_processes(), *processes.check_queues()]}

    assert {name: result.state for name, result in found.items() if result.state != State.OK} == {
        "Beat (starts periodic tasks)": State.PROBLEM,
        "Version": State.WARNING,
        "Periodic tasks": State.PROBLEM,
        "Emails to send": State.PROBLEM,
    }
    assert found["Version"].value.endswith("worker@one 0.0.9")
    assert found["Periodic tasks"].value == "late or failing: notifications.send_due, payments.check_ledger"
    assert found["Emails to send"].limit == "for at most 15 minutes"


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
    trigger, table = next(iter(needed_triggers(connection).items()))
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER "{trigger}"')
        cursor.execute("DELETE FROM django_migrations WHERE app = 'core' AND name > '0002'")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'webhook_due'::regclass")

    found = [*database.check_triggers(), *database.check_migrations(), *database.check_indexes()]

    assert [result.state for result in found] == [State.PROBLEM, State.PROBLEM, State.WARNING]
    named = [result.value.partition(": ")[2] for result in found]
    assert (named[0], named[2]) == (trigger, "webhook_due")
    assert named[1].startswith("core.0002_heartbeat")
    assert states(database.check_clock()) == {"Clock compared with the database": State.OK}
    assert [result.state for result in database.check_database()] == [State.OK, State.OK]
    assert states(database.check_connections()) == {"Database connections": State.OK}


def test_services_that_do_not_respond_are_problems_and_say_what_to_do(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    settings.HTTPS, settings.SITE_HOST, settings.SITE_URL = True, "localhost", "https://localhost:1"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    names = ("cache", "email server", "TLS certificate")

    found = run_checks({name: CHECKS[name] for name in names})

    for name, (result,) in found.items():
        assert result.state == State.PROBLEM, name
        assert result.remedy, name
    assert found["TLS certificate"][0].value.startswith("ConnectionRefusedError")


def test_broker_responds(settings):
    (result,) = environment.check_broker()
    assert result.state == State.OK


@pytest.fixture
def tls_server(monkeypatch, tmp_path):
    """Answers one TLS handshake with a certificate for localhost that ends after so many days. Returns its port."""

    def serve(days: int) -> int:
        private = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = timezone.now()
        builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        certificate = (
            builder.not_valid_before(now - timedelta(days=90))
            .not_valid_after(now + timedelta(days=days, hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(private, SHA256())
        )
        file = tmp_path / f"{days}.pem"
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
        of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        of_server.load_cert_chain(file)
        of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        of_client.load_verify_locations(file)
        monkeypatch.setattr(environment.ssl, "create_default_context", lambda: of_client)
        listener = socket.create_server(("127.0.0.1", 0))

        def answer() -> None:
            accepted, _ = listener.accept()
            with suppress(OSError), of_server.wrap_socket(accepted, server_side=True) as secured:
                secured.recv(1)
            listener.close()

        Thread(target=answer, daemon=True).start()
        return listener.getsockname()[1]

    return serve


def test_certificates_that_end_soon_are_found(settings, tls_server):
    settings.HTTPS, settings.SITE_HOST = True, "localhost"
    for days, state in {30: State.OK, 10: State.WARNING, 1: State.PROBLEM}.items():
        settings.SITE_URL = f"https://localhost:{tls_server(days)}"
        (result,) = environment.check_certificate()
        assert result.state == state, days
    settings.SITE_URL = f"https://localhost:{tls_server(-1)}"
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        list(environment.check_certificate())
    settings.HTTPS = False
    assert list(environment.check_certificate()) == []


def test_full_disks_files_of_metrics_and_unknown_proxies_are_found(settings, monkeypatch, tmp_path):
    for free, state in {90: State.OK, 5: State.WARNING, 1: State.PROBLEM}.items():
        usage = SimpleNamespace(total=100 * environment.GIB, free=free * environment.GIB)
        monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: usage)
        assert {result.state for result in environment.check_disk_space()} == {state}, free
    settings.MEDIA_ROOT, settings.BACKUP_DIR = tmp_path / "missing", str(tmp_path)
    assert any(str(tmp_path) in result.name for result in environment.check_disk_space())

    assert list(environment.check_metric_files()) == []
    settings.PROMETHEUS_MULTIPROC_DIR = str(tmp_path)
    for number in range(201):
        (tmp_path / f"counter_{number}.db").touch()
    (result,) = environment.check_metric_files()
    assert (result.state, result.value) == (State.WARNING, "201")

    cache.delete(proxy.KEY)
    assert states(environment.check_proxy()) == {"Reverse proxy": State.OK}
    cache.set(proxy.KEY, "TRUSTED_PROXIES")
    assert states(environment.check_proxy()) == {"Reverse proxy": State.WARNING}


@pytest.mark.django_db
def test_service_that_one_host_cannot_reach_stays_a_problem_until_it_can(monkeypatch):
    """Whichever host's worker checks next; a check that fails has no result of its own."""

    def check() -> Iterator[Result]:
        if hosts["this"] in down:
            raise OSError("no route to host")
        yield Result("Cache", State.OK, "responds")

    def state_after(host: str) -> str:
        hosts["this"] = host
        Heartbeat.objects.update_or_create(name=f"worker@{host}", defaults={"at": timezone.now()})
        stored.results_store(run_checks({"cache": Check(check, uses_network=True, is_per_host=True)}))
        return str(SystemCheck.objects.get().state)

    hosts, down = {"this": ""}, {"two"}
    monkeypatch.setattr("artisans.core.doctor.run.gethostname", lambda: hosts["this"])

    assert [state_after(host) for host in ("one", "two", "one")] == ["ok", "problem", "problem"]
    assert [row["name"] for row in SystemCheck.objects.get().results] == ["Cache on one", "Cache on two"]
    down.clear()
    assert [state_after(host) for host in ("one", "two")] == ["problem", "ok"]


def test_checks_of_services_that_each_host_reaches_by_itself_are_per_host():
    found = {name for name, check in CHECKS.items() if check.is_per_host}

    assert found == {
        *("database clock", "disk space", "cache", "storage of pictures", "message broker", "email server")
    }


def test_folder_of_pictures_that_cannot_be_written_is_found(settings, monkeypatch, tmp_path):
    settings.MEDIA_S3_BUCKET, settings.MEDIA_ROOT = "", str(tmp_path / "media")
    assert not list(check_media()), "nothing was uploaded yet"
    (tmp_path / "media").mkdir()
    assert [result.state for result in check_media()] == [State.OK]

    monkeypatch.setattr("artisans.core.doctor.media.os.access", lambda *args: False)

    [result] = check_media()
    assert (result.state, "not writable" in result.value) == (State.PROBLEM, True)


@pytest.mark.django_db
def test_another_secret_key_is_said_until_the_former_one_is_a_fallback_or_a_week_is_over(
    settings, time_machine
):
    def state() -> State:
        [result] = processes.check_secret_key()
        return result.state

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "former", []
    heartbeat_task()
    assert state() == State.OK
    settings.SECRET_KEY = "present"
    heartbeat_task()
    assert state() == State.WARNING
    settings.SECRET_KEY_FALLBACKS = ["former"]
    assert state() == State.OK
    heartbeat_task()
    settings.SECRET_KEY_FALLBACKS = []
    assert state() == State.OK, "the fallback was there long enough to be noticed"
    settings.SECRET_KEY = "third"
    assert state() == State.WARNING

    time_machine.move_to(timezone.now() + timedelta(days=8))
    heartbeat_task()

    assert state() == State.OK


def test_every_queue_has_words_for_people():
    assert QUEUE_LABELS.keys() == QUEUES.keys()


def test_durations_are_whole_units():
    expected = {0: "0 seconds", 1: "1 second", 119: "119 seconds", 120: "2 minutes", 7199: "119 minutes"}
    expected |= {86_400: "24 hours", 200_000: "2 days"}

    assert {seconds: duration(timedelta(seconds=seconds)) for seconds in expected} == expected


@pytest.mark.django_db
def test_results_are_stored_with_the_time_since_when_they_hold(monkeypatch):
    state = State.OK
    checks = {"one": Check(lambda: [Result("One", state, "1", "2", "Do it.")]), "two": Check(check_well)}
    monkeypatch.setattr(stored, "CHECKS", checks)
    SystemCheck.objects.create(name="gone", state="ok", since=timezone.now(), at=timezone.now())
    stored.check_system_task()
    first = SystemCheck.objects.get(pk="one")
    state = State.PROBLEM
    stored.check_system_task()
    second = SystemCheck.objects.get(pk="one")
    stored.check_system_task()
    third = SystemCheck.objects.get(pk="one")

    assert set(SystemCheck.objects.values_list("name", flat=True)) == {"one", "two"}
    assert first.since < second.since == third.since < third.at
    assert stored.results_stored(third) == [Result("One", State.PROBLEM, "1", "2", "Do it.")]
    SystemCheck.objects.filter(pk="two").update(at=timezone.now() - timedelta(minutes=21))
    monkeypatch.setattr(stored, "check_disk_space", lambda: [Result("Disk", State.WARNING, "5% free")])
    shop, host = stored.check_metrics()
    assert {sample.labels["check"]: sample.value for sample in shop.samples} == {"one": 2}
    levels = {sample.labels["check"]: sample.value for sample in host.samples}
    assert levels == {"database clock": 0, "disk space": 1}


@pytest.mark.django_db
def test_results_about_hosts_are_kept_whichever_worker_runs_next(browser, admin_user):
    def run(host: str, state: State) -> SystemCheck:
        Heartbeat.objects.update_or_create(name=f"worker@{host}", defaults={"at": timezone.now()})
        stored.results_store({"disk space": [Result("Disk", state, "", "", "Delete logs.", host)]})
        return SystemCheck.objects.get(pk="disk space")

    run("one", State.WARNING)
    both = run("two", State.OK)
    assert both.state == State.WARNING
    assert {result.name: result.state for result in stored.results_stored(both)} == {
        "Disk on two": State.OK,
        "Disk on one": State.WARNING,
    }
    assert "Disk on one" in browser(admin_user).get(SYSTEM_PAGE).content.decode()

    both.results[1]["at"] = (timezone.now() - timedelta(minutes=61)).isoformat()
    both.save(update_fields=["results"])
    assert len(run("two", State.OK).results) == 1, "too old"
    run("one", State.WARNING)
    Heartbeat.objects.filter(name="worker@one").delete()
    assert run("two", State.OK).state == State.OK, "the host is gone"
    run("one", State.WARNING)
    assert run("one", State.OK).state == State.OK, "its disk has space again"


@pytest.mark.django_db
def test_page_shows_the_shop_now_and_services_as_last_checked(browser, admin_user, monkeypatch):
    administrator = browser(admin_user)

    def unwell():
        yield Result("Two", State.PROBLEM, "gone", "", "Start it.")

    checks = {"one": Check(check_well), "two": Check(unwell, uses_network=True)}
    monkeypatch.setattr(system, "CHECKS", checks)

    before = administrator.get(SYSTEM_PAGE).content.decode()
    assert "all well" in before
    assert "Not checked yet" in before
    assert "Nothing needs attention" in before
    answer = administrator.post(SYSTEM_PAGE, follow=True).content.decode()

    assert "Start it." in answer
    assert "1 check needs attention" in answer
    assert "Not checked yet" not in answer


@pytest.mark.django_db
def test_every_page_of_the_admin_says_what_needs_an_operator(
    browser, admin_user, django_assert_max_num_queries
):
    administrator = browser(admin_user)

    def alert() -> str:
        cache.clear()
        page = administrator.get("/admin/").content.decode()
        return page.partition('id="system-alert"')[2].partition("</div>")[0]

    now = timezone.now()
    assert alert() == ""  # a new installation
    Heartbeat.objects.create(name="worker@one", at=now)
    assert "Beat (starts periodic tasks): never seen." in alert()
    Heartbeat.objects.create(name="beat@one", at=now - timedelta(hours=1))
    assert "Beat (starts periodic tasks): last seen" in alert()
    Heartbeat.objects.update(at=now)
    assert alert() == ""

    results = [Result("Clock", State.PROBLEM, "600 seconds apart").as_json()]
    row = {"state": "problem", "since": now, "results": results}
    SystemCheck.objects.create(name="settings", at=now, **row)
    SystemCheck.objects.create(name="old", at=now - timedelta(hours=2), **row)
    assert alert() == ""
    SystemCheck.objects.create(name="stripe clock", at=now, **row)
    assert "Problems: Clock." in alert()
    assert SYSTEM_PAGE in alert()
    with django_assert_max_num_queries(2):
        find_alert()


@pytest.mark.django_db
def test_page_is_for_people_with_its_permission(browser, staff):
    intern = browser(staff)
    staff.groups.clear()
    staff.user_permissions.clear()
    Heartbeat.objects.create(name="worker@one", at=timezone.now())

    assert intern.get(SYSTEM_PAGE).status_code == intern.post(SYSTEM_PAGE).status_code == 403
    home = intern.get("/admin/").content.decode()
    assert "Beat (starts periodic tasks): never seen." in home
    assert SYSTEM_PAGE not in home

    staff.groups.add(Group.objects.get(name="Operators"))
    assert browser(staff).get(SYSTEM_PAGE).status_code == 200


def test_log_does_not_interrupt_the_report(monkeypatch, caplog):
    def broken():
        raise ConnectionError("refused")

    monkeypatch.setattr("artisans.core.management.commands.doctor.CHECKS", {"it": Check(broken)})
    for verbosity, is_logged in ((1, False), (2, True)):
        caplog.clear()
        with pytest.raises(CommandError):
            call_command("doctor", verbosity=verbosity)
        assert ("check_failed" in caplog.text) is is_logged
