from artisans.core.api import Router
from payments.api import PaymentViewSet
from payments.api_methods import MethodViewSet

router = Router()
router.register("payments/methods", MethodViewSet, basename="api_method")
router.register("payments", PaymentViewSet, basename="api_payment")
urlpatterns = router.urls
