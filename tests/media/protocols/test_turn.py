"""Tests credentials for TURN: coturn accepts them, and they are valid for five minutes."""

import asyncio
import base64
import hmac
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aioice import stun, turn

from media.protocols.turn import LASTS_S, IceServer, ice_server
from tests.journeys.turn import SECRET, coturn


def test_the_user_name_says_when_it_expires_and_the_password_is_its_hmac() -> None:
    made = ice_server(("turn:a",), "north", "a1", 1_700_000_000.9)
    assert made.urls == ("turn:a",)
    assert made.username == "1700000300:a1", "it expires after five minutes"
    digest = hmac.digest(b"north", made.username.encode(), "sha1")
    assert base64.b64decode(made.credential) == digest


def test_another_secret_or_another_time_makes_another_password() -> None:
    made = {ice_server((), secret, "a", now).credential for secret in ("x", "y") for now in (0.0, 1.0)}
    assert len(made) == 4


CREDENTIALS: dict[str, Callable[[float], IceServer]] = {
    "expired": lambda now_s: ice_server((), SECRET, "a", now_s - LASTS_S - 5),
    "made with another secret": lambda now_s: ice_server((), "guessed", "a", now_s),
    "stolen and made to last": lambda now_s: IceServer(
        (), f"{int(now_s) + 86_400}:a", ice_server((), SECRET, "a", now_s).credential
    ),
}


async def test_coturn_relays_to_the_media_alone_and_for_valid_credentials_alone(tmp_path: Path) -> None:
    async with coturn(tmp_path) as port:

        async def allocate(server: IceServer) -> turn.TurnTransport:
            transport, _ = await turn.create_turn_endpoint(
                asyncio.DatagramProtocol,
                server_addr=("127.0.0.1", port),
                username=server.username,
                password=server.credential,
            )
            return transport

        for why, made in CREDENTIALS.items():
            with pytest.raises(stun.TransactionFailed) as refused:
                await allocate(made(time.time()))
            assert refused.value.response.error_code == 401, why
        transport = await allocate(ice_server((), SECRET, "a", time.time()))
        inner = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]
        await inner.channel_bind(0x4000, ("127.0.0.1", 4_000))
        for number, foreign in enumerate(("192.0.2.1", "10.0.0.1", "169.254.169.254")):
            with pytest.raises(stun.TransactionFailed) as refused:
                await inner.channel_bind(0x4001 + number, (foreign, 53))
            assert refused.value.response.error_code == 403
        transport.close()
