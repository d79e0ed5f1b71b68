"""SRTP (RFC 3711, RFC 7714) in place: packets are decrypted and encrypted in the buffer in which they were received.

Uses libsrtp through pylibsrtp's private cffi binding, which is tested when a relay opens. If the test fails,
pylibsrtp's public API is used instead. That is slower, because it copies each packet. Callers notice no difference:
both ways of access to libsrtp have the type `Binding`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pylibsrtp
from pylibsrtp import Policy, Session

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Profile:
    """An SRTP protection profile, which defines cipher and key length (RFC 5764 §4.1.2, RFC 7714 §14.2).

    `name`: its name in OpenSSL. `number`: its number in libsrtp.
    """

    name: bytes
    number: int
    key_bytes: int
    salt_bytes: int

    @property
    def material_bytes(self) -> int:
        """Return the length in bytes of the keys and salts that both directions need together."""
        return 2 * (self.key_bytes + self.salt_bytes)

    def key_and_salt(self, material: bytes, side: int) -> bytes:
        """Return the key and then the salt of one side.

        `material`: both keys, then both salts. `side`: 0 for the DTLS client, 1 for the server.
        """
        salts = 2 * self.key_bytes
        key = material[side * self.key_bytes :][: self.key_bytes]
        return key + material[salts + side * self.salt_bytes :][: self.salt_bytes]


AES_128_GCM: Final = Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12)
AES_256_GCM: Final = Profile(b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12)
AES_128_SHA1: Final = Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14)
# RFC 8827 §6.5 allows AEAD and HMAC-SHA1-80, nothing weaker. AES-128-GCM is first because it is the fastest.
PROFILES: Final = (AES_128_GCM, AES_256_GCM, AES_128_SHA1)
# The size of the replay window in packets: half a second of the fastest video. A larger window costs time, because
# libsrtp shifts the whole window for each packet.
REPLAY_WINDOW: Final = 256
BUFFER_BYTES: Final = 2048
# The greatest size of a received packet in bytes. Encryption makes a packet longer, so BUFFER_BYTES is larger. If
# pylibsrtp's public API is used, a packet may have only 1500 bytes after encryption.
PACKET_MAX: Final = 1600
PROBE: Final = bytes.fromhex("80600001000000010000002a") + b"greenroom"

OK: Final = 0
# libsrtp's errors "bad index" and "index too old", which mean a repeated packet and not an attack
REPLAYED: Final = frozenset((9, 10))

Context = Any
InPlace = Callable[[Context, Any, Any], int]


class Length(Protocol):
    """An integer that a called function can change: the length of a packet in bytes."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Binding:
    """Access to libsrtp: four functions `(context, handle, length) -> status` (0 for success), and functions that make
    their arguments.

    `handle` makes the argument for a packet's buffer, `length` that for the packet's length, `context` that for an SRTP
    session.
    """

    name: str
    unprotect: InPlace
    protect: InPlace
    unprotect_rtcp: InPlace
    protect_rtcp: InPlace
    handle: Callable[[bytearray], Any]
    length: Callable[[], Length]
    context: Callable[[Session], Context]


@dataclass(slots=True)
class Keys:
    """The SRTP sessions of one connection, one per direction. They own the memory to which the contexts point."""

    inbound: Session
    outbound: Session


def derive(profile: Profile, material: bytes, client: bool = False) -> Keys:
    """Return the SRTP sessions of a DTLS server, or of its client if `client` is True (RFC 5764 §4.2).

    `profile`: the cipher that both sides have agreed on. `material`: the keying material that DTLS has exported.
    """
    inbound = Policy(
        key=profile.key_and_salt(material, int(client)),
        ssrc_type=Policy.SSRC_ANY_INBOUND,
        srtp_profile=profile.number,
    )
    outbound = Policy(
        key=profile.key_and_salt(material, int(not client)),
        ssrc_type=Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=profile.number,
    )
    inbound.window_size = outbound.window_size = REPLAY_WINDOW
    outbound.allow_repeat_tx = True
    return Keys(Session(inbound), Session(outbound))


def public_binding() -> Binding:
    """Return the binding that uses only pylibsrtp's documented API."""

    def in_place(method: Callable[[Session, bytes], bytes]) -> InPlace:
        def call(session: Session, buffer: bytearray, length: list[int]) -> int:
            try:
                out = method(session, bytes(buffer[: length[0]]))
            except pylibsrtp.Error as error:
                return pylibsrtp.ERRORS.index(str(error)) if str(error) in pylibsrtp.ERRORS else 1
            except ValueError:
                return 1
            buffer[: len(out)] = out
            length[0] = len(out)
            return OK

        return call

    return Binding(
        name="pylibsrtp",
        unprotect=in_place(Session.unprotect),
        protect=in_place(Session.protect),
        unprotect_rtcp=in_place(Session.unprotect_rtcp),
        protect_rtcp=in_place(Session.protect_rtcp),
        handle=lambda buffer: buffer,
        length=lambda: [0],
        context=lambda session: session,
    )


def native_binding() -> Binding:
    """Return the binding (access to libsrtp) that uses pylibsrtp's private functions.

    Raises AttributeError or ImportError if the installed pylibsrtp does not have these functions.
    """
    module = importlib.import_module("pylibsrtp._binding")
    ffi, lib = module.ffi, module.lib

    def context(session: Session) -> Context:
        return session._srtp[0]

    return Binding(
        name="libsrtp",
        unprotect=lib.srtp_unprotect,
        protect=lib.srtp_protect,
        unprotect_rtcp=lib.srtp_unprotect_rtcp,
        protect_rtcp=lib.srtp_protect_rtcp,
        handle=lambda buffer: ffi.from_buffer("char[]", buffer),
        length=lambda: _length(ffi),
        context=context,
    )


def _length(ffi: Any) -> Length:
    length: Length = ffi.new("int *")
    return length


def works(binding: Binding) -> bool:
    """Return True if a binding encrypts to the same bytes as the public API, and decrypts these bytes again."""
    material = bytes(range(AES_128_GCM.material_bytes))
    here, reference = derive(AES_128_GCM, material), derive(AES_128_GCM, material)
    there = derive(AES_128_GCM, material, client=True)
    buffer = bytearray(BUFFER_BYTES)
    buffer[: len(PROBE)] = PROBE
    handle, length = binding.handle(buffer), binding.length()
    length[0] = len(PROBE)
    if binding.protect(binding.context(here.outbound), handle, length) != OK:
        return False
    if bytes(buffer[: length[0]]) != reference.outbound.protect(PROBE):
        return False
    if binding.unprotect(binding.context(there.inbound), handle, length) != OK:
        return False
    return bytes(buffer[: length[0]]) == PROBE


def best_binding() -> Binding:
    """Return the binding to private functions of pylibsrtp if it works.

    Otherwise log a warning, and return the binding to pylibsrtp's public functions.
    """
    try:
        native = native_binding()
        if works(native):
            return native
    except (ImportError, AttributeError, TypeError) as error:
        logger.warning("media.srtp_binding_changed", extra={"reason": type(error).__name__})
    else:
        logger.warning("media.srtp_binding_changed", extra={"reason": "wrong bytes"})
    return public_binding()
