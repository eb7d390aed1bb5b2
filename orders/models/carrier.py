from urllib.parse import quote, urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

NUMBER = "{number}"


def validate_tracking_url(pattern: str) -> None:
    """https://carrier.example/track?id={number}: the number may be anywhere after the host."""
    try:
        url = urlsplit(pattern)
    except ValueError:
        url = urlsplit("")
    after_host = f"{url.path}?{url.query}#{url.fragment}"
    if url.scheme != "https" or not url.hostname or url.username or after_host.count(NUMBER) != 1:
        raise ValidationError(_("Enter an https address that contains {number} once, after the host."))


class Carrier(models.Model):
    """A company that carries parcels, and the address of its page about one of them."""

    name = models.CharField(max_length=60)
    countries = models.CharField(
        max_length=200,
        blank=True,
        help_text=gettext_lazy("Codes such as “DE AT”: where it is suggested. Empty: everywhere."),
    )
    tracking_url = models.CharField(
        max_length=300,
        blank=True,
        validators=[validate_tracking_url],
        help_text=gettext_lazy(
            "https://carrier.example/track?id={number} – {number} is replaced by the tracking number."
        ),
    )

    class Meta:
        default_permissions = ("view", "add", "change")
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(Upper("name"), name="carrier_name_unique"),
            models.CheckConstraint(
                condition=Q(tracking_url="")
                | Q(tracking_url__startswith="https://", tracking_url__contains=NUMBER),
                name="carrier_tracking_url_is_https",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def link(self, tracking: str) -> str:
        """The carrier's page about this number; empty without a number or an address."""
        number = quote("".join(tracking.split()), safe="")
        return self.tracking_url.replace(NUMBER, number) if number else ""
