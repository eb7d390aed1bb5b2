from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.accounts.credentials import second_factor_remove
from artisans.accounts.models import User, normal_email


class Command(BaseCommand):
    help = "Remove the second factor of an account whose owner lost it, such as the only administrator's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Email address of the account.")

    def handle(self, *, email: str, **options: Any) -> None:
        user = User.objects.filter(email=normal_email(email)).first()
        if user is None:
            raise CommandError(f"No account has the address {email}.")
        self.stdout.write(second_factor_remove(user))
