from artisans.catalog.models.application import (
    Application,
    ApplicationEvent,
    ArtisanStateChange,
    Terms,
    TermsAcceptance,
)
from artisans.catalog.models.artisan import Artisan, FeeTaxTreatment
from artisans.catalog.models.category import Category
from artisans.catalog.models.commission_rate import CommissionRate
from artisans.catalog.models.member import ArtisanInvitation, ArtisanMember, MemberRole
from artisans.catalog.models.picture import PictureRefusal, PictureState, ProductPicture
from artisans.catalog.models.price import PriceOrigin, ProductPrice
from artisans.catalog.models.product import Product, ProductState, ShownPicture
from artisans.catalog.models.search import SearchDocument, SearchTerm
from artisans.catalog.models.stock import CountCause, CountOutcome, StockMove, StockMoveKind
from artisans.catalog.models.stock_import import StockImport, StockImportRow
from artisans.catalog.models.stock_watch import StockWatch

__all__ = [
    "Application",
    "ApplicationEvent",
    "Artisan",
    "ArtisanInvitation",
    "ArtisanMember",
    "ArtisanStateChange",
    "Category",
    "CommissionRate",
    "CountCause",
    "CountOutcome",
    "FeeTaxTreatment",
    "MemberRole",
    "PictureRefusal",
    "PictureState",
    "PriceOrigin",
    "Product",
    "ProductPicture",
    "ProductPrice",
    "ProductState",
    "SearchDocument",
    "SearchTerm",
    "ShownPicture",
    "StockImport",
    "StockImportRow",
    "StockMove",
    "StockMoveKind",
    "StockWatch",
    "Terms",
    "TermsAcceptance",
]
