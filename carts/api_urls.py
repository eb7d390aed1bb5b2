from artisans.core.api.routers import Router
from carts.api import CartViewSet, PlacingOrderViewSet

router = Router()
router.register("carts", CartViewSet, basename="api_cart")
router.register("orders", PlacingOrderViewSet, basename="api_order")
urlpatterns = router.urls
