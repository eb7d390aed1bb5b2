"""HTTP for providers without an SDK of their own: a session with persistent connections, and bounded responses."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as SocketTimeout

from payments.providers.contract import Unknown
from payments.providers.round_trips import round_trip

CONNECTIONS = 16
CHUNK = 65_536
TIME_SECONDS = (3.0, 5.0)  # to connect and to read


class TooLarge(ValueError):
    """The response exceeds the limit."""


def session() -> requests.Session:
    """No cookies, no retries, no credentials from .netrc; proxies of the environment are used."""
    made = requests.Session()
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=0))
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    made.auth = lambda request: request
    return made


def read_server_time(url: str) -> datetime:
    """From the header `Date` of an answer to a request without credentials, whatever its status. Errors: Unknown."""
    try:
        with session() as sender, round_trip("HEAD", url) as trip:
            answer = sender.head(url, timeout=TIME_SECONDS, allow_redirects=False)
            trip.answer(answer.status_code)
        return parsedate_to_datetime(answer.headers["Date"]).replace(tzinfo=UTC)  # always GMT
    except requests.RequestException as silence:
        raise Unknown("no_answer", type(silence).__name__) from None
    except (KeyError, ValueError):
        raise Unknown("unreadable_answer", "Date") from None


def read_body(response: requests.Response, *, limit: int, seconds: float) -> bytes:
    """The whole body of a streamed response. The time limit covers all chunks together.

    Errors: TooLarge, requests.Timeout, and ChunkedEncodingError for a truncated or wrongly encoded body.
    """
    content, end = bytearray(), time.monotonic() + seconds
    try:
        while part := response.raw.read1(CHUNK, decode_content=True):
            content += part
            if len(content) > limit:
                raise TooLarge(f"The response is longer than {limit} bytes.")
            if time.monotonic() > end:
                raise requests.Timeout("The response took too long.")
    except SocketTimeout as silence:
        raise requests.Timeout(type(silence).__name__) from None
    except HTTPError as broken:
        raise ChunkedEncodingError(type(broken).__name__) from None
    return bytes(content)
