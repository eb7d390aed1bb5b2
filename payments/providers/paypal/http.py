"""Sockets to PayPal: one session per client with kept connections, and answers that are never read without end."""

import time
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as SocketTimeout

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


def read_body(response: requests.Response, *, limit: int, seconds: float) -> bytes:
    """The whole body of a streamed response, as it arrives: many small pieces together may not take longer either.

    Errors: TooLarge, requests.Timeout, and ChunkedEncodingError for a body that ends early or is packed wrongly.
    """
    content, end = bytearray(), time.monotonic() + seconds
    try:
        while part := response.raw.read1(CHUNK, decode_content=True):
            content += part
            if len(content) > limit:
                raise TooLarge(f"The answer is longer than {limit} bytes.")
            if time.monotonic() > end:
                raise requests.Timeout("The answer takes too long.")
    except SocketTimeout as silence:
        raise requests.Timeout(type(silence).__name__) from None
    except HTTPError as broken:
        raise ChunkedEncodingError(type(broken).__name__) from None
    return bytes(content)
