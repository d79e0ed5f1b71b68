"""Derives from the store what each screen must show, and compares it with what the screen does show."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from signalling.protocol import views
from signalling.store.notices import Notices
from signalling.store.records import Snapshot, Store
from signalling.topics.rights import may_see
from signalling.visit.open_visits import OpenVisits
from signalling.visit.record import Actor, Visit
from tests.faults.people import Screen
from tests.signalling.clinic import GUIDE, ORG


async def stored_of(screen: Screen, actor: Actor, store: Store, snapshot: Snapshot) -> Any:
    """Return what the screen of `actor` must show according to the store's records; None if the actor must not see it.

    `snapshot`: the open visits and the staff, as they were just read from `store`; other records are read here.
    """
    visits = OpenVisits(snapshot.visits.values())
    if screen.kind == "queue":
        busy = visits.in_session
        return {
            "rows": {visit.id: views.row(visit) for visit in visits.queue(urgent_first=False)},
            "staff": {s.id: views.staff(s, s.id in busy) for s in snapshot.staff.values()},
        }
    if screen.kind == "bell":
        notices, unread = await Notices(store).newest(ORG, actor.id)
        items = {notice.id: msgspec.to_builtins(notice) for notice in notices}
        return {"unread": unread, "items": items}
    visit_id = screen.topic.partition("/")[2]
    visit = visits.get(visit_id) or (await store.load(ORG, Visit, visit_id))[0]
    if visit is None or not may_see(screen.kind, visit, actor, snapshot.staff):
        return None
    if screen.kind == "visit":
        over = not visit.is_open and not actor.is_staff
        return views.visit_over(visit) if over else views.visit_part(visit)
    if screen.kind == "case":
        return views.case(visit, GUIDE)
    if screen.kind == "chat":
        return {line.id: _line(line) for line in await store.lines(ORG, visit_id)}
    if visits.place(visit_id, urgent_first=False) is None:
        return None  # a patient who does not wait has no place in the queue, so the server sends no place
    on_call = sum(staff.on_call for staff in snapshot.staff.values())
    return {
        "place": visits.place(visit_id, urgent_first=False),
        "waiting": visits.waiting,
        "on_call": on_call,
    }


def _line(line: Any) -> dict[str, Any]:
    return {name: getattr(line, name) for name in ("id", "at_ms", "party", "name", "text")}


def _plain(shown: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(shown))


def difference(shown: Any, stored: Any) -> tuple[str, str] | None:
    """Return the parts that differ between a screen and the store, as texts: (the screen's, the store's).

    `shown`: what the screen shows. `stored`: what it must show according to the store. Return None if nothing
    differs.
    """
    shown, stored, path = _plain(shown), _plain(stored), ""
    if shown == stored:
        return None
    while isinstance(shown, dict) and isinstance(stored, dict):
        keys = [key for key in {**shown, **stored} if shown.get(key) != stored.get(key)]
        if len(keys) != 1:
            shown, stored = {k: shown.get(k) for k in keys}, {k: stored.get(k) for k in keys}
            break
        path += f"{keys[0]}: "
        shown, stored = shown.get(keys[0]), stored.get(keys[0])
    return path + json.dumps(shown)[:200], path + json.dumps(stored)[:200]
