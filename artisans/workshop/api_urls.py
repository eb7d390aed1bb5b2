from django.urls import re_path

from artisans.core.api.fields import UUID_PATTERN
from artisans.core.api.routers import Router
from artisans.workshop.api_pictures import PictureViewSet
from artisans.workshop.api_products import OwnProductViewSet
from artisans.workshop.api_profile import PortraitViewSet, ProfileViewSet
from artisans.workshop.api_selling import ApplicationViewSet, TermsViewSet
from artisans.workshop.api_shipping import OwnMethodViewSet
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
SINGLE = {  # what there is one of for each user
    "application": ApplicationViewSet.as_view({"get": "show", "post": "start"}),
    "application/submit": ApplicationViewSet.as_view({"post": "submit"}),
    "application/withdraw": ApplicationViewSet.as_view({"post": "withdraw"}),
    "profile": ProfileViewSet.as_view({"get": "show", "patch": "change"}),
    "profile/portrait": PortraitViewSet.as_view({"post": "upload", "delete": "remove"}),
    "shipping_methods": OwnMethodViewSet.as_view({"get": "show", "post": "create"}),
    "terms": TermsViewSet.as_view({"get": "show"}),
    "terms/accept": TermsViewSet.as_view({"post": "accept"}),
}
urlpatterns = [
    *(
        re_path(rf"^artisan/{path}/?$", view, name=f"api_{path.replace('/', '_')}")
        for path, view in SINGLE.items()
    ),
    re_path(
        r"^artisan/shipping_methods/(?P<method_id>[^/]+)/?$",
        OwnMethodViewSet.as_view({"patch": "change", "delete": "remove"}),
        name="api_shipping_method",
    ),
    *router.urls,
]
