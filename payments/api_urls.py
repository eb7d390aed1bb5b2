from artisans.core.api import Router
from payments.api import PaymentViewSet
from payments.api_refunds import RefundViewSet, TimelineViewSet

router = Router()
router.register("payments/refunds", RefundViewSet, basename="api_refund")
router.register("payments", TimelineViewSet, basename="api_payment_history")
router.register("payments", PaymentViewSet, basename="api_payment")
urlpatterns = router.urls
