from django.urls import re_path

from artisans.core.api import Router
from payments.api import PaymentViewSet
from payments.api_methods import MethodViewSet
from payments.api_refunds import RefundViewSet, TimelineViewSet
from payments.webhook_api import webhook

router = Router()
router.register("payments/methods", MethodViewSet, basename="api_method")
router.register("payments/refunds", RefundViewSet, basename="api_refund")
router.register("payments", TimelineViewSet, basename="api_payment_history")
router.register("payments", PaymentViewSet, basename="api_payment")
urlpatterns = [
    re_path(r"^payments/webhooks/(?P<provider>[^/]+)/?$", webhook, name="api_webhook"),
    *router.urls,
]
