"""Who may change settings that affect money and permissions, and how changes are audited and mailed."""

import json
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from artisans.accounts import setting_changes
from artisans.accounts.models import Role, User
from artisans.accounts.setting_changes import SettingChange, mask, mask_email, setting_change
from artisans.accounts.setting_fields import SETTINGS, UNAUDITED
from artisans.accounts.tests.factories import UserFactory
from artisans.audit.models import AuditEntry
from artisans.catalog.models import Artisan, Product
from artisans.catalog.tests.factories import ArtisanFactory
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import Conflict, Forbidden
from artisans.core.security.encryption import keyed_hash
from orders.models import StoreRules
from tests.html import edit, page

pytestmark = [pytest.mark.once, pytest.mark.django_db]

IBAN = "GB82 WEST 1234 5698 7654 32"


def colleague(email: str, *permissions: str, groups: tuple[str, ...] = ()) -> User:
    user = UserFactory.create(email=email, role=Role.STAFF)
    user.groups.set(Group.objects.filter(name__in=groups))
    for permission in permissions:
        label, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
    return user


@pytest.fixture
def clerk() -> User:
    return colleague("clerk@example.test", groups=("Catalog team",))


@pytest.fixture
def owner(admin_user) -> User:
    """A superuser with a confirmed mail address."""
    EmailAddress.objects.create(user=admin_user, email=admin_user.email, primary=True, verified=True)
    return admin_user


def change(row: Any, actor: User | None, **new: Any) -> bool:
    return setting_change(SettingChange.of(row, new=new), actor=actor)


# ---- the list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", SETTINGS)
def test_every_field_of_a_listed_model_is_classified(label):
    model = apps.get_model(label)
    names = {field.name for field in (*model._meta.concrete_fields, *model._meta.many_to_many)}

    assert names == SETTINGS[label].keys() | UNAUDITED[label], (
        "name the field in artisans/accounts/setting_fields.py"
    )
    assert not SETTINGS[label].keys() & UNAUDITED[label]


def test_listed_permissions_exist():
    named = {setting.permission for fields in SETTINGS.values() for setting in fields.values()}
    known = {
        f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.select_related("content_type")
    }

    assert named - {"", "superuser"} <= known


# ---- the catalogue -----------------------------------------------------------------------------------------


def barred(artisan: Artisan, clerk: User) -> dict[str, Any]:
    return {"user": str(clerk.pk), "email": clerk.email, "fee_tax_treatment": "outside"}


def test_clerk_changes_an_artisans_texts_but_not_user_email_or_tax(browser, clerk, bowl):
    artisan = bowl.artisan
    before = (artisan.user_id, artisan.email, "domestic")

    answer = edit(browser(clerk), artisan, town="Seaside", **barred(artisan, clerk))

    assert answer.status_code == 302
    artisan.refresh_from_db()
    assert (artisan.user_id, artisan.email, artisan.fee_tax_treatment) == before
    assert artisan.town == "Seaside"


def test_clerk_cannot_add_an_artisan(browser, clerk):
    known = {"name": "Mine", "slug": "mine", "craft": "x", "town": "y", "is_active": "on"}

    answer = browser(clerk).post(
        "/admin/catalog/artisan/add/", known | {"email": clerk.email, "user": clerk.pk}
    )

    assert answer.status_code == 403
    assert Artisan.objects.count() == 0


def test_clerk_cannot_move_a_product_to_another_artisan(browser, clerk, bowl):
    mine = ArtisanFactory.create(user=clerk)

    assert edit(browser(clerk), bowl, artisan=str(mine.pk), name="Fern bowl").status_code == 302
    bowl.refresh_from_db()
    assert (bowl.name, bowl.artisan.slug) == ("Fern bowl", "harbour-pottery")


@pytest.mark.parametrize("is_superuser", [True, False])
@pytest.mark.parametrize("field", ["user", "email", "product"])
def test_nobody_can_give_themselves_access_to_an_artisan(browser, bowl, field, is_superuser):
    codes = ("catalog.change_artisan", "catalog.change_artisan_access", "catalog.change_product")
    person = colleague("boss@example.test", *codes, "catalog.view_artisan", "catalog.view_product")
    User.objects.filter(pk=person.pk).update(is_superuser=is_superuser)
    EmailAddress.objects.create(user=person, email="other@example.test", verified=True)
    before = Artisan.objects.filter(pk=bowl.artisan_id).values().get()
    if field == "product":
        row, value = bowl, {"artisan": str(ArtisanFactory.create(user=person).pk)}
    else:
        row = bowl.artisan
        value = {"user": {"user": str(person.pk)}, "email": {"email": "Other@example.test"}}[field]

    edit(browser(person), row, **value)

    assert Artisan.objects.filter(pk=bowl.artisan_id).values().get() == before
    assert Product.objects.get().artisan_id == bowl.artisan_id
    assert not AuditEntry.objects.filter(action="setting.change").exists()


def test_change_of_access_is_audited_masked_and_mailed_to_both_addresses_and_administrators(
    browser, owner, bowl, other_seller, mails
):
    artisan = bowl.artisan
    Artisan.objects.filter(user=other_seller).update(user=None)

    edit(browser(owner), artisan, email="new@pottery.test", user=str(other_seller.pk))

    artisan.refresh_from_db()
    assert (artisan.email, artisan.user) == ("new@pottery.test", other_seller)
    entry = AuditEntry.objects.get(action="setting.change")
    assert (entry.actor, entry.target_id) == (owner, artisan.pk)
    [email] = [one for one in entry.data["changes"] if one["field"] == "email"]
    assert email == {
        "field": "email",
        "label": "Email address for new orders",
        "old": "s•••@example.test",
        "new": "n•••@pottery.test",
        "old_hash": keyed_hash("seller@example.test"),
        "new_hash": keyed_hash("new@pottery.test"),
    }
    assert "seller@example.test" not in json.dumps(entry.data)
    for address in ("seller@example.test", "new@pottery.test"):
        [mail] = mails(address)
        assert "s•••@example.test → n•••@pottery.test" in mail.body
    [mail] = mails(owner.email)
    assert "Email address for new orders: s•••@example.test → n•••@pottery.test" in mail.body


# ---- store rules -------------------------------------------------------------------------------------------


def test_tax_and_bank_account_need_separate_permissions(browser, store):
    rules = colleague("rules@example.test", "orders.change_storerules")
    bank = colleague("bank@example.test", "orders.change_bank_account")
    both = {"commission_tax": "12", "account_iban": IBAN, "check_payee": "Mine"}

    assert edit(browser(rules), store, **both).status_code == 302
    store.refresh_from_db()
    assert (store.commission_tax_ppm, store.account_iban, store.check_payee) == (
        120_000, "DE89 3704 0044 0532 0130 00", "Artisans Alley Co."
    )  # fmt: skip
    assert edit(browser(bank), store, **both | {"commission_tax": "15"}).status_code == 302
    store.refresh_from_db()
    assert (store.commission_tax_ppm, store.check_payee) == (120_000, "Mine")
    assert store.account_iban.replace(" ", "") == IBAN.replace(" ", "")


def test_store_rules_are_audited_readably_with_bank_data_masked(browser, owner, store, mails):
    edit(
        browser(owner), store, commission_tax="8.875", cash_limit="7", account_iban=IBAN, account_holder="Ann"
    )

    entry = AuditEntry.objects.get(action="setting.change")
    found = {one["label"]: (one["old"], one["new"]) for one in entry.data["changes"]}
    assert found == {
        "Tax rate on commission": ("0 %", "8.875 %"),
        "Cash on delivery up to": ("150.00 USD", "7.00 USD"),
        "Account number or IBAN": ("••••3000", "••••5432"),
        "Account holder": ("••••yCo.", "••••"),
    }
    assert "WEST" not in json.dumps(entry.data)
    assert {"old_hash", "new_hash"} <= {key for one in entry.data["changes"] for key in one}
    [mail] = mails(owner.email)
    assert "Tax rate on commission: 0 % → 8.875 %" in mail.body
    assert "Cash" not in mail.body
    shown = page(browser(owner).get("/admin/audit/auditentry/")).text
    assert "Tax rate on commission: 0 % → 8.875 %" in shown
    assert page(browser(owner).get("/admin/audit/auditentry/")).all("a", href=admin_page_url(store))


def test_unchanged_value_writes_no_audit_entry_and_no_mail(owner, store, mails):
    assert change(store, owner, tax_rate_ppm=100_000)

    assert not AuditEntry.objects.exists()
    assert mails() == []


def test_change_is_refused_when_a_field_changed_since_it_was_displayed(owner, store):
    late = SettingChange.of(store, new={"tax_rate_ppm": 120_000})
    StoreRules.objects.update(tax_rate_ppm=88_750)

    with pytest.raises(Conflict, match="Tax rate"):
        setting_change(late, actor=owner)
    store.refresh_from_db()
    assert store.tax_rate_ppm == 88_750


def test_service_checks_the_same_permissions_as_the_page(clerk, store, bowl, shopper):
    for row, new in (
        (store, {"account_iban": IBAN}),
        (store, {"tax_rate_ppm": 1}),
        (bowl.artisan, {"commission_ppm": 1}),
        (shopper, {"role": "staff"}),
        (Group.objects.first(), {"permissions": []}),
    ):
        with pytest.raises(Forbidden):
            change(row, clerk, **new)
    assert not AuditEntry.objects.exists()


def test_change_can_be_stored_as_json_when_a_handler_defers_it(monkeypatch, browser, owner, store):
    held: list[SettingChange] = []

    def hold(part, actor) -> bool:
        held.append(part)
        return True

    monkeypatch.setattr(setting_changes, "APPROVAL_HOOKS", [hold])

    answer = edit(browser(owner), store, commission_tax="12", cash_limit="7", account_iban=IBAN)

    assert answer.status_code == 302
    store.refresh_from_db()
    assert (store.commission_tax_ppm, store.cash_limit_minor) == (0, 700)
    [part] = held
    assert part.new.keys() == {"commission_tax_ppm", "account_iban"}
    stored = json.dumps([part.target, part.pk, part.new, part.seen])
    assert setting_change(SettingChange(*json.loads(stored)), actor=owner, is_approved=True)
    store.refresh_from_db()
    assert (store.commission_tax_ppm, store.account_iban.replace(" ", "")) == (120_000, IBAN.replace(" ", ""))


# ---- people ------------------------------------------------------------------------------------------------


def test_roles_and_groups_are_audited_and_mailed(browser, owner, shopper, mails):
    group = Group.objects.get(name="Refunds team")

    edit(browser(owner), shopper, role="staff", groups=[str(group.pk)], is_active=None)

    shopper.refresh_from_db()
    assert (shopper.role, list(shopper.groups.all()), shopper.is_active) == ("staff", [group], False)
    [mail] = mails(owner.email)
    for line in ("Role: shopper → staff", "Groups: none → Refunds team", "Can sign in: yes → no"):
        assert line in mail.body
    assert shopper.email not in mail.body


def test_new_staff_and_new_groups_are_audited(browser, owner, mails):
    words = {"password1": "a-long-secret-1", "password2": "a-long-secret-1", "usable_password": "true"}
    person = {"email": "new@example.test", "name": "New", "role": Role.STAFF}
    browser(owner).post("/admin/accounts/user/add/", person | words)
    refund = Permission.objects.get(codename="refund")
    browser(owner).post("/admin/auth/group/add/", {"name": "Night shift", "permissions": [refund.pk]})

    assert AuditEntry.objects.filter(action="setting.change").count() == 2
    bodies = " ".join(mail.body for mail in mails(owner.email))
    assert "Role: none → staff" in bodies
    assert "Permissions: none → " in bodies


def test_removed_group_is_audited(browser, owner):
    group = Group.objects.create(name="Night shift")
    browser(owner).post(admin_page_url(group, "delete"), {"post": "yes"})

    assert not Group.objects.filter(name="Night shift").exists()
    [change] = AuditEntry.objects.get(action="setting.change").data["changes"][:1]
    assert (change["label"], change["old"], change["new"]) == ("Name", "Night shift", "")


PEOPLE = ("accounts.view_user", "accounts.change_user", "accounts.add_user")
GROUPS = ("auth.view_group", "auth.change_group", "auth.add_group", "auth.delete_group")


def test_editing_groups_and_users_does_not_allow_raising_permissions(browser, shopper, seller, admin_user):
    person = colleague("people@example.test", *PEOPLE, *GROUPS, groups=("Catalog team",))
    client, own = browser(person), person.groups.get()
    refund = Permission.objects.get(codename="refund")
    rights = set(own.permissions.all())

    edit(client, own, name="Mine", permissions=[str(refund.pk)])
    client.post("/admin/auth/group/add/", {"name": "New", "permissions": [refund.pk]})
    edit(client, shopper, role="staff", is_superuser="on", groups=[str(own.pk)], email="x@example.test")
    for other in (seller, admin_user, person):
        assert client.post(admin_page_url(other), {"name": "Mine", "role": "staff"}).status_code == 403
        assert client.get(f"/admin/accounts/user/{other.pk}/password/").status_code == 403
    assert client.post(admin_page_url(own, "delete"), {"post": "yes"}).status_code == 403

    own.refresh_from_db()
    assert (own.name, set(own.permissions.all())) == ("Catalog team", rights)
    assert not Group.objects.filter(permissions=refund, name="New").exists()
    shopper.refresh_from_db()
    assert (shopper.role, shopper.is_superuser, shopper.groups.count()) == (Role.SHOPPER, False, 0)
    assert shopper.email == "shopper@example.test"


def test_masks_show_only_a_few_characters():
    assert mask("DE89370400440532013000") == "••••3000"
    assert mask("123456") == "••••"
    assert mask_email("anna@example.test") == "a•••@example.test"


# ---- rows that libraries save whole ------------------------------------------------------------------------


def test_librarys_password_form_does_not_restore_an_old_role(shopper):
    stale = User.objects.get(pk=shopper.pk)
    User.objects.filter(pk=shopper.pk).update(role=Role.ARTISAN, is_active=False)

    stale.set_password("another-secret-1")
    stale.save()

    shopper.refresh_from_db()
    assert (shopper.role, shopper.is_active) == (Role.ARTISAN, False)
    assert shopper.check_password("another-secret-1")


def test_full_save_writes_values_assigned_before_a_partial_save(shopper):
    shopper.name = "Samantha"
    shopper.is_active = False
    shopper.save(update_fields=["is_active"])
    assert User.objects.get(pk=shopper.pk).name == "Sam Shopper"

    shopper.save()

    assert User.objects.get(pk=shopper.pk).name == "Samantha"
    again = User.objects.only("email").get(pk=shopper.pk)
    again.name = "Sam"
    again.save()
    assert User.objects.get(pk=shopper.pk).name == "Sam"
