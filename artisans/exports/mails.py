"""The email to a person whose file is ready."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from artisans.exports.models import Export
from artisans.notifications.services import MailMessage


class ExportMail(TextChoices):
    EXPORT_READY = "export_ready", _("Export ready (to the person who asked for it)")


def ready_mail(export: Export, kept_until: datetime) -> MailMessage:
    """Names no list and has no attachment: the file is fetched by the person who is signed in."""
    facts = {"export_id": str(export.pk), "row_count": export.rows, "kept_until": kept_until}
    facts["is_admin"] = export.list_name.startswith("admin:")
    kind = ExportMail.EXPORT_READY
    return MailMessage(kind, export.owner.email, f"{kind}:{export.pk}", facts)


def export_page(facts: dict[str, Any]) -> str:
    page = "admin:exports_export_change" if facts["is_admin"] else "exports:export"
    return f"{settings.SITE_URL}{reverse(page, args=[facts['export_id']])}"


LINKS = {"export_url": export_page}
