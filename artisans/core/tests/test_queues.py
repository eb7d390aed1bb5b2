"""Which queue takes a task, and periodic tasks that do not pile up."""

import os
import subprocess
import sys
import threading
from contextvars import copy_context
from dataclasses import dataclass, field

import pytest
from celery import current_app
from django.conf import settings

from artisans.core.queue import (
    MOST_IDS,
    Message,
    Publisher,
    TaskOfMany,
    broker_state,
    one_at_a_time,
    run_each,
)

OURS = ("accounts.", "approvals.", "catalog.", "core.", "notifications.", "payments.")
CALLS_NO_PROVIDER = {"default", "mail"}


def queue_of(task: str) -> str:
    return current_app.amqp.router.route({}, task)["queue"].name


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("notifications.send", "mail"),
        ("notifications.send_due", "mail"),
        ("payments.expire_orders", "default"),
        ("payments.send_reminders", "default"),
        ("approvals.expire", "default"),
        ("core.purge", "default"),
        ("payments.process_webhook", "webhooks"),
        ("payments.execute_call", "providers"),
        ("payments.check_payment", "providers"),
        ("payments.expire_orders_at_providers", "providers"),
        ("payments.reconcile", "providers"),
        ("catalog.prepare_picture", "files"),
        ("catalog.sweep_picture_files", "files"),
        ("exports.make_due", "files"),
    ],
)
def test_mails_deadlines_webhooks_provider_calls_and_files_have_queues_of_their_own(task, queue):
    assert queue_of(task) == queue


def test_every_task_has_a_declared_queue():
    declared = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    assert {queue_of(task) for task in current_app.tasks if task.startswith(OURS)} == declared


@pytest.mark.parametrize("entry", settings.CELERY_BEAT_SCHEDULE.values(), ids=lambda entry: entry["task"])
def test_periodic_task_exists_and_expires(entry):
    assert entry["task"] in current_app.tasks
    assert 0 < entry["options"]["expires"] <= 6 * 3600


def test_run_of_a_periodic_task_is_skipped_while_the_one_before_is_in_progress(settings, tmp_path):
    settings.TASK_LOCKS_DIR = tmp_path
    started, go_on, runs = threading.Event(), threading.Event(), []

    @one_at_a_time
    def task() -> None:
        runs.append(1)
        started.set()
        go_on.wait(30)

    first = threading.Thread(target=task)
    first.start()
    started.wait(30)
    task()
    assert len(runs) == 1
    go_on.set()
    first.join()
    task()
    assert len(runs) == 2


def test_run_ends_after_its_time_and_leaves_the_rest_to_the_next():
    assert run_each([1, 2, 3], lambda row: row, event="failed", seconds=-1) == []
    assert run_each([1, 2, 3], lambda row: row, event="failed", seconds=60) == [1, 2, 3]


@dataclass
class RecordingTask:
    """What it publishes is in `sent`, as (ids, request); it waits until the broker is up."""

    name: str = "single"
    sent: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    broker_is_up: threading.Event = field(default_factory=threading.Event)
    is_publishing: threading.Event = field(default_factory=threading.Event)
    is_complete: threading.Event = field(default_factory=threading.Event)

    def message(self, *ids: str, request: str = "") -> Message:
        return Message(self, ids, request, copy_context())

    def apply_async(self, ids: tuple[str, ...], *, headers: dict[str, str], **_: object) -> None:
        self.is_publishing.set()
        assert self.broker_is_up.wait(30)
        self.sent.append((ids, headers["request_id"]))
        if "last" in ids:
            self.is_complete.set()


class RecordingTaskOfMany(RecordingTask, TaskOfMany):
    name = "many"


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setattr(broker_state, "until", 0.0)


@pytest.mark.usefixtures("broker")
def test_web_process_publishes_without_waiting_and_what_came_meanwhile_together():
    many, single = RecordingTaskOfMany("many"), RecordingTask()
    single.broker_is_up.set()
    publisher = Publisher()
    publisher.put(many.message("first", request="a"))
    assert many.is_publishing.wait(30)
    for task in (single, many):
        publisher.put(task.message("second", request="b"))
        publisher.put(task.message("third", request="b"))
    publisher.put(many.message("last", request="c"))
    many.broker_is_up.set()
    assert many.is_complete.wait(30)
    assert many.sent == [(("first",), "a"), (("second", "third", "last"), "")]
    assert single.sent == [(("second",), "b"), (("third",), "b")]


@pytest.mark.usefixtures("broker")
def test_message_has_a_limited_number_of_ids():
    task = RecordingTaskOfMany("many")
    task.broker_is_up.set()
    publisher = Publisher()
    publisher.waiting.extend(task.message(str(number)) for number in range(MOST_IDS + 2))
    publisher.publish()
    assert [len(ids) for ids, _ in task.sent] == [MOST_IDS, 2]


@pytest.mark.usefixtures("broker")
def test_message_for_which_no_thread_can_be_started_waits_for_the_next(monkeypatch):
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    task, publisher = RecordingTask(), Publisher()
    task.broker_is_up.set()
    with monkeypatch.context() as limit:
        limit.setattr(threading.Thread, "start", fail)
        publisher.put(task.message("first"))
    assert task.sent == []
    publisher.put(task.message("last"))
    assert task.is_complete.wait(30)
    assert task.sent == [(("first",), ""), (("last",), "")]


PROGRAM = """
import os, time
from contextvars import copy_context
from artisans.core.queue import Message, broker_state, publish_in_background

class Task:
    name = "task"
    def apply_async(self, ids, **_):
        time.sleep(0.2)  # a slow broker: the process ends meanwhile
        print(*ids, flush=True)

def put(*names):
    for name in names:
        broker_state.publisher.put(Message(Task(), (name,), "", copy_context()))

publish_in_background()
if child := os.fork():
    os.waitpid(child, 0)
else:
    put("first")
    while broker_state.publisher.waiting:
        time.sleep(0.01)
    put("second")
"""


def test_process_that_ends_publishes_what_is_waiting():
    """Also what its thread had taken, and in a process that was forked."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["first", "second"]


WEB = """
from artisans.core import startup
startup.exit_unless_usable = lambda **_: None  # without a database
import artisans.wsgi
from artisans.core.queue import broker_state
print(type(broker_state.publisher).__name__)
"""


def test_web_process_publishes_in_the_background():
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "artisans.settings_test"}
    run = subprocess.run(
        [sys.executable, "-c", WEB], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["Publisher"]


@pytest.mark.parametrize("name", ["notifications.send", "payments.process_webhook"])
def test_emails_and_events_of_several_requests_are_one_task(name):
    assert isinstance(current_app.tasks[name], TaskOfMany)
