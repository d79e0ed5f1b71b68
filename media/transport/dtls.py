"""Makes one DTLS association (RFC 5764): a handshake over datagrams whose result is the keys for SRTP.

The caller sends and receives the datagrams. Uses pyOpenSSL's memory buffers, and sends lost records again. It accepts
any certificate: the caller must call `Established.shows` before it uses the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from media.errors import DtlsError
from media.protocols.sdp import Fingerprint
from media.transport import srtp

MTU: Final = 1200
EXPORTER: Final = b"EXTRACTOR-dtls_srtp"  # the label of the key export that RFC 5764 §4.2 defines
RECORD_HEADER: Final = 13
IDENTITY_S: Final = 7 * 24 * 3600.0
# The certificate is valid from a day before now, because the clock of a browser may be slow.
VALID_BEFORE: Final = timedelta(days=1)
VALID_AFTER: Final = timedelta(days=30)
# Browsers use this name in their certificates too.
NAME: Final = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
# RFC 8827 §6.5 demands the first of these ciphers. The last two are for DTLS libraries older than this RFC.
CIPHERS: Final = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    b":ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}


class Identity:
    """A certificate of the server, with its DTLS context. It is used for at most a week (`fresh`)."""

    def __init__(self, now_s: float) -> None:
        self.born_s = now_s
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(key)
        self.fingerprint = fingerprint(certificate, "sha-256")
        self.context = _context(key, certificate)

    def fresh(self, now_s: float) -> bool:
        """Return True if this certificate may be used for new connections.

        `now_s`: the time in s, by the same clock as the constructor's `now_s`.
        """
        return now_s - self.born_s < IDENTITY_S


@dataclass(frozen=True, slots=True)
class Established:
    """The result of a finished handshake. `profile`: the name of the SRTP profile that both sides chose."""

    keys: srtp.Keys
    certificate: x509.Certificate
    profile: str

    def shows(self, fingerprints: tuple[Fingerprint, ...]) -> bool:
        """Return True if the other side's certificate has one of the `fingerprints`, which the other side's SDP names
        (RFC 8122 §5).
        """
        return any(fingerprint(self.certificate, known.algorithm) == known for known in fingerprints)


class Association:
    """A DTLS association: the handshake with one browser, and its end.

    Received datagrams are passed to `feed`. The function `send` is called with each datagram to send.
    `established` is set when the keys are available. `client`: True if this side begins the handshake.
    """

    def __init__(self, identity: Identity, send: Callable[[bytes], None], *, client: bool = False) -> None:
        self._connection = SSL.Connection(identity.context, None)
        self._connection.set_ciphertext_mtu(MTU)
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._client = client
        self._send = send
        self.established: Established | None = None
        self.closed = False

    def feed(self, datagram: bytes) -> None:
        """Handle a datagram; ignore it if it is no DTLS record.

        Sets `established` when the handshake ends, and `closed` when the other side closes. Raises DtlsError if the
        handshake fails.
        """
        if self.closed or not is_record(datagram):
            return
        try:
            self._connection.bio_write(datagram)
            if self.established is None:
                self._handshake()
            else:
                self._connection.recv(MTU)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except (SSL.Error, ValueError, x509.InvalidVersion) as error:
            if self.established is None:
                raise DtlsError("handshake failed") from error
            # the other side has sent a fatal alert over the encrypted association
            self.closed = True
        self._flush()

    def begin(self) -> None:
        """Begin the handshake as the DTLS client: send the first records. Raises DtlsError if the handshake fails."""
        try:
            self._handshake()
        except SSL.WantReadError:
            self._flush()

    def retransmit(self) -> None:
        """Send the last records again if their timer has expired (RFC 6347 §4.2.4).

        It must be called regularly until `established` is set. Raises DtlsError if the handshake has timed out.
        """
        if self.established is not None or self.closed:
            return
        timeout_s = self._connection.DTLSv1_get_timeout()
        if timeout_s is not None and timeout_s <= 0:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error as error:
                raise DtlsError("handshake timed out") from error
            self._flush()

    def close(self) -> None:
        """Send a close_notify, so that the browser learns at once that the connection has ended.

        A repeated call changes nothing.
        """
        if self.closed:
            return
        self.closed = True
        if self.established is not None:
            try:
                self._connection.shutdown()
            except SSL.Error:
                return
            self._flush()

    def _handshake(self) -> None:
        self._connection.do_handshake()
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        name = self._connection.get_selected_srtp_profile()
        profile = next((known for known in srtp.PROFILES if known.name == name), None)
        if certificate is None or profile is None:
            raise DtlsError("no certificate or no SRTP profile")
        material = self._connection.export_keying_material(EXPORTER, profile.material_bytes)
        self.established = Established(
            srtp.derive(profile, material, self._client), certificate, name.decode("ascii")
        )

    def _flush(self) -> None:
        while True:
            try:
                flight = self._connection.bio_read(65_536)
            except SSL.Error:
                return
            for datagram in datagrams(flight):
                self._send(datagram)


def fingerprint(certificate: x509.Certificate, algorithm: str) -> Fingerprint:
    """Return a certificate's fingerprint (RFC 8122 §5). Raises KeyError if the algorithm is not in HASHES."""
    return Fingerprint(algorithm, certificate.fingerprint(HASHES[algorithm]).hex(":").upper())


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Return a self-signed certificate, of which the other side checks only the fingerprint."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID_BEFORE)
        .not_valid_after(now + VALID_AFTER)
    )
    return builder.sign(key, hashes.SHA256())


def _context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> SSL.Context:
    """Return an OpenSSL context for both sides of DTLS. The other side must have a certificate, and any is accepted.

    `Established.shows` checks this certificate later.
    """
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in srtp.PROFILES))
    return context


def is_record(datagram: bytes) -> bool:
    """Return True if a datagram starts like a DTLS record (RFC 6347 §4.1).

    The type is known, the version is 1.x, and the record is not longer than the datagram.
    """
    return (
        len(datagram) >= RECORD_HEADER
        and 20 <= datagram[0] <= 25
        and datagram[1] == 0xFE
        and RECORD_HEADER + int.from_bytes(datagram[11:13], "big") <= len(datagram)
    )


def datagrams(flight: bytes, mtu: int = MTU) -> list[bytes]:
    """Return the DTLS records in `flight` packed into datagrams of at most `mtu` bytes. A larger record gets its own
    datagram.
    """
    packed: list[bytes] = []
    at = 0
    while at < len(flight):
        size = len(flight) - at
        if size >= RECORD_HEADER:
            size = min(size, RECORD_HEADER + int.from_bytes(flight[at + 11 : at + 13], "big"))
        record = flight[at : at + size]
        at += size
        if packed and len(packed[-1]) + size <= mtu:
            packed[-1] += record
        else:
            packed.append(record)
    return packed
