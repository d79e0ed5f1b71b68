"""Tests how the relay's public address is found: by a real STUN server, and even if strangers answer in its name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from media import Relay, RelaySettings, public_address
from media.protocols import stun
from media.transport import public_address as module
from tests.journeys.turn import coturn
from tests.limits import WAIT_S


@contextmanager
def a_server(
    *answers: bytes | None, host: str = "203.0.113.9", kind: stun.Kind = stun.Kind.RESPONSE
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (port, received requests) of a STUN server that runs in the test's event loop.

    `answers`: what the server sends to each request. None means a valid STUN message of this `kind`, which contains the
    address `host`.
    """
    loop, got = asyncio.get_running_loop(), list[bytes]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))

        def read() -> None:
            data, sender = sock.recvfrom(2048)
            got.append(data)
            number = data[8:20]
            right = (stun.XOR_MAPPED_ADDRESS, stun.xor_address(host, 4000, number))
            for answer in answers:
                sock.sendto(answer or stun.build(kind, number, [right], "any"), sender)

        loop.add_reader(sock.fileno(), read)
        try:
            yield sock.getsockname()[1], got
        finally:
            loop.remove_reader(sock.fileno())


async def test_a_real_stun_server_says_from_where_it_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", WAIT_S / module.TRIES)
    async with coturn(tmp_path) as port:
        assert await public_address("127.0.0.1", port) == "127.0.0.1"


async def test_only_the_answer_to_this_question_counts() -> None:
    other = (stun.XOR_MAPPED_ADDRESS, stun.xor_address("198.51.100.1", 1, bytes(12)))
    false = stun.build(stun.Kind.RESPONSE, b"\0" * 12, [other], "any")
    with a_server(b"", b"\1\1", false, None) as (port, got):
        assert await public_address("127.0.0.1", port) == "203.0.113.9"
        assert stun.parse(got[0]) is not None


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("0.0.0.0", stun.Kind.RESPONSE),
        ("224.0.0.1", stun.Kind.RESPONSE),
        ("203.0.113.9", stun.Kind.REQUEST),
    ],
)
async def test_an_address_that_cannot_be_this_machines_or_is_in_no_response_is_no_answer(
    host: str, kind: stun.Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.1)
    with a_server(None, host=host, kind=kind) as (port, got):
        assert await public_address("127.0.0.1", port) is None
        assert len(got) == module.TRIES, "a lost datagram is sent again"


def test_a_machine_without_an_answer_waits_two_seconds_for_it() -> None:
    assert module.RETRY_S * module.TRIES == 2.0, "a start of the relay may wait so long"


async def test_a_name_that_does_not_exist_is_no_address() -> None:
    assert await public_address("no-such-host.invalid", 3478) is None


async def test_a_relay_gives_browsers_its_own_address_and_the_public_one() -> None:
    relay = await Relay.open(RelaySettings(tcp=False))
    relay.public_host = "203.0.113.9"
    assert [found.host for found in relay.candidates()] == ["127.0.0.1", "203.0.113.9"]
    assert {found.port for found in relay.candidates()} == set(relay.ports)
    await relay.close()
