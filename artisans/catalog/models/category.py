from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

MAX_LEVELS = 3


class Category(models.Model):
    """A group of products. One that is part of another (`parent`) shows its products there too.

    There are at most MAX_LEVELS levels, and no category contains itself (`categories.py`). `position` orders the
    categories with the same parent.
    """

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(
        default=0, help_text=_("Its place among the categories beside it; the lowest number comes first.")
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"
        constraints = [
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="category_not_part_of_itself"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def lineage(self) -> list["Category"]:
        """The categories that it is part of, the most general first, and itself. Reads parents that are not loaded."""
        found = [self]
        while found[0].parent is not None and len(found) < MAX_LEVELS:
            found.insert(0, found[0].parent)
        return found

    @property
    def path(self) -> str:
        """ "Tableware / Bowls"."""
        return " / ".join(category.name for category in self.lineage)
