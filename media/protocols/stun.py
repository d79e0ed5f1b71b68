"""Parses and builds STUN messages (RFC 8489): binding requests and success responses, signed with an ICE password.

Reads the attributes that ICE needs (RFC 8445 §7.1), and skips all other attributes. Does no I/O.
"""

from __future__ import annotations

import enum
import hmac
import ipaddress
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

COOKIE: Final = 0x2112A442.to_bytes(4, "big")
HEADER_BYTES: Final = 20
USERNAME: Final = 0x0006
PRIORITY: Final = 0x0024
USE_CANDIDATE: Final = 0x0025
ICE_CONTROLLED: Final = 0x8029
ICE_CONTROLLING: Final = 0x802A
XOR_MAPPED_ADDRESS: Final = 0x0020
MESSAGE_INTEGRITY: Final = 0x0008
FINGERPRINT: Final = 0x8028
_SHA1_BYTES: Final = 20
_CRC_XOR: Final = 0x5354554E
_CRC_BYTES: Final = 8  # the length in bytes of the FINGERPRINT attribute, its header included

Attribute = tuple[int, bytes]
"""The type and the value of an attribute."""


class Kind(enum.Enum):
    """The kinds of STUN messages that are read, each with the first two bytes of its messages."""

    REQUEST = b"\x00\x01"
    RESPONSE = b"\x01\x01"


@dataclass(frozen=True, slots=True)
class Message:
    """A STUN message whose signature is not checked yet. Attributes that come after the signature are left out."""

    kind: Kind
    transaction_id: bytes
    attributes: dict[int, bytes]
    signed: bytes
    """The bytes that MESSAGE-INTEGRITY signs; empty if the message has no such attribute."""

    @property
    def nominates(self) -> bool:
        """Return True if the message has USE-CANDIDATE, by which its sender chooses this path for the connection."""
        return USE_CANDIDATE in self.attributes

    def is_signed_with(self, password: str) -> bool:
        """Return True if the message has a MESSAGE-INTEGRITY that was made with `password`."""
        if not self.signed:
            return False
        return hmac.compare_digest(self.attributes[MESSAGE_INTEGRITY], _signature(self.signed, password))


def build(kind: Kind, transaction_id: bytes, attributes: Iterable[Attribute], password: str) -> bytes:
    """Return a STUN message of this kind with these attributes.

    `transaction_id`: repeated in the response. `password`: signs the message (MESSAGE-INTEGRITY). The message ends with
    a checksum (FINGERPRINT).
    """
    body = b"".join(_encoded(*attribute) for attribute in attributes)
    signed = _headed(kind, transaction_id, body, 4 + _SHA1_BYTES)
    body += _encoded(MESSAGE_INTEGRITY, _signature(signed, password))
    covered = _headed(kind, transaction_id, body, _CRC_BYTES)
    return covered + _encoded(FINGERPRINT, _checksum(covered))


def plain_request(transaction_id: bytes) -> bytes:
    """Return a binding request with this transaction id and without attributes. Any STUN server answers it."""
    return _headed(Kind.REQUEST, transaction_id, b"", 0)


def parse(datagram: bytes) -> Message | None:
    """Return the STUN message in a datagram; None if it is damaged, or is no binding request or success response."""
    if (
        len(datagram) < HEADER_BYTES
        or datagram[4:8] != COOKIE
        or int.from_bytes(datagram[2:4], "big") + HEADER_BYTES != len(datagram)
    ):
        return None
    try:
        kind = Kind(datagram[:2])
    except ValueError:
        return None
    attributes, signed = dict[int, bytes](), b""
    for at, name, value in _attributes(datagram):
        if name == FINGERPRINT:
            if value != _checksum(_of_length(datagram[:at], _CRC_BYTES)):
                return None
        elif not signed:
            # Attributes after MESSAGE-INTEGRITY are left out, because it does not sign them (RFC 8489 §9).
            attributes[name] = value
            if name == MESSAGE_INTEGRITY:
                signed = _of_length(datagram[:at], 4 + _SHA1_BYTES)
    return Message(kind, datagram[8:HEADER_BYTES], attributes, signed)


def xor_address(host: str, port: int, transaction_id: bytes) -> bytes:
    """Return the value of XOR-MAPPED-ADDRESS, which contains the address `host` and `port` (RFC 8489 §14.2).

    `transaction_id`: the transaction id of the message.
    """
    address = ipaddress.ip_address(host)
    plain = port.to_bytes(2, "big") + address.packed
    mask = COOKIE[:2] + COOKIE + transaction_id
    family = 1 if address.version == 4 else 2
    return bytes((0, family)) + bytes(a ^ b for a, b in zip(plain, mask, strict=False))


def mapped_host(message: Message) -> str | None:
    """Return the client's IP address from a response's XOR-MAPPED-ADDRESS (RFC 8489 §14.2); None without an address."""
    value = message.attributes.get(XOR_MAPPED_ADDRESS, b"")
    if len(value) not in (8, 20):
        return None
    mask = COOKIE + message.transaction_id
    return str(ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))))


def _attributes(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, type, value) of each complete attribute of a STUN message."""
    at = HEADER_BYTES
    while at + 4 <= len(datagram):
        name, length = struct.unpack_from("!HH", datagram, at)
        value = datagram[at + 4 : at + 4 + length]
        if len(value) < length:
            return
        yield at, name, value
        at += 4 + length + (-length & 3)


def _encoded(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) & 3)


def _headed(kind: Kind, transaction_id: bytes, body: bytes, more: int) -> bytes:
    """Return a STUN message of this kind, made of its header and `body`.

    `more`: a number of bytes that the caller adds after the body; the header's length field counts them too.
    """
    return kind.value + (len(body) + more).to_bytes(2, "big") + COOKIE + transaction_id + body


def _of_length(part: bytes, more: int) -> bytes:
    """Return `part`, the beginning of a message, with the length field set as if only `more` bytes followed."""
    return part[:2] + (len(part) - HEADER_BYTES + more).to_bytes(2, "big") + part[4:]


def _signature(signed: bytes, password: str) -> bytes:
    return hmac.digest(password.encode(), signed, "sha1")


def _checksum(covered: bytes) -> bytes:
    return (zlib.crc32(covered) ^ _CRC_XOR).to_bytes(4, "big")
