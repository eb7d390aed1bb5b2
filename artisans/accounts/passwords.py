from django.conf import settings
from django.contrib.auth.password_validation import UserAttributeSimilarityValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from zxcvbn import zxcvbn

from artisans.accounts.models import AuthToken, User

SIMILAR = UserAttributeSimilarityValidator(user_attributes=("email", "name"))
MEASURED = 72  # characters; zxcvbn accepts no more, and longer passwords are no weaker


class StrongPassword:
    """Requires the length set for the user's role and rejects passwords that are easy to guess."""

    def validate(self, password: str, user: User | None = None) -> None:
        length, score = (12, 3) if user is not None and user.is_staff else (8, 2)
        if len(password) < length:
            raise ValidationError(
                ngettext(
                    "This password has {count} character; choose one with {minimum} or more.",
                    "This password has {count} characters; choose one with {minimum} or more.",
                    len(password),
                ).format(count=len(password), minimum=length),
                "password_too_short",
            )
        try:
            SIMILAR.validate(password, user)
        except ValidationError:
            raise ValidationError(
                _(
                    "This password is too similar to your name or email address. Choose three or four unrelated words."
                ),
                "password_too_similar",
            ) from None
        measured = zxcvbn(password[:MEASURED], user_inputs=known_words(user))
        if measured["score"] < score:
            cause = measured["feedback"]["warning"].rstrip(".") or _("It follows a common pattern")
            raise ValidationError(
                _("This password is easy to guess. {cause}. Choose three or four unrelated words.").format(
                    cause=cause
                ),
                "password_too_weak",
            )

    def password_changed(self, password: str, user: User | None = None) -> None:
        """Django's hook after a new password is saved, also by `manage.py changepassword`."""
        AuthToken.objects.filter(user=user).delete()

    def get_help_text(self) -> str:
        return _(
            "At least 8 characters (12 for staff) and hard to guess. Three or four unrelated words work best."
        )


def known_words(user: User | None) -> list[str]:
    """What an attacker of this account is likely to know."""
    texts = [settings.SITE_HOST, "artisans alley"]
    if user is not None:
        texts += [user.email, user.name, *user.email.replace("@", ".").split("."), *user.name.split()]
    return [text for text in texts if text]
