"""What the API says about itself. Nothing here changes anything, in any mode."""

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from artisans.core.codes import codes_by_name
from artisans.docs.document import as_json, as_yaml
from artisans.docs.reference import groups, markdown
from artisans.docs.statuses import machines

GUIDES = {"api": "The API by example"}  # docs/<name>.md
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
    """Swagger UI: every operation, to be tried with one's own token."""
    return render(request, "docs/index.html", {"page": "index", "guides": GUIDES})


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """The same to read: no script needed, one page, every field."""
    return render(request, "docs/reference.html", {"page": "reference", "groups": groups(), "guides": GUIDES})


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    return render(
        request, "docs/errors.html", {"page": "errors", "codes": codes_by_name().values(), "guides": GUIDES}
    )


@require_safe
def statuses(request: HttpRequest) -> HttpResponse:
    return render(
        request, "docs/statuses.html", {"page": "statuses", "machines": machines(), "guides": GUIDES}
    )


@require_safe
def guide(request: HttpRequest, name: str) -> HttpResponse:
    if name not in GUIDES:
        raise Http404
    text = Path(settings.BASE_DIR, "docs", f"{name}.md").read_text()
    context = {"title": GUIDES[name], "text": markdown(text), "guides": GUIDES, "here": name}
    return render(request, "docs/guide.html", context)
