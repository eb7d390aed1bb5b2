"""Content Security Policy: which pages may load or redirect to a payment provider. No other page allows
external origins."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse

from payments.gateway.connection import is_configured
from payments.providers import registry
from payments.providers.facts import ProviderFacts

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
WITH_SELF = ("script-src", "connect-src", "form-action")


def may_lead_to_provider(view: View[P]) -> View[P]:
    """For pages whose form redirects to a provider: `form-action` applies to the redirect, too."""

    @wraps(view)
    def with_policy(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        set_policy(response, {"form-action": form_targets()})
        return response

    return cast("View[P]", with_policy)


def allow_provider(response: HttpResponse, facts: ProviderFacts) -> HttpResponse:
    """For a page with the provider's script."""
    policy = {name: list(origins) for name, origins in facts.csp(registry.config_of(facts)).items()}
    set_policy(response, policy | {"form-action": form_targets()})
    return response


def form_targets() -> list[str]:
    """The pages of all configured providers: which one the form leads to is decided when it is sent."""
    configured = (facts for facts in registry.PROVIDERS if is_configured(facts))
    policies = (facts.csp(registry.config_of(facts)) for facts in configured)
    return [target for policy in policies for target in policy.get("form-action", ())]


def set_policy(response: HttpResponse, policy: dict[str, list[str]]) -> None:
    """Replace these directives: the hook of django-csp's decorators."""
    response._csp_replace = {  # type: ignore[attr-defined]
        name: ["'self'", *origins] if name in WITH_SELF else origins for name, origins in policy.items()
    }
