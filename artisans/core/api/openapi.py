"""The API description (OpenAPI 3.1). Views declare what is specific to them; the rest is derived.

    @operation(
        "cart_checkout",                      # operationId: stable, names the method in generated clients
        "Order the cart",                     # one line
        request=CheckoutIn,
        responses={200: CheckoutShape, 201: CheckoutShape},
        problems=(CheckoutBlocked, QuoteChanged),
    )
    @action(detail=True, methods=["post"])
    def checkout(self, request, pk):
        \"\"\"The description: what it does and when it is safe to repeat.\"\"\"

Inherited methods of a viewset are described by `@described(list=operation(…), retrieve=operation(…))` on the class.
An action of several methods stacks one `operation(…, methods=["PUT"])` for each. `query=` takes a serializer, or the
names of parameters with their descriptions; other parameters are rejected (core/api/query.py).
Response shapes are serializers used only for the description (`schemas.py` beside each api.py), with an example by
`@example`.

Derived for every view: the bearer token and its scope, X-Cart-Token and X-Order-Token, the Idempotency-Key, path ids,
rate limits, the errors that any call can return, and their common shape.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar, cast

from django.conf import settings
from drf_spectacular.drainage import get_override
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.exceptions import APIException

from artisans.core.api.error_codes import Code, codes_by_name, members_by_name
from artisans.core.api.fields import UUID_PATTERN, StrictSerializer
from artisans.core.api.problems import ProblemRenderer, status_phrase
from artisans.core.errors import DomainError

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
Shape = (
    type[serializers.Serializer[Any]] | serializers.BaseSerializer[Any]
)  # an instance is a list: many=True
Query = type[serializers.Serializer[Any]] | Mapping[str, str]
ProblemKind = type[DomainError] | type[APIException]

GOOD = ("200", "201", "202")
MULTIPART = "multipart/form-data"
CART_TOKEN, ORDER_TOKEN, BEARER = "cartToken", "orderToken", "bearer"
SECURITY_SCHEMES = {
    CART_TOKEN: {
        "type": "apiKey",
        "in": "header",
        "name": "X-Cart-Token",
        "description": "A guest's cart: the `token` returned by `POST /carts/`.",
    },
    ORDER_TOKEN: {
        "type": "apiKey",
        "in": "header",
        "name": "X-Order-Token",
        "description": "Access to one order without an account: its `access_token`, which can show and pay for it.",
    },
}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="A new key for each operation, such as a UUID. A request repeated under the same key within 24 hours "
    "returns the first response and has no second effect.",
)
HEADERS = {
    "RateLimit": "Remaining requests `r` of each limit, and seconds `t` until its window ends.",
    "RateLimit-Policy": "The limits that apply to this call: `q` calls in `w` seconds.",
    "Idempotent-Replayed": "`true` if this is the stored response to an earlier request with the same key.",
}

# Responses shared by many operations.
SHARED: dict[str, tuple[int, tuple[str, ...]]] = {
    "BadRequest": (400, ("validation_error",)),
    "BadBody": (400, ("validation_error", "parse_error")),
    "Unauthorized": (401, ("not_authenticated", "authentication_failed", "invalid_token", "token_expired")),
    "Forbidden": (403, ("insufficient_scope",)),
    "NotFound": (404, ("not_found",)),
    "TooLarge": (413, ("body_too_large",)),
    "NotJson": (415, ("unsupported_media_type",)),
    "TooManyRequests": (429, ("rate_limited",)),
    "Unavailable": (503, ("database_unavailable",)),
}


def operation(  # noqa: PLR0913  # keyword-only, as an operation has parts
    name: str,
    summary: str,
    *,
    request: Shape | Sequence[Shape] | None = None,
    responses: Shape | Mapping[int, Shape | None] | None = None,
    problems: Iterable[ProblemKind] = (),
    examples: Sequence[OpenApiExample] = (),
    query: Query | None = None,
    methods: Sequence[str] | None = None,
    description: str | None = None,
    deprecated: bool = False,
) -> Callable[[F], F]:
    """Describe one operation; see the module's docstring.

    Shapes: `responses` is one shape (200), or one for each status, None for an empty body. `request` may be several
    shapes when the body is one of them. `problems` are its error classes besides the common ones.
    """
    extensions = {"x-problems": [code_of(kind) for kind in problems]}
    document = extend_schema(
        operation_id=name,
        summary=summary,
        description=description,
        request=body_of(request),
        responses=responses if isinstance(responses, Mapping) else {200: responses},
        parameters=parameters_of(query),
        examples=list(examples) or None,
        extensions=extensions,
        methods=methods,
        deprecated=deprecated or None,
    )

    def decorate(function: F) -> F:
        described = document(function)
        names = getattr(described, "query_names", frozenset()) | names_of(query)
        described.query_names = names  # type: ignore[attr-defined]  # read by core/query.py
        return described

    return decorate


def described(**operations: Callable[[Any], Any]) -> Callable[[C], C]:
    """Describe the methods that a viewset inherits."""
    return cast("Callable[[C], C]", extend_schema_view(**operations))


def example(value: Mapping[str, Any], **others: Mapping[str, Any]) -> Callable[[C], C]:
    """Examples of a serializer, one unnamed and others by name; a test validates them against the schema."""
    named = {"Example": value} | {name.replace("_", " "): other for name, other in others.items()}
    made = [OpenApiExample(name, value=dict(v), status_codes=GOOD) for name, v in named.items()]
    return cast("Callable[[C], C]", extend_schema_serializer(examples=made))


def form_example(value: Mapping[str, Any]) -> Callable[[C], C]:
    """Of a body with files, which stand as `@` and a name; validated like the others."""
    made = OpenApiExample("Example", value=dict(value), media_type=MULTIPART)
    return cast("Callable[[C], C]", extend_schema_serializer(examples=[made]))


def body_of(request: Shape | Sequence[Shape] | None) -> Any:
    """With several shapes, the first is a single object and the other a list of them."""
    if isinstance(request, Sequence):
        forms: list[Any] = list(request)
        proxy = PolymorphicProxySerializer(
            f"{name_of(forms[0])}Body", serializers=forms, resource_type_field_name=None, many=False
        )
        value = get_override(forms[0], "examples")[0].value
        one, several = OpenApiExample("One", value=value), OpenApiExample("A list", value=[value])
        return OpenApiRequest(proxy, examples=[one, several])
    return request


def name_of(shape: Any) -> str:
    """The component name of a shape; the names of classes used only for responses end in Shape."""
    kind = shape if isinstance(shape, type) else type(shape)
    return kind.__name__.removesuffix("Shape")


def parameters_of(query: Query | None) -> list[Any]:
    if query is None:
        return []
    if isinstance(query, Mapping):
        return [OpenApiParameter(name, str, description=text) for name, text in query.items()]
    return [query]


def names_of(query: Query | None) -> frozenset[str]:
    if query is None:
        return frozenset()
    return frozenset(query) if isinstance(query, Mapping) else frozenset(query().fields)


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["99.99"]})
class AmountShape(serializers.CharField):
    """An amount in a response: a decimal string with the decimals of its currency."""


# ---- problems ----------------------------------------------------------------------------------------------


class FieldErrorShape(serializers.Serializer[Any]):
    pointer = serializers.CharField(
        help_text="JSON pointer into the body, or the query parameter.", allow_blank=True
    )
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemShape(serializers.Serializer[Any]):
    """An error response as defined by RFC 9457. Some codes add members, such as `problems` or `retry_after`."""

    # the members of single codes follow in `add_shared_parts`

    type = serializers.URLField(help_text="Page that explains the code.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(
        help_text="Stable. New codes may be added; treat an unknown one by its status."
    )
    detail = serializers.CharField(help_text="Human-readable explanation.")
    retryable = serializers.BooleanField(help_text="Whether the same request may succeed later.")
    request_id = serializers.CharField(help_text="Include it when you contact us.", allow_blank=True)
    errors = FieldErrorShape(  # type: ignore[assignment]  # a member of the answer, not the serializer's own
        many=True, required=False, help_text="The invalid values."
    )


def code_of(kind: ProblemKind) -> str:
    return kind.code if issubclass(kind, DomainError) else kind.default_code


def problem_example(known: Code) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": f"https://your.shop/docs/errors#{known.name}",
        "title": known.title,
        "status": known.status,
        "code": known.name,
        "detail": known.meaning,
        "retryable": known.is_retryable,
        "request_id": "4c1f0b7e9a5d4e3c8b2a6f1d0e9c8b7a",
    }
    if known.name == "validation_error":
        value["errors"] = [
            {"pointer": "/quantity", "code": "invalid", "detail": "A valid integer is required."}
        ]
    return value


# ---- the schema --------------------------------------------------------------------------------------------


class ShopSchema(AutoSchema):
    """Adds what all operations share: security, path ids, common problems."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        found: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if found is None:
            return None
        for status, answer in found["responses"].items():
            answer["description"] = answer["description"] or status_phrase(int(status))
            if headers := self.headers():
                answer["headers"] = answer.get("headers", {}) | headers
        own = found.pop("x-problems", [])
        self.resolve_serializer(ProblemShape, "response")
        found["responses"] |= problem_answers([*own, *self.common_problems(found)])
        if scope := self.scope():
            found["x-scope"] = scope
            found["description"] = f"{found.get('description', '')}\n\nScope of the token: `{scope}`.".strip()
        return found

    @property
    def takes_key(self) -> bool:
        """Whether the operation supports the Idempotency-Key (core/api/views.py)."""
        return self.method == "POST" and getattr(self.view, "takes_idempotency_keys", False)

    def get_override_parameters(self) -> list[Any]:
        own: list[Any] = super().get_override_parameters()
        return [*own, IDEMPOTENCY_KEY] if self.takes_key else own

    def headers(self) -> dict[str, Any]:
        """Headers of a successful response."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        names = [
            *(["RateLimit", "RateLimit-Policy"] if hasattr(handler, "limited") else []),
            *(["Idempotent-Replayed"] if self.takes_key else []),
        ]
        return {name: {"$ref": f"#/components/headers/{name}"} for name in names}

    def common_problems(self, found: Mapping[str, Any]) -> Iterable[str]:
        """Errors that any call of this operation can return."""
        codes = ["validation_error", "raw_card_data_not_accepted", "rate_limited", "database_unavailable"]
        if self.takes_key:
            codes += ["idempotency_key_invalid", "idempotency_key_in_use", "idempotency_key_reused"]
        if "requestBody" in found:
            codes += ["parse_error", "body_too_large", "unsupported_media_type"]
        if self.view.get_authenticators():
            codes += [*SHARED["Unauthorized"][1], *SHARED["Forbidden"][1]]
        if "{" in self.path:
            codes.append("not_found")
        return codes

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return name_of(serializer)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            found["additionalProperties"] = False
        return found

    def scope(self) -> str:
        authenticators: list[Any] = self.view.get_authenticators()
        return authenticators[0].scope_for(self.view, self.method) if authenticators else ""

    def get_auth(self) -> list[dict[str, list[str]]]:
        found: list[dict[str, list[str]]] = super().get_auth()
        of_permissions = [getattr(p, "guest_schemes", ()) for p in self.view.get_permissions()]
        schemes = getattr(self.view, "guest_schemes", None) or [s for group in of_permissions for s in group]
        return found + [{scheme: []} for scheme in schemes]

    def _resolve_path_parameters(self, variables: Sequence[str]) -> list[dict[str, Any]]:
        ours = {name for name in variables if f"(?P<{pattern_name(name)}>{UUID_PATTERN})" in self.path_regex}
        ids = [
            {"in": "path", "name": name, "required": True, "schema": {"type": "string", "format": "uuid"}}
            for name in variables
            if name in ours
        ]
        others = [name for name in variables if name not in ours]
        return ids + (super()._resolve_path_parameters(others) if others else [])  # type: ignore[no-untyped-call]


def pattern_name(variable: str) -> str:
    """Routes call the parameter `pk`, the schema calls it `id`."""
    return "pk" if variable == "id" else variable


def problem_answers(names: Iterable[str]) -> dict[str, Any]:
    """The error responses of an operation, by status, for these codes."""
    by_status: dict[int, list[str]] = {}
    for name in dict.fromkeys(names):
        by_status.setdefault(codes_by_name()[name].status, []).append(name)
    shared = {answer: name for name, answer in SHARED.items()}
    return {
        str(status): {"$ref": f"#/components/responses/{shared[status, tuple(codes)]}"}
        if (status, tuple(codes)) in shared
        else problem_answer(status, codes)
        for status, codes in sorted(by_status.items())
    }


def problem_answer(status: int, codes: Iterable[str]) -> dict[str, Any]:
    names = ", ".join(f"`{code}`" for code in codes)
    answer: dict[str, Any] = {
        "description": f"{status_phrase(status)}: {names}.",
        "content": {
            ProblemRenderer.media_type: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }
    if status in {429, 503}:
        seconds = {"schema": {"type": "integer"}, "description": "Seconds to wait before retrying."}
        answer["headers"] = {"Retry-After": seconds}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        limits = {
            name: {"$ref": f"#/components/headers/{name}"} for name in ("RateLimit", "RateLimit-Policy")
        }
        answer["headers"] |= limits
    return answer


def spell_paths(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Keep one spelling of each path: both are routes, but only collections at the root end with a slash here.

    Only paths of the API are in the schema.
    """
    found = []
    for path, regex, method, view in endpoints:
        if path.startswith(settings.API_PREFIXES):
            plain = path.rstrip("/")
            found.append((f"{plain}/" if plain.count("/") == 1 else plain, regex, method, view))
    return found


def add_shared_parts(result: dict[str, Any], generator: Any, **kwargs: Any) -> dict[str, Any]:
    """Add the components that operations reference: guest tokens and an example of each problem."""
    parts = result["components"]
    parts["securitySchemes"] |= SECURITY_SCHEMES
    parts["schemas"]["Problem"]["properties"] |= members_by_name()
    parts["responses"] = {name: problem_answer(status, codes) for name, (status, codes) in SHARED.items()}
    parts["headers"] = {
        name: {"schema": {"type": "string"}, "description": text} for name, text in HEADERS.items()
    }
    parts["examples"] = {name: {"value": problem_example(code)} for name, code in codes_by_name().items()}
    return result
