"""The webhook endpoint: no session, token or parser; a request is authenticated by the signature over its raw
body."""

import logging

from django.core.exceptions import RequestDataTooBig
from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from artisans.core.api.problems import api_not_found, problem_response
from artisans.core.security.client_ip import network_hash
from artisans.core.security.rate_limits import count_network
from payments.gateway.connection import webhook_read
from payments.providers.contract import BadSignature, CannotVerify, ProviderEvent
from payments.providers.facts import ProviderFacts
from payments.providers.registry import find_facts
from payments.webhooks.inbox import raise_unverified_alert, webhook_receive
from payments.webhooks.refusals import refusal_record

logger = logging.getLogger(__name__)

LARGEST = 256 * 1024


@csrf_exempt
def webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """200: stored. 400: not from the provider. 503: could not be stored, send it again later."""
    facts = find_facts(provider)
    if facts is None:
        return api_not_found(request)
    if request.method != "POST":
        response = problem_response(405, "method_not_allowed", _("Webhooks accept POST only."))
        response["Allow"] = "POST"
        return response
    try:
        webhook_receive(name=provider, provider_event=parse_request(facts, request))
    except RequestDataTooBig:
        return problem_response(
            413, "body_too_large", _("The body must not exceed %(size)s bytes.") % {"size": LARGEST}
        )
    except BadSignature as bad:
        return reject_request(request, provider, bad)
    except UnreadablePostError:
        return problem_response(400, "bad_request", _("The body is incomplete."))
    except CannotVerify as problem:
        logger.warning("webhook_unverified", extra={"provider": provider, "why": problem.code})
        detail = _("The signature cannot be verified at the moment. Nothing was changed; send it again.")
        return build_unavailable_response("webhook_unavailable", detail)
    except DatabaseTrouble:
        logger.exception("webhook_not_stored", extra={"provider": provider})
        detail = _("The event cannot be stored at the moment. Nothing was changed; send it again.")
        return build_unavailable_response("database_unavailable", detail)
    return JsonResponse({"received": True})


def parse_request(facts: ProviderFacts, request: HttpRequest) -> ProviderEvent:
    """Errors: BadSignature, CannotVerify, and those of `raw_body`."""
    try:
        return webhook_read(facts, raw_body(request), request.headers)
    except CannotVerify as problem:
        raise_unverified_alert(facts.name, problem)
        raise


def raw_body(request: HttpRequest) -> bytes:
    """The request body as received. Errors: RequestDataTooBig.

    A chunked body has no Content-Length, so Django takes it for empty; the WSGI server says whether its
    stream ends by itself.
    """
    stream = request.META["wsgi.input"]
    if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
        body = bytes(stream.read(LARGEST + 1))
    else:
        body = request.body
    if len(body) > LARGEST:
        raise RequestDataTooBig
    return body


def reject_request(request: HttpRequest, provider: str, bad: BadSignature) -> HttpResponse:
    """Errors: RateLimited for a network that sends many unsigned requests; signed ones are never limited."""
    logger.warning(
        "webhook_refused",
        extra={"provider": provider, "why": bad.code, "network": network_hash(request)[:16]},
    )
    count_network("webhook_refused", request)
    refusal_record(provider=provider, reason=bad.code)
    return problem_response(400, "bad_signature", _("The signature is invalid or too old."))


def build_unavailable_response(code: str, detail: str) -> HttpResponse:
    response = problem_response(503, code, detail)
    response["Retry-After"] = "30"
    return response
