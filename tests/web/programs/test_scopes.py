"""Tests which visits an API key reaches (SECURITY.md row 32).

The opener of a visit is the person or program that has opened it. A combination consists of an operation of
the API on a visit, a set of scopes, and an opener. The tests send a request to a running site for each
combination, and compare the answers with the table `REACHED`, which people review.
"""

from __future__ import annotations

from itertools import product

from msgspec.structs import replace

from signalling.service import Accepted, new_id
from signalling.visit import commands as c
from signalling.visit.record import Actor, PatientInformation, Role, Status
from signalling.visit.relations import FACILITY, Refusal, relations
from tests.signalling.visits import queued
from tests.web.api.client import PATIENT, Program, stranger
from tests.web.api.test_visits import on_call
from tests.web.site import Site
from web.api.operations import OPERATIONS
from web.keys import API_KEYS, SERVICE
from web.programs.keys import ApiKey
from web.programs.scopes import Scope

# Each row: operation, scope, the openers whose visits a key with this scope reaches. All other requests are
# refused: with 403 if the key has no scope for the operation, otherwise with 404.
REACHED = """
show_visit      read   itself, its namesake, another key, a kiosk, a patient, a booking
show_visit      staff  itself, its namesake, another key, a kiosk, a patient, a booking
show_visit      open   itself
link_visit      open   itself
withdraw_visit  open   itself
assign_visit    staff  itself, its namesake, another key, a kiosk, a patient, a booking
unassign_visit  staff  itself, its namesake, another key, a kiosk, a patient, a booking
set_urgency     staff  itself, its namesake, another key, a kiosk, a patient, a booking
move_visit      staff  itself, its namesake, another key, a kiosk, a patient, a booking
decline_visit   staff  itself, its namesake, another key, a kiosk, a patient, a booking
"""
NAME = "Front office"
SCOPES = (*((scope,) for scope in Scope), (Scope.OPEN, Scope.STAFF), tuple(Scope))
BODIES = {
    "assign_visit": {"to": "u_nobody"},
    "decline_visit": {"reason": "Please call us."},
    "set_urgency": {"level": "urgent"},
    "move_visit": {"area": ""},
}
OPENERS = ("itself", "its namesake", "another key", "a kiosk", "a patient", "a booking")


def opener(who: str, key: ApiKey) -> tuple[Actor, int | None]:
    """Return (the person or program that opens the visit, the booked time in ms or None).

    `who`: the name of the opener; `key`: the API key under test.
    """
    visit = new_id("v")
    ids = {"itself": f"api:{key.id}", "its namesake": "api:0123456789ab", "another key": "api:ba9876543210"}
    if who in ("a patient", "a booking"):
        patient = Actor(
            organisation="demo", id=f"patient:{visit}", name="Ana Ruiz", role=Role.PATIENT, visit=visit
        )
        return patient, 1_790_000_000_000 if who == "a booking" else None
    name = "Elsewhere" if who == "another key" else NAME
    return Actor(
        organisation="demo", id=ids.get(who, "facility:0123456789ab"), name=name, role=Role.FACILITY
    ), None


async def opened(site: Site, who: str, key: ApiKey) -> str:
    """Open a visit as `who`, a name that `opener` knows; return its id. `key`: the key of the program under test."""
    actor, booked_ms = opener(who, key)
    visit = actor.visit or new_id("v")
    made = await site.app[SERVICE].open(actor, PatientInformation(**PATIENT), visit, booked_ms)
    assert isinstance(made, Accepted)
    return visit


def reviewed() -> set[tuple[str, frozenset[Scope], str]]:
    """Return (operation, the key's scopes, who opened the visit) for each combination that the table `REACHED` allows.

    A key may do what any of its scopes allows.
    """
    rows = [line.split(maxsplit=2) for line in REACHED.strip().splitlines()]
    return {
        (operation, frozenset(scopes), who.strip())
        for operation, scope, openers in rows
        for who in openers.split(",")
        for scopes in SCOPES
        if Scope(scope) in scopes
    }


async def asked(program: Program, operation: str, visit: str) -> str:
    """Request an operation of the API on a visit as `program`.

    Return "reached" if the operation is done, or if only the state of the visit forbids the operation; otherwise the
    code of the refusal.
    """
    row = next(row for row in OPERATIONS if row.name == operation)
    answer = await program.ask(row.method, row.path.format(visit=visit), json=BODIES.get(operation))
    if answer.status in (403, 404):
        code = str((await answer.json(content_type=None))["code"])
        # A visit is assigned to u_nobody, who does not exist. If the answer names this person as missing, the
        # key has reached the visit.
        named = (await answer.json(content_type=None)).get("details", {}).get("staff")
        return "reached" if named else code
    assert answer.status in (200, 201, 409), await answer.text()
    return "reached"


async def test_s32_a_key_reaches_only_the_visits_that_it_opened(site: Site) -> None:
    await on_call(site)
    found, left_alone = set(), []
    operations = [row.name for row in OPERATIONS if "{visit}" in row.path]
    for scopes in SCOPES:
        key, token = await site.app[API_KEYS].add("demo", NAME, scopes, "Robin Hale")
        program = stranger(site, token)
        for operation, who in product(operations, OPENERS):
            visit = await opened(site, who, key)
            became = await asked(program, operation, visit)
            if became == "reached":
                found.add((operation, frozenset(scopes), who))
                continue
            needed = next(row.scopes for row in OPERATIONS if row.name == operation)
            assert became == ("not_found" if key.allows(needed) else "missing_scope"), (
                operation,
                scopes,
                who,
            )
            kept = await site.app[SERVICE].visit("demo", visit)
            left_alone.append(kept is not None and kept.status is Status.QUEUED)
    assert found == reviewed()
    assert left_alone
    assert all(left_alone)


def test_s32_every_operation_about_a_visit_has_its_row() -> None:
    assert {row.name for row in OPERATIONS if "{visit}" in row.path} == {name for name, _, _ in reviewed()}


async def test_s32_a_facility_with_the_same_name_withdraws_no_visit_of_another(site: Site) -> None:
    key, _ = await site.app[API_KEYS].add("demo", NAME, [Scope.OPEN], "Robin Hale")
    actors = {who: opener(who, key)[0] for who in OPENERS[:4]}
    for mine, other in product(actors, actors):
        visit = await opened(site, mine, key)
        done = await site.app[SERVICE].command(actors[other], visit, c.Withdraw())
        assert isinstance(done, Refusal) == (mine != other), (mine, other)


def test_s32_a_record_without_its_opener_is_its_facilitys_by_name_alone() -> None:
    old = replace(queued(), organisation="demo", facility=NAME, opened_by=None)
    kiosk = Actor(organisation="demo", id="facility:1", name=NAME, role=Role.FACILITY)
    assert relations(old, kiosk, {}) == {FACILITY}
    assert relations(replace(old, facility=None), kiosk, {}) == frozenset()
