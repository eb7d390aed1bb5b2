"""The kinds of email. Each app declares its own as choices and registers them in `apps.py`.

A kind has three templates: `emails/<kind>.subject.txt`, `.txt` and `.html`.
"""

from django.db.models import TextChoices

KINDS: dict[str, str] = {}  # the label for staff, by kind


def register(kinds: type[TextChoices]) -> None:
    KINDS.update(kinds.choices)
