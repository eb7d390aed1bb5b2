"""The one exception from the pages' own content: the provider's script and its frames, on pages that need them."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

# What Stripe's script needs beside its own origin. https://docs.stripe.com/security/guide#content-security-policy
STRIPE_SCRIPT = "https://js.stripe.com"
STRIPE_EXTRA = {
    "frame-src": ["https://*.js.stripe.com", "https://hooks.stripe.com"],
    "connect-src": ["https://api.stripe.com"],
    "img-src": ["https://*.stripe.com"],
}


def provider_csp(view: View[P]) -> View[P]:
    """The provider's form and its 3-D Secure window may be shown on this page."""

    @wraps(view)
    def shown(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response._csp_update = policy()  # type: ignore[attr-defined]  # the hook of django-csp's decorators
        return response

    return shown


def policy() -> dict[str, list[str]]:
    parts = urlsplit(settings.STRIPE_JS_URL)
    origin = f"{parts.scheme}://{parts.netloc}"
    extra = STRIPE_EXTRA if origin == STRIPE_SCRIPT else {}
    allowed = {
        "script-src": ["'self'", origin],
        "frame-src": [origin],
        "connect-src": ["'self'", origin],
    }
    return {name: allowed.get(name, []) + extra.get(name, []) for name in {*allowed, *extra}}
