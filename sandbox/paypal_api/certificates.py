"""The sandbox's own certificate authority and the certificates that sign its webhooks, good ones and bad ones.

The authority is made at the first start and kept in the state folder, with `ca.pem` for the shop to trust.
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
ROOT = "Sandbox of the payment providers – root"
BETWEEN = "Sandbox of the payment providers – webhooks"
YEARS = timedelta(days=365)
HASH = hashes.SHA256()
BAD = ("expired", "wrong_name", "foreign_ca")


@dataclass(frozen=True)
class Pair:
    """A certificate, its key, and the certificates above it without the root."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def name(self) -> str:
        """Under which its chain is served, like PayPal's CERT-360caa42-fca2a594-7a8abba8."""
        digits = self.certificate.fingerprint(HASH).hex()
        return f"CERT-{digits[:8]}-{digits[8:16]}-{digits[16:24]}"

    @property
    def chain(self) -> bytes:
        """PEM: the certificate first, then those above it."""
        return b"".join(
            each.public_bytes(serialization.Encoding.PEM) for each in (self.certificate, *self.above)
        )

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, padding.PKCS1v15(), HASH)


def issue(name: str, issuer: Pair | None, *, is_authority: bool, expired: bool = False) -> Pair:
    """A certificate by `issuer`, by itself when there is none."""
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
    above = () if issuer is None or is_below_root else (issuer.certificate, *issuer.above)
    return Pair(builder.sign(signer, HASH), key, above)


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
        """With a folder, the authority and the signing certificate are there again at the next start."""
        self._folder = folder / "paypal" if folder else None
        self.root = self._kept("ca", lambda: issue(ROOT, None, is_authority=True))
        self._between = self._kept("between", lambda: issue(BETWEEN, self.root, is_authority=True))
        self.good = self._kept(
            "signer", lambda: issue(SIGNER, self._between, is_authority=False), self._between
        )

    @property
    def ca_pem(self) -> str:
        return self.root.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @cached_property
    def expired(self) -> Pair:
        return issue(SIGNER, self._between, is_authority=False, expired=True)

    @cached_property
    def wrong_name(self) -> Pair:
        return issue("messages.evil.example", self._between, is_authority=False)

    @cached_property
    def foreign_ca(self) -> Pair:
        foreign = issue(ROOT, None, is_authority=True)
        return issue(SIGNER, issue(BETWEEN, foreign, is_authority=True), is_authority=False)

    def pair(self, mode: str) -> Pair:
        """The certificate that signs in this mode of the switch `signing`."""
        pair: Pair = getattr(self, mode) if mode in BAD else self.good
        return pair

    def chain(self, name: str) -> bytes | None:
        """What is served under a name; None when no certificate that has signed has it."""
        made = [self.good, *(self.__dict__[mode] for mode in BAD if mode in self.__dict__)]
        return next((pair.chain for pair in made if pair.name == name), None)

    def _kept(self, name: str, make: Callable[[], Pair], issuer: Pair | None = None) -> Pair:
        if self._folder is None:
            return make()
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        if not certificate.exists():
            self._write(make(), certificate, key)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, rsa.RSAPrivateKey)  # noqa: S101 (written below)
        above = (issuer.certificate,) if issuer else ()
        return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded, above)

    def _write(self, pair: Pair, certificate: Path, key: Path) -> None:
        certificate.parent.mkdir(parents=True, exist_ok=True)
        key.touch(mode=0o600)
        secret = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key.write_bytes(pair.key.private_bytes(serialization.Encoding.PEM, *secret))
        certificate.write_bytes(pair.certificate.public_bytes(serialization.Encoding.PEM))
