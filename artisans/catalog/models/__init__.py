from artisans.catalog.models.artisan import Artisan, FeeTaxTreatment
from artisans.catalog.models.commission_rate import CommissionRate
from artisans.catalog.models.product import Category, Product, ProductState, ShownPicture
from artisans.catalog.models.search import SearchDocument, SearchTerm
from artisans.catalog.models.stock import StockMove, StockMoveKind

__all__ = [
    "Artisan",
    "Category",
    "CommissionRate",
    "FeeTaxTreatment",
    "Product",
    "ProductState",
    "SearchDocument",
    "SearchTerm",
    "ShownPicture",
    "StockMove",
    "StockMoveKind",
]
