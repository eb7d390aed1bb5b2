from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from artisans.accounts.models import Role, User, normal_email
from artisans.accounts.services import EmailTaken, email_is_taken
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput


def administrator_named(email: str) -> User | None:
    """The administrator with this address. Errors: InvalidInput; EmailTaken if the account has fewer rights."""
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from None
    user = User.objects.filter(email=normal_email(email)).first()
    if user is not None and not (user.is_superuser and user.is_active):
        raise EmailTaken
    return user


@transaction.atomic
def administrator_create(*, email: str, password: str) -> User:
    """Create a superuser for a new shop, with an address that counts as verified.

    Errors: InvalidInput for an invalid address or a weak password, EmailTaken.
    """
    if administrator_named(email) or email_is_taken(email):
        raise EmailTaken
    try:
        validate_password(password, User(email=normal_email(email), role=Role.STAFF))
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from None
    user = User.objects.create_superuser(email, password)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    audit_record(actor=None, actor_name="setup_shop", action=Action.ACCOUNT_REGISTER, target=user)
    return user
