"""The webhooks' entry in the OpenAPI document, written here because their view is not a REST framework view."""

from typing import Any

from artisans.core.api.openapi import problem_answers
from payments.providers.registry import provider_choices, remote_providers

PATH = "/payments/webhooks/{provider}"
PROBLEMS = (
    "bad_signature",
    "bad_request",
    "not_found",
    "body_too_large",
    "rate_limited",
    "webhook_unavailable",
    "database_unavailable",
)
REMOTE = " and ".join(facts.label for facts in remote_providers())
TEXT = f"""For payment providers and the shop's own bank feed, not for clients. Requests have no token and are \
authenticated by the signature over the raw body, in the provider's own header, or for `manual` in \
`X-Alley-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of t + "." + body>`, at most 5 minutes old.

{REMOTE} post their own events. The feed posts the body shown here; a transfer that matches an order exactly \
is recorded, everything else is listed for staff. 200 means that the event is stored; send it again after any other \
response. Duplicates are ignored."""
FEED = {
    "provider": "manual",
    "event_type": "payment.received",
    "provider_event_id": "statement-330-line-17",
    "data": {
        "reference": "K7M2XQ4RT",
        "amount": "99.99",
        "currency": "USD",
        "value_date": "2026-11-26",
        "bank_reference": "2026-330-17",
    },
}


def describe_webhook(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """Postprocessing hook of drf-spectacular."""
    taken = {
        "type": "object",
        "required": ["received"],
        "properties": {"received": {"type": "boolean"}},
    }
    signature = {
        "in": "header",
        "name": "X-Alley-Signature",
        "schema": {"type": "string"},
        "description": f"Bank feed only; {REMOTE} sign in their own headers.",
    }
    provider = {
        "in": "path",
        "name": "provider",
        "required": True,
        "schema": {"type": "string", "enum": sorted(name for name, _ in provider_choices())},
    }
    result["paths"][PATH] = {
        "post": {
            "operationId": "webhook_receive",
            "summary": "Receive a provider event",
            "description": TEXT,
            "tags": ["payments"],
            "security": [{}],
            "parameters": [provider, signature],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"type": "object"}, "examples": {"Feed": {"value": FEED}}}
                },
            },
            "responses": {
                "200": {
                    "description": "OK",
                    "content": {
                        "application/json": {
                            "schema": taken,
                            "examples": {"Example": {"value": {"received": True}}},
                        }
                    },
                },
                **problem_answers(PROBLEMS),
            },
        }
    }
    return result
