"""Links that set a new password. Each is bound to the mailbox it was sent to, so that its use confirms that mailbox."""

from allauth.account.models import EmailAddress
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from artisans.accounts.models import User, normal_email


def reset_mailboxes(user: User) -> set[str]:
    """The addresses that reset links are sent to: the main one and the verified ones."""
    verified = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return {user.email, *verified}


class ResetTokens(PasswordResetTokenGenerator):
    """Tokens end with each change of the account's addresses, as allauth's do."""

    def make_token_for(self, user: User, mailbox: str) -> str:
        user.reset_mailbox = normal_email(mailbox)
        return self.make_token(user)

    def check_token(self, user: User | None, token: str | None) -> bool:
        """Sets `user.reset_mailbox` to the mailbox of the link."""
        if user is None:
            return False
        for mailbox in reset_mailboxes(user):
            user.reset_mailbox = mailbox
            if super().check_token(user, token):
                return True
        user.reset_mailbox = ""
        return False

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        emails = {user.email, *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
        return "|".join((super()._make_hash_value(user, timestamp), *sorted(emails), user.reset_mailbox))
