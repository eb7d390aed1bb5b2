"""The common format of every error (RFC 9457)."""

from typing import Any

KEYS = {"type", "title", "status", "code", "detail", "retryable", "request_id"}


def problem(response: Any, status: int | tuple[int, ...] = 400, code: str = "") -> dict[str, Any]:
    """Check the format and return the body."""
    wanted = status if isinstance(status, tuple) else (status,)
    assert response.status_code in wanted, (response.status_code, response.content[:500])
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) >= KEYS, KEYS - set(body)
    assert body["status"] == response.status_code
    assert body["request_id"] == response["X-Request-Id"]
    assert body["type"].endswith(f"#{body['code']}")
    assert body["detail"]
    assert body["retryable"] in {409: (True, False), 429: (True, False), 503: (True,)}.get(
        response.status_code, (False,)
    )
    for error in body.get("errors", []):
        assert set(error) == {"pointer", "code", "detail"}, error
        assert error["pointer"] == "" or error["pointer"].startswith("/")
        assert error["code"]
        assert error["detail"]
    if code:
        assert body["code"] == code, body
    return body
