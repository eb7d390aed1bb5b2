"""What exports store about a person (artisans/core/personal_data.py).

The files have other people's rows: they are deleted with their export (retention.py), at the latest 30 days later.
"""

from django.db.models import Q

from artisans.core.personal_data import Holding, register

HOLDINGS = (
    Holding(
        "exports.Export",
        "exports",
        lambda person: Q(owner__in=[person.user_id] if person.user_id else []),
        export=("created_at", "list_name", "query", "file_format", "rows", "finished_at"),
        is_deleted=True,
    ),
)
IMPERSONAL = {"exports.ExportChunk": {"content"}}  # deleted with its export

register(*HOLDINGS, impersonal=IMPERSONAL)
