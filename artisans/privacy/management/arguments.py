"""The arguments that name a person, of the commands that export and erase."""

from django.core.management.base import CommandParser

from artisans.privacy.selectors import Whose


def add_person_arguments(parser: CommandParser) -> None:
    """`email` and `whose`."""
    parser.add_argument("email", help="Any confirmed address of the account, or a guest’s address.")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument(
        "--guest",
        action="store_const",
        const=Whose.GUEST,
        dest="whose",
        help="Only the guest orders of the address, without any account.",
    )
    whose.add_argument(
        "--unconfirmed",
        action="store_const",
        const=Whose.UNCONFIRMED,
        dest="whose",
        help="The account that has the address without having confirmed it, and only its own orders.",
    )
    parser.set_defaults(whose=Whose.CONFIRMED)
