"""Checks the history of a story (random commands with faults): finds what must never happen.

The module reads no clock and no store. Each check yields a `Finding` for each violation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from signalling.visit import commands as c
from signalling.visit.record import Actor, ChatMessage, Role, Staff, Status, Visit
from signalling.visit.relations import PATIENT, Context, Decided
from signalling.visit.rules import QUIET, decide
from signalling.visit.urgency import Urgency
from tests.faults.history import CHAIN, Commit, Held, History, Request, Rules

GAP_S = 1.0  # a worker that gives no sample for this time in s has stood still
KINDS: Mapping[str, frozenset[str]] = {
    "arrive": frozenset({"opened"}),
    "visit.save": frozenset({"saved"}),
    "visit.finish": frozenset({"guide_finished"}),
    "visit.withdraw": frozenset({"withdrawn", "patient_done"}),
    "visit.assign": frozenset({"assigned"}),
    "visit.unassign": frozenset({"unassigned"}),
    "visit.urgency": frozenset({"urgency_set"}),
    "visit.move": frozenset({"moved"}),
    "visit.claim": frozenset({"claimed"}),
    "visit.decline": frozenset({"declined"}),
    "visit.close": frozenset({"closed"}),
    "visit.start": frozenset({"started", "went_live"}),
    "visit.hang_up": frozenset({"hung_up"}),
    "visit.release": frozenset({"released"}),
    "visit.transfer": frozenset({"transferred"}),
    "visit.end": frozenset({"ended"}),
    "visit.reopen": frozenset({"reopened"}),
    "visit.enter": frozenset({"entered"}),
    "on_call": frozenset({"on_call", "off_call"}),
}
"""Request -> the kinds of events that it may cause. The other requests (chat, bell, leave) are not checked."""
WRITTEN = frozenset({"staff_wrote", "answered"})  # the events of a waiting visit to whose chat somebody wrote
BY_THEMSELVES = frozenset({"expired", "closed", "assignment_lapsed", "returned", "paused"})


class Finding(NamedTuple):
    """A violation of a rule. `kind`: such as OWNERS or ROOMS. `at_s`: when it happened."""

    kind: str
    at_s: float
    text: str


OWNERS, ROOMS, LOST, UNCAUSED, SUPERSEDED, SCREEN, GATE, ANSWERS = (
    "two owners of a visit",
    "two owners of a room",
    "an acknowledged command lost",
    "a change without a cause",
    "a superseded connection's command carried out",
    "a screen wrong",
    "a gate open",
    "a request answered twice",
)


def check(history: History, rules: Rules) -> list[Finding]:
    """Return a finding for each rule that the history breaks, the earliest first."""
    found = [
        *two_owners(history, rules),
        *two_rooms(history, rules),
        *lost(history),
        *replayed(history, rules),
        *gates(history, rules),
        *(
            Finding(SCREEN, w.at_s, f"{w.person} sees {w.topic} as {w.shown}; the store: {w.stored}")
            for w in history.wrong
        ),
        *(Finding(ANSWERS, at_s, text) for at_s, text in history.twice),
    ]
    return sorted(found, key=lambda finding: finding.at_s)


def _of_visits(history: History) -> dict[str, list[tuple[Commit, Visit]]]:
    found: dict[str, list[tuple[Commit, Visit]]] = defaultdict(list)
    for commit in history.commits:
        if isinstance(commit.record, Visit):
            found[commit.record.id].append((commit, commit.record))
    return found


def two_owners(history: History, rules: Rules) -> Iterator[Finding]:
    """Yield a finding for each visit with two claimants at a time: in the store, in answers, or on a screen."""
    visits = _of_visits(history)
    for visit_id, changes in visits.items():
        versions = [record.version for _, record in changes]
        if versions != list(range(1, len(versions) + 1)):
            yield Finding(OWNERS, changes[0][0].seen_s, f"{visit_id} has the versions {versions}")
        owner: str | None = None
        for commit, record in changes:
            now = record.claimant.id if record.claimant is not None else None
            if owner is not None and now not in (owner, None):
                text = f"{visit_id} goes from {owner} to {now} by {commit.kind} ({commit.seq})"
                yield Finding(OWNERS, commit.seen_s, text)
            owner = now
    claims: dict[tuple[str | None, int], str] = {}
    for sent in history.requests:
        if sent.request == "visit.claim" and sent.answer == "done" and sent.version:
            other = claims.setdefault((sent.visit, sent.version), sent.person)
            if other != sent.person:
                text = f"{sent.visit} was given to {other} and to {sent.person}"
                yield Finding(OWNERS, sent.answered_s or sent.sent_s, text)
    yield from _owners_on_screens(history, visits, rules)


def _owners_on_screens(
    history: History, visits: Mapping[str, list[tuple[Commit, Visit]]], rules: Rules
) -> Iterator[Finding]:
    for saw in history.saw:
        might_be: set[str | None] = set()
        for commit, record in visits.get(saw.visit, ()):
            whose = record.claimant.id if record.claimant is not None else None
            if commit.seq <= saw.version // 2:
                might_be = {whose}
            elif commit.seen_s <= saw.at_s + rules.lag_s:
                might_be.add(whose)
        if might_be and saw.claimant not in might_be:
            text = (
                f"{saw.person} sees {saw.visit} with {saw.claimant} at {saw.version}; the store: {might_be}"
            )
            yield Finding(OWNERS, saw.at_s, text)


def _troubled(history: History, rules: Rules) -> dict[str, list[tuple[float, float]]]:
    """Return worker -> (begin, end) in s of its outages, and of the long gaps between its samples."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for outage in history.outages:
        found[outage.worker].append((outage.from_s, outage.until_s + rules.notice_s))
    last: dict[str, float] = {}
    for sample in history.held:
        before = last.get(sample.worker, sample.at_s)
        if sample.at_s - before > GAP_S:
            found[sample.worker].append((before, sample.at_s + rules.notice_s))
        last[sample.worker] = sample.at_s
    return found


def _spans(history: History) -> dict[str, list[tuple[str, float, float]]]:
    """Return visit -> (worker, begin, end) in s of each time in which a worker carried its room (call)."""
    spans: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    before: dict[str, Held] = {}
    for sample in history.held:
        last = before.get(sample.worker)
        if last is not None and sample.at_s - last.at_s <= GAP_S:
            for visit in last.rooms.keys() & sample.rooms.keys():
                known = spans[visit]
                at = next((i for i in range(len(known) - 1, -1, -1) if known[i][0] == sample.worker), None)
                if at is not None and known[at][2] == last.at_s:
                    known[at] = (sample.worker, known[at][1], sample.at_s)
                else:
                    known.append((sample.worker, last.at_s, sample.at_s))
        before[sample.worker] = sample
    return spans


def two_rooms(history: History, rules: Rules) -> Iterator[Finding]:
    """Yield a finding for each room that two workers carry for over `overlap_s` without an outage."""
    troubled = _troubled(history, rules)
    for visit, spans in _spans(history).items():
        for number, (worker, begin_s, end_s) in enumerate(spans):
            for other, other_begin_s, other_end_s in spans[number + 1 :]:
                if other == worker:
                    continue
                both = (max(begin_s, other_begin_s), min(end_s, other_end_s))
                left = _without(both, [*troubled[worker], *troubled[other]])
                for from_s, until_s in left:
                    if until_s - from_s > rules.overlap_s:
                        text = f"{worker} and {other} carry {visit} for {until_s - from_s:.1f} s, both being well"
                        yield Finding(ROOMS, from_s, text)


def _without(
    span: tuple[float, float], holes: Iterable[tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    at, end = span
    for from_s, until_s in sorted(holes):
        if from_s > at and at < end:
            yield at, min(from_s, end)
        at = max(at, until_s)
    if at < end:
        yield at, end


def gates(history: History, rules: Rules) -> Iterator[Finding]:
    """Yield a finding for each gate that still lets media pass `gate_s` after its visit stopped being live."""
    live: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for visit, changes in _of_visits(history).items():
        since: float | None = None
        for commit, record in changes:
            if record.status is Status.LIVE:
                since = commit.seen_s if since is None else since
            elif since is not None:
                live[visit].append((since, commit.seen_s))
                since = None
        if since is not None:
            live[visit].append((since, float("inf")))
    troubled, reported = _troubled(history, rules), set()
    for sample in history.held:
        for visit, open_ in sample.rooms.items():
            if not open_ or (sample.worker, visit) in reported:
                continue
            at_s = sample.at_s
            holes = [hole for hole in troubled[sample.worker] if hole[0] <= at_s <= hole[1]]
            earliest = min([at_s, *(hole[0] for hole in holes)]) - rules.gate_s
            if not any(a <= at_s + rules.lag_s and b >= earliest for a, b in live[visit]):
                reported.add((sample.worker, visit))
                yield Finding(GATE, at_s, f"{sample.worker} lets media cross in {visit}, which is not live")


def lost(history: History) -> Iterator[Finding]:
    """Yield a finding for each acknowledged command that was undone, or whose event is not in the store's stream."""
    by_seq = {commit.seq: commit for commit in history.commits}
    lines = {commit.record.text for commit in history.commits if isinstance(commit.record, ChatMessage)}
    for sent in history.requests:
        if sent.answer != "done":
            continue
        at_s = sent.answered_s or sent.sent_s
        if sent.request == "chat.send" and sent.fields["text"] not in lines:
            yield Finding(LOST, at_s, f"{_words(sent)}: the line is nowhere")
        if sent.request in KINDS and sent.version:
            commit = by_seq.get(sent.version // 2)
            if commit is None or commit.kind not in KINDS[sent.request]:
                found = commit.kind if commit is not None else "nothing"
                yield Finding(LOST, at_s, f"{_words(sent)} was acknowledged; the store has {found} there")
    for visit_id, changes in _of_visits(history).items():
        commit, last = changes[-1]
        if visit_id in history.finals and history.finals[visit_id] != last:
            yield Finding(LOST, commit.seen_s, f"the record of {visit_id} is not its last event's")
        kept = [event.kind for event in history.stories.get(visit_id, [])]
        happened = [commit.kind for commit, _ in changes if commit.kind not in QUIET]
        if visit_id in history.stories and kept != happened:
            yield Finding(LOST, commit.seen_s, f"the history of {visit_id} has {kept}, not {happened}")


def _words(sent: Request) -> str:
    return f"{sent.request} number {sent.number} of {sent.person} ({sent.visit})"


def replayed(history: History, rules: Rules) -> Iterator[Finding]:
    """Yield a finding for each change of a visit that no command or deadline can cause by the rules.

    A person's command on an older socket is no cause after a command on the person's newer socket was acknowledged.
    """
    waiting: dict[str, list[Request]] = defaultdict(list)
    acknowledged: dict[int, Request] = {}
    for sent in history.requests:
        if sent.request in KINDS and sent.request != "on_call":
            if sent.answer == "done" and sent.version:
                acknowledged[sent.version // 2] = sent
            elif not sent.refused and sent.visit is not None:
                waiting[sent.visit].append(sent)
    newest: dict[str, int] = defaultdict(int)
    before: dict[str, Visit] = {}
    staff = {
        actor.id: Staff(id=actor.id, name=actor.name, role=actor.role, on_call=True)
        for actor in history.people.values()
        if actor.is_staff
    }
    for commit in history.commits:
        after = commit.record
        if not isinstance(after, Visit):
            continue
        held = before.get(after.id)
        # The `number` of a new visit is at most the number of events that the organisation had before it.
        number = min(after.number, commit.seq - 1) if held is None else 0
        context = Context(
            now_ms=commit.at_ms, policy=rules.policy, guide=rules.guide, staff=staff, number=number
        )
        before[after.id] = after
        answered = acknowledged.get(commit.seq)
        if answered is not None:
            newest[answered.person] = max(newest[answered.person], answered.generation)
            if answered.visit != after.id or not _makes(held, after, answered, history, context):
                yield Finding(LOST, commit.seen_s, f"{_words(answered)} became {commit.kind} of {after.id}")
            continue
        if _by_itself(held, after, commit.kind, history, context):
            continue
        # Try the newest socket's commands first. Try older sockets' commands only if none of these makes this change.
        fitting = [
            sent
            for sent in sorted(waiting[after.id], key=lambda sent: -sent.generation)
            if commit.kind in KINDS[sent.request] and sent.sent_s <= commit.seen_s
        ]
        cause = next((sent for sent in fitting if _makes(held, after, sent, history, context)), None)
        if cause is None:
            recent = [
                s for s in history.requests if s.visit == after.id and commit.kind in KINDS.get(s.request, ())
            ]
            asked = (
                ", ".join(f"{s.person} {s.answer} {s.version // 2}" for s in recent[-5:]) or "nobody asked"
            )
            text = f"{after.id}: {commit.kind} ({commit.seq}) is nobody's command that may be carried out: {asked}"
            yield Finding(UNCAUSED, commit.seen_s, text)
            continue
        waiting[after.id].remove(cause)
        later = newest[cause.person]
        if cause.generation < later and cause.generation // CHAIN == later // CHAIN:
            text = f"{_words(cause)} of socket {cause.generation} after socket {later} was answered"
            yield Finding(SUPERSEDED, commit.seen_s, text)


def _makes(before: Visit | None, after: Visit, sent: Request, history: History, context: Context) -> bool:
    if sent.request == "visit.enter":
        return _entered(before, after, history, context, sent.person)
    command = _command(sent, after)
    actor = history.people.get(sent.person)
    if command is None or actor is None:
        return False
    decided = decide(before, command, actor, context)
    return isinstance(decided, Decided) and decided.event is not None and decided.visit == after


def _command(sent: Request, after: Visit) -> c.Command | None:
    fields = sent.fields
    if sent.request == "visit.save":
        return c.Save(fields["step"], fields["answer"], fields["left"])
    if sent.request in ("visit.assign", "visit.transfer"):
        return {"visit.assign": c.Assign, "visit.transfer": c.Transfer}[sent.request](fields["to"])
    simple: dict[str, Callable[[], c.Command]] = {
        "arrive": lambda: c.Open(after.id, after.patient),
        "visit.finish": c.Finish,
        "visit.withdraw": c.Withdraw,
        "visit.unassign": c.Unassign,
        "visit.urgency": lambda: c.SetUrgency(Urgency(fields["level"])),
        "visit.move": lambda: c.Move(fields["area"]),
        "visit.claim": c.Claim,
        "visit.decline": lambda: c.Decline(fields.get("reason")),
        "visit.close": c.Close,
        "visit.start": c.Start,
        "visit.hang_up": c.HangUp,
        "visit.release": c.Release,
        "visit.end": c.End,
        "visit.reopen": c.Reopen,
    }
    make = simple.get(sent.request)
    return None if make is None else make()


def _connections(visit: Visit | None) -> set[tuple[str, str, str]]:
    parties = visit.parties if visit is not None else {}
    return {(key, *held) for key, party in parties.items() for held in party.connections.items()}


def _entered(
    before: Visit | None, after: Visit, history: History, context: Context, person: str | None = None
) -> bool:
    for key, connection, worker in _connections(after) - _connections(before):
        who = after.parties[key].id
        if key == PATIENT or person in (None, who):
            actor = history.people.get(who)
            if actor is None:
                continue
            decided = decide(before, c.Enter(connection, worker), actor, context)
            if isinstance(decided, Decided) and decided.visit == after:
                return True
    return False


def _by_itself(before: Visit | None, after: Visit, kind: str, history: History, context: Context) -> bool:
    """Return True if the change from `before` to `after` may come from a deadline, a lost connection or a chat message.

    `kind`: the event's kind. `history`: has all requests. `context`: the time of the change, and the rules.
    """
    if before is None:
        return False
    if kind in WRITTEN:
        lines = [sent for sent in history.requests if sent.request == "chat.send" and sent.visit == after.id]
        made = [decide(before, c.Write(), history.people[line.person], context) for line in lines]
        return any(isinstance(each, Decided) and each.visit == after for each in made)
    if kind == "entered":
        return _entered(before, after, history, context)
    commands: list[c.Command] = [c.Due()] if kind in BY_THEMSELVES else []
    if kind == "left":
        gone = _connections(before) - _connections(after)
        commands = [c.Leave(connection, worker) for _, connection, worker in gone]
    system = Actor(organisation=after.organisation, id="system", name="", role=Role.SYSTEM)
    for command in commands:
        decided = decide(before, command, system, context)
        if isinstance(decided, Decided) and decided.visit == after:
            return True
    return False
