from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.product import WIDEST_IN_LISTS, Product, ShownPicture, shown_picture
from artisans.core.models import BaseModel

MOST = 8  # pictures of a product


class PictureState(models.TextChoices):
    UPLOADED = "uploaded", _("Being prepared")
    READY = "ready", _("Ready")
    REFUSED = "refused", _("Refused")


class PictureRefusal(models.TextChoices):
    """Why no copies could be made of an upload."""

    DAMAGED = (
        "damaged",
        _("The file is damaged or incomplete. Export the picture again, and upload that file."),
    )
    COMPLEX = (
        "complex",
        _("The picture takes too long to prepare. Save it as a smaller JPEG, and upload that file."),
    )
    FAILED = "failed", _("The picture could not be prepared. Upload it again.")


class ProductPicture(BaseModel):
    """A picture of a product, in the order of `position`; 0 is where one waits while others move.

    UPLOADED: `original` is the private file as it was sent; the worker makes copies of it, tries again after `due_at`,
    and counts `attempts`. READY: `file` is the largest copy, which every browser shows, and `sizes` has width and
    height of all copies by file name; none are known of a picture from before there were galleries. REFUSED: `refusal`
    says why. `digest` is the SHA-256 of the original, so that a file that is sent twice is one picture.
    """

    product = models.ForeignKey(Product, models.PROTECT, related_name="pictures")
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=8, choices=PictureState, default=PictureState.UPLOADED)
    refusal = models.CharField(max_length=8, choices=PictureRefusal, blank=True)
    original = models.CharField(max_length=100, blank=True)
    original_name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    file = models.CharField(max_length=100, blank=True)
    sizes = models.JSONField(default=dict)
    alt = models.CharField(_("what the picture shows"), max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ("view",)
        ordering = ("product", "position")
        constraints = [
            models.CheckConstraint(
                condition=Q(state=PictureState.UPLOADED, refusal="", file="") & ~Q(original="")
                | Q(state=PictureState.READY, refusal="", original="") & ~Q(file="")
                | Q(
                    state=PictureState.REFUSED,
                    refusal__in=PictureRefusal.values,
                    original="",
                    file="",
                    digest="",
                ),
                name="product_picture_fits_its_state",
            ),
            models.CheckConstraint(condition=Q(position__lte=MOST), name="product_picture_at_most_eight"),
            models.UniqueConstraint(fields=["product", "position"], name="product_picture_one_per_position"),
            models.UniqueConstraint(
                fields=["product", "digest"], condition=~Q(digest=""), name="product_picture_same_file_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(state=PictureState.UPLOADED), name="product_picture_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.position}"

    @property
    def files(self) -> list[str]:
        """The names of everything stored of it."""
        return sorted({*self.sizes, self.original, self.file} - {""})

    @property
    def label(self) -> str:
        """Text for people who do not see it; never empty, as for links."""
        return self.alt or _("Picture %(number)d") % {"number": self.position}

    @property
    def small(self) -> ShownPicture:
        """Of a READY picture, as in lists."""
        return shown_picture(self.file, self.sizes, at_most=WIDEST_IN_LISTS)

    @property
    def shown(self) -> ShownPicture:
        """Of a READY picture."""
        return shown_picture(self.file, self.sizes)
