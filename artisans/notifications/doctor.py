"""Checks of emails for `manage.py doctor`."""

from collections.abc import Iterator

from django.conf import settings
from django.core.mail import get_connection
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, State, state_if
from artisans.notifications.metrics import count_failed


def check_server() -> Iterator[Result]:
    """Connects and signs in, and sends nothing. Errors: those of the server."""
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        yield Result(
            _("Email server"), State.OK, _("none is set")
        )  # the settings' line says so in production
        return
    connection = get_connection()
    connection.open()
    connection.close()
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    yield Result(_("Email server"), State.OK, _("%(server)s responds") % {"server": server})


def check_failed() -> Iterator[Result]:
    failed = count_failed()
    yield Result(
        _("Failed emails"),
        state_if(problem=failed),
        str(failed),
        _("none"),
        _("Correct the reason that the email names, under Emails in the admin, and send it again there."),
    )
