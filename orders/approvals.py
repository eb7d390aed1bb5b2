"""Changes to payment settings that need a second person's approval when the store rules require it."""

from dataclasses import asdict, replace
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.accounts.models import User
from artisans.accounts.setting_changes import (
    APPROVAL_HOOKS,
    SECOND_PERSON_RULES,
    SettingChange,
    check_allowed,
    describe_row,
    display_value,
    set_value,
    setting_change,
)
from artisans.accounts.setting_fields import SETTINGS, DisplayFormat, audited_settings
from artisans.approvals.kinds import KINDS, ApprovalKind, Payload, register
from artisans.approvals.services import approval_request
from artisans.core.errors import NotFound
from artisans.core.models import get_or_none
from orders.selectors import store_rules
from orders.services import places, rates, tax_import

MASKS = {DisplayFormat.MASKED: DisplayFormat.TEXT, DisplayFormat.MASKED_EMAIL: DisplayFormat.TEXT}


def setting_hold(change: SettingChange, actor: User) -> bool:
    """Request approval for a change if it needs one; return whether it did. Errors: those of approval_request."""
    if not needs_second_person(change):
        return False
    row = apps.get_model(change.target)._default_manager.get(pk=change.pk)
    settings = audited_settings(change.target)
    approval_request(
        kind_name(change.target),
        target=row,
        title=f"{describe_row(row)}: {', '.join(settings[name].label for name in change.new)}",
        details=[(settings[name].label, old_and_new(row, change, name)) for name in change.new],
        payload=asdict(change),
        actor=actor,
    )
    return True


def needs_second_person(change: SettingChange) -> bool:
    """Once the rules require a second person, changing the rules requires one too."""
    store = store_rules()
    is_about_rules = any(name.startswith("second_person") for name in change.new)
    return store.second_person_for_settings or (
        is_about_rules and store.second_person_above_minor is not None
    )


def old_and_new(row: models.Model, change: SettingChange, name: str) -> str:
    """Unmasked: whoever approves an account number has to read all of it."""
    field, setting = row._meta.get_field(name), audited_settings(change.target)[name]
    if field.many_to_many:
        names = [
            ", ".join(sorted(map(str, field.related_model._default_manager.filter(pk__in=values))))  # type: ignore[union-attr]
            for values in (change.seen[name], change.new[name])
        ]
        return f"{names[0] or 'none'} → {names[1] or 'none'}"
    clear = replace(setting, shown=MASKS.get(setting.shown, setting.shown))
    return " → ".join(
        display_value(with_value(row, name, values[name]), name, clear) or "none"
        for values in (change.seen, change.new)
    )


def with_value(row: models.Model, name: str, value: Any) -> models.Model:
    copy = type(row)(**{"currency": row.currency} if hasattr(row, "currency") else {})
    set_value(copy, name, value)
    return copy


def setting_execute(payload: Payload, requested_by: User, approved_by: User) -> None:
    setting_change(SettingChange(**payload), actor=requested_by, is_approved=True)


def setting_decidable(payload: Payload, actor: User) -> None:
    """The approver must be allowed to make the change themselves. Errors: Forbidden, NotFound."""
    change = SettingChange(**payload)
    row = setting_row(change)
    for name, value in change.new.items():
        check_allowed(row, audited_settings(change.target)[name], value, name=name, actor=actor)


def setting_row(change: SettingChange) -> models.Model:
    """Errors: NotFound if it has been deleted since."""
    row: models.Model | None = get_or_none(
        apps.get_model(change.target)._default_manager.filter(pk=change.pk)
    )
    if row is None:
        raise NotFound(
            _(
                "The object to be changed has been deleted, so the change cannot be made. The request will expire."
            )
        )
    return row


def setting_permissions(payload: Payload) -> list[str]:
    settings = audited_settings(payload["target"])
    return sorted({settings[name].permission for name in payload["new"]} - {""})


def kinds_of_rule(name: str) -> list[ApprovalKind]:
    """The kinds of approval for which a store rule needs two people; changing the store rules themselves is one."""
    settings = {kind_name(label) for label in SETTINGS} | {rates.KIND, places.KIND, tax_import.KIND}
    if name == "second_person_for_settings":
        return [kind for kind in KINDS.values() if kind.name in settings]
    rules = kind_name("orders.StoreRules")
    others = [kind for kind in KINDS.values() if kind.name not in settings and not kind.is_routine]
    return [*others, KINDS[rules]]


def kind_name(label: str) -> str:
    return f"setting_change {label}"


def kinds_register() -> None:
    register(
        ApprovalKind(
            rates.KIND,
            gettext_lazy("Add a commission rate"),
            rates.PERMISSION,
            rates.rate_execute,
            rates.rate_decidable,
        )
    )
    register(
        ApprovalKind(
            places.KIND,
            gettext_lazy("Add a tax rate"),
            places.PERMISSION,
            places.tax_rate_execute,
            places.tax_rate_decidable,
        )
    )
    register(
        ApprovalKind(
            tax_import.KIND,
            gettext_lazy("Import tax rates"),
            places.PERMISSION,
            tax_import.tax_import_execute,
            tax_import.tax_import_decidable,
        )
    )
    APPROVAL_HOOKS.append(setting_hold)
    SECOND_PERSON_RULES.append(lambda: store_rules().second_person_for_settings)
    for label, settings in SETTINGS.items():
        if any(setting.affects_money for setting in settings.values()):
            app, model = label.lower().split(".")
            register(
                ApprovalKind(
                    kind_name(label),
                    f"Change {apps.get_model(label)._meta.verbose_name}",
                    f"{app}.change_{model}",
                    setting_execute,
                    setting_decidable,
                    setting_permissions,
                )
            )
