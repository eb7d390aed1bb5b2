"""The certificates with which PayPal signs its webhooks: loaded from known hosts only, and trusted by their chain."""

import threading
import time
import warnings
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from payments.providers.contract import BadSignature, CannotVerify
from payments.providers.http import TooLarge, read_body, session
from payments.providers.paypal.config import PayPalConfig
from payments.providers.round_trips import round_trip

# The names that PayPal's SDKs require of the leaf certificate; live mode accepts none of the sandbox's.
NAMES = {
    "live": ("messageverificationcerts.paypal.com",),
    "sandbox": ("messageverificationcerts.sandbox.paypal.com", "messageverificationcerts.paypal.com"),
}
CERT_PATH = "/v1/notifications/certs/"
TIMEOUT = (3.0, 5.0)
SIZE_LIMIT = 65_536
LONGEST_URL = 500
KEEP_SECONDS = 86_400
MOST_KEPT = 32


class Certificates:
    """Public keys by certificate URL, cached for a day. Thread-safe."""

    def __init__(self, config: PayPalConfig) -> None:
        self._hosts = config.hosts
        self._names = NAMES[config.mode]
        self._ca_file = config.ca_file or certifi.where()
        self._session = session()
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, x509.Certificate]] = {}
        self._roots: Store | None = None

    def key_at(self, url: str) -> rsa.RSAPublicKey:
        """The public key of the certificate at `url`, fetched unless it is cached.

        Errors: BadSignature for a URL or certificate that is not PayPal's, CannotVerify if it cannot be fetched.
        """
        self._check_address(url)
        leaf = self._known(url)
        if leaf is None:
            leaf = self._trusted(self._fetch(url))
            self._keep(url, leaf)
        check_dates(leaf)
        key = leaf.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise BadSignature("certificate_key", "The certificate has no RSA key.")
        return key

    def _check_address(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            where = parts.netloc.lower()
            is_open = parts.scheme == "http" and is_loopback(parts.hostname or "")
        except ValueError:
            raise BadSignature("certificate_address", "The certificate's URL is malformed.") from None
        is_plain = url.isascii() and not (parts.query or parts.fragment or "\\" in url or "%" in url)
        is_known = where in self._hosts and (parts.scheme == "https" or is_open)
        is_there = parts.path.startswith(CERT_PATH) and ".." not in parts.path
        if not (is_plain and is_known and is_there and len(url) <= LONGEST_URL):
            raise BadSignature("certificate_address", "The certificate's URL is not one of PayPal's.")

    def _known(self, url: str) -> x509.Certificate | None:
        with self._lock:
            until, leaf = self._kept.get(url, (0.0, None))
        return leaf if time.monotonic() < until else None

    def _keep(self, url: str, leaf: x509.Certificate) -> None:
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[url] = (time.monotonic() + KEEP_SECONDS, leaf)

    def _fetch(self, url: str) -> list[x509.Certificate]:
        try:
            with (
                round_trip("GET", url) as trip,
                self._session.get(url, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer,
            ):
                status, content = answer.status_code, read_body(answer, limit=SIZE_LIMIT, seconds=TIMEOUT[1])
                trip.answer(status)
        except TooLarge:
            raise BadSignature("certificate_size", "The certificate is too large.") from None
        except requests.RequestException as silence:
            raise CannotVerify("certificate_unreachable", type(silence).__name__) from None
        if status == HTTPStatus.NOT_FOUND:
            raise BadSignature("certificate_missing", "PayPal has no such certificate.")
        if status != HTTPStatus.OK:
            raise CannotVerify("certificate_unreachable", f"HTTP {status}")
        try:
            return loaded(content)
        except ValueError:
            raise BadSignature("certificate_unreadable", "There is no certificate at this URL.") from None

    def _trusted(self, chain: list[x509.Certificate]) -> x509.Certificate:
        """The leaf certificate, if its chain ends in a trusted root and it has PayPal's name."""
        leaf, above = chain[0], chain[1:]
        for name in self._names:
            policy = PolicyBuilder().store(self._store()).time(datetime.now(UTC))
            try:
                policy.build_server_verifier(x509.DNSName(name)).verify(leaf, above)
            except VerificationError as refused:
                reason = str(refused)[:200]
            else:
                return leaf
        raise BadSignature("certificate_untrusted", reason)

    def _store(self) -> Store:
        with self._lock:
            if self._roots is None:
                self._roots = Store(loaded(roots_in(self._ca_file)))
            return self._roots


def roots_in(ca_file: str) -> bytes:
    try:
        return Path(ca_file).read_bytes()
    except OSError as missing:
        raise CannotVerify("roots_unreadable", type(missing).__name__) from None


def loaded(pem: bytes) -> list[x509.Certificate]:
    """Parse a PEM bundle. Errors: ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", CryptographyDeprecationWarning
        )  # old roots with invalid serial numbers
        return x509.load_pem_x509_certificates(pem)


def check_dates(leaf: x509.Certificate) -> None:
    """Checked at every use, because a cached certificate may have expired."""
    if not leaf.not_valid_before_utc <= datetime.now(UTC) <= leaf.not_valid_after_utc:
        raise BadSignature("certificate_expired", "The certificate has expired or is not valid yet.")


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
