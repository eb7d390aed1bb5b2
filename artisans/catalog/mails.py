"""Emails about a workshop's team."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import ArtisanInvitation
from artisans.core.security.tokens import invitation_token
from artisans.notifications.services import MailMessage


class CatalogMail(TextChoices):
    TEAM_INVITATION = "team_invitation", _("Invitation to a workshop’s team (to the invited person)")


def invitation_mail(invitation: ArtisanInvitation, *, days: int) -> MailMessage:
    context = {
        "artisan_name": invitation.artisan.name,
        "role": invitation.role,
        "days": days,
        "invitation": [str(invitation.pk), invitation.version],
    }
    kind = CatalogMail.TEAM_INVITATION
    return MailMessage(kind, invitation.email, f"{kind}:{invitation.pk}:{invitation.version}", context)


def invitation_page(facts: dict[str, Any]) -> str:
    invitation_id, version = facts["invitation"]
    path = reverse("workshop:invitation", args=[invitation_token(UUID(invitation_id), version)])
    return f"{settings.SITE_URL}{path}"


LINKS = {"invitation_url": invitation_page}
