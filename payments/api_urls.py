from artisans.core.api import Router
from payments.api import PaymentViewSet

router = Router()
router.register("payments", PaymentViewSet, basename="api_payment")
urlpatterns = router.urls
