"""Changes of fields that affect money, rights or prices: checked, audited and mailed in one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.credentials import access_end
from artisans.accounts.mails import AccountMail
from artisans.accounts.models import User, normal_email
from artisans.accounts.services import has_verified
from artisans.accounts.setting_fields import SUPERUSER, DisplayFormat, Setting, audited_settings
from artisans.audit.services import Action, audit_record
from artisans.core.admin.seen_forms import plain
from artisans.core.errors import Conflict, Forbidden
from artisans.core.models import save_columns
from artisans.core.money import PPM, exponent_of
from artisans.core.security.encryption import keyed_hash
from artisans.notifications.services import MailMessage, notifications_enqueue


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A requested change: fields of one row with their new values and the values that the user saw.

    Plain JSON throughout, so that it can be stored, approved by a second person and applied later.
    """

    target: str
    pk: str
    new: dict[str, Any]
    seen: dict[str, Any]

    @classmethod
    def of(cls, row: models.Model, *, new: dict[str, Any]) -> Self:
        """A change of a row as it is stored now."""
        label = row._meta.label
        stored = type(row)._default_manager.get(pk=row.pk)
        seen = {name: get_value(stored, name) for name in new}
        return cls(label, str(row.pk), {name: plain(value) for name, value in new.items()}, seen)


# Called with changes that affect money before they are applied. A hook that returns True has stored the change for
# approval and applies it later with `is_approved`. Apps above register theirs in `apps.py`.
APPROVAL_HOOKS: list[Callable[[SettingChange, User], bool]] = []


# Whether rights and settings currently require a second person. Apps above register theirs in `apps.py`.
SECOND_PERSON_RULES: list[Callable[[], bool]] = []


def needs_second_person_for_rights() -> bool:
    return any(rule() for rule in SECOND_PERSON_RULES)


# Fields of a user whose change ends their sessions.
ENDS_ACCESS = frozenset({"role", "is_active", "is_superuser"})


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's change as text; masked values include a keyed hash."""

    field: str
    setting: Setting
    old: str
    new: str
    old_hash: str = ""
    new_hash: str = ""

    def as_data(self) -> dict[str, str]:
        hashes = {"old_hash": self.old_hash, "new_hash": self.new_hash}
        return {"field": self.field, "label": self.setting.label, "old": self.old, "new": self.new} | {
            name: value for name, value in hashes.items() if value
        }


@transaction.atomic
def setting_change(
    change: SettingChange, *, actor: User | None, actor_name: str = "system", is_approved: bool = False
) -> bool:
    """Apply a change to its row. Returns whether all of it was applied; the rest awaits approval.

    `actor` is None for commands. Locks: the row. Errors: Forbidden if the actor lacks a field's permission or would
    give themself access, Conflict if a field has changed since it was seen.
    """
    rows = apps.get_model(change.target)._default_manager.select_for_update(of=("self",), no_key=True)
    row = rows.get(pk=change.pk)
    settings = audited_settings(change.target)
    before = {name: get_value(row, name) for name in change.new}
    if outdated := [settings[name].label for name, value in change.seen.items() if before[name] != value]:
        raise Conflict(
            _("Someone else has changed this in the meantime: {fields}. Nothing was changed.").format(
                fields=", ".join(outdated)
            )
        )
    names = [name for name, value in change.new.items() if before[name] != value]
    for name in names:
        check_allowed(row, settings[name], change.new[name], name=name, actor=actor)
    held = set() if is_approved or actor is None else request_second_person(change, names, actor)
    names = [name for name in names if name not in held]
    old = {name: display_value(row, name, settings[name]) for name in names}
    old_addresses = get_addresses(row)
    for name in names:
        set_value(row, name, change.new[name])
    save_columns(row, [name for name in names if not is_relation_list(row, name)])
    if isinstance(row, User) and not ENDS_ACCESS.isdisjoint(names):
        access_end(row)
    found = [build_field_change(row, name, settings[name], old[name], before[name]) for name in names]
    record_changes(
        row, found, actor=actor, actor_name=actor_name, addresses=old_addresses | get_addresses(row)
    )
    return not held


def request_second_person(change: SettingChange, names: list[str], actor: User) -> set[str]:
    """Fields that a hook keeps for approval. Amounts entered in a new currency wait with it."""
    settings = audited_settings(change.target)
    held = [name for name in names if settings[name].affects_money]
    if not held:
        return set()
    if "currency" in held:
        held += [name for name in names if settings[name].shown == DisplayFormat.AMOUNT and name not in held]
    new, seen = ({name: values[name] for name in held} for values in (change.new, change.seen))
    part = SettingChange(change.target, change.pk, new, seen)
    return set(held) if any(hold(part, actor) for hold in APPROVAL_HOOKS) else set()


def setting_created(row: models.Model, *, actor: User | None, actor_name: str = "system") -> bool:
    """Audit a new row: every listed field that differs from the model's default.

    Returns whether all of it was applied; otherwise some fields have their defaults until a second person approves.
    """
    held = request_second_person_for_new(row, actor) if actor else set()
    blank = type(row)()
    names = [
        name
        for name in audited_settings(row._meta.label)
        if get_value(row, name) not in ([], "", None) and get_value(row, name) != get_default(blank, name)
    ]
    found = [build_field_change(row, name, audited_settings(row._meta.label)[name], "", "") for name in names]
    record_changes(row, found, actor=actor, actor_name=actor_name, addresses=set())
    return not held


def request_second_person_for_new(row: models.Model, actor: User) -> set[str]:
    """Fields of a new row that await approval have their defaults, or one person could create a second approver."""
    blank, new = type(row)(), {}
    for name in audited_settings(row._meta.label):
        field: Any = row._meta.get_field(name)
        has_default = not field.many_to_many and (field.has_default() or field.null)
        if has_default and get_value(row, name) != get_value(blank, name):
            new[name] = get_value(row, name)
    seen = {name: get_value(blank, name) for name in new}
    held = request_second_person(SettingChange(row._meta.label, str(row.pk), new, seen), list(new), actor)
    for name in held:
        set_value(row, name, seen[name])
    if held:
        save_columns(row, held)
    return held


def setting_removed(row: models.Model, *, actor: User | None) -> None:
    """Audit a row that is about to be deleted. Call before, in the same transaction."""
    found = [
        FieldChange(name, setting, display_value(row, name, setting), "")
        for name, setting in audited_settings(row._meta.label).items()
    ]
    record_changes(row, found, actor=actor, actor_name="system", addresses=set())


def may_set(actor: Any, setting: Setting) -> bool:
    if setting.permission == SUPERUSER:
        return bool(actor.is_superuser)
    return not setting.permission or bool(actor.has_perm(setting.permission))


def check_allowed(row: models.Model, setting: Setting, value: Any, *, name: str, actor: User | None) -> None:
    if actor is None:
        return
    if not may_set(actor, setting):
        raise Forbidden(
            _("You do not have permission to change this: {field}. Ask a colleague who does.").format(
                field=setting.label
            )
        )
    if setting.grants_access and value and gives_access_to(row, name, value, actor):
        raise Forbidden(
            _("You cannot give yourself access to an artisan ({field}). Ask a colleague to do it.").format(
                field=setting.label
            )
        )


def gives_access_to(row: models.Model, name: str, value: Any, person: User) -> bool:
    """Whether the value is this user, an artisan they act for, or one of their addresses."""
    field = row._meta.get_field(name)
    if not isinstance(field, models.ForeignKey):
        return normal_email(value) == person.email or has_verified(person, value)
    related = field.related_model._default_manager.filter(pk=value).first()
    if person.pk in (getattr(related, "pk", None), getattr(related, "user_id", None)):
        return True
    members = getattr(related, "members", None)
    return members is not None and bool(members.filter(user=person).exists())


def is_relation_list(row: models.Model, name: str) -> bool:
    return bool(row._meta.get_field(name).many_to_many)


def get_value(row: models.Model, name: str) -> Any:
    """A field's value as JSON; for many-to-many fields a list of keys."""
    return plain(row._meta.get_field(name).value_from_object(row))  # type: ignore[union-attr]


def get_default(blank: models.Model, name: str) -> Any:
    return [] if is_relation_list(blank, name) else get_value(blank, name)


def set_value(row: models.Model, name: str, value: Any) -> None:
    field = row._meta.get_field(name)
    if is_relation_list(row, name):
        getattr(row, name).set(value)
    else:
        setattr(row, field.attname, field.to_python(value))  # type: ignore[union-attr]


def build_field_change(row: models.Model, name: str, setting: Setting, old: str, before: Any) -> FieldChange:
    """Describe the change of a row that already has its new value."""
    new = display_value(row, name, setting)
    if setting.shown not in {DisplayFormat.MASKED, DisplayFormat.MASKED_EMAIL}:
        return FieldChange(name, setting, old, new)
    old_hash, new_hash = (keyed_hash(str(value)) if value else "" for value in (before, get_value(row, name)))
    return FieldChange(name, setting, old, new, old_hash, new_hash)


def display_value(row: models.Model, name: str, setting: Setting) -> str:
    """A field's current value as in the audit log; "" for none."""
    value = getattr(row, name)
    if value in (None, ""):
        return ""
    if is_relation_list(row, name):
        return ", ".join(sorted(str(one) for one in value.all()))
    match setting.shown:
        case DisplayFormat.RATE:
            return f"{format((Decimal(value * 100) / PPM).normalize(), 'f')} %"
        case DisplayFormat.AMOUNT:
            currency = getattr(row, "currency", "")
            return f"{format(Decimal(value).scaleb(-exponent_of(currency)), 'f')} {currency}"
        case DisplayFormat.MASKED:
            return mask(str(value))
        case DisplayFormat.MASKED_EMAIL:
            return mask_email(str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def mask(text: str) -> str:
    """The last four characters of a long enough value, ignoring spaces."""
    text = "".join(text.split())
    return f"••••{text[-4:]}" if len(text) >= 12 else "••••"  # noqa: PLR2004  # the length of a short account number


def mask_email(email: str) -> str:
    name, _, domain = email.partition("@")
    return f"{name[:1]}•••@{domain}"


def get_addresses(row: models.Model) -> set[str]:
    """Addresses to notify when an artisan's access changes."""
    return {str(getattr(row, "email", ""))} if row._meta.label == "catalog.Artisan" else set()


def record_changes(
    row: models.Model,
    found: list[FieldChange],
    *,
    actor: User | None,
    actor_name: str,
    addresses: Iterable[str],
) -> None:
    """Write the audit entry, and email administrators and artisans whose access changed."""
    if not found:
        return
    data = {"changes": [one.as_data() for one in found]}
    entry = audit_record(
        actor=actor, action=Action.SETTING_CHANGE, target=row, data=data, actor_name=actor_name
    )
    held = [one.as_data() for one in found if one.setting.affects_money]
    access = [one.as_data() for one in found if one.setting.grants_access]
    context = {
        "about": describe_row(row),
        "actor": actor.email if actor else actor_name,
        "at": timezone.now(),
    }
    mails = [(AccountMail.SETTING_CHANGED, to, held) for to in administrators() if held]
    mails += [(AccountMail.ARTISAN_ACCESS_CHANGED, to, access) for to in sorted(addresses) if access]
    notifications_enqueue(
        *[
            MailMessage(kind, to, f"{kind}:{entry.pk}:{keyed_hash(to)[:16]}", context | {"changes": changes})
            for kind, to, changes in mails
        ]
    )


def describe_row(row: models.Model) -> str:
    """A row's name in emails; users are not named in other people's emails."""
    name = mask_email(str(row)) if isinstance(row, User) else str(row)
    return f"{str(row._meta.verbose_name).capitalize()} {name}"


def administrators() -> list[str]:
    """The verified addresses of superusers."""
    users = User.objects.filter(is_superuser=True, is_active=True)
    found = EmailAddress.objects.filter(user__in=users, verified=True, primary=True).order_by("email")
    return list(found.values_list("email", flat=True))
