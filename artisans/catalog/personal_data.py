"""What the catalog stores about an artisan as a person (artisans/core/personal_data.py)."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from artisans.catalog.applications import application_end
from artisans.catalog.models import Application, Artisan, Product
from artisans.catalog.pictures import pictures_forget
from artisans.catalog.search_index import documents_write
from artisans.catalog.statuses import ArtisanState
from artisans.core.personal_data import AFTERWARDS, COLLECTORS, ERASED, REFUSALS, Holding, Person, register
from artisans.core.queue import enqueue_after_commit

FORMER = "Former artisan"


def find_artisans(person: Person) -> Iterable[UUID]:
    own = Artisan.objects.filter(Q(user=person.user_id)) if person.user_id else Artisan.objects.none()
    return own.values_list("pk", flat=True)


def shop_refusals(person: Person) -> Iterator[str]:
    is_open = Q(is_active=True) | Q(stored_state=ArtisanState.CLOSING)
    for artisan in Artisan.objects.filter(is_open, Q(pk__in=person.of("artisans"))):
        yield _("The workshop “%(name)s” is open. Close it first.") % {"name": artisan.name}


def own_pictures_forget(person: Person) -> None:
    """Of the artisan's products, which may show the workshop or people in it."""
    pictures_forget(Product.objects.filter(Q(artisan__in=person.of("artisans"))))


def search_documents_follow(person: Person) -> None:
    if person.of("artisans"):
        documents_write(Product.objects.filter(Q(artisan__in=person.of("artisans"))))
        enqueue_after_commit("catalog.search_index_refresh")  # forgets words that no product has any more


def applications_end(person: Person) -> None:
    for pk in Application.objects.filter(Q(artisan__in=person.of("artisans"))).values_list("pk", flat=True):
        application_end(pk)


HOLDINGS = (
    Holding(
        "catalog.Artisan",
        "artisans",
        lambda person: Q(pk__in=person.of("artisans")),
        export=(
            "id",
            "created_at",
            "name",
            "slug",
            "email",
            "craft",
            "town",
            "story",
            "portrait",
            "contact_email",
        ),
        clear={
            "name": FORMER,
            "slug": lambda person, stored: f"former-{person.alias[:12]}",
            "email": lambda person, stored: person.alias,
            "town": "",
            "story": "",
            "portrait": "",
            "contact_email": "",
        },
    ),
    Holding(
        "catalog.ArtisanMember",
        "team_memberships",
        lambda person: Q(user__in=[person.user_id] if person.user_id else []),
        export=("created_at", "role"),
        is_deleted=True,
    ),
    Holding(
        "catalog.ArtisanInvitation",
        "team_invitations",
        lambda person: Q(email__in=person.addresses) & person.in_time(),
        export=("created_at", "email", "role", "expires_at"),
        is_deleted=True,
    ),
    Holding(
        "catalog.Application",
        "applications",
        lambda person: Q(artisan__in=person.of("artisans")),
        export=("created_at", "status", "submitted_at"),
    ),
    Holding(
        "catalog.ApplicationEvent",
        "application_events",
        lambda person: Q(application__artisan__in=person.of("artisans")),
        export=("created_at", "status", "text"),
        clear={"text": ERASED},
    ),
    Holding(
        "catalog.ArtisanStateChange",
        "workshop_states",
        lambda person: Q(artisan__in=person.of("artisans")),
        export=("created_at", "old", "new", "reason"),
        clear={"reason": ""},
    ),
    Holding(
        "catalog.TermsAcceptance",
        "terms_accepted",
        lambda person: Q(artisan__in=person.of("artisans")),
        export=("created_at", "terms__number"),
    ),
    Holding(
        "catalog.StockImport",
        "stock_imports",
        lambda person: Q(artisan__in=person.of("artisans")),
        export=("id", "created_at", "file_name", "reason", "started_at", "finished_at"),
        clear={"file_name": "", "reason": ""},
    ),
)
IMPERSONAL = {
    "catalog.Application": {"status"},
    "catalog.ApplicationEvent": {"status"},
    "catalog.ArtisanStateChange": {"old", "new"},
    "catalog.Artisan": {"craft", "fee_tax_treatment", "stored_state", "converted_currencies"},
    "catalog.Terms": {"text", "changes"},
    "catalog.Category": {"slug", "name"},
    "catalog.CommissionRate": {"currency"},
    "catalog.ProductPrice": {"currency", "origin"},
    "catalog.Product": {
        *("slug", "name", "description", "materials", "dimensions", "picture", "picture_sizes"),
        *("picture_alt", "currency", "sku", "care", "off_sale_reason", "option_1", "option_2", "option_3"),
    },
    "catalog.ProductPicture": {
        *("state", "refusal", "original", "original_name", "digest", "file", "sizes", "alt"),
    },
    "catalog.SearchDocument": {"title", "labels", "description"},  # written anew
    "catalog.SearchTerm": {"term", "word"},  # single words of all products
    "catalog.StockImport": {"cause"},
    "catalog.StockImportRow": {"given", "outcome", "problem", "facts"},
    "catalog.StockMove": {"kind", "reason", "cause"},
}

register(*HOLDINGS, impersonal=IMPERSONAL)
COLLECTORS["artisans"] = find_artisans
REFUSALS.append(shop_refusals)
AFTERWARDS += [own_pictures_forget, search_documents_follow, applications_end]
