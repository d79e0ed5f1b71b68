"""Tests the media rules for a client under test: a valid answer, a connection, consent (NETWORKS.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media import Relay, RelaySettings
from tests.media.duo import Speaker, until
from web.peers.conformance import client_media
from web.peers.conformance.client_media import ClientMedia
from web.peers.conformance.judge import Judge


@asynccontextmanager
async def offered() -> AsyncIterator[tuple[Judge, ClientMedia, Speaker]]:
    """Open a relay for a client, which is a raw peer."""
    relay = await Relay.open(RelaySettings())
    judge, speaker = Judge(), Speaker()
    try:
        yield judge, ClientMedia(judge, relay), speaker
    finally:
        speaker.close()
        await relay.close()


async def test_a_client_that_connects_and_keeps_consent_follows_all_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_media, "REPEATED_S", 0.05)
    async with offered() as (judge, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await speaker.connect()

        def settled() -> bool:
            speaker.check()
            return media.settled()

        await until(settled)
        media.decide()
        assert judge.faults == {}
        assert judge.seen == {"media", "connects", "consent"}


async def test_a_client_that_sends_no_check_after_the_first_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_media, "REPEATED_S", 0.05)
    monkeypatch.setattr(client_media, "CONSENT_S", 0.2)
    async with offered() as (judge, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await speaker.connect()
        await until(media.settled)
        media.decide()
        assert judge.faults.keys() == {"consent"}


async def test_a_client_that_answers_and_does_not_connect_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_media, "CONNECT_S", 0.05)
    async with offered() as (judge, media, speaker):
        media.accept(speaker.answer(media.offer()))
        await until(media.settled)
        media.decide()
        assert judge.faults.keys() == {"connects"}
        assert judge.seen == {"media"}


async def test_an_answer_that_cannot_be_used_is_told_and_none_without_an_offer_is_read() -> None:
    async with offered() as (judge, media, _):
        media.accept("v=0")
        assert judge.faults == {}
        media.offer()
        media.accept("v=0")
        assert "media-count" in judge.faults["media"].expected
        assert not media.answered
