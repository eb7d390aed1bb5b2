"""The API documentation. These views never change anything."""

import re
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from artisans.core.api.error_codes import codes_by_name
from artisans.site.docs.document import as_json, as_yaml
from artisans.site.docs.reference import groups, markdown
from artisans.site.docs.statuses import machines

GUIDES = {  # docs/<name>.md
    "tutorial": "Your first purchase",
    "api": "The API by example",
    "cards": "Cards by example",
    "three-d-secure": "3-D Secure",
    "paypal": "Pay with PayPal",
    "transfers": "Bank transfer, check and cash on delivery",
    "refunds": "Refunds",
    "webhooks": "Webhooks",
    "retrying": "Retrying",
    "test-cards": "Test cards",
    "selling-by-api": "Selling by API",
}
BESIDE = re.compile(r"\]\(([a-z-]+)\.md\b")  # a relative link between guides, as written in the repository
KEEP = "public, max-age=300"


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        as_json(), content_type="application/vnd.oai.openapi+json", headers={"Cache-Control": KEEP}
    )


@require_safe
def schema_yaml(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        as_yaml(), content_type="application/vnd.oai.openapi", headers={"Cache-Control": KEEP}
    )


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Swagger UI, to try any operation with your own token."""
    return render(request, "docs/index.html", {"page": "index"})


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """The complete reference on one page, without JavaScript."""
    return render(request, "docs/reference.html", {"page": "reference", "groups": groups()})


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/errors.html", {"page": "errors", "codes": codes_by_name().values()})


@require_safe
def statuses(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/statuses.html", {"page": "statuses", "machines": machines()})


@require_safe
def guides(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/guides.html", {"page": "guides", "guides": GUIDES})


@require_safe
def guide(request: HttpRequest, name: str) -> HttpResponse:
    if name not in GUIDES:
        raise Http404
    text = Path(settings.BASE_DIR, "docs", f"{name}.md").read_text()
    text = BESIDE.sub(lambda link: f"]({reverse('docs:guide', args=[link[1]])}", text)
    context = {"page": "guides", "title": GUIDES[name], "text": markdown(text)}
    return render(request, "docs/guide.html", context)
