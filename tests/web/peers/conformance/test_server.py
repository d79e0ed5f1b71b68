"""Tests a conformance run: our own server passes, and each fault of a broken server is reported."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from types import ModuleType

import pytest
from rich.console import Console

from signalling.clients.client import JSON
from signalling.sockets import heartbeat
from tests.limits import WAIT_S
from tests.signalling.protocol.test_protocol import DOCUMENT
from tests.web.peers.broken import Broken
from tests.web.site import ADMIN, LIND, OSEI, Site
from web.keys import SERVICE
from web.organisations import demo
from web.peers.conformance import (
    admins,
    asking,
    bell,
    checked_socket,
    connecting,
    media,
    rights,
    server,
    topics,
)
from web.peers.conformance.people import People
from web.peers.conformance.table import CHECKS, Outcome, print_totals
from web.peers.errors import EntryError, ViolationError
from web.peers.people.entry import Clinic

SECOND = "needs a second provider"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def credentials(site: Site, *emails: str) -> list[tuple[str, str]]:
    """Return (email, password) of each of these members of the demo's staff."""
    return [(email, demo.password(site.settings, email)) for email in emails]


async def checked(site: Site, url: str, *only: str, slow: bool = False) -> list[Outcome]:
    """Return the outcomes of the checks of the server at `url`.

    `only`: the keys of the checks to make, by default all. `slow`: whether to make the checks that take long.
    """
    async with Clinic(url) as clinic:
        return await server.run(clinic, credentials(site, OSEI, LIND, ADMIN), only=only, slow=slow)


# The longest times in s for which the checks wait for the server.
LIMITS: dict[ModuleType, tuple[str, ...]] = {
    asking: ("FLOOD_S",),
    checked_socket: ("WITHIN_S",),
    connecting: ("SLACK_S",),
    media: ("CONNECT_S", "CROSS_S"),
    server: ("CHECK_S", "SLOW_S"),
    topics: ("ENDS_WITHIN_S",),
}


async def test_our_own_server_keeps_to_every_check(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in LIMITS.items():
        for name in names:
            monkeypatch.setattr(module, name, WAIT_S)
    monkeypatch.setattr(media, "GATE_S", 0.3)
    url = str(site.server.make_url("/demo"))
    outcomes = await checked(site, url)
    # With these short times, a socket that a check does not read for a second or two is closed as dead. So only the
    # checks of pings are made with them.
    monkeypatch.setattr(heartbeat, "TICK_S", 0.06)
    outcomes += await checked(site, url, *(check.name for check in CHECKS if check.slow), slow=True)
    faults = [(o.name, o.fault.sent, o.fault.expected, o.fault.got) for o in outcomes if o.fault is not None]
    assert (faults, [o.name for o in outcomes if o.undecided]) == ([], [])
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
    ("an empty frame", "ids from 0", "a message in greenroom.v1.json"),
    ("a list", "ids from 0", "a map with a `type`"),
    ("null", "ids from 0", "a map with a `type`"),
    ("no type", "ids from 0", "a map with a `type`"),
    ("a type that is a number", "ids from 0", "a map with a `type`"),
    ("a type that nobody knows", "ids from 0", "exactly one answer"),
    ("a reply to a list", "ids from 0", "`reply_to` that is a whole number"),
    ("a very deep list", "ids from 0", "a message in greenroom.v1.json"),
    ("a very long number", "ids from 0", "a message in greenroom.v1.json"),
    ("an offer of a full ICE agent", "the offer is", "a=ice-lite"),
    ("never fresh", "appears once as fresh", "`fresh` true"),
    ("always resumed", "welcome has", "`resumed` false"),
    ("its clock in seconds", "welcome has", "ms since 1970"),
    ("takes a public id", "a public id is no token", "resume_invalid"),
    ("takes unknown fields", "a field that the document", "bad_message"),
    ("takes any origin", "another origin", "HTTP 403"),
    ("closes with 1000 always", "anything before hello", "4003"),
    ("a link that never ends", "a link lets its guest in once", "no way in"),
)
OF_ADMINS = (
    ("names no assignee", "an assigned request", "`assignee`"),
    ("always assigned", "an unassigned request", "`assignee`, `assigned_ms` null"),
    ("anybody assigns anybody", "nobody is assigned", "`not_found`"),
    ("anybody assigns anybody", "nobody but an admin", "`not_allowed`"),
    ("anybody declines anything", "nobody but an admin", "`not_allowed`"),
    ("anybody declines anything", "neither declined nor assigned", "`wrong_status`"),
    ("claims are for who is on call", "the assignee may claim", "`done`"),
    ("claims are for who is on call", "an admin claims", "`done`"),
    ("a claimant who is not", "the assignee may claim", "`claimant` .*Osei"),
    ("a claimant who is not", "an admin claims", "`claimant` .*Hale"),
    ("no reason for the patient", "the patient is told", "`reason` .*911"),
    ("every outcome is completed", "the patient is told", "`outcome` declined"),
    ("whoever goes has withdrawn", "the patient is told", "`why` declined"),
    ("no reason in the past", "a declined visit", "declined, .*911"),
    ("admins return nothing", "an admin returns", "`done`"),
    ("to the end of the line", "an admin returns", "`arrived_ms`"),
    ("admins end nothing", "an admin ends", "`done`"),
    ("every outcome is declined", "an admin ends", "`outcome` completed"),
    ("everybody’s topics alone", "an admin reads", "`subscribed`"),
    ("anybody invites", "an admin neither invites", "`not_allowed`"),
    ("anybody dismisses", "an admin neither invites", "`not_allowed`"),
    ("staff write as the provider", "an admin writes", "`party`, `name`"),
    ("anybody writes at any time", "an admin writes", "`wrong_status`"),
    ("names no assignee", "a transferred visit", "`assignee`"),
    ("to the end of the line", "a transferred visit", "`arrived_ms`"),
    ("anybody transfers to anybody", "nobody is transferred", "`not_on_call`"),
    ("admins transfer nothing", "an admin transfers", "`done`"),
    ("names no assignee", "an admin transfers", "`assignee`"),
    ("anybody returns", "neither the claimant nor", "`not_allowed`"),
    ("anybody ends", "neither the claimant nor", "`not_allowed`"),
    ("rings twice", "rings once", "one notification"),
    ("rings for who did it", "rings once", "none for who did it"),
    ("counts nothing that is unread", "rings once", "`unread` [1-9]"),
    ("the oldest first", "what it held", "the newest items"),
    ("marks nothing", "marked as read", "`unread` 0"),
    ("forgets what was read", "marked as read", "`unread` 0 in a snapshot"),
    ("rings without the reason", "notified of a decline", "`note` .*911"),
    ("rings for another kind", "returns or transfers the visit", "`kind` returned"),
    ("rings for nobody’s doing", "returns or transfers the visit", "`by` "),
    ("rings for another kind", "notified of a transfer to them", "`kind` transferred"),
)


OF_COLLEAGUES = (
    ("shows anybody anything", "a colleague on call sees no topic", "`not_found`"),
    ("shows anybody anything", "who goes off call is shown", "`not_found`"),
    ("shows anybody anything", "an ended visit shows its patient", "`not_found`"),
    ("ends topics without a word", "a colleague’s right ends", "`gone`"),
    ("goes on telling", "a colleague’s right ends", "nothing of a visit"),
    ("a claimant who is not", "an ended visit shows its patient", "`claimant` null"),
)


OF_RIGHTS = (
    ("anybody ends", "refused to another patient", "`not_allowed`"),
    ("anybody writes at any time", "refused to another patient", "`not_allowed`"),
    ("anybody returns", "refused to a colleague", "`not_allowed`"),
    ("anybody transfers to anybody", "a patient may do", "`not_allowed`"),
    ("anybody invites", "a guest may do", "`not_allowed`"),
    ("anybody declines anything", "a guest may do", "`not_allowed`"),
)


async def missed(site: Site, faults: Sequence[tuple[str, str, str]], *emails: str) -> list[object]:
    """Return the faults that no check has found, each with what the checks have reported instead.

    `faults`: (name of a fault in `broken.py`, name of the check that must find it, pattern that its report
    must match).
    """
    found: list[object] = []
    async with Broken(str(site.server.make_url("")).rstrip("/")) as broken, Clinic(broken.url) as clinic:
        people = People(clinic, tuple(credentials(site, *emails)))
        await people.sign_in()
        for fault, name, expected in faults:
            broken.fault = fault
            outcomes = await server.play(people, only=[name], subprotocols=[JSON])
            wrong = [o.fault for o in outcomes if o.fault is not None]
            if not any(re.search(expected, w.expected) for w in wrong):
                found.append((fault, name, [(w.expected, w.got) for w in wrong]))
    return found


async def test_each_fault_of_a_broken_server_is_found(site: Site) -> None:
    assert await missed(site, TOLD, OSEI) == []


async def test_each_fault_of_a_server_against_its_admins_is_found(site: Site) -> None:
    assert await missed(site, OF_ADMINS, OSEI, LIND, ADMIN) == []
    modules = {check.name: check.run.__module__ for check in CHECKS}
    tried = {name for name in modules for _, part, _ in OF_ADMINS if part in name}
    assert {name for name in modules if modules[name] in (admins.__name__, bell.__name__)} == tried


async def test_s31_each_fault_of_a_server_that_shows_a_colleague_too_much_is_found(site: Site) -> None:
    assert await missed(site, OF_COLLEAGUES, OSEI, LIND, ADMIN) == []


async def test_each_fault_of_a_server_that_lets_people_do_what_is_not_theirs_is_found(site: Site) -> None:
    assert await missed(site, OF_RIGHTS, OSEI, LIND) == []


def test_each_request_of_the_protocol_about_a_visit_is_asked_by_people_without_the_right() -> None:
    asked = rights.about_a_visit()
    assert {"visit.claim", "visit.tag", "chat.send", "media.join", "media.share"} <= asked.keys()
    assert len(asked) >= 29
    assert asked.keys() >= rights.OF_PATIENTS | rights.LEAVES | rights.READ_BY_STAFF
    assert all("visit" not in fields and "id" not in fields for fields in asked.values())


async def test_a_server_without_message_pack_fails_each_check_once_in_that_codec(site: Site) -> None:
    async with Broken(str(site.server.make_url("")).rstrip("/")) as broken:
        outcomes = await checked(site, broken.url, "many at once")
    assert [o.word for o in outcomes] == ["kept", "wrong"]
    assert outcomes[1].fault is not None
    assert "greenroom.v1.msgpack" in outcomes[1].fault.expected


async def test_checks_that_need_a_second_colleague_are_not_tried_without_one(site: Site) -> None:
    async with Clinic(str(site.server.make_url("/demo"))) as clinic:
        outcomes = await server.run(clinic, credentials(site, OSEI), only=["a second provider"])
    assert [o.word for o in outcomes] == ["not tried"]
    assert outcomes[0].undecided == "needs a second member of staff"


async def test_checks_that_need_an_admin_are_shown_as_not_tried_without_one(site: Site) -> None:
    async with Clinic(str(site.server.make_url("/demo"))) as clinic:
        outcomes = await server.run(clinic, credentials(site, OSEI, LIND), only=["decline", "nobody but"])
    found = {o.name: (o.word, o.undecided) for o in outcomes}
    assert found.pop("nobody but an admin assigns, unassigns or declines") == ("kept", "")
    assert set(found.values()) == {("not tried", "needs an admin")}
    assert len(found) == 5, "one of them in two codecs"
    out = io.StringIO()
    print_totals(Console(file=out, width=200), outcomes)
    assert "not tried: needs an admin (5 checks); name one in the credentials" in out.getvalue()
    assert "1 kept, 0 wrong, 0 not told, 5 not tried." in out.getvalue()


async def test_an_admin_among_the_credentials_is_not_taken_for_a_provider(site: Site) -> None:
    async with Clinic(str(site.server.make_url("/demo"))) as clinic:
        outcomes = await server.run(
            clinic,
            credentials(site, ADMIN, OSEI),
            only=["not on call may not", "a transferred", "rings once"],
        )
        alone = await server.run(clinic, credentials(site, ADMIN), only=["an admin ends"])
    assert {(o.name.split(" (")[0], o.word, o.undecided) for o in outcomes} == {
        ("whoever is not on call may not claim", "kept", ""),
        ("a transferred visit is at its original place, assigned to the colleague", "not tried", SECOND),
        ("the assignee’s rings once, nobody else’s, and counts what is unread", "kept", ""),
    }
    assert [(o.word, o.undecided) for o in alone] == [("not tried", "needs a provider")]


async def test_a_wrong_password_is_one_clear_sentence(site: Site) -> None:
    async with Clinic(str(site.server.make_url("/demo"))) as clinic:
        with pytest.raises(EntryError, match="email or password are wrong"):
            await server.run(clinic, [(OSEI, "wrong")])


async def test_an_account_that_is_asked_for_a_code_cannot_be_used_and_one_sentence_says_so(
    site: Site,
) -> None:
    async with Broken(str(site.server.make_url("")).rstrip("/")) as broken, Clinic(broken.url) as clinic:
        broken.fault = "asks for a code"
        with pytest.raises(EntryError, match="is asked for more than a password"):
            await server.run(clinic, credentials(site, ADMIN))


def test_every_check_names_a_section_of_the_document() -> None:
    headings = {
        line.lstrip("# ").lower().replace("'", "").replace(" ", "-")
        for line in DOCUMENT.splitlines()
        if line.startswith("##")
    }
    assert {check.section for check in CHECKS} <= headings
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_fault_shows_what_was_sent_and_expected_but_no_private_token() -> None:
    sent, got = {"type": "hello", "resume": "r_verysecret1234"}, {"type": "error", "code": "resume_invalid"}
    fault = ViolationError("`welcome`", got, sent)
    out = io.StringIO()
    print_totals(Console(file=out, width=200), [Outcome("resume", "it is resumed", "resume", fault)])
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


@pytest.mark.parametrize("when", ["before the checks", "during the checks"])
async def test_what_was_checked_is_returned_if_the_server_is_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    outcome = Outcome("hello", "a check", "PROTOCOL.md#hello-and-welcome", None)

    async def no_socket(*_: object, **__: object) -> None:
        raise ViolationError("the upgrade (101)", "ClientConnectorError")

    async def sign_in(people: People) -> None:
        await signed_in(people)
        if when == "before the checks":
            monkeypatch.setattr(People, "open", no_socket)

    async def play(people: People, **_: object) -> list[Outcome]:
        monkeypatch.setattr(People, "open", no_socket)
        return [outcome]

    signed_in = People.sign_in
    monkeypatch.setattr(People, "sign_in", sign_in)
    monkeypatch.setattr(server, "play", play)
    assert await checked(site, str(site.server.make_url("/demo"))) == [outcome]
