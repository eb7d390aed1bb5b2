"""The sandbox's own certificate authority and the certificates that sign its webhooks, valid and invalid ones.

The authority is created at the first start and kept in the state folder; the shop trusts its `ca.pem`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SIGNER = "messageverificationcerts.paypal.com"
ROOT = "Payment sandbox – root"
INTERMEDIATE = "Payment sandbox – webhooks"
YEARS = timedelta(days=365)
HASH = hashes.SHA256()
INVALID = ("expired", "wrong_name", "untrusted_ca")


@dataclass(frozen=True)
class Certificate:
    """A certificate, its key, and its intermediate certificates."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def name(self) -> str:
        """The name under which its chain is served, like PayPal's CERT-360caa42-fca2a594-7a8abba8."""
        digits = self.certificate.fingerprint(HASH).hex()
        return f"CERT-{digits[:8]}-{digits[8:16]}-{digits[16:24]}"

    @property
    def chain(self) -> bytes:
        """PEM: the certificate, then its intermediates."""
        return b"".join(
            each.public_bytes(serialization.Encoding.PEM) for each in (self.certificate, *self.issuers)
        )

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, padding.PKCS1v15(), HASH)


def issue(name: str, issuer: Certificate | None, *, is_authority: bool, expired: bool = False) -> Certificate:
    """Issue a certificate, self-signed if `issuer` is None."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    start, end = (now - 2 * YEARS, now - YEARS) if expired else (now - timedelta(days=1), now + 10 * YEARS)
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage(is_authority=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(server, critical=False)
    is_below_root = issuer is None or issuer.certificate.issuer == issuer.certificate.subject
    issuers = () if issuer is None or is_below_root else (issuer.certificate, *issuer.issuers)
    return Certificate(builder.sign(signer, HASH), key, issuers)


def usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


class Certificates:
    def __init__(self, folder: Path | None) -> None:
        """With a folder, the authority and the signing certificate persist across restarts."""
        self._folder = folder / "paypal" if folder else None
        self.root = self._load_or_create("ca", lambda: issue(ROOT, None, is_authority=True))
        self._intermediate = self._load_or_create(
            "intermediate", lambda: issue(INTERMEDIATE, self.root, is_authority=True)
        )
        self.valid = self._load_or_create(
            "webhook_signer",
            lambda: issue(SIGNER, self._intermediate, is_authority=False),
            self._intermediate,
        )

    @property
    def ca_pem(self) -> str:
        return self.root.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @cached_property
    def expired(self) -> Certificate:
        return issue(SIGNER, self._intermediate, is_authority=False, expired=True)

    @cached_property
    def wrong_name(self) -> Certificate:
        return issue("messages.evil.example", self._intermediate, is_authority=False)

    @cached_property
    def untrusted_ca(self) -> Certificate:
        foreign = issue(ROOT, None, is_authority=True)
        return issue(SIGNER, issue(INTERMEDIATE, foreign, is_authority=True), is_authority=False)

    def pair(self, mode: str) -> Certificate:
        """Return the certificate for this value of the setting `signing`."""
        pair: Certificate = getattr(self, mode) if mode in INVALID else self.valid
        return pair

    def chain(self, name: str) -> bytes | None:
        """Return the chain served under a name, or None if no signing certificate has it."""
        made = [self.valid, *(self.__dict__[mode] for mode in INVALID if mode in self.__dict__)]
        return next((pair.chain for pair in made if pair.name == name), None)

    def _load_or_create(
        self, name: str, make: Callable[[], Certificate], issuer: Certificate | None = None
    ) -> Certificate:
        if self._folder is None:
            return make()
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        if not certificate.exists():
            self._write(make(), certificate, key)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)  # noqa: S101 (written below)
        issuers = (issuer.certificate,) if issuer else ()
        return Certificate(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded, issuers)

    def _write(self, pair: Certificate, certificate: Path, key: Path) -> None:
        certificate.parent.mkdir(parents=True, exist_ok=True)
        key.touch(mode=0o600)
        secret = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key.write_bytes(pair.key.private_bytes(serialization.Encoding.PEM, *secret))
        certificate.write_bytes(pair.certificate.public_bytes(serialization.Encoding.PEM))
