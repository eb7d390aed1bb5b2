"""Content Security Policy: which pages may load or redirect to a payment provider. No other page allows
external origins."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

# https://docs.stripe.com/security/guide#content-security-policy and the pages that buyers are redirected to
STRIPE_SCRIPT = ("https://js.stripe.com",)
STRIPE_FRAMES = ("https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com")
STRIPE_CALLS = ("https://api.stripe.com",)
STRIPE_PAGES = ("https://checkout.stripe.com", "https://hooks.stripe.com")
PAYPAL_PAGES = ("https://www.paypal.com", "https://www.sandbox.paypal.com")


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def stand_in(url: str, real: tuple[str, ...]) -> list[str]:
    """The provider's own origins, or the one that a setting replaces them with."""
    return [origin(url)] if url else list(real)


def may_load_provider(view: View[P]) -> View[P]:
    """For pages with the provider's card element."""
    return allowing(
        view,
        lambda: {
            "script-src": ["'self'", *stand_in(replaced_script(), STRIPE_SCRIPT)],
            "frame-src": stand_in(replaced_script(), STRIPE_FRAMES),
            "connect-src": ["'self'", *stand_in(settings.STRIPE_API_BASE, STRIPE_CALLS)],
            "form-action": form_targets(),
        },
    )


def may_lead_to_provider(view: View[P]) -> View[P]:
    """For pages whose form redirects to the provider: `form-action` applies to the redirect, too."""
    return allowing(view, lambda: {"form-action": form_targets()})


def replaced_script() -> str:
    is_real = origin(settings.STRIPE_JS_URL) in STRIPE_SCRIPT
    return "" if is_real else settings.STRIPE_JS_URL


def form_targets() -> list[str]:
    stripe = stand_in(settings.STRIPE_API_BASE, STRIPE_PAGES)
    return ["'self'", *stripe, *stand_in(settings.PAYPAL_API_BASE, PAYPAL_PAGES)]


def allowing(view: View[P], policy: Callable[[], dict[str, list[str]]]) -> View[P]:
    @wraps(view)
    def with_policy(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response._csp_replace = policy()  # type: ignore[attr-defined]  # the hook of django-csp's decorators
        return response

    return cast("View[P]", with_policy)
