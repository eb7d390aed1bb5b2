"""Sockets to PayPal: one session per client with kept connections, and answers that are never read without end."""

from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter

CONNECTIONS = 16
CHUNK = 65_536


class TooLarge(ValueError):
    """An answer beyond its limit."""


def session() -> requests.Session:
    """No cookies, no retries of its own, no password from a .netrc; proxies of the environment are used."""
    made = requests.Session()
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=0))
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    made.auth = lambda request: request
    return made


def content_of(response: requests.Response, *, limit: int) -> bytes:
    """The whole body of a streamed response. Errors: TooLarge, and those of requests."""
    content = bytearray()
    for part in response.iter_content(CHUNK):
        content += part
        if len(content) > limit:
            raise TooLarge(f"The answer is longer than {limit} bytes.")
    return bytes(content)
