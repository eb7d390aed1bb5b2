from artisans.core.api import Router
from payments.api import PaymentViewSet
from payments.api_parcels import ParcelViewSet
from payments.api_staff import PaymentDeskViewSet

router = Router()
router.register("payments", PaymentViewSet, basename="api_payment")
router.register("payments", PaymentDeskViewSet, basename="api_payment_desk")
router.register("parcels", ParcelViewSet, basename="api_parcel")
urlpatterns = router.urls
