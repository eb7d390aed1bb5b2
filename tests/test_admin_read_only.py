"""Read-only models of the admin cannot be changed by anyone."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.urls import reverse

from artisans.approvals.kinds import KINDS, ApprovalKind
from artisans.core.admin.pages import ReadOnlyAdmin
from tests.html import page
from tests.two_of_each import make_two_of_each

pytestmark = [pytest.mark.once, pytest.mark.django_db]

READ_ONLY = sorted(
    model._meta.label
    for model, model_admin in admin.site._registry.items()
    if isinstance(model_admin, ReadOnlyAdmin)
)
MUST_BE_READ_ONLY = {
    "orders.Order",
    "orders.Parcel",
    "payments.Payment",
    "payments.Receipt",
    "payments.PaymentRefund",
    "payments.PaymentFlag",
    "catalog.StockMove",
    "notifications.Notification",
    "audit.AuditEntry",
    "carts.Cart",
}


@pytest.fixture(scope="module")
def two_of_each(module_db) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("one", "two"):
            patch.setitem(KINDS, kind, ApprovalKind(kind, kind, "payments.refund", lambda *_: None))
        make_two_of_each()
        yield


def test_rows_about_money_stock_and_status_are_registered_read_only():
    assert set(READ_ONLY) >= MUST_BE_READ_ONLY
    histories = {"orders.OrderTransition", "orders.ParcelTransition", "payments.PaymentTransition"}
    registered = {model._meta.label for model in admin.site._registry}
    assert not registered & (histories | {"orders.OrderLine", "accounts.AuthToken", "knox.AuthToken"})


@pytest.mark.parametrize("label", READ_ONLY)
def test_superuser_cannot_add_change_or_delete(two_of_each, browser, admin_user, label):
    full = browser(admin_user)
    model = next(m for m in admin.site._registry if m._meta.label == label)
    before = list(model._default_manager.order_by("pk").values())
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    assert full.get(reverse(f"{name}_add")).status_code == 403
    assert full.post(reverse(f"{name}_add"), {"status": "PAID"}).status_code == 403
    row = model._default_manager.first()
    assert row, "nothing to change"
    shown = full.get(reverse(f"{name}_change", args=[row.pk]))
    assert shown.status_code == 200
    assert not page(shown).all("input", name="status") + page(shown).all("select", name="status")
    changed = full.post(reverse(f"{name}_change", args=[row.pk]), {"status": "PAID"})
    assert changed.status_code in {403, 405}  # 405 where the page takes no POST at all
    assert full.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    full.post(reverse(f"{name}_changelist"), bulk)
    assert list(model._default_manager.order_by("pk").values()) == before
