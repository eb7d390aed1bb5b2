"""Every response: a request id, security headers, and error pages that say whether anything was charged."""

import errno
import gzip
import io
import json
import logging

import pytest
from django.db import OperationalError
from django.test import Client

from artisans.core.logs import JsonFormatter
from artisans.core.security import proxy
from artisans.core.security.encryption import CannotDecrypt
from tests.html import page

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def test_logged_refusal_has_the_request_id_of_the_response(client):
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(JsonFormatter())
    logging.getLogger("artisans.requests").addHandler(handler)
    try:
        answer = client.get("/nothing/here/")
    finally:
        logging.getLogger("artisans.requests").removeHandler(handler)

    result = json.loads(heard.getvalue())
    assert result["request_id"] == answer["X-Request-Id"]
    assert answer["X-Request-Id"] in answer.content.decode()


def test_body_of_200_megabytes_is_refused_unread(client):
    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

        readline = read

    upload = {
        "CONTENT_LENGTH": str(200 * 1024**2),
        "wsgi.input": Unread(),
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
    }
    paths = (
        "/shop/cart/",
        "/nothing/",
        "/admin/catalog/product/add/",
        "/orders/",
        "/payments/webhooks/stripe",
    )

    answers = [client.post(path, **upload) for path in paths]

    assert [answer.status_code for answer in answers] == [413] * len(paths)
    assert "too large" in answers[0].content.decode()
    assert answers[3].json()["code"] == "body_too_large"
    assert client.post("/shop/cart/", **upload | {"CONTENT_LENGTH": ""}).status_code != 413, (
        "it counts as empty"
    )


def test_body_without_a_length_is_refused_and_not_taken_for_empty(client):
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "CONTENT_TYPE": "application/json"}

    answer = client.post("/carts/", **chunked)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert client.get("/", HTTP_TRANSFER_ENCODING="").status_code == 400


def test_health_answers_by_ip_address_and_reports_an_unknown_proxy(client, settings, caplog, monkeypatch):
    monkeypatch.setattr(proxy.noticed, "until", 0)
    settings.ALLOWED_HOSTS = ["shop.test"]
    by_address = {"HTTP_HOST": "10.1.2.3:8000"}
    assert client.get("/health/live", **by_address).status_code == 200
    assert client.get("/health/ready", **by_address).json()["checks"]["proxy"] == "ok"

    assert client.get("/", HTTP_X_FORWARDED_FOR="203.0.113.5", **by_address).status_code == 400

    sentence = "A proxy's header arrives, but TRUSTED_PROXIES is not set."
    assert client.get("/health/ready").json()["checks"]["proxy"] == sentence == proxy.proxy_problem()
    assert [record.setting for record in caplog.records if record.message == "proxy_not_trusted"] == [
        "TRUSTED_PROXIES"
    ]


@pytest.mark.parametrize(
    "address", ["/", "/nothing/here/", "/shop/cart/", "/shop/orders/find/", "/shop/account/login/"]
)
def test_security_headers_are_on_all_pages_including_errors(client, address):
    answer = client.get(address)

    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"]


@pytest.mark.parametrize(
    "address", ["/", "/shop/cart/", "/shop/orders/find/", "/nothing/", "/shop/account/login/"]
)
def test_pages_have_no_inline_code_and_no_external_hosts(client, address):
    shown = page(client.get(address))

    for node in shown.walk():
        assert "style" not in node.attrs, node
        assert not [name for name in node.attrs if name.startswith("on")], node
        assert node.tag != "style"
        assert node.tag != "script" or (node.attrs["src"].startswith("/static/") and not node.text)
        for name in ("src", "href", "action"):
            assert not node.attrs.get(name, "").startswith(("http:", "https:", "//", "javascript:")), node


@pytest.mark.parametrize(
    "address", ["/shop/cart/", "/shop/checkout/", "/shop/orders/find/", "/shop/account/login/", "/orders/"]
)
def test_personal_pages_are_not_cached(client, address):
    assert "no-store" in client.get(address)["Cache-Control"]


def test_404_page_says_what_may_be_wrong_and_links_on(client):
    answer = client.get("/nothing/here/")

    shown = page(answer)
    assert answer.status_code == 404
    assert "make sure that you copied all of it" in shown.text
    assert {"/", "/shop/cart/", "/shop/orders/find/"} <= {a.attrs["href"] for a in shown.all("a")}


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1.evil.test", "a b"])
def test_unknown_host_is_refused(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 400
    assert client.get("/orders/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        "/shop/cart/items/",
        "/shop/cart/accept/",
        "/shop/checkout/details/",
        "/shop/checkout/check/",
        "/shop/orders/find/",
        "/shop/account/login/",
        "/shop/account/logout/",
    ],
)
def test_cross_site_form_is_refused(address):
    answer = Client(enforce_csrf_checks=True).post(address, {"email": "a@b.c"})

    assert answer.status_code == 403
    assert "Nothing was ordered or charged" in page(answer).text


def test_form_with_too_many_fields_is_refused(client):
    answer = client.post("/shop/orders/find/", {f"f{n}": "x" for n in range(300)})

    assert answer.status_code == 400


def test_500_page_shows_no_internals(client, monkeypatch):
    def crash(*args: object, **kwargs: object):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("artisans.catalog.views.products_found", crash)
    client.raise_request_exception = False

    answer = client.get("/")

    assert answer.status_code == 500
    assert b"secret" not in answer.content
    assert answer["X-Request-Id"] in answer.content.decode()


def test_outage_is_a_503_page(client, monkeypatch):
    """Of the database, of the disk, or because an encryption key is missing. Other errors are a 500."""
    errors = {
        OperationalError("no route to secret-host"): 503,
        OSError(errno.ENOSPC, "No space left on secret-host"): 503,
        OSError(errno.EROFS, "Read-only file system"): 503,
        OSError(errno.EACCES, "Permission denied"): 500,
        OSError(errno.EDQUOT, "Quota exceeded of secret-host"): 503,
        CannotDecrypt(): 503,
        OSError(errno.EPERM, "Not permitted by secret-host"): 500,
    }
    client.raise_request_exception = False
    for error, status in errors.items():

        def fail(*args: object, error=error, **kwargs: object):
            raise error

        monkeypatch.setattr("artisans.catalog.views.products_found", fail)
        answer = client.get("/")
        assert (answer.status_code, answer.get("Retry-After")) == (status, "5" if status == 503 else None)
        assert status == 500 or "nothing was charged" in page(answer).text
        assert b"secret-host" not in answer.content


def test_health(client, monkeypatch):
    assert client.get("/health/live").json() == {"status": "ok"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2f..%2fartisans/settings.py",
        "/static/%00",
        "/media/../db.sqlite3",
        "/..%2f..%2fetc/passwd",
    ],
)
def test_path_traversal_is_not_found(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("address", ["/", "/?q=bowl", "/docs"])
def test_public_pages_are_compressed(client, address):
    plain = client.get(address)
    answer = client.get(address, headers={"accept-encoding": "gzip"})

    assert "Content-Encoding" not in plain
    assert (answer["Content-Encoding"], answer["Vary"].count("Accept-Encoding")) == ("gzip", 1)
    assert (
        gzip.decompress(answer.content).decode().partition("<main")[0]
        == plain.content.decode().partition("<main")[0]
    )


@pytest.mark.parametrize(
    "address",
    [
        "/shop/cart/",
        "/shop/orders/find/?order=x",
        "/shop/account/login/",
        "/admin/login/",
        "/products/",
        "/schema",
    ],
)
def test_pages_that_may_hold_secrets_are_not_compressed(client, address):
    """BREACH: the length of a compressed page can reveal them."""
    assert "Content-Encoding" not in client.get(address, headers={"accept-encoding": "gzip"})
