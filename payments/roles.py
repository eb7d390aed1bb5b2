"""Groups of staff permissions by role, which administrators assign to people."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

VIEW = (
    "orders.view_order",
    "orders.view_parcel",
    "orders.view_shipment",
    "orders.view_orderline",
    "payments.view_payment",
    "payments.view_paymentattempt",
    "payments.view_dispute",
)
VIEW_LEDGER = (
    "ledger.view_ledgeraccount",
    "ledger.view_ledgerentry",
    "ledger.view_ledgerposting",
    "ledger.view_ledgerperiod",
)
ROLES: dict[str, tuple[str, ...]] = {
    "Payments team": (
        *VIEW,
        "payments.approve_manual",
        "approvals.view_approvalrequest",
        "payments.view_receipt",
        "payments.view_cashdeposit",
        "payments.view_paymentrefund",
        "payments.view_webhookevent",
        "payments.view_reconciliationrun",
        "payments.view_providermovement",
        "payments.view_provideralert",
        "payments.view_providerrequest",
        "payments.view_paymentflag",
        "payments.resolve_flag",
        "payments.sync_payment",
        "exports.export_lists",
        "notifications.view_notification",
        "notifications.retry_mail",
    ),
    "Webhooks team": (
        *VIEW,
        "payments.view_webhookevent",
        "payments.replay_webhook",
        "payments.view_providerrequest",
    ),
    "Refunds team": (
        *VIEW,
        "payments.refund",
        "approvals.view_approvalrequest",
        "payments.view_paymentrefund",
        "payments.view_receipt",
        "payments.view_cashdeposit",
        "payments.view_paymentflag",
        "payments.resolve_flag",
        "payments.sync_payment",
    ),
    "Orders team": (
        *VIEW,
        "orders.cancel_order",
        "orders.revoke_links",
        "orders.view_carrier",
        "orders.add_carrier",
        "orders.change_carrier",
        "notifications.view_notification",
        "notifications.retry_mail",
    ),
    "Catalog team": (
        "catalog.view_artisan",
        "catalog.add_artisan",
        "catalog.change_artisan",
        "catalog.view_product",
        "catalog.add_product",
        "catalog.change_product",
        "catalog.view_category",
        "catalog.add_category",
        "catalog.change_category",
        "catalog.view_stockmove",
    ),
    "Artisan accounts": (
        "catalog.view_artisan",
        "catalog.add_artisan",
        "catalog.change_artisan",
        "catalog.change_artisan_access",
        "catalog.change_commission",
        "catalog.view_commissionrate",
        "catalog.view_product",
        "catalog.view_application",
        "catalog.decide_application",
        "catalog.view_artisanstatechange",
        "catalog.change_artisan_state",
        "catalog.view_terms",
        "catalog.publish_terms",
        "catalog.view_termsacceptance",
        "approvals.view_approvalrequest",
        "accounts.view_user",
    ),
    "Store rules": (
        "orders.view_storerules",
        "orders.change_storerules",
        "approvals.view_approvalrequest",
    ),
    "Pricing": (
        "regions.view_shopcurrency",
        "regions.add_shopcurrency",
        "regions.change_shopcurrency",
        "regions.view_ratesheet",
        "regions.add_ratesheet",
    ),
    "Bank account": (
        "orders.view_storerules",
        "orders.change_bank_account",
        "approvals.view_approvalrequest",
    ),
    "Bookkeeping": (
        *VIEW,
        *VIEW_LEDGER,
        "ledger.close_period",
        "exports.export_lists",
        "approvals.view_approvalrequest",
        "payments.view_receipt",
        "payments.view_cashdeposit",
        "payments.view_paymentrefund",
    ),
    "Privacy team": (
        "privacy.view_erasure",
        "privacy.erase_person",
        "privacy.export_person",
    ),
    "Exports": ("exports.export_lists",),
    "Locked records": ("privacy.view_lockedrecord",),
    "Operators": (
        "core.view_systemcheck",
        "payments.view_webhookevent",
        "payments.replay_webhook",
        "payments.view_reconciliationrun",
        "payments.view_providermovement",
        "payments.view_provideralert",
        "payments.view_providerrequest",
        "notifications.view_notification",
        "notifications.retry_mail",
    ),
    "Auditors": (
        *VIEW,
        "audit.view_auditentry",
        "exports.export_lists",
        "approvals.view_approvalrequest",
        "catalog.view_commissionrate",
        "catalog.view_artisanstatechange",
        "catalog.view_terms",
        "catalog.view_termsacceptance",
        "payments.view_receipt",
        "payments.view_cashdeposit",
        "payments.view_paymentrefund",
        "payments.view_webhookevent",
        "payments.view_reconciliationrun",
        "payments.view_providermovement",
        "payments.view_provideralert",
        "payments.view_providerrequest",
        "payments.view_paymentflag",
        *VIEW_LEDGER,
    ),
}


def roles_sync(**kwargs: Any) -> None:
    """Create the groups and their permissions; permissions added by administrators are kept."""
    for name, codes in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        wanted = Q()
        for code in codes:
            label, _, codename = code.partition(".")
            wanted |= Q(content_type__app_label=label, codename=codename)
        group.permissions.add(*Permission.objects.filter(wanted))
