"""Removing applications that were withdrawn or refused, with what their workshops had prepared."""

from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from artisans.accounts.models import User
from artisans.catalog.artisan_states import artisan_lock
from artisans.catalog.models import Application
from artisans.catalog.pictures import files_delete, pictures_forget
from artisans.catalog.search_index import documents_write
from artisans.catalog.statuses import APPLICATIONS_ENDED
from artisans.core.models import get_or_none, save_columns

FORMER = "Former applicant"


def ended_application_lock(user: User) -> Application | None:
    """The user's application that was withdrawn or refused, with its artisan locked."""
    own = Application.objects.filter(artisan__user=user, status__in=APPLICATIONS_ENDED)
    found = get_or_none(own)
    if found is None:
        return None
    artisan_lock(found.artisan_id)
    return get_or_none(own.select_related("artisan"))  # as it is now that nobody else changes it


def application_remove(application: Application) -> None:
    """With all that was said, and with the workshop's texts and pictures. The workshop's row stays without a user,
    since the stock of its drafts is append-only. The caller holds the lock of the artisan."""
    artisan = application.artisan
    if artisan.portrait:
        transaction.on_commit(partial(files_delete, [str(artisan.portrait)]))
    artisan.user, artisan.name, artisan.slug = None, FORMER, f"former-{artisan.pk.hex[:12]}"
    columns = ["email", "craft", "town", "story", "contact_email", "portrait"]
    for column in columns:
        setattr(artisan, column, "")
    save_columns(artisan, ["user", "name", "slug", *columns])
    pictures_forget(artisan.products.all())
    documents_write(artisan.products.all())
    artisan.terms_accepted.all().delete()
    application.events.all().delete()
    application.delete()


def applications_remove(rows: QuerySet[Application]) -> None:
    """The caller holds the locks of the applications and their artisans."""
    for application in rows.select_related("artisan"):
        application_remove(application)
