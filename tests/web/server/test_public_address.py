"""Tests the public address of a worker: it is requested regularly, and kept while the STUN server does not answer.

A warning is logged if the worker has only private addresses.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs

from media import Relay, RelaySettings
from web.config import Settings, parse
from web.server import public_address as module
from web.server.public_address import PublicAddress, only_private


def settings(**media: object) -> Settings:
    """Return the settings of a server that can be reached from other machines. `media`: settings of [media]."""
    return parse({"server": {"public_url": "https://visits.example.org"}, "media": media}, "")


@pytest.mark.parametrize(
    ("hosts", "private"),
    [
        (["192.168.1.4", "127.0.0.1"], True),
        (["10.0.0.1", "fd00::1"], True),
        (["100.64.0.9"], True),
        (["192.168.1.4", "8.8.8.8"], False),
        (["2a01:4f8::1"], False),
    ],
)
def test_an_address_behind_translation_is_known(hosts: list[str], private: bool) -> None:
    assert only_private(hosts) == private


async def test_an_address_that_was_found_is_kept_while_the_stun_server_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = ["203.0.113.9", None, None, "203.0.113.10"]

    async def answer(host: str, port: int) -> str | None:
        assert (host, port) == ("stun.example.org", 3478)
        return answers.pop(0)

    monkeypatch.setattr(module, "public_address", answer)
    relay = await Relay.open(RelaySettings())
    watch = PublicAddress(relay, settings(stun="stun:stun.example.org"), 0)
    with capture_logs() as logs:
        found = []
        for _ in range(4):
            await watch.look()
            found.append(relay.public_host)
    assert found == ["203.0.113.9"] * 3 + ["203.0.113.10"]
    assert [entry["event"] for entry in logs] == [
        "media.public_address",
        "media.stun_unanswered",
        "media.public_address",
    ]
    await relay.close()


@pytest.mark.parametrize(("index", "announce", "warnings"), [(0, [], 1), (1, [], 0), (0, ["8.8.8.8"], 0)])
async def test_private_addresses_alone_are_warned_of_once_with_what_to_do(
    index: int, announce: list[str], warnings: int
) -> None:
    relay = await Relay.open(RelaySettings(announce=tuple(announce)))
    with capture_logs() as logs:
        running = asyncio.ensure_future(PublicAddress(relay, settings(announce=announce), index).run())
        await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    told = [entry for entry in logs if entry["event"] == "media.private_address_only"]
    assert len(told) == warnings
    assert all("announce" in entry["hint"] for entry in told)
    await relay.close()
