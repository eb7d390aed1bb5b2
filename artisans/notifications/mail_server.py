"""The connection to the mail server, kept between emails: connecting and signing in take longer than sending."""

from smtplib import SMTPServerDisconnected
from threading import local

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

OK = 250


class Kept(local):
    """Of this thread; a forked process starts without one, since the parent sends no emails."""

    connection: EmailBackend | None = None


kept = Kept()


def deliver(message: EmailMessage) -> None:
    """Send the email. Errors: those of the backend; the next email gets a new connection then."""
    connection = take_kept() or connect()
    try:
        connection.send_messages([message])
    except BaseException:
        connection.close()
        raise
    if isinstance(connection, EmailBackend):  # others have nothing to keep
        kept.connection = connection
    else:
        connection.close()


def take_kept() -> EmailBackend | None:
    """The kept connection if the server still answers on it. It is asked first, because an email whose connection
    broke may have been sent: it cannot simply be sent again.
    """
    connection, kept.connection = kept.connection, None
    if connection is None:
        return None
    try:
        if connection.connection is not None and connection.connection.noop()[0] == OK:
            return connection
    except SMTPServerDisconnected:
        pass
    connection.close()
    return None


def connect() -> BaseEmailBackend:
    connection: BaseEmailBackend = get_connection()
    connection.open()
    return connection
