from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from django.views.static import serve

from artisans.core.api.problems import api_not_found
from artisans.core.web import health, metrics
from artisans.site import demo

api_prefixes = "|".join(prefix.strip("/") for prefix in settings.API_PREFIXES)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("artisans.catalog.urls")),
    path("shop/", RedirectView.as_view(pattern_name="catalog:product_list")),
    path("shop/", include("carts.urls")),
    path("shop/", include("payments.web.urls")),
    path("shop/", include("orders.urls")),
    path("shop/", include("artisans.exports.urls")),
    path("shop/", include("artisans.earnings.urls")),
    path("shop/", include("artisans.figures.sales.urls")),
    path("shop/artisan/", include("artisans.workshop.urls")),
    path("shop/sell/", include("artisans.workshop.selling_urls")),
    path("shop/account/data/", include("artisans.privacy.urls")),
    path("shop/account/", include("artisans.accounts.urls")),
    path("admin/", admin.site.urls),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("artisans.site.docs.urls")),
    path("auth/", include("artisans.accounts.api_urls")),
    path("", include("artisans.figures.sales.api_urls")),
    path("", include("artisans.catalog.api_urls")),
    path("", include("artisans.regions.api_urls")),
    path("", include("artisans.ledger.api_urls")),
    path("", include("artisans.figures.api_urls")),
    path("", include("carts.api_urls")),
    path("", include("payments.api.urls")),
    path("", include("artisans.earnings.api_urls")),
    path("", include("artisans.workshop.api_urls")),
    re_path(rf"^(?:{api_prefixes})(?:/.*)?$", api_not_found, name="api_not_found"),
]
if settings.SERVE_MEDIA:
    shown = re_path(
        r"^media/(?P<path>(?!.*private/).*)$", serve, {"document_root": settings.MEDIA_ROOT}, name="media"
    )
    urlpatterns.append(shown)
if settings.DEMO:
    urlpatterns += [
        path("demo/mail/", demo.mail_list, name="demo_mail"),
        path("demo/mail/<str:mail_id>/", demo.mail_detail, name="demo_mail_detail"),
        path("demo/mail/<str:mail_id>/html/", demo.mail_html, name="demo_mail_html"),
    ]

handler400 = "artisans.core.web.error_pages.bad_request"
handler403 = "artisans.core.web.error_pages.forbidden"
handler404 = "artisans.core.web.error_pages.not_found"
handler500 = "artisans.core.web.error_pages.server_error"
