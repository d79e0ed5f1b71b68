"""Tests STUN: the examples of RFC 5769, messages of another implementation, and that unsigned parts are not read."""

from __future__ import annotations

import secrets

import pytest
from aioice import stun as other
from hypothesis import given
from hypothesis import strategies as st

from media.protocols import stun
from media.protocols.stun import Kind, build, parse, xor_address

# --- RFC 5769 §2: a request, and two responses to it

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)
RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
USERNAME = b"evtj:h6vY"


def test_the_request_of_the_rfc_is_read() -> None:
    message = parse(REQUEST)
    assert message is not None
    assert (message.kind, message.transaction_id) == (Kind.REQUEST, ID)
    assert message.attributes[stun.USERNAME] == USERNAME
    assert message.attributes[stun.PRIORITY] == bytes.fromhex("6e0001ff")
    assert message.is_signed_with(PASSWORD)
    assert not message.is_signed_with(PASSWORD + "x")
    assert not message.nominates


def test_the_response_of_the_rfc_is_read() -> None:
    message = parse(RESPONSE)
    assert message is not None
    assert (message.kind, message.transaction_id) == (Kind.RESPONSE, ID)
    assert message.attributes[stun.XOR_MAPPED_ADDRESS] == xor_address("192.0.2.1", 32853, ID)
    assert message.is_signed_with(PASSWORD)


def test_the_address_of_the_rfcs_ipv6_response_is_written() -> None:
    found = xor_address("2001:db8:1234:5678:11:2233:4455:6677", 32853, ID)
    assert found.hex() == "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"


# --- messages that aioice makes

ATTRIBUTES = st.lists(
    st.sampled_from(
        [
            (stun.USERNAME, b"ab:cde"),
            (stun.USE_CANDIDATE, b""),
            (stun.PRIORITY, b"\x01\x02\x03\x04"),
            (stun.ICE_CONTROLLING, bytes(8)),
        ]
    ),
    unique=True,
)


@given(attributes=ATTRIBUTES, kind=st.sampled_from(Kind))
def test_another_implementation_reads_what_is_built(attributes: list[stun.Attribute], kind: Kind) -> None:
    datagram = build(kind, ID, attributes, PASSWORD)
    theirs = other.parse_message(datagram)
    assert theirs.check_message_integrity(PASSWORD.encode())
    assert bytes(theirs) == datagram
    ours = parse(datagram)
    assert ours is not None
    assert ours.is_signed_with(PASSWORD)
    assert {name: ours.attributes[name] for name, _ in attributes} == dict(attributes)
    assert ours.nominates is ((stun.USE_CANDIDATE, b"") in attributes)


# --- damaged messages, and attributes after the signature


def test_a_changed_bit_is_noticed() -> None:
    # These bytes are the header of the attribute FINGERPRINT. If one of them changes, the message has no FINGERPRINT,
    # but its signature is still right. So this test does not change these bytes.
    head_of_checksum = range(len(REQUEST) - 8, len(REQUEST) - 4)
    for at in set(range(len(REQUEST))) - set(head_of_checksum):
        wrong = bytearray(REQUEST)
        wrong[at] ^= 0x10
        message = parse(bytes(wrong))
        assert message is None or not message.is_signed_with(PASSWORD), at


def test_a_part_of_a_message_is_none() -> None:
    assert [size for size in range(len(REQUEST)) if parse(REQUEST[:size])] == []


def test_a_checksum_that_is_wrong_damages_the_message() -> None:
    assert parse(REQUEST[:-1] + b"\x00") is None


def test_what_comes_after_the_signature_is_not_read() -> None:
    signed = build(Kind.REQUEST, ID, [(stun.USERNAME, USERNAME)], PASSWORD)[:-8]
    late = b"\x00\x25\x00\x00"  # the attribute USE-CANDIDATE, added after the signature
    length = (len(signed) + len(late) - 20).to_bytes(2, "big")
    message = parse(signed[:2] + length + signed[4:] + late)
    assert message is not None
    assert message.is_signed_with(PASSWORD)
    assert not message.nominates


def test_an_attribute_that_is_cut_off_is_not_read() -> None:
    body = stun.USERNAME.to_bytes(2, "big") + b"\x00\x08abcd"
    message = parse(b"\x00\x01" + len(body).to_bytes(2, "big") + stun.COOKIE + ID + body)
    assert message is not None
    assert message.attributes == {}
    assert not message.is_signed_with(PASSWORD)


@given(body=st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    message = parse(b"\x00\x01" + len(body).to_bytes(2, "big") + stun.COOKIE + secrets.token_bytes(12) + body)
    assert message is None or not message.is_signed_with(PASSWORD)


@pytest.mark.parametrize("at", range(2, 8))
def test_a_header_of_another_length_or_without_the_cookie_is_no_message(at: int) -> None:
    wrong = bytearray(stun.plain_request(ID))
    wrong[at] ^= 0x04
    assert parse(bytes(wrong)) is None


def test_the_last_attribute_of_a_message_may_be_empty() -> None:
    body = stun.USE_CANDIDATE.to_bytes(2, "big") + b"\x00\x00"
    message = parse(b"\x00\x01\x00\x04" + stun.COOKIE + ID + body)
    assert message is not None
    assert (message.nominates, message.signed) == (True, b"")


def test_attributes_have_the_numbers_of_rfc_8489_and_rfc_8445() -> None:
    assert (stun.USERNAME, stun.MESSAGE_INTEGRITY, stun.XOR_MAPPED_ADDRESS) == (0x0006, 0x0008, 0x0020)
    assert (stun.PRIORITY, stun.USE_CANDIDATE, stun.FINGERPRINT) == (0x0024, 0x0025, 0x8028)
    assert (stun.ICE_CONTROLLED, stun.ICE_CONTROLLING) == (0x8029, 0x802A)


def test_a_message_may_be_a_header_alone() -> None:
    plain = stun.plain_request(ID)
    found = parse(plain)
    assert found is not None
    assert (len(plain), found.kind) == (stun.HEADER_BYTES, Kind.REQUEST)
    assert parse(plain[:-1]) is None


@pytest.mark.parametrize(("host", "size"), [("192.0.2.7", 8), ("2001:db8::7", 20)])
def test_the_public_address_is_read_from_the_answer_of_a_stun_server(host: str, size: int) -> None:
    value = xor_address(host, 5000, ID)
    assert len(value) == size
    for length, found in ((size, host), (size - 1, None), (0, None)):
        answer = parse(build(Kind.RESPONSE, ID, [(stun.XOR_MAPPED_ADDRESS, value[:length])], ""))
        assert answer is not None
        assert stun.mapped_host(answer) == found
