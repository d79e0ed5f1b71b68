"""Tests ICE-lite: which requests are read, which address a connection uses, and for how long."""

from __future__ import annotations

import pytest
from aioice import stun

from media.protocols import ice
from media.protocols.ice import (
    CONSENT_S,
    Address,
    Candidate,
    Path,
    candidate_lines,
    check,
    local_ufrag,
    response,
    usable,
)

PASSWORD = "a password of the server"
A: Address = ("192.0.2.1", 1000)
B: Address = ("192.0.2.2", 2000)
C: Address = ("192.0.2.3", 3000)


def request(username: str = "server:browser", password: str = PASSWORD, nominates: bool = False) -> bytes:
    """Return a browser's binding request. `username`: the relay's name and the browser's, with a colon between them.

    `nominates`: True if the request chooses its address for the connection.
    """
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    if nominates:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    message.add_fingerprint()
    return bytes(message)


def attributes(*found: tuple[int, bytes], size: int | None = None) -> bytes:
    """Return a request with these attributes (type, value) as they are. `size`: another value for its length field."""
    body = b"".join(
        kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)
        for kind, value in found
    )
    length = len(body) if size is None else size
    return b"\0\1" + length.to_bytes(2, "big") + bytes.fromhex("2112a442") + b"transaction!" + body


def test_the_first_half_of_the_name_is_the_servers() -> None:
    assert local_ufrag(request()) == "server"
    assert local_ufrag(request("alone")) == "alone"
    assert local_ufrag(attributes((0x0006, b"abcd:efg"))) == "abcd"
    assert local_ufrag(attributes((0x8022, b"seven!!"), (0x0006, b"abcd:ef"))) == "abcd", "values are padded"
    assert local_ufrag(attributes((0x0024, b"1234"), (0x0025, b""), (0x0006, b"abc:ef"))) == "abc"
    assert local_ufrag(attributes((0x0006, "é:12".encode()), (0x0006, b"abcd"))) is None
    assert local_ufrag(attributes((0x0024, b"1234"))) is None
    assert local_ufrag(attributes((0x0024, b"1234"), (0x0006, b""))) == ""


def test_a_ufrag_begins_with_the_index_of_its_relay() -> None:
    assert ice.ufrag(11, "0123abcd") == "00b0123abcd"
    lengths = [len(ice.ufrag(index, "")) for index in (0, ice.UFRAG_INDEXES - 1, ice.UFRAG_INDEXES)]
    assert lengths == [3, 3, 4], "so many relays have an index of three digits"


def framed(username: str) -> bytes:
    """Return a request to this user name as it is sent over TCP, with its length in two bytes before it (RFC 4571)."""
    data = request(username)
    return len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("username", "index"),
    [
        ("00b0123abcd:browser", 11),
        ("fff:browser", 0xFFF),
        *(
            (name, None)
            for name in ("1", "relay:browser", "é", "+1f:b", "-1f:b", "0x1:b", "1_f:b", " 1f:b", "00B:b")
        ),
    ],
)
def test_a_frame_names_the_relay_to_which_it_belongs(username: str, index: int | None) -> None:
    assert ice.relay_index(framed(username)) == index
    assert ice.relay_index(framed(username)[:-1]) is None


def test_the_size_of_a_frame_is_in_its_first_two_bytes() -> None:
    assert [ice.frame_size(data) for data in (b"", b"\1", b"\1\2", b"\1\2\3")] == [2, 2, 260, 260]


def test_a_connection_that_begins_with_a_possible_length_of_a_request_sends_frames() -> None:
    longest = ice.REQUEST_MAX.to_bytes(2, "big")
    assert all(ice.is_framed(data) for data in (b"\0", b"\0\x14", framed("abc"), longest))
    over = bytes((longest[0] + 1,))
    assert not any(ice.is_framed(data) for data in (over, b"\x16\3\1", b"GET / HTTP/1.1", b"\xff"))


@pytest.mark.parametrize(("size", "read"), [(20, False), (24, False), (28, True), (548, True), (552, False)])
def test_a_request_has_a_possible_size(size: int, read: bool) -> None:
    value = b"ab:" + b"c" * max(0, size - 27)
    datagram = attributes((0x0006, value)) if size >= 28 else attributes((0x0006, b""))[:size]
    if size == 20:
        datagram = attributes()
    assert len(datagram) == size
    assert (local_ufrag(datagram) is not None) is read


@pytest.mark.parametrize("at", [0, 1, 4, 7])
def test_other_kinds_of_datagrams_are_no_requests(at: int) -> None:
    wrong = bytearray(request())
    wrong[at] ^= 0x40
    assert local_ufrag(bytes(wrong)) is None


def test_a_length_that_is_not_the_datagrams_is_no_request() -> None:
    good = attributes((0x0006, b"abcd:efg"))
    assert local_ufrag(good + b"1234") is None
    assert local_ufrag(attributes((0x0006, b"abcd:efg"), size=8)) is None
    assert local_ufrag(good[:3] + bytes((good[3] ^ 0xFF,)) + good[4:]) is None
    assert local_ufrag(bytes((good[0], good[1], 1)) + good[3:]) is None


def test_a_request_is_believed_only_with_the_password() -> None:
    found = check(request(), PASSWORD)
    assert found is not None
    assert not found.nominates
    nominating = check(request(nominates=True), PASSWORD)
    assert nominating is not None
    assert nominating.nominates
    assert check(request(password="another"), PASSWORD) is None
    unsigned = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    assert check(bytes(unsigned), PASSWORD) is None
    assert check(b"\0\1", PASSWORD) is None


@pytest.mark.parametrize(
    ("method", "kind"),
    [(stun.Method.BINDING, stun.Class.INDICATION), (stun.Method.ALLOCATE, stun.Class.REQUEST)],
)
def test_only_a_binding_request_is_answered(method: stun.Method, kind: stun.Class) -> None:
    message = stun.Message(method, kind)
    message.add_message_integrity(PASSWORD.encode())
    assert check(bytes(message), PASSWORD) is None


@pytest.mark.parametrize(
    ("address", "told"),
    [(A, A), (("2001:db8::1", 5, 0, 0), ("2001:db8::1", 5)), (("fe80::1%eth0", 5, 0, 2), ("fe80::1", 5))],
)
def test_the_answer_names_the_address_and_is_signed(address: Address, told: Address) -> None:
    found = check(request(), PASSWORD)
    assert found is not None
    answer = stun.parse_message(response(found, address, PASSWORD))
    assert (answer.message_method, answer.message_class) == (stun.Method.BINDING, stun.Class.RESPONSE)
    assert answer.transaction_id == found.transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == told
    assert answer.check_message_integrity(PASSWORD.encode())


def test_only_a_nomination_moves_a_path_once_it_is_used() -> None:
    path = Path()
    assert Path().address is None
    assert path.on_check(A, False, 1.0) == (True, [])
    assert path.on_check(A, True, 2.0) == (False, [])
    assert path.on_check(B, False, 3.0) == (False, [])
    assert (path.address, path.proven, path.alive_s, path.checks) == (A, [A, B], 3.0, 3)
    assert path.on_check(B, True, 4.0) == (True, [])
    assert (path.address, path.proven) == (B, [A, B])


def test_the_oldest_proven_address_is_forgotten_but_never_the_one_in_use() -> None:
    path = Path()
    path.on_check(A, True, 0.0)
    others: list[Address] = [("192.0.2.9", port) for port in range(8)]
    for other in others[:-1]:
        assert path.on_check(other, False, 0.0) == (False, [])
    assert path.on_check(others[-1], False, 0.0) == (False, [others[0]])
    assert path.proven == [A, *others[1:]]
    assert path.on_check(others[0], True, 0.0) == (True, [others[1]])
    assert path.address == others[0]


def test_consent_lasts_thirty_seconds_after_the_last_request_or_media() -> None:
    path = Path()
    path.on_check(A, True, 100.0)
    assert CONSENT_S == 30.0
    assert path.consented(129.9)
    assert not path.consented(130.0)
    assert not Path().consented(30.0)
    path.on_media(A, 129.0)
    assert path.consented(158.9)


def test_a_path_follows_media_from_another_proven_address_but_no_single_late_packet() -> None:
    path = Path()
    path.on_check(A, True, 0.0)
    path.on_check(B, False, 0.0)
    assert not path.on_media(B, 1.0)
    assert not path.on_media(A, 1.1)
    assert not path.on_media(B, 1.2)
    assert path.on_media(B, 1.3)
    assert path.address == B
    assert not path.on_media(A, 1.4), "nor does a single one after it has moved"


def test_a_path_follows_no_media_from_an_address_that_is_not_proven() -> None:
    path = Path()
    path.on_check(A, True, 0.0)
    assert not any(path.on_media(B, float(number)) for number in range(9))
    assert path.address == A


def test_a_path_is_lost_only_with_the_connection_of_its_own_address() -> None:
    path = Path()
    path.on_check(A, True, 0.0)
    path.on_check(B, False, 0.0)
    assert path.lose(B) is False
    assert (path.address, path.proven) == (A, [A])
    assert path.lose(A) is True
    assert (path.address, path.proven) == (None, [])
    assert path.on_check(B, False, 1.0) == (True, []), "the next request sets the new path"


def test_a_request_from_elsewhere_moves_a_path_on_which_nothing_came_for_three_seconds() -> None:
    path = Path()
    path.on_check(A, True, 0.0)
    path.on_media(A, 5.0)
    assert path.on_check(B, False, 8.0) == (False, [])
    assert path.on_check(B, False, 8.1) == (True, [])
    assert path.address == B


def test_a_check_of_the_server_is_signed_and_names_both_sides() -> None:
    made = stun.parse_message(ice.request("theirs", "ours", PASSWORD, b"transaction!"))
    assert made.attributes["USERNAME"] == "theirs:ours"
    assert made.attributes["PRIORITY"] == 126 << 24
    assert made.attributes["ICE-CONTROLLED"] == int.from_bytes(b"transact")
    assert made.check_message_integrity(PASSWORD.encode())
    assert made.transaction_id == b"transaction!"


def test_an_answer_is_believed_only_with_the_password() -> None:
    answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=b"transaction!")
    answer.add_message_integrity(PASSWORD.encode())
    assert ice.answered(bytes(answer)) == ice.answered(bytes(answer)[:20]) == b"transaction!"
    assert ice.answered(bytes(answer).replace(bytes.fromhex("2112a442"), b"else")) is None
    assert ice.is_answer(bytes(answer), PASSWORD)
    assert not ice.is_answer(bytes(answer), "another")
    assert not ice.is_answer(bytes(answer)[:24], PASSWORD)
    assert ice.answered(request()) is None
    assert ice.answered(bytes(answer)[:19]) is None


def test_a_path_that_expires_forgets_every_address() -> None:
    path = Path()
    path.on_check(A, True, 0.0)
    path.on_check(C, False, 0.0)
    assert path.expire() == [A, C]
    assert (path.address, path.proven, path.expire()) == (None, [], [])


def test_a_passive_tcp_candidate_says_so_and_comes_after_every_udp_candidate() -> None:
    tcp = Candidate("192.0.2.1", 5000, "tcp")
    assert candidate_lines([Candidate("192.0.2.1", 5000), tcp, tcp]) == [
        "1 1 udp 2130706431 192.0.2.1 5000 typ host",
        "2 1 tcp 1520434943 192.0.2.1 5000 typ host tcptype passive",
        "3 1 tcp 1520434687 192.0.2.1 5000 typ host tcptype passive",
    ]


def test_candidates_are_numbered_and_ranked_in_the_given_order() -> None:
    lines = candidate_lines([Candidate("192.0.2.1", 5000), Candidate("2001:db8::1", 5001)])
    assert lines == [
        "1 1 udp 2130706431 192.0.2.1 5000 typ host",
        "2 1 udp 2130706175 2001:db8::1 5001 typ host",
    ]


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("127.0.0.1", True),
        ("169.254.1.1", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("a name", False),
    ],
)
def test_addresses_that_reach_nobody_are_not_announced(host: str, may: bool) -> None:
    assert usable(host) is may
