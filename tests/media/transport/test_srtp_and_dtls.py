"""Tests the keys of SRTP and the handshakes of DTLS.

Both bindings give the same bytes, a changed byte is detected, and a handshake succeeds although packets get lost.
"""

import dataclasses
import time

import pytest
from aiortc.rtcdtlstransport import certificate_digest

from media.protocols.sdp import DIGEST_BYTES
from media.transport import srtp
from media.transport.dtls import Association, Identity, fingerprint


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


def test_a_binding_that_encrypts_nothing_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(srtp.native_binding(), protect=lambda context, handle, length: 0)
    monkeypatch.setattr(srtp, "native_binding", lambda: broken)
    assert srtp.best_binding().name == "pylibsrtp"


@pytest.mark.parametrize("profile", srtp.PROFILES, ids=lambda profile: profile.name.decode())
def test_keying_material_is_both_keys_and_then_both_salts(profile: srtp.Profile) -> None:
    keys = [side * profile.key_bytes for side in (b"K", b"k")]
    salts = [side * profile.salt_bytes for side in (b"S", b"s")]
    material = b"".join(keys + salts)
    assert profile.material_bytes == len(material)
    assert [profile.key_and_salt(material, side) for side in (0, 1)] == [
        keys[0] + salts[0],
        keys[1] + salts[1],
    ]


def handshake(drop: int = 0) -> tuple[Association, Association]:
    """Return (client, server) after a DTLS handshake in which the first `drop` datagrams got lost."""
    to_server: list[bytes] = []
    to_client: list[bytes] = []
    server = Association(Identity(0.0), to_client.append)
    client = Association(Identity(0.0), to_server.append, client=True)
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
    assert server.established.keys.inbound.unprotect(sealed) == packet
    assert server.established.profile == "SRTP_AEAD_AES_128_GCM"


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
    assert identity.fresh(1000.0 + 6 * 24 * 3600)
    assert not identity.fresh(1000.0 + 8 * 24 * 3600)
