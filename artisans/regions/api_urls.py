from artisans.core.api.routers import Router
from artisans.regions.api import CurrencyViewSet

router = Router()
router.register("currencies", CurrencyViewSet, basename="api_currency")
urlpatterns = router.urls
