"""Where providers tell us things: no session, no token, no parser; only the signature over the raw body counts."""

import logging

from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from artisans.core.api.problems import api_not_found, problem_response
from artisans.core.security.client_ip import network_hash
from artisans.core.security.rate_limits import count_network
from payments.methods import Provider
from payments.providers.contract import BadSignature, CannotVerify, ProviderEvent
from payments.providers.registry import webhook_read
from payments.webhooks.inbox import count_refusal, raise_unverified_alert, webhook_receive

logger = logging.getLogger(__name__)

LARGEST = 256 * 1024


@csrf_exempt
def webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """200 means: it is on disk. 400: not from the provider. 503: send it again later."""
    if provider not in Provider.values:
        return api_not_found(request)
    if request.method != "POST":
        response = problem_response(405, "method_not_allowed", "Messages are posted.")
        response["Allow"] = "POST"
        return response
    try:
        webhook_receive(name=provider, provider_event=parse_request(provider, request))
    except RequestDataTooBig:
        return problem_response(413, "body_too_large", f"A message has at most {LARGEST} bytes.")
    except BadSignature as bad:
        return refuse(request, provider, bad)
    except UnreadablePostError:
        return problem_response(400, "bad_request", "The body broke off.")
    except CannotVerify as problem:
        logger.warning("webhook_unverified", extra={"provider": provider, "why": problem.code})
        return render_later("webhook_unavailable", "This cannot be verified at the moment.")
    except DatabaseTrouble:
        logger.exception("webhook_not_stored", extra={"provider": provider})
        return render_later("database_unavailable", "This cannot be stored at the moment.")
    return JsonResponse({"received": True})


def parse_request(provider: str, request: HttpRequest) -> ProviderEvent:
    """Errors: BadSignature, CannotVerify, and those of `raw_body`."""
    try:
        return webhook_read(provider, raw_body(request), request.headers)
    except CannotVerify as problem:
        raise_unverified_alert(provider, problem)
        raise


def raw_body(request: HttpRequest) -> bytes:
    """The bytes as they came. Errors: RequestDataTooBig.

    A body in chunks has no length, so Django takes it for empty; the server says whether its stream ends by itself.
    """
    stream = request.META["wsgi.input"]
    if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
        body = bytes(stream.read(LARGEST + 1))
    else:
        body = request.body
    if len(body) > LARGEST:
        raise RequestDataTooBig
    return body


def refuse(request: HttpRequest, provider: str, bad: BadSignature) -> HttpResponse:
    """Errors: RateLimited for a network that sends many of these; what is signed is never refused."""
    count_refusal(provider)
    logger.warning(
        "webhook_refused",
        extra={"provider": provider, "why": bad.code, "network": network_hash(request)[:16]},
    )
    count_network("webhook_refused", request)
    return problem_response(
        400, "bad_signature", "This was not signed by the provider for this shop, or too long ago."
    )


def render_later(code: str, detail: str) -> HttpResponse:
    response = problem_response(503, code, f"{detail} Nothing was changed; send it again.")
    response["Retry-After"] = "30"
    return response
