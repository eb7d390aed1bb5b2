"""A certificate authority, PayPal's signing certificate issued by it, and messages signed like PayPal's."""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERT_PATH = "/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
NAME = "messageverificationcerts.sandbox.paypal.com"
WEBHOOK_ID = "1JE4291016473214C"


@cache
def key(index: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate authority; two with different names do not trust each other."""

    name: str
    private: Any
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


@cache
def authority(name: str = "Sandbox Root") -> Authority:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    made = (
        builder(subject, subject, private.public_key(), timedelta(days=-30), timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(private, SHA256())
    )
    return Authority(name, private, made)


def leaf(
    by: Authority,
    *,
    name: str = NAME,
    public: Any = None,
    since: timedelta = timedelta(days=-1),
    until: timedelta = timedelta(days=30),
) -> bytes:
    """The signing certificate as PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.private.public_key())
    made = (
        builder(subject, by.certificate.subject, public or key().public_key(), since, until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(above, critical=False)
        .sign(by.private, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def builder(
    subject: x509.Name, issuer: x509.Name, public: Any, since: timedelta, until: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now + since,
        not_valid_after=now + until,
    )


def event(kind: str = "PAYMENT.CAPTURE.COMPLETED", **changes: Any) -> dict[str, Any]:
    return {
        "id": "WH-58D329510W468432D-8HN650336L201105X",
        "event_version": "1.0",
        "create_time": "2026-11-26T10:00:00.000Z",
        "resource_type": "capture",
        "event_type": kind,
        "summary": "Payment completed for $ 99.99 USD",
        "resource": {"id": "3C679366HH908993F", "status": "COMPLETED"},
    } | changes


def signed(
    body: bytes,
    cert_url: str,
    *,
    private: rsa.RSAPrivateKey | None = None,
    webhook_id: str = WEBHOOK_ID,
    sent_at: datetime | None = None,
) -> dict[str, str]:
    """The headers of a message, as PayPal signs it."""
    time = (sent_at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    transmission = "69cd13f0-d67a-11e5-baa3-778b53f4ae55"
    text = f"{transmission}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()
    signature = (private or key()).sign(text, PKCS1v15(), SHA256())
    return {
        "PAYPAL-TRANSMISSION-ID": transmission,
        "PAYPAL-TRANSMISSION-TIME": time,
        "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
        "PAYPAL-CERT-URL": cert_url,
        "PAYPAL-AUTH-ALGO": "SHA256withRSA",
    }


def message(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()
