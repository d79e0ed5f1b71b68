"""Makes the server's TLS context, and a self-signed certificate for trying the server from a phone nearby."""

import datetime
import ipaddress
import os
import socket
import ssl
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from web.config import Settings
from web.errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

VALID_FOR = datetime.timedelta(days=397)
"""The period in which a self-signed certificate is valid. Browsers accept no longer period."""


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a TLS context (TLS 1.2 or newer) with the certificate and the key in these PEM files.

    Raises ConfigError if they cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for name, path in (("certificate", certificate), ("key", key)):
        if not os.access(path, os.R_OK):
            raise ConfigError(f"tls.{name}: expected the path of a PEM file that can be read; found {path}")
    try:
        # The empty password makes OpenSSL refuse an encrypted key. Without it, OpenSSL would ask for a password at the
        # terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        found = f"{certificate} ({error.reason or 'not PEM'})"
        raise ConfigError(
            f"tls.certificate: expected a PEM certificate that belongs to tls.key; found {found}"
        ) from None
    return context


def local_addresses() -> list[Address]:
    """Return this machine's IP addresses, without link-local addresses. Loopback addresses are the last."""
    found = {
        ipaddress.ip_address(entry.ip if isinstance(entry.ip, str) else entry.ip[0])
        for adapter in ifaddr.get_adapters()
        for entry in adapter.ips
    }
    return sorted(
        (address for address in found if not address.is_link_local),
        key=lambda address: (address.is_loopback, address.version, int(address)),
    )


def self_signed(folder: Path, now: datetime.datetime) -> tuple[Path, Path]:
    """Return the paths of a certificate and key for this machine's names and addresses, kept in `folder`.

    New files are made if one of them is missing, or if the certificate expires soon or lacks an address of the machine.
    Otherwise the files are kept, so that a phone that trusts the certificate need not be asked again.
    """
    certificate, key = folder / "self-signed.pem", folder / "self-signed.key"
    addresses = local_addresses()
    if not (key.exists() and _still_good(certificate, addresses, now)):
        _make(certificate, key, addresses, now)
    return certificate, key


def _still_good(path: Path, addresses: list[Address], now: datetime.datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    covered = set(addresses) <= set(names.get_values_for_type(x509.IPAddress))
    return covered and found.not_valid_after_utc > now + datetime.timedelta(days=7)


def _make(certificate: Path, key: Path, addresses: list[Address], now: datetime.datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Greenroom on this network")])
    hosts = dict.fromkeys(["localhost", socket.gethostname()])
    alternatives = [x509.DNSName(host) for host in hosts if host.isascii()]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([*alternatives, *map(x509.IPAddress, addresses)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(private, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    _write(key, private.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    _write(certificate, made.public_bytes(pem))


def _write(path: Path, content: bytes) -> None:
    """Replace the file at `path` in one step; only its owner can read it."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)


def lan_links(settings: Settings) -> list[str]:
    """Return https links to this server for devices on its network; [] if the server listens on only one address."""
    versions = {"::": (4, 6), "0.0.0.0": (4,)}.get(settings.server.host, ())  # noqa: S104 - nothing listens on it here
    found = (a for a in local_addresses() if not a.is_loopback and a.version in versions)
    shown = (f"[{a}]" if a.version == 6 else str(a) for a in found)
    return [f"https://{address}:{settings.server.port}" for address in shown]
