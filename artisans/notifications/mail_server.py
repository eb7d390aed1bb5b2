"""The connection to the mail server, kept between emails: connecting and signing in take longer than sending."""

import time
from smtplib import SMTPServerDisconnected
from threading import local
from typing import Any

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend

IDLE_SECONDS = 30  # mail servers close idle connections after some minutes


class Kept(local):
    """Of this thread; a forked process starts without one, since the parent sends no emails."""

    connection: Any = None
    used_at = 0.0


kept = Kept()


def deliver(message: EmailMessage) -> None:
    """Send the email. Errors: those of the backend; the next email gets a new connection then."""
    is_fresh = kept.connection is None or time.monotonic() - kept.used_at > IDLE_SECONDS
    try:
        send(message, reconnect=is_fresh)
    except SMTPServerDisconnected:
        if is_fresh:
            raise
        send(message, reconnect=True)


def send(message: EmailMessage, *, reconnect: bool) -> None:
    connection, kept.connection = kept.connection, None
    if reconnect and connection is not None:
        connection.close()
    if reconnect or connection is None:
        connection = get_connection()
        connection.open()
    try:
        connection.send_messages([message])
    except BaseException:
        connection.close()
        raise
    if isinstance(connection, EmailBackend):  # others have nothing to keep
        kept.connection, kept.used_at = connection, time.monotonic()
    else:
        connection.close()
