from artisans.catalog.api import ArtisanViewSet, ProductViewSet
from artisans.core.api.routers import Router

router = Router()
router.register("products", ProductViewSet, basename="api_product")
router.register("artisans", ArtisanViewSet, basename="api_artisan")
urlpatterns = router.urls
