from django.urls import re_path

from artisans.figures.api import MetricsViewSet

urlpatterns = [
    re_path(r"^payments/metrics/?$", MetricsViewSet.as_view({"get": "show"}), name="api_metrics"),
    re_path(
        r"^payments/metrics/definitions/?$",
        MetricsViewSet.as_view({"get": "definitions"}),
        name="api_metric_definitions",
    ),
]
