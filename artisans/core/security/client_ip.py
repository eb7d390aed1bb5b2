"""Where a request comes from, as far as a reverse proxy that we trust says so."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac


def client_address(request: HttpRequest) -> str:
    """The peer, or the address that the outermost trusted proxy wrote. A forged header changes nothing."""
    peer: str = request.META.get("REMOTE_ADDR", "")
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    if proxies == 0 or len(forwarded) < proxies:
        return peer
    return forwarded[-proxies]


def client_line(request: HttpRequest) -> str:
    """The address of an IPv4 client, the /64 of an IPv6 one: what one line has, however often it changes addresses."""
    text = client_address(request)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return text
    return str(ipaddress.ip_network(f"{address.exploded}/64", strict=False))


def network_hash(request: HttpRequest) -> str:
    """One value per /24 (IPv4) or /48 (IPv6), keyed, so that no address is kept."""
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return ""
    prefix = 24 if isinstance(address, ipaddress.IPv4Address) else 48
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    return salted_hmac("core.network", str(network), algorithm="sha256").hexdigest()


def site_url(request: HttpRequest) -> str:
    """Where this visitor reaches the shop: in the demo by either of its two names, for a session belongs to one."""
    return f"http://{request.get_host()}" if settings.DEMO else str(settings.SITE_URL)
