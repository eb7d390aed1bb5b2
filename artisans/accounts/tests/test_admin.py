import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, Permission

from artisans.accounts.models import AuthToken, Role, User
from artisans.core.admin.pages import admin_page_url
from tests.html import edit, page

pytestmark = pytest.mark.django_db

ADD = "/admin/accounts/user/add/"


def form(user: User, **changes: object) -> dict[str, object]:
    return {"name": user.name, "role": user.role, "is_active": "on", "groups": []} | changes


def test_new_user_gets_a_normalized_email_address(browser, admin_user):
    person = {"email": "New.Person@Example.Test", "name": "New", "role": Role.ARTISAN}
    passwords = {"password1": "a-long-secret-1", "password2": "a-long-secret-1", "usable_password": "true"}

    answer = browser(admin_user).post(ADD, person | passwords)

    assert answer.status_code == 302
    user = User.objects.get(email="new.person@example.test")
    assert user.check_password("a-long-secret-1")
    assert EmailAddress.objects.get(user=user).verified is False


def test_taken_email_address_is_refused_in_any_case(browser, admin_user, shopper):
    taken = {"email": shopper.email.upper(), "name": "", "role": Role.SHOPPER}
    passwords = {"password1": "a-long-secret-1", "password2": "a-long-secret-1", "usable_password": "true"}

    answer = browser(admin_user).post(ADD, taken | passwords)

    assert "already exists" in page(answer).text


@pytest.mark.parametrize("change", [{"role": Role.STAFF}, {"is_active": None}])
def test_changing_the_role_or_deactivating_revokes_the_tokens(browser, admin_user, shopper, change):
    AuthToken.objects.create(user=shopper)

    answer = edit(browser(admin_user), shopper, **change)

    assert answer.status_code == 302
    assert AuthToken.objects.filter(user=shopper).count() == 0


def test_changing_the_name_keeps_the_tokens(browser, admin_user, shopper):
    AuthToken.objects.create(user=shopper)

    edit(browser(admin_user), shopper, name="Samantha")

    shopper.refresh_from_db()
    assert shopper.name == "Samantha"
    assert AuthToken.objects.filter(user=shopper).count() == 1


def test_a_new_password_revokes_the_tokens(browser, admin_user, shopper):
    AuthToken.objects.create(user=shopper)
    address = f"/admin/accounts/user/{shopper.pk}/password/"

    new = {"password1": "another-secret-1", "password2": "another-secret-1", "usable_password": "true"}
    answer = browser(admin_user).post(address, new)

    assert answer.status_code == 302
    shopper.refresh_from_db()
    assert shopper.check_password("another-secret-1")
    assert AuthToken.objects.filter(user=shopper).count() == 0


def test_permission_to_change_users_does_not_allow_creating_or_taking_over_staff(
    browser, powerless_staff, shopper, staff
):
    rights = Permission.objects.filter(codename__in=["view_user", "add_user", "change_user"])
    powerless_staff.user_permissions.set(rights)
    client = browser(powerless_staff)

    edit(client, shopper, role=Role.STAFF, is_superuser="on", groups=[Group.objects.first().pk])
    shopper.refresh_from_db()

    assert (shopper.role, shopper.is_superuser, shopper.groups.count()) == (Role.SHOPPER, False, 0)
    assert client.post(admin_page_url(staff), form(staff, name="Mine")).status_code == 403
    assert client.get(f"/admin/accounts/user/{staff.pk}/password/").status_code == 403


def test_users_cannot_be_deleted(browser, admin_user, shopper):
    assert (
        browser(admin_user).post(f"/admin/accounts/user/{shopper.pk}/delete/", {"post": "yes"}).status_code
        == 403
    )
    assert User.objects.filter(pk=shopper.pk).exists()
