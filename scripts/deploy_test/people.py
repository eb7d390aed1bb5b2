"""Who uses the deployed shop: the administrator in a browser, and a guest who buys by API."""

import base64
import hashlib
import hmac
import re
import struct
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

PATIENCE = 60  # seconds until something has failed


def wait_for(what: Callable[[], Any], *, detail: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {detail}")
        time.sleep(0.2)
    return found


def session(ca: str, **headers: str) -> requests.Session:
    http = requests.Session()
    http.trust_env, http.verify = False, ca
    http.headers.update(headers)
    return http


class FormReader(HTMLParser):
    """The fields of the forms of a page as a browser would send them, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        name = values.get("name", "")
        if tag == "form":
            self.forms.append({})
        elif tag == "select":
            self.select = name
        elif not self.forms:
            return
        elif tag == "option" and self.select and "selected" in values:
            self.forms[-1][self.select] = values.get("value", "")
        elif tag in {"input", "textarea"} and name and sends(values):
            self.forms[-1][name] = values.get("value", "on" if values.get("type") == "checkbox" else "")


def sends(values: dict[str, str]) -> bool:
    kind = values.get("type", "text")
    return kind not in {"submit", "file", "button"} and (
        kind not in {"checkbox", "radio"} or "checked" in values
    )


class Administrator:
    """Signs in for the first time, sets up a second factor, and adds something to sell."""

    def __init__(self, url: str, ca: str, email: str, password: str) -> None:
        self.url, self.email, self.password = url, email, password
        self.http = session(ca)

    def sign_in(self) -> None:
        page = self.http.get(f"{self.url}/admin/", timeout=60)
        page = self.send(page, login=self.email, password=self.password)
        assert "two-factor" in page.text.lower(), f"no second factor was required: {page.url}"
        page = self.http.get(f"{self.url}/shop/account/second-factor/totp/activate/", timeout=60)
        key = re.search(r'<code class="long">([A-Z2-7]+)</code>', page.text)
        assert key, page.text
        page = self.send(page, code=one_time_code(key[1]))
        page = self.http.get(f"{self.url}/admin/", timeout=60)
        assert page.url == f"{self.url}/admin/", page.url

    def add_product(self, picture: Path) -> None:
        self.add("category", name="Bowls", slug="bowls", position="1")
        self.add(
            "artisan",
            name="Ana",
            slug="ana",
            email="ana@shop.example",
            craft="Ceramics",
            town="Porto",
        )
        choices = {name: self.first_id(name) for name in ("category", "artisan")}
        self.add(
            "product",
            **choices,
            name="Bowl",
            slug="bowl",
            price="50.00",
            currency="USD",
            in_stock="10",
        )
        product = self.first_id("product")
        page = self.http.get(f"{self.url}/admin/catalog/product/{product}/pictures/", timeout=60)
        with picture.open("rb") as file:
            page = self.send(page, files={"picture": (picture.name, file, "image/webp")}, alt="A bowl")
        assert "was uploaded" in page.text, page.text

    def add(self, model: str, files: Any = None, **fields: str) -> None:
        page = self.http.get(f"{self.url}/admin/catalog/{model}/add/", timeout=60)
        page = self.send(page, files=files, **fields)
        assert "/add/" not in page.url, re.findall(r'errorlist.*?</ul>|class="[^"]*error[^"]*".*', page.text)

    def first_id(self, model: str) -> str:
        page = self.http.get(f"{self.url}/admin/catalog/{model}/", timeout=60)
        found = re.search(rf"/admin/catalog/{model}/([^/\"]+)/change/", page.text)
        assert found, f"no {model} in the admin's list"
        return found[1]

    def send(self, page: requests.Response, files: Any = None, **fields: str) -> requests.Response:
        """Fill in the form of the page that has these fields, and submit it."""
        reader = FormReader()
        reader.feed(page.text)
        form = next(
            form
            for form in reader.forms
            if "csrfmiddlewaretoken" in form
            and any(name in page.text for name in fields)
            and set(fields) & set(form)
        )
        answer = self.http.post(
            page.url, form | fields, files=files, headers={"Referer": page.url}, timeout=60
        )
        assert answer.ok, f"{answer.status_code} {page.url}"
        return answer


def one_time_code(key: str) -> str:
    """RFC 6238: six digits for the current half minute."""
    digest = hmac.digest(base64.b32decode(key), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    (number,) = struct.unpack(">I", digest[digest[-1] & 15 :][:4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


class Guest:
    """Buys without an account, by API."""

    def __init__(self, url: str, http: requests.Session) -> None:
        self.url, self.http = url, http

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.http.request(method, urljoin(self.url, path), json=body, headers=headers, timeout=90)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def order(self, email: str) -> tuple[str, dict[str, str]]:
        """An order by card that is not paid yet: the provider's payment id, and the header with the order's token."""
        product = self.call("GET", "/products/?in_stock=true")["results"][0]
        cart = self.call("POST", "/carts/", {"items": [{"product_id": product["id"], "quantity": 1}]})
        body = {"shipping_address": "123 Test St, Test City, TC 12345", "payment_method": "credit_card"}
        placed = self.call(
            "POST",
            f"/carts/{cart['id']}/checkout",
            body | {"customer_email": email},
            **{"X-Cart-Token": cart["token"]},
        )
        token = {"X-Order-Token": placed["order"]["access_token"]}
        self.order_id, self.payment_id = placed["order"]["id"], placed["payment"]["id"]
        intent = self.call(
            "POST", "/payments/intents", {"order_id": self.order_id, "payment_method": "credit_card"}, **token
        )
        return intent["provider_payment_id"], token

    def status(self, token: dict[str, str]) -> str:
        return str(self.call("GET", f"/payments/{self.payment_id}", **token)["status"])


class Visitors:
    """Read the shop's first page all the time; what failed, and the longest wait in seconds."""

    def __init__(self, url: str, ca: str) -> None:
        self.url, self.ca = url, ca
        self.count, self.longest, self.failures = 0, 0.0, list[str]()
        self.stop = threading.Event()

    def __enter__(self) -> "Visitors":
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(120)

    def read(self) -> None:
        while not self.stop.wait(0.1):
            started = time.monotonic()
            try:
                answer = session(self.ca).get(self.url, timeout=90)
                if not answer.ok:
                    self.failures.append(str(answer.status_code))
            except requests.RequestException as error:
                self.failures.append(repr(error))
            self.count += 1
            self.longest = max(self.longest, time.monotonic() - started)
