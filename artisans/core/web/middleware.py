import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from artisans.core.requests import request_id
from artisans.core.security.card_data import has_card_number

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)

Handler = Callable[[HttpRequest], HttpResponseBase]


class RequestIdMiddleware:
    """One id per request: taken from X-Request-Id or generated; added to every log line, error and response."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.headers.get("X-Request-Id", "")
        is_accepted = ACCEPTED_ID.fullmatch(sent) and not has_card_number(sent)
        this_id = sent if is_accepted else uuid.uuid4().hex
        request_id.set(this_id)
        response = self.get_response(request)
        response["X-Request-Id"] = this_id
        return response


@receiver(request_finished)
def forget_request_id(**kwargs: object) -> None:
    """At the very end, because Django logs errors after the middleware."""
    request_id.set("")


class BodySizeMiddleware:
    """Refuses a body by its Content-Length, before anything reads it; and one without, which Django takes for empty."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_upload = request.path.startswith(settings.UPLOAD_PATHS)
        limit = settings.UPLOAD_MAX_SIZE if is_upload else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        length = request.META.get("CONTENT_LENGTH")
        if not length and "Transfer-Encoding" in request.headers:
            raise SuspiciousOperation("The body has no Content-Length.")  # not for translation
        if int(length or 0) > limit:
            raise RequestDataTooBig(f"The body has more than {limit} bytes.")  # not for translation
        return self.get_response(request)


class PrivatePagesMiddleware:
    """Pages about one person are never cached; links with a token are never sent as a referrer."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path.startswith((*settings.PRIVATE_PATHS, *settings.API_PREFIXES)):
            response.setdefault("Cache-Control", "no-store")
        if re.match(settings.SIGNED_LINK_PATHS, request.path):
            response["Referrer-Policy"] = "no-referrer"
        return response


class PublicPagesCompressionMiddleware(GZipMiddleware):
    """Compresses the catalog and the documentation only.

    Other pages show personal data or links with a token beside text from the request, and the length of a compressed
    page can reveal them (BREACH, https://breachattack.com). What public pages show of a user, such as their email
    address in the header, is protected by Django's padding of random length.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_html = response.get("Content-Type", "").startswith("text/html")
        if not is_html or not re.match(settings.COMPRESSED_PATHS, request.path):
            return response
        return super().process_response(request, response)


class AdminContentPolicyMiddleware:
    """The admin theme uses Alpine, which needs eval and inline styles; other pages do not get them."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path.startswith("/admin/") and isinstance(response, HttpResponse):
            response._csp_update = {  # type: ignore[attr-defined]  # the hook of django-csp's decorators
                "script-src": ["'self'", "'unsafe-eval'", "'unsafe-inline'"],
                "style-src": ["'self'", "'unsafe-inline'"],
            }
        return response
