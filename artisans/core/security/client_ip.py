"""The client's address, taken from proxy headers only as far as a trusted reverse proxy set them."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac


def client_address(request: HttpRequest) -> str:
    """The peer's address, or the one set by the outermost trusted proxy. Forged headers have no effect."""
    peer: str = request.META.get("REMOTE_ADDR", "")
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    if proxies == 0 or len(forwarded) < proxies:
        return peer
    return forwarded[-proxies]


def client_line(request: HttpRequest) -> str:
    """The IPv4 address, or the /64 of an IPv6 address, within which one client can change addresses freely."""
    text = client_address(request)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text
    return str(ipaddress.ip_network(f"{address.exploded}/64", strict=False))


def network_hash(request: HttpRequest) -> str:
    """Keyed hash of the /24 (IPv4) or /48 (IPv6), so that no address is stored."""
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return ""
    prefix = 24 if isinstance(address, ipaddress.IPv4Address) else 48
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    return salted_hmac("core.network", str(network), algorithm="sha256").hexdigest()


def site_url(request: HttpRequest) -> str:
    """The shop's URL for this visitor: the demo has two host names, and a session belongs to one of them."""
    return f"http://{request.get_host()}" if settings.DEMO else str(settings.SITE_URL)
