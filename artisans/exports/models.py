from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.core.models import BaseModel, choices_constraint

IS_RUNNING = Q(finished_at__isnull=True, failed_at__isnull=True)


class FileFormat(models.TextChoices):
    CSV = "csv", _("CSV")
    XLSX = "xlsx", _("Excel (XLSX)")


class Export(BaseModel):
    """A list that someone exported. `query`: the list's address, with its search, filters and order; `chosen`: the
    names of the columns.

    A small list is sent at once, and only the facts about it are kept. The worker makes the file of a large one:
    `alive_at` is when it last wrote rows, so that another worker starts anew once one was lost; `finished_at` is set in
    the transaction that stores the whole file. `as_of`: the moment whose rows the file has.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    list_name = models.CharField(max_length=80)
    query = models.TextField(blank=True)
    chosen = models.JSONField()
    file_format = models.CharField(max_length=4, choices=FileFormat)
    is_stored = models.BooleanField(default=False)
    rows = models.PositiveIntegerField(default=0)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    as_of = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    alive_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        default_permissions = ()
        permissions = [("export_lists", _("Can export lists"))]
        ordering = ("-created_at",)
        constraints = [
            choices_constraint("file_format", FileFormat.values, name="export_format_known"),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, sha256="")
                | (Q(finished_at__isnull=False, as_of__isnull=False) & ~Q(sha256="")),
                name="export_finished_has_its_file",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(failed_at__isnull=True),
                name="export_finished_did_not_fail",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(finished_at__isnull=True, failed_at__isnull=True),
                name="export_to_be_made",
            ),
            models.Index(fields=["owner", "-created_at"], name="export_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.list_name} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_running(self) -> bool:
        return self.finished_at is None and self.failed_at is None


class ExportChunk(models.Model):
    """A part of a stored file, compressed."""

    id = models.BigAutoField(primary_key=True)
    export = models.ForeignKey(Export, models.CASCADE, related_name="chunks", db_index=False)
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        ordering = ("export", "position")
        constraints = [
            models.UniqueConstraint(fields=["export", "position"], name="export_chunk_position_once")
        ]

    def __str__(self) -> str:
        return f"{self.export_id} {self.position}"
