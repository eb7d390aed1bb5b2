"""What holds for the code as a whole."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import models
from django.db.models.fields.related import RelatedField
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from artisans.audit.services import Action
from artisans.core.api.views import ApiView
from artisans.regions.models import ShopCurrency
from orders.statuses import ORDER_TRANSITIONS, PARCEL_TRANSITIONS, OrderStatus, ParcelStatus
from payments.methods import OFFLINE_METHODS, SPECS, PaymentMethod
from payments.providers.manual.provider import BUILDERS
from payments.statuses import PAYMENT_TRANSITIONS, REFUND_TRANSITIONS, PaymentStatus, RefundStatus
from tests.dump import LABELS
from tests.sources import SHOP, sources

MODELS = [model for label in LABELS for model in apps.get_app_config(label).get_models()]
FIELDS = [
    (model, field)
    for model in MODELS
    for field in model._meta.get_fields()
    if isinstance(field, models.Field)
]


def test_money_is_stored_as_integers():
    """SQLite keeps decimals as floats; a valid refund could be refused there."""
    for model, field in FIELDS:
        assert not isinstance(field, models.FloatField | models.DecimalField), (model, field)
        if field.name.endswith("_minor"):
            assert isinstance(field, models.BigIntegerField), (model, field)


def test_every_amount_has_a_currency_field():
    for model in MODELS:
        names = {field.name for field in model._meta.get_fields()}
        if any(name.endswith("_minor") for name in names):
            assert names & {"currency", "seen_currency"} or model is ShopCurrency, model  # its code is one


def test_primary_keys_are_wide():
    for model in MODELS:
        kind = model._meta.pk
        narrow = isinstance(kind, models.AutoField) and not isinstance(kind, models.BigAutoField)
        assert not narrow or model.__name__ in {"StoreRules", "Category"}, (model, kind)


def test_users_and_payments_are_not_deleted_by_cascade():
    for model, field in FIELDS:
        if (
            isinstance(field, RelatedField)
            and field.many_to_one
            and model._meta.app_label in {"orders", "payments", "audit"}
        ):
            assert field.remote_field.on_delete is models.PROTECT, (model, field)


@pytest.mark.parametrize(
    ("table", "statuses"),
    [
        (ORDER_TRANSITIONS, OrderStatus),
        (PARCEL_TRANSITIONS, ParcelStatus),
        (PAYMENT_TRANSITIONS, PaymentStatus),
        (REFUND_TRANSITIONS, RefundStatus),
    ],
)
def test_transition_tables_are_total(table, statuses):
    assert set(table) == set(statuses)
    assert set().union(*table.values()) <= set(statuses)


def test_every_method_has_a_provider_and_every_offered_one_its_instructions():
    assert set(SPECS) == set(PaymentMethod)
    assert {method.value for method in OFFLINE_METHODS} == set(BUILDERS)


def test_every_scheduled_task_is_registered():
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in current_app.tasks, name


def test_every_enqueued_task_exists():
    for path in sources():
        for task in re.findall(r'enqueue_after_commit\(\s*"([^"]+)"', path.read_text()):
            assert task in current_app.tasks, (path, task)


def test_statuses_are_set_only_in_their_transition_functions():
    """`x.status = …` appears only in the function that writes the history."""
    transition_functions = {
        "order_move",
        "parcel_move",
        "payment_move",
        "refund_move",
        "dispute_move",
        "deposit_move",
        "settlement_move",
        "approval_move",
        "application_move",
        "tax_id_move",
        "cart_checkout",
        "cart_merge",
    }
    for path in sources():
        for function in [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
        ]:
            for node in ast.walk(function):
                targets = node.targets if isinstance(node, ast.Assign) else []
                flat = [
                    t
                    for target in targets
                    for t in (target.elts if isinstance(target, ast.Tuple) else [target])
                ]
                if any(isinstance(t, ast.Attribute) and t.attr == "status" for t in flat):
                    assert function.name in transition_functions, (path, function.name)


def test_every_audit_action_is_used():
    text = "".join(
        path.read_text() for path in sources() if path.name != "services.py" or "audit" not in path.parts
    )
    for action in Action:
        assert f"Action.{action.name}" in text, action


def test_every_post_of_the_api_takes_idempotency_keys():
    """Webhooks have a separate inbox."""
    posts = [view for view in api_views(get_resolver().url_patterns) if takes_posts(view)]
    assert len(posts) > 5
    for view in posts:
        assert issubclass(view.cls, ApiView), view.cls
        assert view.cls.takes_idempotency_keys or "webhook" in view.cls.__name__.lower(), view.cls


def api_views(patterns: list[URLPattern | URLResolver]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from api_views(pattern.url_patterns)
        elif issubclass(getattr(pattern.callback, "cls", object), APIView):
            yield pattern.callback


def takes_posts(view: Any) -> bool:
    return "post" in (getattr(view, "actions", None) or dir(view.cls))


def test_no_float_arithmetic_on_money():
    for path in sources():
        text = path.read_text()
        assert not re.search(r"\bfloat\(|\bround\(", text), path


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


SHARED_CHECK_IDS = {"alley.E034"}  # each provider checks its own addresses
TESTED_BY_TEXT = {"alley.E020"}


def test_ids_of_system_checks_are_unique_and_tested():
    places = Counter(
        node.value
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.fullmatch(r"alley\.[EW]\d+", str(node.value))
    )
    tests = [path for package in SHOP for path in Path(settings.BASE_DIR, package).rglob("test_*.py")]
    tested = {found for path in tests for found in re.findall(r"alley\.[EW]\d+", path.read_text())}

    assert {name for name, count in places.items() if count > 1} == SHARED_CHECK_IDS
    assert set(places) - tested == TESTED_BY_TEXT


def test_templates_mark_nothing_safe_and_format_no_amounts():
    for path in Path(settings.BASE_DIR, "templates").rglob("*"):
        if path.suffix not in {".html", ".txt"}:
            continue
        text = path.read_text()
        assert not re.search(r"floatformat|_minor\b", text), path
        unsafe = re.findall(r"\{\{[^}]*\|\s*safe[^}]*\}\}", text)
        assert unsafe in ([], ["{{ field.help_text|safe }}"]), (path, unsafe)
        if path.suffix == ".html":
            assert "autoescape off" not in text, path


CREATES = {
    ("artisans/accounts/models.py", "create_user"),
    ("artisans/core/models.py", "save"),  # decides what is written
}


def whole_saves() -> Iterator[tuple[str, str, str]]:
    """Where product code saves a row without naming its columns: file, function, call."""
    for path in sources():
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in ast.walk(function):
                if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                    continue
                named = {word.arg for word in call.keywords} & {"update_fields", "force_insert"}
                if call.func.attr == "save" and not named:
                    yield str(path.relative_to(settings.BASE_DIR)), function.name, ast.unparse(call)


def test_saves_name_their_columns():
    """A whole row brings back what others changed since it was read: stock, prices, sums, roles."""
    no_row = {
        "super().save(commit)",
        "super().save(*args, **kwargs)",
        "super().save(name, content, max_length)",
    }
    files = ("storage.save(", "default_storage.save(", "copy.save(", "flat(copy).save(")
    found = [
        (path, name, call)
        for path, name, call in whole_saves()
        if (path, name) not in CREATES
        and call not in no_row
        and not call.startswith(files)
        and not call.endswith("save=False)")
    ]

    assert found == []


def test_no_row_is_written_by_bulk_update_or_update_or_create():
    for path in sources():
        text = path.read_text()
        assert "bulk_update(" not in text, path
        assert "update_or_create(" not in text, path
