from django.urls import re_path

from artisans.core.api import Router
from payments.api import PaymentViewSet
from payments.api_methods import MethodViewSet
from payments.webhook_api import webhook

router = Router()
router.register("payments/methods", MethodViewSet, basename="api_method")
router.register("payments", PaymentViewSet, basename="api_payment")
urlpatterns = [
    re_path(r"^payments/webhooks/(?P<provider>[^/]+)/?$", webhook, name="api_webhook"),
    *router.urls,
]
