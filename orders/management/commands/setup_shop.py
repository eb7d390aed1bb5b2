"""Set up a new shop: store rules and the first administrator. Run it again to show or change them."""

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from artisans.accounts.administrators import administrator_create, administrator_named
from artisans.accounts.models import User
from artisans.core.errors import DomainError
from orders.models import StoreRules
from orders.setup import QUESTIONS, Question, store_setup

PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105  # the variable of Django's own createsuperuser


class Command(BaseCommand):
    help = "Set up the shop: tax, shipping, contact, bank account, first administrator. Only the given settings change."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for question in QUESTIONS:
            parser.add_argument(f"--{question.name}", help=question.text)
        parser.add_argument("--admin-email", help=f"First administrator; the password comes from {PASSWORD}")
        parser.add_argument(
            "--no-input", "--noinput", action="store_true", dest="no_input", help="Do not prompt for input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        given = {q.name: text for q in QUESTIONS if (text := options[q.name.replace("-", "_")]) is not None}
        self.can_ask = not options["no_input"] and sys.stdin.isatty()
        is_new = not StoreRules.objects.exists()
        try:
            rules = store_setup(answers=given)
            for question in QUESTIONS:
                if self.can_ask and question.name not in given and (is_new or question.is_missing(rules)):
                    rules = self.prompt(question, rules)
            self.administrator(options["admin_email"])
        except DomainError as error:
            raise CommandError(error.detail) from None
        except (EOFError, KeyboardInterrupt):
            raise CommandError(
                "Stopped. Your answers are saved; run the command again to continue."
            ) from None
        self.report(rules)

    def prompt(self, question: Question, rules: StoreRules) -> StoreRules:
        """Prompt until the answer is valid; an empty answer keeps the current value."""
        while True:
            answer = input(f"{question.text} [{question.shown(rules)}]: ").strip()
            if not answer and not question.is_missing(rules):
                return rules
            try:
                return store_setup(answers={question.name: answer})
            except DomainError as error:
                self.stderr.write(error.detail)

    def administrator(self, email: str | None) -> None:
        if email is None and User.objects.filter(is_superuser=True, is_active=True).exists():
            return
        if email is None and self.can_ask:
            email = input("Email address of the first administrator: ").strip()
        if not email:
            self.stderr.write(
                f"There is no administrator yet: use --admin-email, and set the password in {PASSWORD}."
            )
        elif administrator_named(email):
            self.stdout.write(f"Administrator {email} already exists; the account was not changed.")
        else:
            administrator_create(email=email, password=self.password())
            self.stdout.write(f"Administrator {email} can sign in at /admin/.")

    def password(self) -> str:
        if password := settings.SUPERUSER_PASSWORD:
            return password
        if not self.can_ask:
            raise CommandError(f"Set the administrator's password in the environment variable {PASSWORD}.")
        while (first := getpass("Password: ")) != getpass("Password (again): "):
            self.stderr.write("The passwords do not match. Try again.")
        return first

    def report(self, rules: StoreRules) -> None:
        for question in QUESTIONS:
            self.stdout.write(f"  {question.text + ':':<45} {question.shown(rules) or '–'}")
        if missing := rules.missing_answers:
            self.stdout.write(f"The shop does not accept orders yet. Missing: {', '.join(missing)}.")
        else:
            self.stdout.write("The shop accepts orders.")
