"""Staff in production: a second factor, a strong password, short sessions, and a recent sign-in before money moves."""

from datetime import timedelta
from itertools import product
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from artisans.accounts import checks
from artisans.accounts.models import AuthToken, Role, User
from artisans.accounts.sign_in_limits import network_remember
from artisans.accounts.tests.factories import PASSWORD, UserFactory
from artisans.accounts.tests.sign_in import sign_in
from artisans.accounts.tests.test_credentials import code_of, passkey
from artisans.core.admin.pages import PagesAdmin
from tests.dump import dump
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

SET_UP = "/shop/account/second-factor/"


@pytest.fixture
def production(settings):
    settings.STAFF_NEED_SECOND_FACTOR = True
    return settings


def admin_paths() -> list[str]:
    """The path of every admin page, with the id of no existing row where one is needed."""
    found = []
    for pattern in admin.site.urls[0]:
        for inner in getattr(pattern, "url_patterns", [pattern]):
            for args in ([], [uuid4()], ["x", "y"]):
                try:
                    found.append(reverse(f"admin:{inner.name}", args=args))
                except NoReverseMatch:
                    continue
    return sorted(set(found) - {reverse("admin:login"), reverse("admin:logout")})


def test_every_admin_page_redirects_staff_without_a_second_factor(browser, admin_user, production):
    client, addresses = browser(admin_user), admin_paths()
    before = dump()

    answers = {}
    for request in product(("get", "post"), addresses):
        answers[request] = getattr(client, request[0])(request[1])
        client.cookies.pop("messages", None)  # each answer adds one, and reading them takes longer and longer

    assert len(addresses) > 60
    assert {answer.status_code for answer in answers.values()} == {302}
    assert {answer["Location"] for answer in answers.values()} == {SET_UP}
    assert dump() == before


def test_admin_is_available_with_a_second_factor(browser, admin_user, production):
    passkey(admin_user)

    assert browser(admin_user).get("/admin/").status_code == 200


def test_demo_allows_the_admin_with_a_password_alone(client, staff, settings):
    settings.DEMO = True
    client.post(reverse("account_login"), {"login": staff.email, "password": PASSWORD})

    assert client.get("/admin/").status_code == 200


def test_second_factor_code_is_accepted_once(staff, production):
    TOTP.activate(staff, generate_totp_secret())
    right = {"login": staff.email, "password": PASSWORD}
    code = code_of(staff)
    one, other = Client(), Client()

    for client in (one, other):
        assert client.post(reverse("account_login"), right)["Location"] == reverse("mfa_authenticate")
        assert client.get("/admin/").status_code == 302
        client.post(reverse("mfa_authenticate"), {"code": code})

    assert one.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302


def test_second_factor_attempts_are_limited_per_account(staff):
    TOTP.activate(staff, generate_totp_secret())
    for n in range(6):
        client = Client(REMOTE_ADDR=f"192.0.2.{n}")
        client.post(reverse("account_login"), {"login": staff.email, "password": PASSWORD})
        answer = client.post(reverse("mfa_authenticate"), {"code": "000000" if n < 5 else code_of(staff)})

    assert "Too many requests" in page(answer).text
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(("minutes", "status"), [(29, 200), (31, 302)])
def test_staff_session_ends_after_half_an_hour_of_inactivity(staff, browser, time_machine, minutes, status):
    client = browser(staff)
    client.get("/admin/")
    time_machine.move_to(timezone.now() + timedelta(minutes=minutes))

    assert client.get("/admin/").status_code == status


def test_staff_session_continues_while_it_is_used(staff, browser, time_machine):
    client = browser(staff)
    for _ in range(4):
        assert client.get("/admin/").status_code == 200
        time_machine.move_to(timezone.now() + timedelta(minutes=20))


def test_shopper_session_lasts_for_days(shopper, browser, time_machine):
    client = browser(shopper)
    client.get(SET_UP)
    time_machine.move_to(timezone.now() + timedelta(days=13))

    assert client.get(SET_UP).status_code == 200


# ---- a recent sign-in --------------------------------------------------------------------------------------

EVERYDAY = {
    "exports.export": {"file"},
    "payments.payment": {"sync"},
    "payments.webhookevent": {"replay"},
    "payments.paymentflag": {"resolve"},
    "orders.order": {"as-buyer", "ledger"},
    "catalog.application": {"question"},
    "catalog.artisan": {"portrait"},
    "catalog.product": {"allow-sale", "count", "off-sale", "pictures"},
    "payments.providermovement": {"close", "reopen"},
    "payments.reconciliationrun": {"close", "reopen"},
    "notifications.notification": {"again"},
}
SENSITIVE_FORMS = {"orders.StoreRules", "catalog.Artisan", "accounts.User", "auth.Group"}


def own_pages() -> list[tuple[str, str]]:
    """Path and name of every custom admin page."""
    return [
        (reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{name}", args=[uuid4()]), name)
        for model, pages in admin.site._registry.items()
        if isinstance(pages, PagesAdmin)
        for name in pages.pages
        if name not in EVERYDAY.get(model._meta.label_lower, set())
    ]


@pytest.mark.parametrize("method", ["get", "post"])
def test_admin_pages_that_move_money_need_a_recent_sign_in(admin_user, method):
    client, before = Client(), dump()
    sign_in(client, admin_user, minutes_ago=16)

    answers = {address: getattr(client, method)(address) for address, _ in own_pages()}

    assert len(answers) > 8
    assert {answer.status_code for answer in answers.values()} == {302 if method == "get" else 403}
    assert dump() == before


def test_recent_sign_in_is_required_except_on_listed_pages():
    left_out = {
        model._meta.label_lower: set(pages.everyday_pages)
        for model, pages in admin.site._registry.items()
        if isinstance(pages, PagesAdmin) and pages.everyday_pages
    }
    sensitive = {
        model._meta.label
        for model, pages in admin.site._registry.items()
        if getattr(pages, "saving_needs_fresh_sign_in", False)
    }

    assert left_out == EVERYDAY
    assert sensitive >= SENSITIVE_FORMS


@pytest.mark.parametrize("path", ["add/", "{pk}/change/", "{pk}/password/", ""])
def test_users_are_changed_only_after_a_recent_sign_in(admin_user, shopper, path):
    client = Client()
    sign_in(client, admin_user, minutes_ago=16)
    before = dump()

    answer = client.post(
        f"/admin/accounts/user/{path.format(pk=shopper.pk)}", {"name": "X", "password1": "secret"}
    )

    assert answer.status_code == 403
    assert "secret" not in answer.content.decode()
    assert dump() == before


# ---- passwords ---------------------------------------------------------------------------------------------

PASSWORDS = [
    ("short-1", Role.SHOPPER, "has 7 characters"),
    ("Passw0rd!", Role.SHOPPER, "easy to guess"),
    ("password1234", Role.SHOPPER, "easy to guess"),
    ("ada.byron@home", Role.SHOPPER, "too similar to your name or email address"),
    ("aaaaaaaaaaaaaaaaaaaaaaaa", Role.SHOPPER, "easy to guess"),
    ("x7Kp2mQa", Role.SHOPPER, ""),
    ("x7Kp2mQa", Role.STAFF, "has 8 characters"),
    ("qwertyuiop12", Role.STAFF, "easy to guess"),
    ("Passw0rd!Passw0rd!", Role.STAFF, "easy to guess"),
    ("five-kilns-under-snow", Role.STAFF, ""),
    ("five-kilns-under-snow" * 6, Role.STAFF, ""),
]


@pytest.mark.parametrize(("password", "role", "cause"), PASSWORDS)
def test_password_policy_depends_on_the_role_and_refuses_common_passwords(password, role, cause):
    user = User(email="ada.byron@home.test", name="Ada Byron", role=role)
    try:
        validate_password(password, user)
        refusal = ""
    except ValidationError as error:
        refusal = " ".join(error.messages)

    assert cause in refusal
    assert bool(cause) is bool(refusal)


def test_new_staff_account_needs_a_password_of_the_staff_policy(browser, admin_user):
    person = {"email": "new@example.test", "name": "", "role": Role.STAFF, "usable_password": "true"}
    add = "/admin/accounts/user/add/"

    weak = browser(admin_user).post(add, person | {"password1": "x7Kp2mQa", "password2": "x7Kp2mQa"})

    assert "choose one with 12 or more" in page(weak).text
    assert not User.objects.filter(email="new@example.test").exists()


def test_new_staff_member_with_a_weak_password_must_change_it_first(client):
    user = UserFactory.create(role=Role.STAFF, password="x7Kp2mQa")
    client.post(reverse("account_login"), {"login": user.email, "password": "x7Kp2mQa"})
    change = reverse("account_change_password")

    assert client.get("/admin/")["Location"] == change

    new = "five-kilns-under-snow"
    client.post(change, {"oldpassword": "x7Kp2mQa", "password1": new, "password2": new})
    assert client.get("/admin/").status_code == 200


# ---- API tokens --------------------------------------------------------------------------------------------


@pytest.fixture
def issue(api):
    return lambda user, **body: api().post("/auth/token", {"email": user.email, "password": PASSWORD} | body)


@pytest.mark.parametrize("scope", ["staff", "refunds"])
def test_staff_token_needs_a_code_and_each_code_works_once(issue, staff, scope):
    TOTP.activate(staff, generate_totp_secret())
    code = code_of(staff)

    problem(issue(staff, scopes=[scope]), 403, "second_factor_required")
    problem(issue(staff, scopes=[scope], otp="000000"), 400, "wrong_otp")
    assert issue(staff, scopes=[scope], otp=code).json()["scopes"] == [scope]
    problem(issue(staff, scopes=[scope], otp=code), 400, "wrong_otp")
    assert AuthToken.objects.filter(user=staff).count() == 1


def test_recovery_code_is_accepted_once(issue, staff):
    passkey(staff)
    code = RecoveryCodes.activate(staff).get_unused_codes()[0]

    assert issue(staff, scopes=["staff"], otp=code).status_code == 200
    problem(issue(staff, scopes=["staff"], otp=code), 400, "wrong_otp")


def test_code_already_used_at_sign_in_is_refused_for_a_token(issue, staff, client):
    TOTP.activate(staff, generate_totp_secret())
    code = code_of(staff)
    client.post(reverse("account_login"), {"login": staff.email, "password": PASSWORD})
    client.post(reverse("mfa_authenticate"), {"code": code})

    problem(issue(staff, scopes=["staff"], otp=code), 400, "wrong_otp")


def test_code_older_than_a_used_one_is_refused(issue, staff):
    TOTP.activate(staff, generate_totp_secret())
    Authenticator.objects.filter(user=staff).update(
        data=Authenticator.objects.get(user=staff).data | {"used_up_to": 0}
    )
    older, newer = code_of(staff, periods_ahead=-1), code_of(staff)

    assert issue(staff, scopes=["staff"], otp=newer).status_code == 200
    problem(issue(staff, scopes=["staff"], otp=older), 400, "wrong_otp")


def test_wrong_codes_are_limited_per_account(issue, staff):
    TOTP.activate(staff, generate_totp_secret())
    for _ in range(5):
        problem(issue(staff, scopes=["staff"], otp="000000"), 400, "wrong_otp")

    answer = issue(staff, scopes=["staff"], otp=code_of(staff))

    problem(answer, 429, "rate_limited")
    assert int(answer["Retry-After"]) <= 300


def test_code_is_refused_for_an_account_without_a_second_factor(issue, staff):
    problem(issue(staff, scopes=["staff"], otp="123456"), 400, "wrong_otp")


@pytest.mark.parametrize("has_factor", [False, True])
def test_staff_scopes_by_password_alone_only_in_the_demo_and_without_a_second_factor(
    issue, staff, settings, has_factor
):
    settings.DEMO = True
    if has_factor:
        passkey(staff)

    assert issue(staff, scopes=["staff"]).status_code == (403 if has_factor else 200)


@pytest.mark.parametrize("has_factor", [False, True])
def test_token_page_offers_staff_scopes_only_with_a_second_factor(staff, browser, has_factor):
    if has_factor:
        passkey(staff)
        staff.refresh_from_db()

    answer = browser(staff).post(reverse("account_tokens"), {"name": "till", "scopes": ["staff"]})

    assert AuthToken.objects.filter(user=staff, granted="staff").exists() is has_factor
    assert ("will not be shown again" in page(answer).text) is has_factor


def test_token_from_the_demo_has_no_staff_scopes_in_production(staff, api, production):
    everything = api(staff)
    assert everything.get("/auth/tokens").json()["results"][0]["scopes"] == ["read", "write", "products"]
    problem(everything.post(f"/payments/{uuid4()}/approve", {}), 403, "insufficient_scope")

    Authenticator.objects.bulk_create(
        [Authenticator(user=staff, type="totp", data={})]
    )  # no signal: tokens stay

    assert "staff" in everything.get("/auth/tokens").json()["results"][0]["scopes"]


# ---- settings ----------------------------------------------------------------------------------------------

BAD: dict[str, dict[str, object]] = {
    "alley.E050": {"STAFF_NEED_SECOND_FACTOR": False},
    "alley.E051": {"MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN": True},
    "alley.E052": {"SITE_HOST": "192.0.2.7"},
    "alley.E053": {"SESSION_COOKIE_SECURE": False},
}


@pytest.mark.parametrize("check_id", ["", *BAD])
def test_production_checks_the_sign_in_settings(settings, check_id):
    good = {
        "STAFF_NEED_SECOND_FACTOR": True,
        "SITE_HOST": "shop.test",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
    }
    for name, value in (good | BAD.get(check_id, {})).items():
        setattr(settings, name, value)

    assert [message.id for message in checks.find_setting_errors()] == [check_id][: bool(check_id)]


def test_passkeys_are_bound_to_the_shops_host(settings, staff, browser):
    settings.SITE_HOST = "shop.test"

    options = browser(staff).get(reverse("mfa_add_webauthn")).context["js_data"]

    assert options["creation_options"]["publicKey"]["rp"]["id"] == "shop.test"


def test_command_removes_a_locked_out_administrators_second_factor(admin_user, mails):
    passkey(admin_user)

    call_command("remove_second_factor", admin_user.email.upper())

    assert not Authenticator.objects.filter(user=admin_user).exists()
    assert any(
        "two-factor authentication method was removed" in mail.subject for mail in mails(admin_user.email)
    )


def test_command_reports_an_unknown_email_address(db):
    with pytest.raises(CommandError, match=r"nobody@example\.test"):
        call_command("remove_second_factor", "nobody@example.test")


def test_password_saved_by_a_command_revokes_the_tokens(staff):
    AuthToken.objects.create(user=staff)
    staff.set_password("five-kilns-under-snow")
    staff.save()

    assert not AuthToken.objects.filter(user=staff).exists()


def test_strangers_cannot_guess_from_many_networks_nor_lock_the_owner_out(
    api, client, staff, shopper, settings, time_machine
):
    """Counters of staff survive the loss of the cache."""
    time_machine.move_to("2031-03-01 12:00:30+00:00", tick=False)
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"login_everywhere": (2, 3600)}

    def attempt(user: User, network: int, password: str = PASSWORD) -> int:
        body = {"email": user.email, "password": password}
        return api().post("/auth/token", body, REMOTE_ADDR=f"198.51.{network}.7").status_code

    for user, after_loss in ((staff, 429), (shopper, 200)):
        assert attempt(user, 1) == 200, "this network is known from now on"
        assert [attempt(user, network, "guess") for network in (2, 3, 4)] == [400, 429, 429]
        assert [attempt(user, network) for network in (5, 1)] == [429, 200]
        page_at = {"REMOTE_ADDR": "198.51.6.7"}
        login = {"login": user.email, "password": PASSWORD}
        refused = client.post(reverse("account_login"), login, **page_at)
        assert "Too many failed login attempts" in refused.content.decode()
        cache.clear()
        assert attempt(user, 7) == after_loss

    network_remember(staff, RequestFactory().get("/", REMOTE_ADDR="198.51.7.7"))  # as a password reset does
    assert attempt(staff, 7) == 200
    time_machine.shift(3600)
    assert attempt(staff, 8, "guess") == 400
