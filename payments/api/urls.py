from django.urls import re_path

from artisans.core.api.routers import Router
from payments.api.parcels import CancellationViewSet, ParcelViewSet
from payments.api.payments import PaymentViewSet
from payments.api.refunds import RefundViewSet, TimelineViewSet
from payments.api.saved_methods import MethodViewSet
from payments.api.staff import StaffPaymentViewSet
from payments.webhooks.endpoint import webhook

router = Router()
router.register("payments/methods", MethodViewSet, basename="api_method")
router.register("payments/refunds", RefundViewSet, basename="api_refund")
router.register("payments", TimelineViewSet, basename="api_payment_history")
router.register("payments", PaymentViewSet, basename="api_payment")
router.register("payments", StaffPaymentViewSet, basename="api_payment_desk")
router.register("parcels/cancellations", CancellationViewSet, basename="api_cancellation")
router.register("parcels", ParcelViewSet, basename="api_parcel")
urlpatterns = [
    re_path(r"^payments/webhooks/(?P<provider>[^/]+)/?$", webhook, name="api_webhook"),
    *router.urls,
]
