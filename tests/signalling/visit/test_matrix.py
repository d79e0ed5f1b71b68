"""Tests which person may do what in which status, by one reviewed table: SECURITY.md rows 10 and 28.

People review `ALLOWED`. The matrix is made from the rules, and every cell of it is compared with the table.
So the test fails if the rules allow something new.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit.escalation import Escalation
from signalling.visit.record import Actor, Person, Status, Visit
from signalling.visit.relations import Decided, Refusal
from signalling.visit.rules import RULES, decide
from signalling.visit.urgency import Urgency
from signalling.visit.waiting_area import Area
from tests.signalling.visits import (
    ANA,
    IN_STATUS,
    ORG,
    OTHER,
    T0,
    VISIT,
    context,
    does,
    live,
    on_call,
    people,
)

COMMANDS: dict[str, c.Command] = {
    "open": c.Open(VISIT, ANA),
    "save": c.Save("allergies", "Penicillin", left=True),
    "finish": c.Finish(),
    "add photo": c.AddPhoto("p_1", 800, 600, "My arm"),
    "remove photo": c.RemovePhoto("p_0"),
    "withdraw": c.Withdraw(),
    "assign": c.Assign("lin"),
    "unassign": c.Unassign(),
    "set urgency": c.SetUrgency(Urgency.URGENT),
    "move": c.Move("mind"),
    "write": c.Write(),
    "claim": c.Claim(),
    "decline": c.Decline("No"),
    "close": c.Close(),
    "enter": c.Enter("c_new", "w1"),
    "leave": c.Leave("c_ana", "w1"),
    "agree": c.AgreeToContact("text", True),
    "record contact": c.RecordContact("mail", "sent"),
    "escalate": c.Escalate((Escalation(id="ray", name="Ray"),), 0),
    "record unreached": c.RecordUnreached(Person("ray", "Ray"), "text"),
    "start": c.Start(),
    "hang up": c.HangUp(),
    "release": c.Release(),
    "transfer": c.Transfer("ray"),
    "end": c.End(),
    "reopen": c.Reopen(),
    "invite": c.Invite("guest-new", "Ben", "family"),
    "dismiss": c.Dismiss("guest-rosa"),
    "set tags": c.SetTags(("Follow-up",)),
    "answer survey": c.AnswerSurvey(1, "Thank you"),
    "due": c.Due(),
}
NEW = "new"
STATUSES = (NEW, *Status)

# Reviewed by people, with VISIT.md. What is not listed here is refused. A person in brackets may send the command a
# second time, because the first reply may have been lost. The second command changes nothing.
ALLOWED = """
new      open      patient, other patient, facility
queued   save      patient
queued   finish    patient
queued   add photo  patient
queued   remove photo  patient
queued   withdraw  patient
queued   assign    admin
queued   unassign  admin
queued   set urgency  claimant, assignee, on call, off call, admin
queued   move      on call, assignee, admin
queued   write     patient, on call, assignee, admin
queued   claim     on call, assignee, admin
queued   decline   admin
queued   close     admin, system
queued   enter     patient
queued   leave     patient, system
queued   agree     patient
queued   record contact  system
queued   escalate  system
queued   record unreached  (system)
queued   due       (system)
claimed  save      patient
claimed  finish    patient
claimed  add photo  patient
claimed  remove photo  patient, claimant
claimed  claim     (claimant)
claimed  enter     patient, claimant, guest
claimed  leave     patient, claimant, guest, system
claimed  agree     patient
claimed  record contact  system
claimed  record unreached  (system)
claimed  start     patient, claimant, guest
claimed  invite    claimant
claimed  dismiss   claimant
claimed  hang up   (patient)
claimed  withdraw  patient
claimed  release   claimant, admin
claimed  transfer  claimant, admin
claimed  end       claimant, admin
claimed  set tags  claimant, admin
claimed  due       (system)
live     save      patient
live     finish    patient
live     add photo  patient
live     remove photo  patient, claimant
live     claim     (claimant)
live     enter     patient, claimant, guest
live     leave     patient, claimant, guest, system
live     agree     patient
live     record contact  system
live     record unreached  (system)
live     start     (patient), (claimant), guest
live     invite    claimant
live     dismiss   claimant
live     hang up   patient
live     withdraw  patient
live     release   claimant, admin
live     transfer  claimant, admin
live     end       claimant, admin
live     set tags  claimant, admin
live     due       (system)
ended    leave     (patient), (claimant), (guest), (system)
ended    end       (claimant)
ended    withdraw  (patient)
ended    reopen    claimant
ended    set tags  claimant, admin
ended    answer survey  patient
ended    due       (system)
"""


def reviewed() -> set[tuple[str, str, str]]:
    """Return (status, command, person) for each cell of the table `ALLOWED`."""
    cells = set()
    for line in ALLOWED.strip().splitlines():
        status, rest = line.split(maxsplit=1)
        command = next(name for name in sorted(COMMANDS, key=len, reverse=True) if rest.startswith(name))
        cells |= {(status, command, who.strip()) for who in rest.removeprefix(command).split(",")}
    return cells


def with_guest(status: Status) -> Visit:
    """Return a claimed, live or ended visit with a guest in it."""
    visit = IN_STATUS[Status.CLAIMED if status is Status.CLAIMED else Status.LIVE]()
    visit = does(visit, c.Invite("guest-rosa", "Rosa", "interpreter"), people()["claimant"])
    return does(visit, c.End(), people()["claimant"], T0 + 60_000) if status is Status.ENDED else visit


def outcomes(everybody: dict[str, Actor]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (status, command, person, outcome) for each cell. The outcome is "allowed", "again" (a repeated command) or
    the code of the refusal.
    """
    facts = replace(
        context(T0 + 70_000, staff=on_call("lin"), tags=("Follow-up",), survey=True, answers_waiting=True),
        areas={"mind": "Mind"},
    )
    for status in STATUSES:
        visit = None
        if status != NEW:
            visit = IN_STATUS[Status(status)]()
            if visit.claimant is not None:
                visit = with_guest(Status(status))
            if visit.is_open:
                visit = does(visit, c.Save("allergies", "None", left=True), people()["patient"])
                visit = does(visit, c.AddPhoto("p_0", 800, 600, ""), people()["patient"])
            if visit.status is Status.QUEUED:
                for who in ("admin", "patient"):
                    visit = does(visit, c.Write(), people()[who], answers_waiting=True)
        for name, command in COMMANDS.items():
            for who, actor in everybody.items():
                decided = decide(visit, command, actor, facts)
                if isinstance(decided, Decided):
                    yield str(status), name, who, "allowed" if decided.event is not None else "again"
                else:
                    yield str(status), name, who, decided.code


def test_the_matrix_equals_the_reviewed_one() -> None:
    words = {"allowed": "{}", "again": "({})"}
    generated = {
        (status, name, words[became].format(who))
        for status, name, who, became in outcomes(people())
        if became in words
    }
    assert generated == reviewed()


def test_every_command_of_the_rules_is_in_the_matrix() -> None:
    assert {rule.command for rule in RULES} <= {type(command) for command in COMMANDS.values()}


def test_a_refusal_shows_a_stranger_nothing_of_the_visit() -> None:
    codes = {(who, became) for _, _, who, became in outcomes(people()) if became not in {"allowed", "again"}}
    strangers = {became for who, became in codes if who == "other patient"}
    assert strangers <= {"not_allowed", "not_found"}, (
        "another's visit tells a patient nothing, not even its status"
    )
    assert {became for _, became in codes} <= {
        "not_allowed", "not_found", "not_on_call", "wrong_status", "already_claimed",
    }  # fmt: skip


def test_to_another_organisation_the_visit_does_not_exist() -> None:
    for status, name, who, became in outcomes(people(OTHER)):
        if status == NEW and name == "open":
            continue  # a person of the other organisation may open a new visit there
        assert became in {"not_found", "not_allowed"}, (status, name, who, became)


@pytest.mark.parametrize("who", ["patient", "claimant", "admin"])
def test_the_same_id_in_another_organisation_is_another_person(who: str) -> None:
    assert people(ORG)[who].id == people(OTHER)[who].id
    decided = decide(live(), c.Enter("c", "w"), people(OTHER)[who], context())
    assert getattr(decided, "code", None) == "not_found"


def test_f39_on_call_in_other_areas_is_no_more_than_off_call() -> None:
    """Compares each command in each status with the table's cells for a person who is off call."""
    ray = people()["on call"]
    staff = {who: replace(one, areas=("mind",)) for who, one in on_call("lin").items()}
    facts = replace(
        context(T0 + 70_000, staff=staff, tags=("Follow-up",), survey=True),
        areas={"mind": "Mind", "walk-in": "Walk-in"},
    )
    rows = reviewed()
    for status in Status:
        visit = replace(IN_STATUS[status](), area=Area("walk-in", "Walk-in"))
        for name, command in COMMANDS.items():
            decided = decide(visit, command, ray, facts)
            allowed = (str(status), name, "off call") in rows
            assert isinstance(decided, Decided) is allowed, (status, name)
            if (str(status), name) in {("queued", "claim"), ("queued", "move")}:
                assert decided == Refusal("other_area")
