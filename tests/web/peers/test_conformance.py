"""A conformance run: our own server keeps to the document, and one that does not is told each of its faults."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from signalling import heartbeat
from signalling.client import JSON
from tests.signalling.test_protocol import DOCUMENT
from tests.web.peers.broken import Broken
from tests.web.site import LIND, OSEI, Site
from web import demo
from web.pages.public import SERVICE
from web.peers.conformance import door, media, server
from web.peers.conformance.stage import Stage
from web.peers.conformance.table import CHECKS, Outcome, Wrong, tell
from web.peers.entry import CannotEnter, Clinic

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def credentials(site: Site, *emails: str) -> list[tuple[str, str]]:
    """Emails and passwords of the demo's staff."""
    return [(email, demo.password(site.settings, email)) for email in emails]


async def checked(site: Site, url: str, *only: str, slow: bool = False) -> list[Outcome]:
    """What came of the checks."""
    async with Clinic(url) as clinic:
        return await server.run(clinic, credentials(site, OSEI, LIND), only=only, slow=slow)


async def test_our_own_server_keeps_to_every_check(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "TICK_S", 0.06)
    monkeypatch.setattr(door, "PINGS_S", heartbeat.SLOTS * 0.06)
    monkeypatch.setattr(door, "DEAD_S", heartbeat.SLOTS * 0.06 * 1.5)
    monkeypatch.setattr(media, "GATE_S", 0.3)
    outcomes = await checked(site, str(site.server.make_url("/demo")), slow=True)
    faults = [(o.name, o.fault.sent, o.fault.expected, o.fault.got) for o in outcomes if o.fault is not None]
    assert (faults, [o.name for o in outcomes if o.untold]) == ([], [])
    assert len(outcomes) == sum(2 if check.codecs else 1 for check in CHECKS)
    mirror = await site.app[SERVICE].mirrors.get("demo")
    assert [v for v in mirror.visits.values() if v.is_open] == [], "nobody is left in the queue"


TOLD = (
    ("no reply_to", "many at once", "an answer to|reply_to"),
    ("another’s reply_to", "many at once", "id of a request of this socket"),
    ("answers twice", "many at once", "exactly one answer"),
    ("one version for two changes", "appears once as fresh", "above"),
    ("an epoch in subscribed that is not the snapshot’s", "staff are given", "as in `subscribed`"),
    ("no epoch in snapshots", "staff are given", "queue.snapshot"),
    ("a code of its own", "unknown type", "code of the table"),
    ("no JSON", "ids from 0", "a message in greenroom.v1.json"),
    ("an offer of a full ICE agent", "the offer is", "a=ice-lite"),
    ("never fresh", "appears once as fresh", "`fresh` true"),
    ("always resumed", "welcome has", "`resumed` false"),
    ("its clock in seconds", "welcome has", "ms since 1970"),
    ("takes a public id", "a public id is no token", "resume_invalid"),
    ("takes unknown fields", "a field that the document", "bad_message"),
    ("takes any origin", "another origin", "HTTP 403"),
    ("closes with 1000 always", "anything before hello", "4003"),
)


async def test_a_broken_server_is_told_each_of_its_faults(site: Site) -> None:
    missed = []
    async with Broken(str(site.server.make_url("")).rstrip("/")) as broken, Clinic(broken.url) as clinic:
        stage = Stage(clinic, tuple(credentials(site, OSEI)))
        await stage.open_doors()
        for fault, name, expected in TOLD:
            broken.fault = fault
            outcomes = await server.play(stage, only=[name], subprotocols=[JSON])
            wrong = [o.fault for o in outcomes if o.fault is not None]
            if not any(re.search(expected, w.expected) for w in wrong):
                missed.append((fault, [(w.expected, w.got) for w in wrong]))
    assert missed == []


async def test_a_server_without_message_pack_is_told_so_once_for_each_check(site: Site) -> None:
    async with Broken(str(site.server.make_url("")).rstrip("/")) as broken:
        outcomes = await checked(site, broken.url, "many at once")
    assert [o.word for o in outcomes] == ["kept", "wrong"]
    assert outcomes[1].fault is not None
    assert "greenroom.v1.msgpack" in outcomes[1].fault.expected


async def test_what_needs_a_second_colleague_is_not_told_without_one(site: Site) -> None:
    async with Clinic(str(site.server.make_url("/demo"))) as clinic:
        outcomes = await server.run(clinic, credentials(site, OSEI), only=["a second provider"])
    assert [o.word for o in outcomes] == ["not told"]
    assert "second member of staff" in outcomes[0].untold


async def test_a_wrong_password_is_one_clear_sentence(site: Site) -> None:
    async with Clinic(str(site.server.make_url("/demo"))) as clinic:
        with pytest.raises(CannotEnter, match="email or password are wrong"):
            await server.run(clinic, [(OSEI, "wrong")])


def test_every_check_names_a_section_of_the_document() -> None:
    headings = {
        line.lstrip("# ").lower().replace("'", "").replace(" ", "-")
        for line in DOCUMENT.splitlines()
        if line.startswith("##")
    }
    assert {check.section for check in CHECKS} <= headings
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_fault_is_told_with_what_was_sent_and_expected_but_no_private_token() -> None:
    sent, got = {"type": "hello", "resume": "r_verysecret1234"}, {"type": "error", "code": "resume_invalid"}
    fault = Wrong("`welcome`", got, sent)
    out = io.StringIO()
    tell(Console(file=out, width=200), [Outcome("resume", "it is resumed", "resume", fault)])
    said = out.getvalue()
    assert "verysecret" not in said
    for text in (
        "PROTOCOL.md#resume",
        "sent",
        '"resume": "r_…"',
        "`welcome`",
        "resume_invalid",
        "0 kept, 1 wrong",
    ):
        assert text in said
