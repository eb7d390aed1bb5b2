"""What the catalog stores about an artisan as a person (artisans/core/personal_data.py)."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from artisans.catalog.models import Artisan, Product
from artisans.catalog.search_index import documents_write
from artisans.core.personal_data import AFTERWARDS, COLLECTORS, REFUSALS, Holding, Person, register
from artisans.core.queue import enqueue_after_commit

FORMER = "Former artisan"


def find_artisans(person: Person) -> Iterable[UUID]:
    own = Artisan.objects.filter(Q(user=person.user_id)) if person.user_id else Artisan.objects.none()
    return own.values_list("pk", flat=True)


def shop_refusals(person: Person) -> Iterator[str]:
    for artisan in Artisan.objects.filter(Q(pk__in=person.of("artisans")), is_active=True):
        yield _("The artisan page “%(name)s” is open. Ask the shop to close it first.") % {
            "name": artisan.name
        }


def search_documents_follow(person: Person) -> None:
    if person.of("artisans"):
        documents_write(Product.objects.filter(Q(artisan__in=person.of("artisans"))))
        enqueue_after_commit("catalog.search_index_refresh")  # forgets words that no product has any more


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
        "catalog.StockImport",
        "stock_imports",
        lambda person: Q(artisan__in=person.of("artisans")),
        export=("id", "created_at", "file_name", "reason", "started_at", "finished_at"),
        clear={"file_name": "", "reason": ""},
    ),
)
IMPERSONAL = {
    "catalog.Artisan": {"craft", "fee_tax_treatment"},
    "catalog.Category": {"slug", "name"},
    "catalog.CommissionRate": {"currency"},
    "catalog.Product": {
        *("slug", "name", "description", "materials", "dimensions", "picture", "picture_sizes"),
        *("picture_alt", "currency", "sku", "care", "option_1", "option_2", "option_3"),
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
AFTERWARDS.append(search_documents_follow)
