from django.urls import re_path

from artisans.figures.sales.api import SalesViewSet

urlpatterns = [
    re_path(r"^artisans/me/sales/?$", SalesViewSet.as_view({"get": "show"}), name="api_sales"),
]
