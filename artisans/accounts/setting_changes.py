"""The one way to change a field that steers money, rights or prices: checked, audited and mailed in one transaction."""

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
from artisans.accounts.setting_fields import SUPERUSER, Setting, Shown, settings_of
from artisans.audit.services import Action, audit_record
from artisans.core.admin.seen_forms import plain
from artisans.core.errors import Conflict, Forbidden
from artisans.core.models import row_write
from artisans.core.money import PPM, exponent_of
from artisans.core.security.encryption import keyed_hash
from artisans.notifications.services import MailAsk, notifications_queue


@dataclass(frozen=True, slots=True)
class SettingChange:
    """What somebody wants to change: fields of one row with their new values, and what they saw.

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
        seen = {name: value_of(stored, name) for name in new}
        return cls(label, str(row.pk), {name: plain(value) for name, value in new.items()}, seen)


# Asked with what steers money before a person's change is applied. Who answers True has stored the change, for a second
# person to approve, and applies it later with `is_approved`. Apps above register theirs in `apps.py`.
HOLDERS: list[Callable[[SettingChange, User], bool]] = []


# Asked whether rights and settings change only with a second person now. Apps above register theirs in `apps.py`.
NEEDS_TWO: list[Callable[[], bool]] = []


def needs_two() -> bool:
    return any(rule() for rule in NEEDS_TWO)


# Of a person: whoever gets or loses one of these signs in anew.
ENDS_ACCESS = frozenset({"role", "is_active", "is_superuser"})


@dataclass(frozen=True, slots=True)
class Changed:
    """One field's change in words; a masked value has its keyed hash."""

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
    """Apply a change to its row. Says whether all of it was applied, or something waits for a second person.

    `actor` is None for commands. Locks: the row. Errors: Forbidden when the actor lacks a field's permission or would
    give themself access, Conflict when a field is no longer as it was seen.
    """
    rows = apps.get_model(change.target)._default_manager.select_for_update(of=("self",), no_key=True)
    row = rows.get(pk=change.pk)
    settings = settings_of(change.target)
    before = {name: value_of(row, name) for name in change.new}
    if outdated := [settings[name].label for name, value in change.seen.items() if before[name] != value]:
        raise Conflict(
            _("Someone else has changed this in the meantime: {fields}. Nothing was changed.").format(
                fields=", ".join(outdated)
            )
        )
    names = [name for name, value in change.new.items() if before[name] != value]
    for name in names:
        check_allowed(row, settings[name], change.new[name], name=name, actor=actor)
    held = set() if is_approved or actor is None else held_back(change, names, actor)
    names = [name for name in names if name not in held]
    old = {name: in_words(row, name, settings[name]) for name in names}
    old_addresses = addresses_of(row)
    for name in names:
        value_set(row, name, change.new[name])
    row_write(row, [name for name in names if not is_relation_list(row, name)])
    if isinstance(row, User) and not ENDS_ACCESS.isdisjoint(names):
        access_end(row)
    found = [changed(row, name, settings[name], old[name], before[name]) for name in names]
    record(row, found, actor=actor, actor_name=actor_name, addresses=old_addresses | addresses_of(row))
    return not held


def held_back(change: SettingChange, names: list[str], actor: User) -> set[str]:
    """The fields that a holder keeps for a second person. Amounts that were typed in a new currency wait with it."""
    settings = settings_of(change.target)
    steering = [name for name in names if settings[name].steers_money]
    if not steering:
        return set()
    if "currency" in steering:
        steering += [name for name in names if settings[name].shown == Shown.AMOUNT and name not in steering]
    new, seen = ({name: values[name] for name in steering} for values in (change.new, change.seen))
    part = SettingChange(change.target, change.pk, new, seen)
    return set(steering) if any(hold(part, actor) for hold in HOLDERS) else set()


def setting_created(row: models.Model, *, actor: User | None, actor_name: str = "system") -> bool:
    """Audit a new row: every listed field that is not as the model makes it by default.

    Says whether all of it stands, or something has its default until a second person approves it.
    """
    held = held_new(row, actor) if actor else set()
    blank = type(row)()
    names = [
        name
        for name in settings_of(row._meta.label)
        if value_of(row, name) not in ([], "", None) and value_of(row, name) != default_of(blank, name)
    ]
    found = [changed(row, name, settings_of(row._meta.label)[name], "", "") for name in names]
    record(row, found, actor=actor, actor_name=actor_name, addresses=set())
    return not held


def held_new(row: models.Model, actor: User) -> set[str]:
    """The fields of a new row that a holder keeps. They get their defaults, or one person could make a second."""
    blank, new = type(row)(), {}
    for name in settings_of(row._meta.label):
        field: Any = row._meta.get_field(name)
        has_default = not field.many_to_many and (field.has_default() or field.null)
        if has_default and value_of(row, name) != value_of(blank, name):
            new[name] = value_of(row, name)
    seen = {name: value_of(blank, name) for name in new}
    held = held_back(SettingChange(row._meta.label, str(row.pk), new, seen), list(new), actor)
    for name in held:
        value_set(row, name, seen[name])
    if held:
        row_write(row, held)
    return held


def setting_removed(row: models.Model, *, actor: User | None) -> None:
    """Audit a row that is about to be deleted. Call before, in the same transaction."""
    found = [
        Changed(name, setting, in_words(row, name, setting), "")
        for name, setting in settings_of(row._meta.label).items()
    ]
    record(row, found, actor=actor, actor_name="system", addresses=set())


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
    if setting.grants_access and value and names_person(row, name, value, actor):
        raise Forbidden(
            _("You cannot give yourself access to an artisan ({field}). Ask a colleague to do it.").format(
                field=setting.label
            )
        )


def names_person(row: models.Model, name: str, value: Any, person: User) -> bool:
    """Whether the value is this person, an artisan for whom they act, or an address of theirs."""
    field = row._meta.get_field(name)
    if not isinstance(field, models.ForeignKey):
        return normal_email(value) == person.email or has_verified(person, value)
    related = field.related_model._default_manager.filter(pk=value).first()
    return person.pk in (getattr(related, "pk", None), getattr(related, "user_id", None))


def is_relation_list(row: models.Model, name: str) -> bool:
    return bool(row._meta.get_field(name).many_to_many)


def value_of(row: models.Model, name: str) -> Any:
    """A field's value as JSON; of many related rows their keys."""
    return plain(row._meta.get_field(name).value_from_object(row))  # type: ignore[union-attr]


def default_of(blank: models.Model, name: str) -> Any:
    return [] if is_relation_list(blank, name) else value_of(blank, name)


def value_set(row: models.Model, name: str, value: Any) -> None:
    field = row._meta.get_field(name)
    if is_relation_list(row, name):
        getattr(row, name).set(value)
    else:
        setattr(row, field.attname, field.to_python(value))  # type: ignore[union-attr]


def changed(row: models.Model, name: str, setting: Setting, old: str, before: Any) -> Changed:
    """The change of a row that has its new value by now."""
    words = in_words(row, name, setting)
    if setting.shown not in {Shown.MASKED, Shown.MASKED_EMAIL}:
        return Changed(name, setting, old, words)
    old_hash, new_hash = (keyed_hash(str(value)) if value else "" for value in (before, value_of(row, name)))
    return Changed(name, setting, old, words, old_hash, new_hash)


def in_words(row: models.Model, name: str, setting: Setting) -> str:
    """A field's present value as the trail shows it; "" for none."""
    value = getattr(row, name)
    if value in (None, ""):
        return ""
    if is_relation_list(row, name):
        return ", ".join(sorted(str(one) for one in value.all()))
    match setting.shown:
        case Shown.RATE:
            return f"{format((Decimal(value * 100) / PPM).normalize(), 'f')} %"
        case Shown.AMOUNT:
            currency = getattr(row, "currency", "")
            return f"{format(Decimal(value).scaleb(-exponent_of(currency)), 'f')} {currency}"
        case Shown.MASKED:
            return mask(str(value))
        case Shown.MASKED_EMAIL:
            return mask_email(str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def mask(text: str) -> str:
    """The last four characters of what is long enough that they say little; spaces do not count."""
    text = "".join(text.split())
    return f"••••{text[-4:]}" if len(text) >= 12 else "••••"  # noqa: PLR2004  # the length of a short account number


def mask_email(email: str) -> str:
    name, _, domain = email.partition("@")
    return f"{name[:1]}•••@{domain}"


def addresses_of(row: models.Model) -> set[str]:
    """Where a change of who acts for an artisan is announced."""
    return {str(getattr(row, "email", ""))} if row._meta.label == "catalog.Artisan" else set()


def record(
    row: models.Model, found: list[Changed], *, actor: User | None, actor_name: str, addresses: Iterable[str]
) -> None:
    """Write the audit entry, and the mails to administrators and to an artisan whose access changed."""
    if not found:
        return
    data = {"changes": [one.as_data() for one in found]}
    entry = audit_record(
        actor=actor, action=Action.SETTING_CHANGE, target=row, data=data, actor_name=actor_name
    )
    steering = [one.as_data() for one in found if one.setting.steers_money]
    access = [one.as_data() for one in found if one.setting.grants_access]
    context = {"about": about(row), "actor": actor.email if actor else actor_name, "at": timezone.now()}
    asks = [(AccountMail.SETTING_CHANGED, to, steering) for to in administrators() if steering]
    asks += [(AccountMail.ARTISAN_ACCESS_CHANGED, to, access) for to in sorted(addresses) if access]
    notifications_queue(
        *[
            MailAsk(kind, to, f"{kind}:{entry.pk}:{keyed_hash(to)[:16]}", context | {"changes": changes})
            for kind, to, changes in asks
        ]
    )


def about(row: models.Model) -> str:
    """The row as mails name it; a person is no name in other people's mails."""
    name = mask_email(str(row)) if isinstance(row, User) else str(row)
    return f"{str(row._meta.verbose_name).capitalize()} {name}"


def administrators() -> list[str]:
    """The verified addresses of those who can do everything."""
    users = User.objects.filter(is_superuser=True, is_active=True)
    found = EmailAddress.objects.filter(user__in=users, verified=True, primary=True).order_by("email")
    return list(found.values_list("email", flat=True))
