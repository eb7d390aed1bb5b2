"""Settings that affect money change only after a second person approves, where the store rules require it."""

import json
from contextlib import nullcontext

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group, Permission

from artisans.accounts.models import Role, User
from artisans.accounts.setting_changes import SettingChange, setting_change, setting_created
from artisans.accounts.setting_fields import SETTINGS
from artisans.accounts.tests.factories import UserFactory
from artisans.approvals.errors import OwnRequest
from artisans.approvals.kinds import KINDS
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.selectors import approvers_of
from artisans.approvals.services import approval_approve
from artisans.approvals.statuses import ApprovalStatus
from artisans.catalog.models import Artisan
from artisans.catalog.tests.factories import ArtisanFactory
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import Forbidden
from orders.approvals import kinds_of_rule
from orders.models import StoreRules
from payments.roles import ROLES
from tests.html import edit, page

pytestmark = pytest.mark.django_db

IBAN = "GB82 WEST 1234 5698 7654 32"


@pytest.fixture
def second(db) -> User:
    return User.objects.create_superuser("second@example.test", "correct-horse-1")


def rules(**values) -> StoreRules:
    StoreRules.objects.update(**values)
    return StoreRules.objects.get()


def change(row, actor, **new) -> bool:
    return setting_change(SettingChange.of(row, new=new), actor=actor)


def test_setting_waits_and_is_applied_as_it_was_requested(store, admin_user, second):
    store = rules(second_person_for_settings=True)

    assert change(store, admin_user, account_iban=IBAN, tax_rate_ppm=80_000) is False
    assert StoreRules.objects.get().account_iban == store.account_iban
    approval = ApprovalRequest.objects.get()
    assert dict(json.loads(approval.details)) == {
        "Account number or IBAN": f"{store.account_iban} → {IBAN}",
        "Tax rate": "10 % → 8 %",
    }

    approval = approval_approve(approval_id=approval.pk, actor=second)

    assert approval.status == ApprovalStatus.APPROVED
    assert (StoreRules.objects.get().account_iban, StoreRules.objects.get().tax_rate_ppm) == (IBAN, 80_000)


def test_settings_that_do_not_affect_money_change_at_once(store, admin_user, second):
    store = rules(second_person_for_settings=True)

    assert change(store, admin_user, name="Alley") is True
    assert not ApprovalRequest.objects.exists()


@pytest.mark.parametrize(
    ("now", "new"),
    [
        ({"second_person_for_settings": True}, {"second_person_for_settings": False}),
        ({"second_person_above_minor": 5000}, {"second_person_above_minor": None}),
        ({"second_person_above_minor": 5000}, {"second_person_above_minor": 999_999}),
        ({"second_person_above_minor": 5000}, {"second_person_for_settings": True}),
    ],
)
def test_rule_cannot_be_switched_off_by_one_person(store, admin_user, second, now, new):
    store = rules(**now)

    assert change(store, admin_user, **new) is False
    assert StoreRules.objects.filter(**now).exists()
    with pytest.raises(OwnRequest):
        approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=admin_user)


def test_page_names_possible_approvers_when_the_rule_is_switched_on(store, admin_user, second, browser):
    client = browser(admin_user)
    edit(client, store, second_person_above="500")

    shown = page(client.get(admin_page_url(store))).text
    assert StoreRules.objects.get().second_person_above_minor == 50_000
    assert shown.count(second.email) >= len(kinds_of_rule("second_person_above_minor"))


def test_one_person_switches_the_rule_on(store, admin_user, second):
    assert change(store, admin_user, second_person_above_minor=5000) is True


def test_setting_that_changed_meanwhile_is_not_overwritten(store, admin_user, second):
    store = rules(second_person_for_settings=True)
    change(store, admin_user, tax_rate_ppm=80_000)
    rules(tax_rate_ppm=70_000)

    approval = approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)

    assert approval.status == ApprovalStatus.FAILED
    assert StoreRules.objects.get().tax_rate_ppm == 70_000


@pytest.mark.parametrize("may", [False, True])
def test_second_person_must_be_allowed_to_make_the_change(store, admin_user, second, may):
    store = rules(second_person_for_settings=True)
    change(store, admin_user, account_iban=IBAN)
    clerk = UserFactory.create(email="clerk@example.test", role=Role.STAFF)
    names = ["change_storerules", "view_approvalrequest", *(["change_bank_account"] if may else [])]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))

    with nullcontext() if may else pytest.raises(Forbidden):
        approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=clerk)

    assert (StoreRules.objects.get().account_iban == IBAN) is may


def test_nobody_approves_access_for_themselves(store, admin_user, second, bowl):
    rules(second_person_for_settings=True)
    artisan = bowl.artisan

    change(artisan, admin_user, user=second.pk)

    with pytest.raises(Forbidden):
        approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    artisan.refresh_from_db()
    assert artisan.user_id != second.pk


def test_role_change_waits_and_shows_names(store, admin_user, second, shopper):
    rules(second_person_for_settings=True)
    group = Group.objects.get(name="Refunds team")

    change(shopper, admin_user, groups=[group.pk], role="staff")

    approval = ApprovalRequest.objects.get()
    assert "Refunds team" in approval.details
    approval_approve(approval_id=approval.pk, actor=second)
    shopper.refresh_from_db()
    assert (shopper.role, list(shopper.groups.all())) == ("staff", [group])


def test_page_says_that_the_change_waits(store, admin_user, second, browser):
    store = rules(second_person_for_settings=True)

    client = browser(admin_user)
    edit(client, store, account_iban=IBAN)

    shown = page(client.get(admin_page_url(store))).one("body").text
    assert "second person" in shown
    assert "was changed successfully" not in shown
    assert StoreRules.objects.get().account_iban == store.account_iban


def test_switching_the_rule_on_needs_two_approvers_for_each_kind(store, admin_user, browser):
    shown = edit(browser(admin_user), store, second_person_for_settings="on")

    assert "Nobody could give the second approval" in page(shown).one("body").text
    assert not StoreRules.objects.get().second_person_for_settings
    assert all(
        len(people) == 1 for people in approvers_of(kinds_of_rule("second_person_for_settings")).values()
    )


def test_every_group_that_could_approve_sees_the_requests(db):
    steering = {s.permission for fields in SETTINGS.values() for s in fields.values() if s.affects_money}
    money = {kind.permission for kind in KINDS.values() if not kind.name.startswith("setting_change")}
    could = {name for name, permissions in ROLES.items() if {*permissions} & (steering | money)}

    blind = {name for name in could if "approvals.view_approvalrequest" not in ROLES[name]}

    assert {"Refunds team", "Store rules", "Bank account", "Artisan accounts"} <= could
    assert blind == set()


def test_money_limit_needs_no_second_person_for_other_settings(store, admin_user, staff, browser):
    """Two who refund and record, two who hold money back, and two who may change the rule back; nobody else edits
    users or artisans."""
    staff.groups.add(*Group.objects.filter(name__in=["Store rules", "Artisans’ money"]))

    edit(browser(admin_user), store, second_person_above="20")

    assert StoreRules.objects.get().second_person_above_minor == 2000
    assert change(StoreRules.objects.get(), admin_user, second_person_above_minor=None) is False
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=staff)
    assert StoreRules.objects.get().second_person_above_minor is None


def test_one_person_cannot_create_their_own_approver(store, admin_user, second, browser):
    rules(second_person_for_settings=True)
    words = {"password1": "gentle-harbour-lamp-77", "password2": "gentle-harbour-lamp-77"}

    browser(admin_user).post(
        "/admin/accounts/user/add/", {"email": "puppet@example.test", "name": "P", "role": "staff"} | words
    )

    assert User.objects.get(email="puppet@example.test").role == "shopper"
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    assert User.objects.get(email="puppet@example.test").role == "staff"


def test_new_artisan_has_no_user_and_the_default_commission_until_approved(
    store, admin_user, second, shopper
):
    rules(second_person_for_settings=True)
    artisan = ArtisanFactory.create(user=shopper, commission_ppm=1)

    assert setting_created(artisan, actor=admin_user) is False

    artisan.refresh_from_db()
    assert (artisan.user, artisan.commission_ppm) == (None, Artisan().commission_ppm)


def test_amounts_in_a_new_currency_wait_with_the_currency(store, admin_user, second, browser):
    before = rules(second_person_for_settings=True)

    edit(browser(admin_user), store, currency="JPY", cash_limit="15000", support_email="a@b.test")

    held = StoreRules.objects.get()
    assert (held.currency, held.cash_limit_minor) == (before.currency, before.cash_limit_minor)
    assert held.support_email == "a@b.test"
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    applied = StoreRules.objects.get()
    assert (applied.currency, applied.cash_limit_minor) == ("JPY", 15000)


def test_request_of_a_deactivated_user_is_not_executed(store, admin_user, second, shopper):
    rules(second_person_for_settings=True)
    change(shopper, admin_user, role="staff")
    User.objects.filter(pk=admin_user.pk).update(is_active=False)

    approval = approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)

    assert approval.status == ApprovalStatus.FAILED
    assert User.objects.get(pk=shopper.pk).role == Role.SHOPPER


def test_pages_of_a_request_work_when_its_target_was_deleted(store, admin_user, second, browser):
    rules(second_person_for_settings=True)
    group = Group.objects.create(name="Night shift")
    change(group, admin_user, permissions=[Permission.objects.get(codename="refund").pk])
    group.delete()
    approval, client = ApprovalRequest.objects.get(), browser(second)

    assert (
        "has been deleted, so the change cannot be made"
        in page(client.get(admin_page_url(approval))).one("body").text
    )
    assert client.post(admin_page_url(approval, "approve")).status_code == 302
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


@pytest.mark.parametrize("two", [True, False])
def test_nobody_can_take_over_a_colleagues_account_with_the_two_person_rule(
    store, admin_user, second, browser, two
):
    rules(second_person_for_settings=two)
    new = {"password1": "gentle-harbour-lamp-77", "password2": "gentle-harbour-lamp-77"}
    TOTP.activate(second, generate_totp_secret())
    client = browser(admin_user)

    client.post(f"/admin/accounts/user/{second.pk}/password/", new | {"usable_password": "true"})
    client.post(admin_page_url(second, "remove-second-factor"))

    second.refresh_from_db()
    assert second.check_password("gentle-harbour-lamp-77") is not two
    assert second.has_second_factor is two


@pytest.mark.parametrize("two", [True, False])
def test_group_with_permissions_is_not_deleted_by_one_person_with_the_two_person_rule(
    store, admin_user, second, browser, two
):
    rules(second_person_for_settings=two)
    group, client = Group.objects.get(name="Refunds team"), browser(admin_user)

    client.post(admin_page_url(group, "delete"), {"post": "yes"})
    client.post(
        "/admin/auth/group/",
        {"action": "delete_selected", "_selected_action": [str(group.pk)], "post": "yes"},
    )

    assert Group.objects.filter(pk=group.pk).exists() is two


def test_user_editors_cannot_take_over_an_artisans_account_whatever_its_role(browser, shopper):
    ArtisanFactory.create(user=shopper)
    clerk = UserFactory.create(role=Role.STAFF)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))

    assert browser(clerk).get(f"/admin/accounts/user/{shopper.pk}/password/").status_code == 403
