from collections.abc import Collection
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from knox.settings import knox_settings

from artisans.accounts.mails import confirmation_mail
from artisans.accounts.models import STAFF_SCOPES, AuthToken, Scope, User, normal_email
from artisans.accounts.second_factor import code_use, has_second_factor
from artisans.accounts.sign_in_limits import network_remember
from artisans.audit.services import Action, audit_record
from artisans.core.errors import TEXT, Conflict, DomainError, Forbidden, InvalidInput, NotFound
from artisans.core.idempotency.keys import effect_record
from artisans.core.models import save_columns
from artisans.notifications.services import notifications_enqueue


def currency_keep(*, user: User, currency: str) -> None:
    """The currency in which this person sees prices."""
    if user.currency != currency:
        user.currency = currency
        save_columns(user, ["currency"])


def country_keep(*, user: User, country: str) -> None:
    """The country that this person wants deliveries to."""
    if user.country != country:
        user.country = country
        save_columns(user, ["country"])


class EmailTaken(Conflict):
    """An account with this address exists."""

    code = "email_taken"
    remedy = "Sign in with `POST /auth/token`, or reset the password on the sign-in page."

    def __init__(self) -> None:
        super().__init__(
            _("An account with this email address already exists. Sign in, or reset its password.")
        )


class WrongCredentials(DomainError):
    """The email address or the password is wrong; the response does not say which."""

    code = "wrong_credentials"
    title = "Sign-in failed"
    remedy = "Check both, or reset the password on the sign-in page."

    def __init__(self) -> None:
        super().__init__(_("The email address or password is wrong."))


class ScopesBeyondRole(InvalidInput):
    """A scope that the account's role does not have was requested."""

    members = {"scopes": {"type": "array", "items": TEXT}}

    def __init__(self, beyond: list[str], *, allowed: list[str]) -> None:
        super().__init__(
            _("Your account cannot have these scopes: {scopes}.").format(scopes=", ".join(beyond)),
            extra={"scopes": allowed},
        )


class SecondFactorRequired(Forbidden):
    """The requested scopes require a second factor."""

    code = "second_factor_required"
    remedy = (
        "Send `otp` with the password: a code from your authenticator app, or a recovery code. Or create the token on "
        "the account page *API tokens*."
    )

    def __init__(self) -> None:
        super().__init__(_("Tokens with the scopes staff and refunds need two-factor authentication."))


class WrongOtp(DomainError):
    """The code of the second factor is wrong or was used before."""

    code = "wrong_otp"
    title = "Sign-in failed"
    remedy = "Wait for the next code of your authenticator app, or send a recovery code that is not used yet."

    def __init__(self) -> None:
        super().__init__(_("The one-time code is wrong or was already used."))


def email_is_taken(email: str) -> bool:
    """Whether an account signs in with this address, or another has verified it. Addresses that someone only added to
    an account are free: anyone could keep their owners out with them."""
    email = normal_email(email)
    return User.objects.filter(email=email).exists() or bool(EmailAddress.objects.is_verified(email))


def user_register(*, email: str, password: str, name: str = "") -> User:
    """Create a shopper's account with an unverified address, and enqueue the email that verifies it.

    Errors: InvalidInput for a weak password, EmailTaken (ignoring case; also where another account has
    verified the address).
    """
    user = User(email=normal_email(email), name=name)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from error
    user.set_password(password)
    if email_is_taken(email):
        raise EmailTaken
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            address = EmailAddress.objects.create(user=user, email=user.email, primary=True)
            notifications_enqueue(confirmation_mail(address))
            audit_record(actor=user, action=Action.ACCOUNT_REGISTER, target=user)
            effect_record(f"user:{user.pk}")
    except IntegrityError as error:
        raise EmailTaken from error
    return user


def token_issue(
    *,
    request: HttpRequest,
    email: str,
    password: str,
    name: str = "",
    scopes: Collection[str] = (),
    otp: str = "",
) -> tuple[AuthToken, str]:
    """Issue a token with the given scopes (default: read, write). Returns the row and the token itself.

    Errors: WrongCredentials, ScopesBeyondRole, SecondFactorRequired, WrongOtp, RateLimited.
    """
    user = authenticate(request, email=normal_email(email), password=password)
    if not isinstance(user, User):
        raise WrongCredentials
    wanted = set(scopes) or {Scope.READ.value, Scope.WRITE.value}
    if beyond := sorted(wanted - set(user.scopes)):
        raise ScopesBeyondRole(beyond, allowed=list(user.scopes))
    if otp:
        if code_use(user, otp) is None:
            raise WrongOtp
    elif not (STAFF_SCOPES.isdisjoint(wanted) or password_is_enough(user)):
        raise SecondFactorRequired
    network_remember(user, request)
    return token_create(user=user, name=name, scopes=wanted)


def password_is_enough(user: User) -> bool:
    """Only in the demo, whose accounts have no second factor unless someone adds one."""
    return bool(settings.DEMO) and not has_second_factor(user)


def scopes_on_page(user: User) -> tuple[Scope, ...]:
    """Scopes for a token created by a signed-in user; those with a second factor used it to sign in."""
    if user.is_staff and not (has_second_factor(user) or password_is_enough(user)):
        return (Scope.READ, Scope.WRITE)
    return user.scopes


def token_create(*, user: User, name: str, scopes: Collection[str]) -> tuple[AuthToken, str]:
    """Create a token for a reauthenticated user, and delete the oldest ones beyond the limit per user.

    Errors: WrongCredentials if the password was changed in the meantime.
    """
    granted = " ".join(scope for scope in user.scopes if scope in scopes)
    kept = knox_settings.TOKEN_LIMIT_PER_USER - 1
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if locked.password != user.password or locked.session_epoch != user.session_epoch:
            raise WrongCredentials
        old = user.auth_token_set.order_by("-created").values_list("digest", flat=True)[kept:]
        AuthToken.objects.filter(digest__in=list(old)).delete()
        row, token = AuthToken.objects.create(user=user, name=name, granted=granted)
        audit_record(actor=user, action=Action.TOKEN_ISSUE, target=user)
    return row, token


def token_revoke(*, user: User, public_id: UUID) -> None:
    """Revoke one of the user's tokens. Errors: NotFound for someone else's."""
    with transaction.atomic():
        deleted = AuthToken.objects.filter(user=user, public_id=public_id).delete()[0]
        if not deleted:
            raise NotFound(_("Token not found."))
        audit_record(actor=user, action=Action.TOKEN_REVOKE, target=user, data={"token": str(public_id)})


def has_confirmed_address(user: User) -> bool:
    """Whether the main address is verified. Accounts without address rows were made by the operator: they count as
    confirmed."""
    addresses = dict(EmailAddress.objects.filter(user=user).values_list("email", "verified"))
    return not addresses or bool(addresses.get(user.email, False))


def has_verified(user: User, email: str) -> bool:
    """Whether the user has verified this address."""
    return bool(EmailAddress.objects.filter(user=user, email=normal_email(email), verified=True).exists())
