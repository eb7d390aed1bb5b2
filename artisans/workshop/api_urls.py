from django.urls import re_path

from artisans.core.api.fields import UUID_PATTERN
from artisans.core.api.routers import Router
from artisans.workshop.api_pictures import PictureViewSet
from artisans.workshop.api_products import OwnProductViewSet
from artisans.workshop.api_profile import ProfileViewSet
from artisans.workshop.api_stock import StockHistoryViewSet, StockViewSet

router = Router()
router.register("artisan/products", OwnProductViewSet, basename="api_own_product")
router.register(
    rf"artisan/products/(?P<product_id>{UUID_PATTERN})/pictures", PictureViewSet, basename="api_picture"
)
router.register(
    rf"artisan/stock/(?P<product_id>{UUID_PATTERN})/history",
    StockHistoryViewSet,
    basename="api_stock_history",
)
router.register("artisan/stock", StockViewSet, basename="api_stock")
profile = ProfileViewSet.as_view({"get": "show", "patch": "change"})
urlpatterns = [re_path(r"^artisan/profile/?$", profile, name="api_profile"), *router.urls]
