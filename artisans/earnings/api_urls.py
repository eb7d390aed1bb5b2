from artisans.core.api.routers import Router
from artisans.earnings.api import BalanceViewSet, EarningViewSet, LineViewSet

router = Router()
router.register("earnings/balance", BalanceViewSet, basename="api_balance")
router.register("earnings/lines", LineViewSet, basename="api_earning_line")
router.register("earnings", EarningViewSet, basename="api_earning")
urlpatterns = router.urls
