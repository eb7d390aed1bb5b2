"""Which queue takes a task, and periodic tasks that do not pile up."""

import threading

import pytest
from celery import current_app
from django.conf import settings

from artisans.core.queue import one_at_a_time, run_each

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
