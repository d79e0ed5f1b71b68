"""Tests the keys of SRTP and the handshakes of DTLS.

Both bindings give the same bytes, a changed byte is detected, and a handshake succeeds although packets get lost.
"""

import dataclasses
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiortc.rtcdtlstransport import certificate_digest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from media.errors import DtlsError
from media.protocols import rtp
from media.protocols.sdp import DIGEST_BYTES
from media.transport import dtls, srtp
from media.transport.dtls import EXPORTER, IDENTITY_S, Association, Identity, fingerprint


@pytest.mark.parametrize("binding", [srtp.native_binding(), srtp.public_binding()], ids=lambda b: b.name)
def test_each_binding_works(binding: srtp.Binding) -> None:
    assert srtp.works(binding)


def test_the_native_binding_is_used_where_it_works() -> None:
    assert srtp.best_binding().name == "libsrtp"


def test_the_public_api_takes_over_where_the_native_one_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed() -> srtp.Binding:
        raise AttributeError("_srtp")

    monkeypatch.setattr(srtp, "native_binding", changed)
    assert srtp.best_binding().name == "pylibsrtp"


@pytest.mark.parametrize("function", ["protect", "unprotect"])
@pytest.mark.parametrize("status", [srtp.OK, 1])
def test_a_binding_that_changes_no_bytes_or_fails_is_not_used(
    function: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    without: dict[str, Any] = {function: lambda context, handle, length: status}
    broken = dataclasses.replace(srtp.native_binding(), **without)
    monkeypatch.setattr(srtp, "native_binding", lambda: broken)
    assert srtp.best_binding().name == "pylibsrtp"


@pytest.mark.parametrize("binding", [srtp.native_binding(), srtp.public_binding()], ids=lambda b: b.name)
def test_each_binding_distinguishes_a_repeated_packet_from_a_forged_one(binding: srtp.Binding) -> None:
    material = bytes(srtp.AES_128_GCM.material_bytes)
    keys = srtp.derive(srtp.AES_128_GCM, material)
    sender = srtp.derive(srtp.AES_128_GCM, material, client=True).outbound

    sequences = 1000 - srtp.REPLAY_WINDOW, 1001 - srtp.REPLAY_WINDOW, 1000, 1001
    sealed = {number: sender.protect(rtp.build(111, number, 0, 42, b"sound")) for number in sequences}

    def unprotected(sequence: int, changed: int = 0) -> int:
        """Decrypt the packet with this sequence number; return the status, 0 for success.

        `changed`: the bits of the packet's last byte that are inverted before it is decrypted.
        """
        buffer, length = bytearray(srtp.BUFFER_BYTES), binding.length()
        length[0] = len(sealed[sequence])
        buffer[: length[0]] = sealed[sequence]
        buffer[length[0] - 1] ^= changed
        return binding.unprotect(binding.context(keys.inbound), binding.handle(buffer), length)

    assert unprotected(1000) == srtp.OK
    assert unprotected(1001, changed=1) not in {srtp.OK, *srtp.REPLAYED}
    assert unprotected(1000) in srtp.REPLAYED, "a packet that has been received"
    assert unprotected(1000 - srtp.REPLAY_WINDOW) in srtp.REPLAYED, "a packet older than the window"
    assert unprotected(1001 - srtp.REPLAY_WINDOW) == srtp.OK


def test_the_public_binding_refuses_a_packet_that_is_too_long_for_it() -> None:
    keys = srtp.derive(srtp.AES_128_GCM, bytes(srtp.AES_128_GCM.material_bytes))
    assert srtp.public_binding().protect(keys.outbound, bytearray(4000), [4000]) not in {
        srtp.OK,
        *srtp.REPLAYED,
    }


@pytest.mark.parametrize("profile", srtp.PROFILES, ids=lambda profile: profile.name.decode())
def test_keying_material_is_both_keys_and_then_both_salts(profile: srtp.Profile) -> None:
    keys = [side * profile.key_bytes for side in (b"K", b"k")]
    salts = [side * profile.salt_bytes for side in (b"S", b"s")]
    material = b"".join(keys + salts)
    assert profile.material_bytes == len(material)
    # RFC 5764 §4.1.2, RFC 7714 §14.2: the lengths in bits of a key and of a salt
    bits = {
        "SRTP_AEAD_AES_128_GCM": (128, 96),
        "SRTP_AEAD_AES_256_GCM": (256, 96),
        "SRTP_AES128_CM_SHA1_80": (128, 112),
    }
    assert (profile.key_bytes * 8, profile.salt_bytes * 8) == bits[profile.name.decode()]
    assert [profile.key_and_salt(material, side) for side in (0, 1)] == [
        keys[0] + salts[0],
        keys[1] + salts[1],
    ]


def handshake(drop: int = 0, of_client: Identity | None = None) -> tuple[Association, Association]:
    """Return (server, client) after a DTLS handshake in which the first `drop` datagrams got lost."""
    to_server: list[bytes] = []
    to_client: list[bytes] = []
    server = Association(Identity(0.0), to_client.append)
    client = Association(of_client or Identity(0.0), to_server.append, client=True)
    client.begin()
    lost = 0
    for _ in range(400):
        for queue, end in ((to_server, server), (to_client, client)):
            while queue:
                datagram = queue.pop(0)
                if lost < drop:
                    lost += 1
                else:
                    end.feed(datagram)
            end.retransmit()
        if server.established and client.established:
            break
        if drop:
            time.sleep(0.01)  # OpenSSL reads the clock itself, so the test must really wait.
    return server, client


@pytest.mark.parametrize("drop", [0, 2])
def test_a_handshake_ends_in_one_set_of_keys(drop: int) -> None:
    server, client = handshake(drop)
    assert server.established
    assert client.established
    packet = srtp.PROBE
    sealed = client.established.keys.outbound.protect(packet)
    assert client.established.keys.outbound.protect(packet) == sealed, "it may be sent again"
    assert server.established.keys.inbound.unprotect(sealed) == packet
    assert server.established.profile == "SRTP_AEAD_AES_128_GCM"
    assert EXPORTER == b"EXTRACTOR-dtls_srtp", "the label of RFC 5764 §4.2, which both sides must know"


def test_a_certificate_is_known_by_each_of_its_fingerprints_and_by_no_other() -> None:
    _, client = handshake()
    assert client.established
    shown = client.established
    assert not shown.shows((Identity(0.0).fingerprint,))
    assert not shown.shows(())
    for algorithm in DIGEST_BYTES:
        known = fingerprint(shown.certificate, algorithm)
        assert known.value == certificate_digest(shown.certificate, algorithm), "as aiortc has it"
        assert shown.shows((known,))


@pytest.mark.parametrize(
    "left_out",
    [("set_tlsext_use_srtp",), ("use_certificate", "use_privatekey")],
    ids=["profile", "certificate"],
)
def test_a_client_without_certificate_or_srtp_profile_is_refused(
    left_out: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        for name in left_out:
            patched.setattr(SSL.Context, name, lambda *_: None)
        identity = Identity(0.0)
    with pytest.raises(DtlsError):
        handshake(of_client=identity)


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL X509:DeprecationWarning")
def test_a_client_whose_certificate_cannot_be_read_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = dtls._certificate(key)
    data = certificate.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03")
    client = Identity(0.0)
    client.context = dtls._context(key, certificate)
    client.context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, data))  # version 4, unknown
    with pytest.raises(DtlsError):
        handshake(of_client=client)


def test_a_certificate_is_valid_while_it_is_used_even_if_a_clock_is_a_day_slow() -> None:
    _, client = handshake()
    assert client.established
    certificate, now = client.established.certificate, datetime.now(UTC)
    assert certificate.not_valid_before_utc <= now - timedelta(days=1)
    assert certificate.not_valid_after_utc > now + timedelta(seconds=IDENTITY_S)
    named = [x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")]  # browsers use this name too
    assert list(certificate.subject) == list(certificate.issuer) == named


def test_the_first_cipher_is_the_one_that_rfc_8827_demands_and_old_libraries_find_theirs() -> None:
    context = Identity(0.0).context
    assert context.set_options(0) & SSL.OP_NO_TICKET, "no session is used again"
    ciphers = [name for name in SSL.Connection(context, None).get_cipher_list() if name.startswith("ECDHE")]
    assert ciphers == [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
    ]


def test_an_association_that_is_closed_before_its_handshake_sends_and_reads_nothing() -> None:
    sent: list[bytes] = []
    hello: list[bytes] = []
    server = Association(Identity(0.0), sent.append)
    Association(Identity(0.0), hello.append, client=True).begin()
    server.close()
    server.feed(hello[0])
    server.retransmit()
    assert (server.closed, sent) == (True, [])


def test_a_close_notify_is_noticed() -> None:
    server, client = handshake()
    sent: list[bytes] = []
    client._send = sent.append
    client.close()
    assert client.closed
    count = len(sent)
    client.close()
    assert len(sent) == count > 0, "a repeated call changes nothing"
    for datagram in sent:
        server.feed(datagram)
    assert server.closed


def test_a_certificate_is_replaced_after_a_week() -> None:
    identity = Identity(1000.0)
    week_s = timedelta(weeks=1).total_seconds()
    assert identity.fresh(1000.0 + week_s - 1)
    assert not identity.fresh(1000.0 + week_s)
