"""Applications to sell, the marketplace's terms and who accepted them, and what became of workshops."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.artisan import Artisan
from artisans.catalog.statuses import ApplicationStatus, ArtisanState
from artisans.core.models import BaseModel, choices_constraint


class ArtisanStateChange(BaseModel):
    """A change of a workshop's state. `reason`: for the artisan; `actor`: None for the shop itself.
    `by_workshop`: the actor acted for the workshop then."""

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="state_changes")
    old = models.CharField(max_length=9, choices=ArtisanState)
    new = models.CharField(max_length=9, choices=ArtisanState)
    reason = models.CharField(max_length=500, blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    by_workshop = models.BooleanField(db_default=False)

    class Meta:
        default_permissions = ("view",)
        permissions = [("change_artisan_state", _("Can suspend, close and reopen workshops"))]
        ordering = ("-created_at",)
        verbose_name = _("state of a workshop")
        verbose_name_plural = _("states of workshops")
        constraints = [
            choices_constraint("old", ArtisanState.values, name="artisan_state_change_old_known"),
            choices_constraint("new", ArtisanState.values, name="artisan_state_change_new_known"),
            models.CheckConstraint(condition=~Q(old=F("new")), name="artisan_state_change_changes"),
        ]

    def __str__(self) -> str:
        return f"{self.artisan_id} {self.old} → {self.new}"


class Application(BaseModel):
    """An application of an artisan to sell, with its `events`: what was asked, answered and decided."""

    artisan = models.OneToOneField(Artisan, models.PROTECT, related_name="application")
    status = models.CharField(
        max_length=9, choices=ApplicationStatus, default=ApplicationStatus.DRAFT, editable=False
    )
    submitted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        default_permissions = ("view",)
        permissions = [("decide_application", _("Can decide about applications to sell"))]
        ordering = ("-created_at",)
        verbose_name = _("application to sell")
        verbose_name_plural = _("applications to sell")
        constraints = [
            choices_constraint("status", ApplicationStatus.values, name="application_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=[ApplicationStatus.DRAFT, ApplicationStatus.WITHDRAWN])
                | Q(submitted_at__isnull=False),
                name="application_decided_was_submitted",
            ),
        ]
        indexes = [
            models.Index(
                fields=["submitted_at"],
                condition=Q(status=ApplicationStatus.SUBMITTED),
                name="application_to_decide",
            ),
            models.Index(
                fields=["updated_at"],
                condition=Q(status__in=[ApplicationStatus.REFUSED, ApplicationStatus.WITHDRAWN]),
                name="application_ended",
            ),
        ]

    def __str__(self) -> str:
        return str(self.artisan)


class ApplicationEvent(BaseModel):
    """A status that an application took, with the words of the person who gave it."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="events")
    status = models.CharField(max_length=9, choices=ApplicationStatus)
    text = models.TextField(blank=True, default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        default_permissions = ()
        ordering = ("created_at",)
        constraints = [
            choices_constraint("status", ApplicationStatus.values, name="application_event_status_known"),
            models.CheckConstraint(
                condition=~Q(status__in=[ApplicationStatus.ASKED, ApplicationStatus.REFUSED]) | ~Q(text=""),
                name="application_event_asks_in_words",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} {self.status}"

    @property
    def is_of_staff(self) -> bool:
        return self.status in {
            ApplicationStatus.ASKED,
            ApplicationStatus.APPROVED,
            ApplicationStatus.REFUSED,
        }


class Terms(BaseModel):
    """A version of the marketplace's terms for artisans. It never changes; the highest `number` holds."""

    number = models.PositiveIntegerField(unique=True)
    text = models.TextField()
    changes = models.TextField(blank=True, default="")
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        default_permissions = ("view",)
        permissions = [("publish_terms", _("Can publish the terms for artisans"))]
        ordering = ("-number",)
        verbose_name = _("terms for artisans")
        verbose_name_plural = _("terms for artisans")

    def __str__(self) -> str:
        return str(_("Version %(number)d") % {"number": self.number})


class TermsAcceptance(BaseModel):
    """Which version an owner accepted for their workshop, and when (`created_at`)."""

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="terms_accepted")
    terms = models.ForeignKey(Terms, models.PROTECT, related_name="acceptances")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at",)
        verbose_name = _("acceptance of terms")
        verbose_name_plural = _("acceptances of terms")
        constraints = [
            models.UniqueConstraint(fields=["artisan", "terms"], name="terms_accepted_once_per_artisan")
        ]

    def __str__(self) -> str:
        return f"{self.artisan_id} {self.terms_id}"
