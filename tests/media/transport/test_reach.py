"""Tests the check whether another worker's relay can be reached: the relay answers only those who know its password."""

import asyncio
import contextlib
import socket
import time

import pytest

from media import Credentials, Relay, RelaySettings, reaches
from media.protocols import stun
from media.transport import reach
from tests.limits import WAIT_S
from tests.ports import free_ports

NAME = Credentials("w0-12ab", "0123456789abcdef0123456789abcdef")


async def test_r23_a_relay_answers_those_who_know_its_password_and_nobody_else() -> None:
    relay = await Relay.open(RelaySettings())
    relay.probed_by = NAME
    where = [("127.0.0.1", relay.ports[0])]
    assert await reaches(where, NAME)
    assert not await reaches(where, Credentials(NAME.ufrag, "f" * 32))
    assert not await reaches(where, Credentials("w0-other", NAME.password))
    await relay.close()


@pytest.mark.parametrize("wrong", ["transaction", "kind", "password", "datagram", ""])
async def test_r23_only_the_signed_response_to_the_own_request_counts(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrong:
        monkeypatch.setattr(reach, "RETRY_S", 0.02)
    loop, other = asyncio.get_running_loop(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
    other.setblocking(False)

    async def answer() -> None:
        for _ in range(reach.TRIES):
            data, address = await loop.sock_recvfrom(other, 2048)
            request = stun.parse(data)
            assert request is not None
            made = stun.build(
                stun.Kind.REQUEST if wrong == "kind" else stun.Kind.RESPONSE,
                bytes(12) if wrong == "transaction" else request.transaction_id,
                [],
                "another" if wrong == "password" else NAME.password,
            )
            await loop.sock_sendto(other, b"nonsense" if wrong == "datagram" else made, address)

    answering = asyncio.create_task(answer())
    assert await reaches([other.getsockname()], NAME) is (not wrong)
    answering.cancel()
    other.close()


async def test_r23_one_address_of_several_is_enough() -> None:
    relay = await Relay.open(RelaySettings())
    relay.probed_by = NAME
    (closed,) = free_ports(1)
    assert await reaches([("127.0.0.1", closed), ("127.0.0.1", relay.ports[0])], NAME)
    await relay.close()


async def test_r30_a_port_that_is_closed_is_known_at_once_and_one_that_is_silent_after_half_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    where = [("127.0.0.1", silent.getsockname()[1])]
    began_s = time.monotonic()
    assert not await reaches(where, NAME)
    assert time.monotonic() - began_s > 0.4
    silent.setblocking(False)
    asked = 0
    with contextlib.suppress(BlockingIOError):
        while silent.recv(2048):
            asked += 1
    assert asked * reach.RETRY_S == 0.5
    silent.close()
    monkeypatch.setattr(reach, "RETRY_S", 3600.0)
    async with asyncio.timeout(WAIT_S):
        assert not await reaches([("127.0.0.1", free_ports(1)[0])], NAME)
