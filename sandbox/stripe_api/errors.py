"""Errors in Stripe's format. https://docs.stripe.com/api/errors, https://docs.stripe.com/error-codes"""

from sandbox.http_messages import Json, ProviderError

INVALID = "invalid_request_error"


class ApiError(ProviderError):
    """An error response. `stored`: whether it is saved under the request's idempotency key."""

    def __init__(
        self, status: int, kind: str, message: str, *, stored: bool = True, **details: object
    ) -> None:
        super().__init__(status, message)
        self.stored = stored
        self.body: Json = {"message": message, "type": kind} | {
            k: v for k, v in details.items() if v is not None
        }
        if code := self.body.get("code"):
            self.body["doc_url"] = f"https://stripe.com/docs/error-codes/{str(code).replace('_', '-')}"

    @property
    def is_missing(self) -> bool:
        return self.body.get("code") == "resource_missing"  # 400 if a parameter names the object


def bad_parameter(name: str, message: str, code: str | None = None) -> ApiError:
    """A validation error, which is not saved under the idempotency key."""
    return ApiError(400, INVALID, message, stored=False, param=name, code=code)


def unknown_parameter(name: str) -> ApiError:
    return bad_parameter(name, f"Received unknown parameter: {name}", "parameter_unknown")


def missing_parameter(name: str) -> ApiError:
    return bad_parameter(name, f"Missing required param: {name}.", "parameter_missing")


def empty_parameter(name: str) -> ApiError:
    message = (
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
    )
    return bad_parameter(name, message, "parameter_invalid_empty")


def missing_resource(kind: str, object_id: str, param: str = "id") -> ApiError:
    """404 if the path names the object, 400 if a parameter does."""
    name = kind.replace(".", "_")
    status = 400 if param in {"charge", "customer", "payment_intent"} else 404
    return ApiError(status, INVALID, f"No such {name}: '{object_id}'", code="resource_missing", param=param)


def refused(
    message: str,
    code: str | None = None,
    param: str | None = None,
    *,
    payment_intent: Json | None = None,
    setup_intent: Json | None = None,
) -> ApiError:
    """A valid request that the object's current state does not allow."""
    return ApiError(
        400,
        INVALID,
        message,
        code=code,
        param=param,
        payment_intent=payment_intent,
        setup_intent=setup_intent,
    )


def unauthorized(message: str, code: str | None = None) -> ApiError:
    return ApiError(401, INVALID, message, stored=False, code=code)
