"""Signature headers of the form `t=<unix>,v1=<hex>`: one time, and several signatures while a secret is
rotated."""

import re
import time

from payments.providers.contract import BadSignature

LONGEST_HEADER = 2048
TIME = re.compile(r"t=([0-9]{1,12})", re.ASCII)
PART = re.compile(r"(?:t=[0-9]{1,12}|v1=[0-9a-f]{64}|v(?!1=)[0-9]+=[0-9a-f]{1,128})", re.ASCII)


def check_header(header: str, tolerance: int) -> int:
    """Return the header's time, which must be within `tolerance` seconds of now.

    Accepts only the exact form that senders write: lower-case signatures, nothing else. Errors: BadSignature.
    """
    if len(header) > LONGEST_HEADER:
        raise BadSignature("header_too_long")
    parts = header.split(",")
    times = [found[1] for part in parts if (found := TIME.fullmatch(part))]
    is_signed_v1 = any(part.startswith("v1=") for part in parts)
    if len(times) != 1 or not is_signed_v1 or not all(PART.fullmatch(part) for part in parts):
        raise BadSignature("header_malformed")
    at = int(times[0])
    if abs(time.time() - at) > tolerance:
        raise BadSignature("outside_tolerance")
    return at


def signatures_in(header: str) -> list[str]:
    return [part.removeprefix("v1=") for part in header.split(",") if part.startswith("v1=")]
