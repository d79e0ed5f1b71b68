"""Tests how an adapter (which plays the load tester's people on another video server) is named, loaded and refused.

Tests also how the address of its server is read.
"""

import sys
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from web.peers.adapters.adapter import address, check, load
from web.peers.adapters.janus import JanusCall
from web.peers.adapters.mediasoup import MediasoupCall
from web.peers.errors import EntryError, PlanError

MODULE = """
from greenroom import Adapter

class Half(Adapter):
    async def enter(self): ...
    async def call(self, name): ...

class Other: ...
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_an_adapter.py").write_text(MODULE)
    (tmp_path / "broken_adapter.py").write_text("import nothing_of_this_name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("jitsi", "expected janus, mediasoup or module:Class for --adapter; found 'jitsi'"),
        ("module:", "expected janus, mediasoup or module:Class"),
        ("nowhere_at_all:It", "cannot load the adapter nowhere_at_all:It: No module named 'nowhere_at_all'"),
        (
            "broken_adapter:It",
            "cannot load the adapter broken_adapter:It: No module named 'nothing_of_this_name'",
        ),
        ("half_an_adapter:Nobody", "has no attribute 'Nobody'"),
        ("half_an_adapter:Other", "expected a class derived from greenroom.Adapter"),
        ("half_an_adapter:Half", "lacks answer, called, ended, hang_up, leave"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_refused_in_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(PlanError) as refused:
        load(name)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_janus_and_mediasoup_are_built_in() -> None:
    assert load("janus") is JanusCall
    assert load("mediasoup") is MediasoupCall


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ws://calls.example", ("calls.example", 80)),
        ("wss://calls.example/x", ("calls.example", 443)),
        ("https://[2001:db8::1]:8443", ("2001:db8::1", 8443)),
    ],
)
def test_the_address_of_a_server_of_another_kind_has_a_port(url: str, found: tuple[str, int]) -> None:
    assert address(url) == found


@pytest.mark.parametrize("url", ["calls.example", "ftp://x", "ws://", "ws://x:port", "ws://ana:secret@x"])
def test_a_text_that_is_no_address_is_refused_and_no_password_is_shown(url: str) -> None:
    with pytest.raises(PlanError, match="expected") as refused:
        address(url)
    assert "secret" not in str(refused.value)


async def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(EntryError, match="nobody answers at ws://"):
        await check("ws://127.0.0.1:1", WAIT_S)
