from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import AutoField, CharField, Model

from artisans.audit.models import AuditEntry
from artisans.core.requests import request_id
from artisans.core.security.events import security_event

if TYPE_CHECKING:
    from artisans.accounts.models import User


class Action(StrEnum):
    """Names of operations in the audit log, as subject.verb."""

    ACCOUNT_REGISTER = "account.register"
    ADDRESS_ADD = "address.add"
    ADDRESS_CHANGE = "address.change"
    ADDRESS_REMOVE = "address.remove"
    PASSWORD_CHANGE = "password.change"  # noqa: S105  # an action's name
    LEDGER_CLOSE = "ledger.close"
    SECOND_FACTOR_ADD = "second_factor.add"
    SECOND_FACTOR_REMOVE = "second_factor.remove"
    RECOVERY_CODES_MAKE = "recovery_codes.make"
    SESSIONS_END = "sessions.end"
    TOKEN_ISSUE = "token.issue"  # noqa: S105  # an action's name
    TOKEN_REVOKE = "token.revoke"  # noqa: S105  # an action's name
    PRODUCT_CREATE = "product.create"
    PRODUCT_CHANGE = "product.change"
    PRODUCT_PUBLISH = "product.publish"
    PRODUCT_ARCHIVE = "product.archive"
    PRODUCT_TAKE_OFF_SALE = "product.take_off_sale"
    PRODUCT_ALLOW_SALE = "product.allow_sale"
    VARIANTS_CHANGE = "variants.change"
    PROFILE_CHANGE = "profile.change"
    TEAM_INVITE = "team.invite"
    TEAM_WITHDRAW = "team.withdraw"
    TEAM_JOIN = "team.join"
    TEAM_REMOVE = "team.remove"
    TEAM_LEAVE = "team.leave"
    ARTISAN_MOVE = "artisan.move"
    APPLICATION_MOVE = "application.move"
    TERMS_PUBLISH = "terms.publish"
    TERMS_ACCEPT = "terms.accept"
    STOCK_ADJUST = "stock.adjust"
    STOCK_IMPORT = "stock.import"
    PICTURE_ADD = "picture.add"
    PICTURE_CHANGE = "picture.change"
    PICTURE_REMOVE = "picture.remove"
    PORTRAIT_CHANGE = "portrait.change"
    PORTRAIT_REMOVE = "portrait.remove"
    HOLD_PLACE = "hold.place"
    HOLD_END = "hold.end"
    DEBT_SETTLE = "debt.settle"
    DEBT_WRITE_OFF = "debt.write_off"
    DEBT_REVERSE = "debt.reverse"
    RATES_IMPORT = "rates.import"
    TAX_ZONE_SAVE = "tax_zone.save"
    TAX_ID_DECIDE = "tax_id.decide"
    TAX_ID_ASK_AGAIN = "tax_id.ask_again"
    TAX_CLASS_SAVE = "tax_class.save"
    TAX_RATE_ADD = "tax_rate.add"
    SHIPPING_ZONE_SAVE = "shipping_zone.save"
    SHIPPING_METHOD_SAVE = "shipping_method.save"
    SHIPPING_METHOD_DELETE = "shipping_method.delete"
    PRICES_CONVERT = "prices.convert"
    PRICES_CHANGE = "prices.change"
    ORDER_CANCEL = "order.cancel"
    ORDER_EXPIRE = "order.expire"
    ORDER_RELEASE = "order.release"
    RECEIPT_RECORD = "receipt.record"
    RECEIPT_REVERSE = "receipt.reverse"
    PAYMENT_REJECT = "payment.reject"
    CASH_REPORT = "cash.report"
    CASH_DEPOSIT = "cash.deposit"
    CASH_DEPOSIT_REVERSE = "cash.deposit_reverse"
    MONEY_RETURN = "money.return"
    REFUND_OPEN = "refund.open"
    REFUND_DECIDE = "refund.decide"
    PAYMENT_SYNC = "payment.sync"
    FLAG_RESOLVE = "flag.resolve"
    MOVEMENT_CLOSE = "movement.close"
    MOVEMENT_REOPEN = "movement.reopen"
    DIFFERENCE_CLOSE = "difference.close"
    DIFFERENCE_REOPEN = "difference.reopen"
    METHOD_SAVE = "method.save"
    METHOD_REMOVE = "method.remove"
    PARCEL_MOVE = "parcel.move"
    SHIPMENT_CORRECT = "shipment.correct"
    PARCEL_DECIDE = "parcel.decide"
    PARCEL_INSTRUCT = "parcel.instruct"
    WEBHOOK_REPLAY = "webhook.replay"
    WEBHOOK_CLOSE = "webhook.close"
    LINK_REVOKE = "order.revoke_links"
    APPROVAL_REQUEST = "approval.request"
    APPROVAL_APPROVE = "approval.approve"
    APPROVAL_REJECT = "approval.reject"
    APPROVAL_WITHDRAW = "approval.withdraw"
    APPROVAL_EXPIRE = "approval.expire"
    APPROVAL_FAIL = "approval.fail"
    SETTING_CHANGE = "setting.change"
    LIST_EXPORT = "list.export"
    PERSON_ERASE = "person.erase"
    PERSON_EXPORT = "person.export"
    RECORD_VIEW = "record.view"


# Operations on these are also logged as security events.
SECURITY_SUBJECTS = frozenset(
    {
        *("account", "address", "password", "second_factor", "recovery_codes", "sessions", "token"),
        *("setting", "approval", "person", "record", "team"),
    }
)


def audit_record(
    *,
    actor: "User | None",
    action: Action,
    target: Model,
    data: dict[str, Any] | None = None,
    actor_name: str = "system",
) -> AuditEntry:
    """Add an entry in the transaction of the change. Data: plain JSON, no personal data."""
    entry = AuditEntry.objects.create(
        actor=actor,
        actor_name=actor.email if actor else actor_name,
        action=action,
        target_type=target._meta.label,
        target_id=target_key(target.pk),
        data=data or {},
        request_id=request_id.get(),
    )
    if action.split(".")[0] in SECURITY_SUBJECTS:
        transaction.on_commit(partial(log_entry, entry))
    return entry


def log_entry(entry: AuditEntry) -> None:
    """Who did what to which row, and the names of changed fields; the audit log has their values."""
    changes = entry.data["changes"] if entry.action == Action.SETTING_CHANGE else ()
    facts = {
        "audit": str(entry.pk),
        "actor": str(entry.actor_id or entry.actor_name),
        "target_type": entry.target_type,
        "target": str(entry.target_id),
    }
    if changes:
        facts["fields"] = ", ".join(change["field"] for change in changes)
    security_event(entry.action, facts)


def target_key(pk: UUID | int | str) -> UUID:
    """A row's key in the audit log; numbers and short texts are written as UUIDs."""
    if isinstance(pk, str):
        pk = int.from_bytes(pk.encode())
    return pk if isinstance(pk, UUID) else UUID(int=pk)


def row_key(label: str, key: UUID) -> UUID | int | str:
    """The row's primary key, by which its page is found."""
    try:
        field = apps.get_model(label)._meta.pk
    except (LookupError, ValueError):
        return key  # the model was removed or never existed
    if isinstance(field, CharField):
        return key.bytes.lstrip(b"\0").decode(errors="replace")
    return key.int if isinstance(field, AutoField) else key
