"""Traces of requests, tasks, statements and calls to providers, sent by OTLP over HTTP (docs/monitoring.md).

A span has its times and the attributes of `ATTRIBUTES`: no addresses of pages, parameters, headers or messages of
errors. A thread sends the spans, so that nothing waits for the collector; it drops those that it cannot deliver.
"""

import os
import re
from collections.abc import Sequence

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from artisans.core.requests import request_id
from artisans.core.security.redaction import scrub
from artisans.core.web.middleware import Handler
from artisans.core.web.request_log import route_of

ATTRIBUTES = {
    *("http.request.method", "http.response.status_code", "http.route", "alley.request_id", "error.type"),
    *("server.address", "server.port", "db.system.name", "db.namespace", "db.query.text"),
    *("celery.action", "celery.state", "celery.task_name", "messaging.message.id", "messaging.destination"),
}
LITERAL = re.compile(r"'(?:[^']|'')*'")  # of a statement; parameters are not recorded
TIMEOUT = 5  # seconds for a request to the collector, also when the process ends
SERVER_ERROR = 500
tracer = trace.get_tracer("artisans")


def start() -> None:
    os.environ.setdefault("OTEL_SERVICE_NAME", "artisans-alley")
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")  # the names of ATTRIBUTES
    # By the id of the trace, so that a request and its tasks are kept or left out together.
    os.environ.setdefault("OTEL_TRACES_SAMPLER", "traceidratio")
    version = str(settings.SPECTACULAR_SETTINGS["VERSION"])
    provider = TracerProvider(resource=Resource.create({"service.version": version}))
    address = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(ReducingExporter(address, timeout=TIMEOUT)))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]  # not annotated
    PsycopgInstrumentor().instrument()
    RequestsInstrumentor().instrument()


class TraceMiddleware:
    """A span for each request except probes. It begins a trace: what visitors send as theirs is not trusted."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(settings.PROBE_PATHS):
            return self.get_response(request)
        method = request.method or ""
        with tracer.start_as_current_span(method, context=Context(), kind=SpanKind.SERVER) as span:
            response = self.get_response(request)
            route = route_of(request) if request.resolver_match else ""
            span.update_name(f"{method} {route}".strip())
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": response.status_code,
                    "alley.request_id": request_id.get(),
                }
            )
            if response.status_code >= SERVER_ERROR:
                span.set_status(Status(StatusCode.ERROR))
            return response


class ReducingExporter(OTLPSpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([reduce_span(span) for span in spans])


def reduce_span(span: ReadableSpan) -> ReadableSpan:
    """The span with the kept attributes only, their texts scrubbed; of its errors only the type."""
    attributes = {
        name: scrub(LITERAL.sub("'…'", value))[:2000] if isinstance(value, str) else value
        for name, value in (span.attributes or {}).items()
        if name in ATTRIBUTES
    }
    errors = [str((event.attributes or {}).get("exception.type", "")) for event in span.events]
    return ReadableSpan(
        name=scrub(span.name)[:200],
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=[Event("exception", {"exception.type": name}) for name in errors if name],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
