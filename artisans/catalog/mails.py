"""Emails about a workshop's team, its state, and applications to sell."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import (
    Application,
    ApplicationEvent,
    Artisan,
    ArtisanInvitation,
    ArtisanStateChange,
    Product,
    Terms,
)
from artisans.catalog.statuses import ApplicationStatus
from artisans.core.security.tokens import invitation_token
from artisans.notifications.services import MailMessage


class CatalogMail(TextChoices):
    TEAM_INVITATION = "team_invitation", _("Invitation to a workshop’s team (to the invited person)")
    APPLICATION_SUBMITTED = "application_submitted", _("Application to sell submitted (to staff)")
    APPLICATION_ASKED = "application_asked", _("Question about an application to sell (to the applicant)")
    APPLICATION_APPROVED = "application_approved", _("Application to sell approved (to the applicant)")
    APPLICATION_REFUSED = "application_refused", _("Application to sell refused (to the applicant)")
    WORKSHOP_STATE = "workshop_state", _("Workshop suspended, closed or reopened (to the artisan)")
    PRODUCT_TAKEN_OFF = "product_taken_off", _("Product taken off sale by the shop (to the artisan)")
    TERMS_PUBLISHED = "terms_published", _("New terms for artisans (to the artisan)")


DECISIONS = {
    ApplicationStatus.ASKED: CatalogMail.APPLICATION_ASKED,
    ApplicationStatus.APPROVED: CatalogMail.APPLICATION_APPROVED,
    ApplicationStatus.REFUSED: CatalogMail.APPLICATION_REFUSED,
}


def invitation_mail(invitation: ArtisanInvitation, *, days: int) -> MailMessage:
    context = {
        "artisan_name": invitation.artisan.name,
        "role": invitation.role,
        "days": days,
        "invitation": [str(invitation.pk), invitation.version],
    }
    kind = CatalogMail.TEAM_INVITATION
    return MailMessage(kind, invitation.email, f"{kind}:{invitation.pk}:{invitation.version}", context)


def application_submitted_mail(application: Application, event: ApplicationEvent, *, to: str) -> MailMessage:
    artisan = application.artisan
    context = {
        "application_id": str(application.pk),
        "artisan_name": artisan.name,
        "craft": artisan.craft,
        "town": artisan.town,
        "text": event.text,
    }
    kind = CatalogMail.APPLICATION_SUBMITTED
    return MailMessage(kind, to, f"{kind}:{event.pk}:{to}", context)


def application_mail(application: Application, event: ApplicationEvent) -> MailMessage:
    """What the shop asks or has decided."""
    kind = DECISIONS[ApplicationStatus(event.status)]
    context = {"artisan_name": application.artisan.name, "text": event.text}
    return MailMessage(kind, application.artisan.email, f"{kind}:{event.pk}", context)


def workshop_state_mail(artisan: Artisan, change: ArtisanStateChange) -> MailMessage:
    kind = CatalogMail.WORKSHOP_STATE
    context = {"artisan_name": artisan.name, "state": str(change.new), "reason": change.reason}
    return MailMessage(kind, artisan.email, f"{kind}:{change.pk}", context)


def product_taken_off_mail(product: Product, *, key: str) -> MailMessage:
    """`key`: what makes it another email than that of another reason."""
    kind, artisan = CatalogMail.PRODUCT_TAKEN_OFF, product.artisan
    context = {
        "artisan_name": artisan.name,
        "product_name": product.name,
        "product_id": str(product.pk),
        "reason": product.off_sale_reason,
    }
    return MailMessage(kind, artisan.email, f"{kind}:{product.pk}:{key}", context)


def terms_mail(artisan: Artisan, terms: Terms) -> MailMessage:
    kind = CatalogMail.TERMS_PUBLISHED
    context = {"artisan_name": artisan.name, "terms_number": terms.number, "terms_changes": terms.changes}
    return MailMessage(kind, artisan.email, f"{kind}:{terms.pk}:{artisan.pk}", context)


def invitation_page(facts: dict[str, Any]) -> str:
    invitation_id, version = facts["invitation"]
    path = reverse("workshop:invitation", args=[invitation_token(UUID(invitation_id), version)])
    return f"{settings.SITE_URL}{path}"


def application_review_page(facts: dict[str, Any]) -> str:
    page = reverse("admin:catalog_application_change", args=[facts["application_id"]])
    return f"{settings.SITE_URL}{page}"


def application_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('selling:application')}"


def terms_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('selling:terms')}"


def own_product_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('workshop:product', args=[facts['product_id']])}"


def own_products_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('workshop:product_list')}"


def own_parcels_page(facts: dict[str, Any]) -> str:
    return f"{settings.SITE_URL}{reverse('orders:parcel_list')}"


LINKS = {
    "invitation_url": invitation_page,
    "application_review_url": application_review_page,
    "application_url": application_page,
    "terms_url": terms_page,
    "own_product_url": own_product_page,
    "own_products_url": own_products_page,
    "own_parcels_url": own_parcels_page,
}
