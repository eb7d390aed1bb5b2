"""Form bodies with nested names, such as `a[b]=1&c[]=2&d[0][e]=3`, as Stripe accepts them."""

import re
from urllib.parse import parse_qsl

from sandbox.http_messages import Json
from sandbox.stripe_api.errors import ApiError

NAME = re.compile(r"[^\[\]]+|\[[^\[\]]*\]")
DEPTH = 8


def parse_form(text: str) -> Json:
    """Return nested dicts of strings. Lists become dicts with the keys "0", "1", …, which `Many` reads."""
    tree: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=2000):
        parts = [part.strip("[]") if part.startswith("[") else part for part in NAME.findall(name)]
        if not parts or len(parts) > DEPTH:
            raise ApiError(400, "invalid_request_error", f"Invalid parameter name: {name[:80]}", stored=False)
        put(tree, parts, value)
    return tree


def put(tree: Json, parts: list[str], value: str) -> None:
    for index, part in enumerate(parts):
        key = part or str(len(tree))
        if index == len(parts) - 1:
            tree[key] = value
            return
        deeper = tree.setdefault(key, {})
        if not isinstance(deeper, dict):
            deeper = tree[key] = {}
        tree = deeper
