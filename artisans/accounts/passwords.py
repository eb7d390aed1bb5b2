from django.conf import settings
from django.contrib.auth.password_validation import UserAttributeSimilarityValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from zxcvbn import zxcvbn

from artisans.accounts.models import AuthToken, User

SIMILAR = UserAttributeSimilarityValidator(user_attributes=("email", "name"))
MEASURED = 72  # characters; zxcvbn takes no more, and what is longer is no weaker


class StrongPassword:
    """A password that is long enough for the person's role, and that is not easily guessed by who knows them."""

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
        """Django's hook after any save of a new password, `manage.py changepassword` too."""
        AuthToken.objects.filter(user=user).delete()

    def get_help_text(self) -> str:
        return _(
            "At least 8 characters (12 for staff) and hard to guess. Three or four unrelated words work best."
        )


def known_words(user: User | None) -> list[str]:
    """What everybody knows who attacks this account."""
    texts = [settings.SITE_HOST, "artisans alley"]
    if user is not None:
        texts += [user.email, user.name, *user.email.replace("@", ".").split("."), *user.name.split()]
    return [text for text in texts if text]
