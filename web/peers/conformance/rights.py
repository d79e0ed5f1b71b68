"""Checks that requests about a visit are refused to people whom the visit does not concern, or who lack the right.

The requests and their fields are the examples of PROTOCOL.md, so that a request that is added to the protocol is
checked as well. PROTOCOL.md#commands says which people may send which request.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from signalling.protocol.reference import client_types, examples
from web.peers.conformance.checked_socket import CheckedSocket, Message
from web.peers.conformance.people import People
from web.peers.conformance.table import check
from web.peers.conformance.topics import whole
from web.peers.people.entry import Browser

LEAVES: Final = frozenset({"visit.leave"})
"""Requests that the server answers with `done` for everybody: leaving a visit is no error for a client that is not in
it.
"""
READ_BY_STAFF: Final = frozenset({"visit.history"})
OF_PARTIES: Final = frozenset({"visit.enter", "visit.leave", "visit.start", "chat.send"})
OF_PATIENTS: Final = OF_PARTIES | {
    f"visit.{name}" for name in ("save", "finish", "withdraw", "hang_up", "survey")
}
MEDIA: Final = "media."
NOT_THEIRS: Final = ("not_allowed", "not_found")
NOT_NOW: Final = ("wrong_status", "already_claimed")
"""Error codes about a visit's status. The server may refuse a request with one of them if the person may know that the
visit exists.
"""


@cache
def about_a_visit() -> dict[str, Message]:
    """Return the requests that name a visit: type -> the fields of its example, without the visit."""
    shown = examples(files("signalling").joinpath("protocol", "PROTOCOL.md").read_text("utf-8"))
    return {
        kind: {name: value for name, value in shown[kind][0].items() if name not in ("type", "id", "visit")}
        for kind in client_types()
        if "visit" in shown[kind][0]
    }


async def refused(
    line: CheckedSocket, visit: str, allowed: Iterable[str], *codes: str, media: bool = False
) -> None:
    """Send a request of each type about a visit, except the types in `allowed`; check that each is refused with one of
    `codes`.

    `media`: True if the types that concern media are allowed, too.
    """
    left_out = frozenset(allowed)
    for kind, fields in about_a_visit().items():
        if kind not in left_out and not (media and kind.startswith(MEDIA)):
            line.is_error(await line.ask(kind, visit=visit, **fields), *codes)


async def unchanged(line: CheckedSocket, before: Message) -> None:
    """Check that a visit's state is still the state in the message `before`."""
    after = await whole(line, before["topic"], "visit.state")
    line.want(after["visit"] == before["visit"], "a visit that no refused request has changed", after)


@check(
    "rights",
    "each request about a visit is refused to another patient, who receives nothing of it",
    "commands",
)
async def strangers(people: People) -> None:
    patient, _, visit = await people.claimed_visit()
    _, stranger = await people.in_line()
    before = await whole(patient, f"visit/{visit}", "visit.state")
    await refused(stranger, visit, LEAVES, *NOT_THEIRS)
    await unchanged(patient, before)
    await stranger.quiet(
        "nothing of another patient’s visit",
        lambda m: visit not in (m.get("visit"), str(m.get("topic"))[-len(visit) :]),
    )


@check(
    "rights",
    "each request about a visit that another has claimed is refused to a colleague on call",
    "commands",
)
async def colleagues(people: People) -> None:
    colleague = await people.provider(1)
    patient, _, visit = await people.claimed_visit()
    before = await whole(patient, f"visit/{visit}", "visit.state")
    await refused(colleague, visit, LEAVES | READ_BY_STAFF, *NOT_THEIRS, *NOT_NOW)
    await unchanged(patient, before)


@check("rights", "a patient may do what the table says, and nothing of staff’s", "commands")
async def patients(people: People) -> None:
    patient, _, visit = await people.claimed_visit()
    before = await whole(patient, f"visit/{visit}", "visit.state")
    await refused(patient, visit, OF_PATIENTS, "not_allowed", *NOT_NOW, media=True)
    await unchanged(patient, before)


@check("rights", "a guest may do what the table says, in their own visit alone", "commands")
async def guests(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    other, _ = await people.in_line()
    made = await provider.get("visit.invite", "invited", visit=visit, name="Rosa Diaz", relation="family")
    browser = Browser(people.clinic)
    await browser.post(made["path"], {})
    guest = await people.hello(browser, "guest")
    before = await whole(patient, f"visit/{visit}", "visit.state")
    await refused(guest, visit, OF_PARTIES, "not_allowed", *NOT_NOW, media=True)
    await refused(guest, other.visit, LEAVES, *NOT_THEIRS)
    for kind, fields in (("on_call", {"on": True}), ("sessions.past", {}), ("bell.mark", {"until_ms": 0})):
        await guest.refused("not_allowed", kind, **fields)
    await unchanged(patient, before)
