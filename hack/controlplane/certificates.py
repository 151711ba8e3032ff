"""The credentials of one control plane: a CA, a serving and an admin certificate, a service-account key."""

import base64
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=365)
_CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """A CA that has just been made, and the directory where what it signs is written."""

    directory: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Make a CA and write its ca.crt; its key is kept in memory only."""
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("drover-test-ca")
        certificate = _certificate(name, key, name, key, x509.BasicConstraints(ca=True, path_length=0))
        _write(directory / "ca.crt", certificate.public_bytes(Encoding.PEM))
        return cls(directory, name, key)

    def serving(self, stem: str, *names: str) -> None:
        """Write STEM.crt and STEM.key of a server that is called by ``names`` (DNS) or IP addresses."""
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        self._write(stem, _name(stem), x509.SubjectAlternativeName([_general_name(name) for name in names]), usage)

    def client(self, stem: str, user: str, group: str | None = None) -> None:
        """Write STEM.crt and STEM.key, with which the API server takes a client for ``user`` of ``group``."""
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        self._write(stem, _name(user, group), usage)

    def _write(self, stem: str, subject: x509.Name, *extensions: x509.ExtensionType) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(subject, key, self.name, self.key, *extensions)
        _write(self.directory / f"{stem}.crt", certificate.public_bytes(Encoding.PEM))
        _write(self.directory / f"{stem}.key", _pem(key))


def write_credentials(directory: Path, *names: str) -> Authority:
    """Write ca.crt, apiserver.crt/.key, admin.crt/.key and service-account.key/.pub; keys are 0600.

    ``names``: what the API server is called by beside 127.0.0.1 and localhost.
    """
    authority = Authority.create(directory)
    authority.serving("apiserver", "127.0.0.1", "localhost", *names)
    authority.client("admin", "drover-admin", "system:masters")
    account_key = ec.generate_private_key(ec.SECP256R1())
    _write(directory / "service-account.key", _pem(account_key))
    public = account_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write(directory / "service-account.pub", public)
    return authority


def write_kubeconfig(path: Path, url: str, credentials: Path, client: str = "admin") -> None:
    """Write a kubeconfig of ``client`` (CLIENT.crt) that names no other file, so that it can be copied."""

    def data(name: str) -> str:
        return base64.b64encode((credentials / name).read_bytes()).decode()

    user = {"client-certificate-data": data(f"{client}.crt"), "client-key-data": data(f"{client}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "drover",
        "clusters": [{"name": "drover", "cluster": {"server": url, "certificate-authority-data": data("ca.crt")}}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "drover", "context": {"cluster": "drover", "user": client}}],
    }
    _write(path, yaml.safe_dump(config, sort_keys=False).encode())


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        # Python 3.13 and later verify strictly (RFC 5280, 4.2.1.1-2): both key identifiers must be there.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_key_usage(sign=subject == issuer), critical=True)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str, organization: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
