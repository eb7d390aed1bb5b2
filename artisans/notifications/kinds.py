"""The kinds of email. Each app declares its own in `mails.py` as choices, and registers them in `apps.py`.

A new kind needs: a member with a label for staff that ends with the recipient; three templates,
`emails/<kind>.subject.txt`, `.txt` and `.html`; a service that enqueues it with its facts (`notifications_enqueue`); a
line in `all_mails` of tests/test_mails.py that causes it; one in scripts/email_occasions.py that says when it is sent;
and `make messages`. A link is a function of `mails.py` that
`apps.py` adds to `LINK_BUILDERS`: it is called when the email is sent, because tokens are not stored.
"""

from django.db.models import TextChoices

KINDS: dict[str, str] = {}  # the label for staff, by kind


def register(kinds: type[TextChoices]) -> None:
    KINDS.update(kinds.choices)
