"""Tests which people of the on-call rota get a message about a request that nobody has claimed, and when."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit.escalation import Escalation
from signalling.visit.record import Policy, Role, Visit
from signalling.visit.waiting_area import Area
from tests.signalling.visits import T0, queued
from web.channels.rota import Facts, escalations, is_due, is_on_duty, lately
from web.identity.accounts import Account
from web.organisations import demo
from web.organisations.settings import Rota, Turn

MINUTE_MS = 60_000
ALWAYS, NEVER = ((("00:00", "24:00"),),) * 7, ((),) * 7
NIGHTS = ((("22:00", "06:00"),),) * 7
SATURDAY = datetime.fromisoformat("2026-11-28T12:00:00+00:00")
ORDER = ("chen", "lin", "ray")


def account(name: str, **fields: Any) -> Account:
    """Return the account of a member of staff. `fields`: further values of the account."""
    role = fields.pop("role", Role.PROVIDER)
    return Account(
        id=name, email=f"{name}@example.org", name=f"Dr {name.title()}", role=role, hash="x", **fields
    )


PEOPLE = {name: account(name) for name in ORDER} | {"zoe": account("zoe", role=Role.ADMIN)}
CLINIC = replace(
    demo.ORGANISATION,
    timezone="UTC",
    rota=Rota(first_min=5, next_min=3, turns=tuple(Turn(person=name, hours=ALWAYS) for name in ORDER)),
)


def facts(people: dict[str, Account] | None = None, **changes: Any) -> Facts:
    """Return the facts for a decision at noon: each person accepts text messages, and nobody has a page open.

    `people`: name -> account, instead of the usual accounts of this file. `changes`: facts that replace these.
    """
    accounts = tuple((PEOPLE | (people or {})).values())
    known = Facts(CLINIC, accounts, frozenset(), {one.id: ("text",) for one in accounts}, SATURDAY)
    return known._replace(**changes)


def written(*names: str, **fields: Any) -> Visit:
    """Return a waiting visit about which these people have received messages, in this order.

    The first message was sent five minutes after T0, each further message one minute after the message before it.
    `fields`: fields of the visit to replace.
    """
    sent = tuple(
        Escalation(id=name, name=name, at_ms=T0 + (5 + n) * MINUTE_MS, channels=("text",))
        for n, name in enumerate(names)
    )
    return replace(queued(), escalations=sent, **fields)


def next_ids(visit: Visit, known: Facts) -> list[str]:
    """Return the ids of the people who get a message next."""
    return [one.id for one in escalations(visit, known, frozenset())]


@pytest.mark.parametrize(
    ("rota", "names", "minutes", "due"),
    [
        (Rota(first_min=5), (), 4.99, False),
        (Rota(first_min=5), (), 5, True),
        (Rota(first_min=0), (), 500, False),  # a rota whose `first_min` is 0 minutes sends no message
        (Rota(first_min=5, next_min=3), ("chen",), 7.99, False),
        (Rota(first_min=5, next_min=3), ("chen",), 8, True),
        (Rota(first_min=5, next_min=3), ("chen", "lin"), 8.99, False),
        (Rota(first_min=5, next_min=3), ("chen", "lin"), 9, True),
    ],
)
def test_f41_a_message_is_due_after_the_first_wait_and_then_at_the_rotas_pace(
    rota: Rota, names: tuple[str, ...], minutes: float, due: bool
) -> None:
    assert is_due(written(*names), rota, T0 + round(minutes * MINUTE_MS)) is due


def test_f41_a_person_who_cannot_be_reached_is_passed_over_at_once() -> None:
    rota, now_ms = Rota(first_min=5, next_min=3), T0 + 5 * MINUTE_MS
    visit = written("chen")
    assert not is_due(visit, rota, now_ms)
    (sent,) = visit.escalations
    assert is_due(replace(visit, escalations=(sent.without("text"),)), rota, now_ms)
    both = replace(sent, channels=("text", "push"))
    assert not is_due(replace(visit, escalations=(both.without("text"),)), rota, now_ms)


@pytest.mark.parametrize(
    ("visit", "known", "ids"),
    [
        (written(), facts(), ["chen"]),
        (written("chen"), facts(), ["lin"]),
        (written("lin"), facts(), ["chen"]),
        (written(), facts(present=frozenset({"chen"})), ["lin"]),
        (written(), facts(channels={"chen": (), "lin": ("push",), "zoe": ("text",)}), ["lin"]),
        (written(), facts({"chen": account("chen", disabled=True)}), ["lin"]),
        (written(*ORDER), facts(), ["zoe"]),
        (written(*ORDER, "zoe"), facts(), []),
        (written(*ORDER), facts(present=frozenset({"zoe"})), []),
        (written(), facts(channels={}), []),
    ],
)  # fmt: skip
def test_f41_the_first_of_the_rota_who_can_be_reached_gets_a_message_and_at_the_end_the_admins(
    visit: Visit, known: Facts, ids: list[str]
) -> None:
    assert next_ids(visit, known) == ids


def test_f41_all_administrators_get_a_message_after_the_last_of_the_rota_or_if_nobody_is_on_duty() -> None:
    two = facts({"abe": account("abe", role=Role.ADMIN)})
    assert next_ids(written(*ORDER), two) == ["zoe", "abe"]
    nobody = replace(CLINIC, rota=replace(CLINIC.rota, turns=(Turn(person="chen", hours=NEVER),)))
    assert next_ids(written(), two._replace(organisation=nobody)) == ["zoe", "abe"]


def test_f41_a_person_gets_messages_about_the_requests_of_their_areas_only() -> None:
    mind, skin = (written(area=Area(name, name.title())) for name in ("mind", "skin"))
    known = facts(
        {"chen": account("chen", areas=("mind",)), "zoe": account("zoe", role=Role.ADMIN, areas=("mind",))}
    )
    assert [next_ids(visit, known) for visit in (mind, skin, written())] == [["chen"], ["lin"], ["chen"]]
    late = replace(skin, escalations=written("lin", "ray").escalations)
    assert next_ids(late, known) == ["zoe"], "admins see all areas"


def test_f41_a_person_who_may_not_claim_for_want_of_a_licence_gets_no_message() -> None:
    known = facts({"chen": account("chen", states=("CA",))})
    assert next_ids(written(), known) == ["chen"]
    strict = replace(CLINIC, policy=Policy(block_unlicensed=True))
    assert next_ids(written(), known._replace(organisation=strict)) == ["lin"], "the patient is in Texas"


def test_f41_somebody_who_got_a_message_about_another_request_lately_gets_no_second_one() -> None:
    waiting, now_ms = [written("chen"), written()], T0 + 6 * MINUTE_MS
    known = lately(waiting, CLINIC.rota, now_ms)
    assert known == {"chen"}
    (sent,) = escalations(written(), facts(), known)
    assert (sent.id, sent.channels, sent.reached) == ("chen", (), True)
    assert lately(waiting, CLINIC.rota, now_ms + 3 * MINUTE_MS) == frozenset()
    (sent,) = escalations(written(), facts(), frozenset())
    assert sent.channels == ("text",)


@pytest.mark.parametrize(
    ("zone", "at", "on"),
    [
        ("UTC", "2026-11-28T21:59+00:00", False),
        ("UTC", "2026-11-28T22:00+00:00", True),
        ("UTC", "2026-11-29T05:59+00:00", True),
        ("UTC", "2026-11-29T06:00+00:00", False),
        ("America/Chicago", "2026-11-28T22:00+00:00", False),
        ("America/Chicago", "2026-11-29T04:00+00:00", True),
    ],
)
def test_f41_a_turn_follows_the_clinics_time_zone_and_goes_over_midnight_and_closed_days(
    zone: str, at: str, on: bool
) -> None:
    clinic = replace(CLINIC, timezone=zone, closed=("2026-11-28", "2026-11-29"))
    assert (
        is_on_duty(clinic, Turn(person="chen", hours=NIGHTS), datetime.fromisoformat(at).astimezone(UTC))
        is on
    )
