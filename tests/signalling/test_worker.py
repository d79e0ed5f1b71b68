"""Tests that workers of different versions of the server trust each other: they derive the same secrets from the
root key.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.errors import ResumeError
from signalling.store.encryption import Seal
from signalling.worker import Limits, Worker
from tests.signalling.clinic import Clinic, Organisations


async def test_the_relay_password_and_the_resume_tokens_of_a_worker_are_those_of_earlier_versions(
    valkey: Redis,
) -> None:
    probed: list[tuple[str, str]] = []
    relay: Any = SimpleNamespace(answer_probes=lambda worker, password: probed.append((worker, password)))
    seal, settings = Seal({b"1": b"k" * 32}), Organisations()
    worker = Worker(valkey, seal, b"k" * 32, settings, relay, Limits(), 0, worker_id="w0-12ab")
    assert probed == [("w0-12ab", "a0f0b5627e48feaf2c1c1d555a1a128a")]
    # This worker can check the token of an earlier version of the server: the token is refused as expired, not as
    # invalid.
    with pytest.raises(ResumeError, match="resume_expired"):
        await worker.tokens.redeem("r_AAECAwQFBgcICQoLDA0ODxARqLsmx7_AdwBZNxepRfe1PQ", Clinic.provider())
