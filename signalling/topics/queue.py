"""The topics of the queue: On-Demand Requests for the staff, and each waiting patient's place in it (PROTOCOL.md#queue,
#place).

Turns changes of visits and staff into messages. `visit/waiting.py` defines the order and the expected wait.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

from signalling.hub import Hub, Socket
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes, views
from signalling.service import Service
from signalling.store.mirror import Change, Mirror, Reset
from signalling.topics.debounce import Debouncer
from signalling.visit import waiting
from signalling.visit.queue_state import QueueRules, Watch
from signalling.visit.queue_watch import rules_of
from signalling.visit.record import STAFF_ROLES, Policy, Role, Staff, Status, Visit
from signalling.visit.urgency import Urgency
from signalling.visit.waiting_area import serves

TOPIC = "queue"
PLACE_TICK_S = 0.25  # shortest time in s between two counts of the waiting patients' places
PLACES_PER_TURN = 64


Areas = tuple[str, ...]
"""The ids of the waiting areas whose rows a subscriber receives; () for all rows."""
COUNTED = "#"


class Shown(NamedTuple):
    """The part of the queue that a subscriber receives: the rows of the waiting areas `areas`, or all rows if `areas`
    is ().

    If `counted` is True, the rows contain no data about patients, for pages that only count the rows.
    """

    areas: Areas = ()
    counted: bool = False


WHOLE = Shown()


def queue_topic(organisation: str, shown: Shown = WHOLE) -> str:
    """Return the name of the topic in the hub, for subscribers of the part `shown` of an organisation's queue."""
    about = COUNTED * shown.counted + "+".join(shown.areas)
    return f"{organisation}/{TOPIC}" + (f":{about}" if about else "")


def _shown_by(about: str) -> Shown:
    """Return the part of the queue that subscribers of a topic receive, from the topic's name in the hub.

    `about`: the text after the colon in a name that `queue_topic` returned, "" if the name has no colon.
    """
    areas = about.removeprefix(COUNTED)
    return Shown(tuple(areas.split("+")) if areas else (), about.startswith(COUNTED))


class Queue:
    """Sends the topics `queue` and `place/{id}` to this worker's sockets."""

    def __init__(self, hub: Hub, service: Service, debouncer: Debouncer) -> None:
        self._hub = hub
        self._service = service
        self._debouncer = debouncer
        self._narrow: dict[
            str, set[Shown]
        ] = {}  # organisation -> the parts of the queue, other than the whole queue, that have subscribers
        service.mirrors.observers.append(self.news)

    async def subscribe(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror
    ) -> server.Subscribed | server.Error:
        """Subscribe a socket of staff to the queue, send it the updates that it lacks or a snapshot, and return the
        reply.

        `mirror`: this worker's copy of the organisation's open visits.
        """
        policy = (await self._service.organisation(mirror.organisation)).policy
        # There is no `await` below, so that no event comes between the snapshot and the subscription.
        self.unsubscribe(socket)
        shown = Shown(_areas_of(mirror, socket), request.counted)
        topic = self._join(socket, mirror, shown)
        missing = None
        if request.epoch == mirror.epoch and request.version is not None:
            missing = self._hub.since(topic, request.version)
        if missing is None:
            socket.send(self._snapshot(mirror, _rules(mirror, policy), shown))
        else:
            for encoded in missing:
                socket.write(encoded.frame(socket.codec))
        return server.Subscribed(reply_to=request.id, topic=TOPIC, epoch=mirror.epoch, version=mirror.version)

    def _join(self, socket: Socket, mirror: Mirror, shown: Shown) -> str:
        """Subscribe a socket to the part `shown` of the queue; return the name of this part in the hub."""
        if shown != WHOLE:
            self._narrow.setdefault(mirror.organisation, set()).add(shown)
        topic = queue_topic(mirror.organisation, shown)
        self._hub.subscribe(socket, topic, mirror.version)
        return topic

    def unsubscribe(self, socket: Socket) -> None:
        """End the subscription of a socket to the queue, whichever part of it the socket receives."""
        whole = queue_topic(socket.actor.organisation)
        for name in socket.topics:
            if name == whole or name.startswith(f"{whole}:"):
                self._hub.unsubscribe(socket, name)

    async def show_whole(self, mirror: Mirror, about: str) -> None:
        """Send a new snapshot to all subscribers of one part of the queue.

        `about`: the text after the colon in the topic's name, "" for the whole queue. Raises `UnavailableError` if the
        store does not answer.
        """
        try:
            policy = (await self._service.organisation(mirror.organisation)).policy
        except LookupError:
            # The store has lost data, and the organisation's settings are lost, too. So the default settings are used.
            policy = Policy()
        shown = _shown_by(about)
        topic = queue_topic(mirror.organisation, shown)
        self._hub.forget(topic, mirror.version)
        self._hub.send(topic, self._snapshot(mirror, _rules(mirror, policy), shown))

    @staticmethod
    def _snapshot(mirror: Mirror, rules: QueueRules, shown: Shown) -> server.QueueSnapshot:
        return server.QueueSnapshot(
            topic=TOPIC,
            epoch=mirror.epoch,
            version=mirror.version,
            rows=tuple(
                _row(visit, shown)
                for visit in mirror.visits.queue(urgent_first=rules.urgent_first)
                if _is_shown(visit, shown.areas)
            ),
            staff=tuple(_staff_part(mirror, one) for one in mirror.staff.values() if one.role in STAFF_ROLES),
            limits=views.limits(rules),
        )

    def news(self, news: Change | Reset) -> None:
        """Send a change of the queue to the subscribers. The mirror calls this for each event, in order."""
        mirror = self._service.mirrors.known(news.organisation)
        if mirror is None or isinstance(news, Reset):
            return
        if isinstance(news.after, Staff):
            self._staff_changed(mirror, news.before if isinstance(news.before, Staff) else None, news.after)
        elif isinstance(news.after, Visit):
            self._visit_changed(mirror, news.before if isinstance(news.before, Visit) else None, news.after)
        elif isinstance(news.after, Watch):
            self._rules_changed(mirror, news.after)

    def _rules_changed(self, mirror: Mirror, watch: Watch) -> None:
        limits = views.limits(watch.rules)
        self._publish(mirror, server.QueueChanged(topic=TOPIC, version=mirror.version, limits=limits))
        self._count_places(mirror)

    def _visit_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        staff = _session_changed(mirror, before, after)
        # Two messages of one event need two versions of the topic: a client would ignore a second message with the
        # same version.
        version = mirror.version - (staff is not None)
        for shown in self._shown(mirror):
            message = _change(before, after, shown, version)
            if message is not None:
                self._hub.publish(queue_topic(mirror.organisation, shown), message.version, message)
        if staff is not None:
            self._publish_staff(mirror, staff)
        if _stands(before) != _stands(after):
            self._count_places(mirror)

    def _shown(self, mirror: Mirror) -> list[Shown]:
        """Return the different parts of the queue that this worker's subscribers receive, the whole queue first."""
        organisation = mirror.organisation
        narrow = {
            shown
            for shown in self._narrow.get(organisation, ())
            if self._hub.has(queue_topic(organisation, shown))
        }
        self._narrow[organisation] = narrow
        return [WHOLE, *sorted(narrow)]

    def _staff_changed(self, mirror: Mirror, before: Staff | None, after: Staff) -> None:
        if before is not None and before.areas != after.areas:
            self._show_others(mirror, after)
        if before is None or views.staff(before, in_session=False) != views.staff(after, in_session=False):
            self._publish_staff(mirror, after)
            self._count_places(mirror)

    def _show_others(self, mirror: Mirror, staff: Staff) -> None:
        """Send a snapshot with the rows of the new areas to a member of staff whose waiting areas have changed."""
        counted = queue_topic(mirror.organisation, Shown(counted=True))
        for socket in tuple(self._hub.of_person(mirror.organisation, staff.id)):
            before = socket.topics
            self.unsubscribe(socket)
            if left := before - socket.topics:
                shown = Shown(_areas_of(mirror, socket), any(name.startswith(counted) for name in left))
                self._join(socket, mirror, shown)
                socket.send(self._snapshot(mirror, mirror.watch.rules, shown))

    def _publish_staff(self, mirror: Mirror, staff: Staff) -> None:
        if staff.role not in STAFF_ROLES:
            return
        part = _staff_part(mirror, staff)
        self._publish(mirror, server.QueueStaff(topic=TOPIC, version=mirror.version, staff=part))

    def _publish(
        self,
        mirror: Mirror,
        message: server.QueueStaff | server.QueueChanged,
    ) -> None:
        for shown in self._shown(mirror):
            self._hub.publish(queue_topic(mirror.organisation, shown), message.version, message)

    def place(self, mirror: Mirror, policy: Policy, visit_id: str) -> server.PlaceState:
        """Return the state of the topic `place` of a waiting visit: its place in the queue, and the expected wait.

        `mirror`: this worker's copy of the organisation's visits. `policy`: the organisation's limits and rules.
        """
        visit = mirror.visits.get(visit_id)
        area = visit.area_id if visit is not None else ""
        place = mirror.visits.place(visit_id, urgent_first=policy.urgent_first)
        on_call = sum(staff.on_call and serves(staff.areas, area) for staff in mirror.staff.values())
        wait = None
        # The wait for one area is not estimated, because claims are counted for the whole organisation only.
        if place is not None and policy.show_wait and not area:
            wait = waiting.expected_wait(place, mirror.claims, on_call, self._service.clock_ms())
        low, high = wait if wait is not None else (None, None)
        closing = mirror.watch.rules.closing.get(area) if place is not None else None
        return server.PlaceState(
            topic=f"place/{visit_id}",
            epoch=mirror.epoch,
            version=mirror.version,
            place=place if policy.show_place else None,
            waiting=mirror.visits.waiting_in(area) if policy.show_place else None,
            wait_low_ms=low,
            wait_high_ms=high,
            on_call=on_call,
            closing=views.closing(closing, booked=visit is not None and visit.booked_ms is not None),
        )

    def _count_places(self, mirror: Mirror) -> None:
        """Send the waiting patients their places after PLACE_TICK_S. All changes within this time cause one count."""
        self._debouncer.run(f"{mirror.organisation}/places", partial(self._send_places, mirror), PLACE_TICK_S)

    async def _send_places(self, mirror: Mirror) -> None:
        policy = (await self._service.organisation(mirror.organisation)).policy
        for number, visit in enumerate(mirror.visits.queue(urgent_first=policy.urgent_first), 1):
            if number % PLACES_PER_TURN == 0:
                await asyncio.sleep(0)
            name = f"{mirror.organisation}/place/{visit.id}"
            if self._hub.has(name):
                self._hub.send(name, self.place(mirror, policy, visit.id))


def _rules(mirror: Mirror, policy: Policy) -> QueueRules:
    """Return the rules for the queue that follow from `policy`, with the closing times of the areas from `mirror`."""
    return rules_of(policy, mirror.watch.rules.closing)


def _areas_of(mirror: Mirror, socket: Socket) -> Areas:
    """Return the waiting areas whose rows a socket's person receives; () for all rows. An admin always receives all
    rows.
    """
    staff = mirror.staff.get(socket.actor.id)
    return () if staff is None or socket.actor.role is Role.ADMIN else staff.areas


def _is_shown(visit: Visit | None, areas: Areas) -> bool:
    """Return True if a visit waits, and its row is sent to staff who receive the rows of `areas` (() for all).

    A visit without an area is sent to all subscribers.
    """
    if visit is None or visit.status is not Status.QUEUED:
        return False
    return not areas or not visit.area_id or visit.area_id in areas


def _stands(visit: Visit | None) -> tuple[Urgency, str] | None:
    """Return the values that determine a waiting visit's place in the queue, except the time of arrival.

    Return None if the visit does not wait.
    """
    if visit is None or visit.status is not Status.QUEUED:
        return None
    return visit.urgency, visit.area_id


def _row(visit: Visit, shown: Shown) -> shapes.Row:
    return views.counted_row(visit) if shown.counted else views.row(visit)


def _change(
    before: Visit | None, after: Visit, shown: Shown, version: int
) -> server.QueueRow | server.QueueGone | None:
    """Return the message about a visit's change for the subscribers of the part `shown` of the queue.

    Returns None if these subscribers need no message. `before`: the visit before the change, None if the change opened
    it. `version`: the topic's version after the message.
    """
    was, is_ = (_is_shown(visit, shown.areas) for visit in (before, after))
    if is_:
        row = _row(after, shown)
        if before is None or not was or _row(before, shown) != row:
            return server.QueueRow(topic=TOPIC, version=version, fresh=not was, row=row)
    elif was:
        by, why = views.person(after.claimant), views.why_gone(after)
        return server.QueueGone(topic=TOPIC, version=version, visit=after.id, why=why, by=by)
    return None


def _staff_part(mirror: Mirror, staff: Staff) -> shapes.StaffPart:
    return views.staff(staff, staff.id in mirror.visits.in_session)


def _session_changed(mirror: Mirror, before: Visit | None, after: Visit) -> Staff | None:
    """Return the claimant whose visit becomes live, or stops being live, by this change; None if there is none.

    `before`: the visit before the change, None if the change opens it. `after`: the visit after it. `mirror`: this
    worker's copy of the organisation's records.
    """
    was, is_ = (visit is not None and visit.status is Status.LIVE for visit in (before, after))
    if was == is_:
        return None
    claimant = after.claimant if is_ or before is None else before.claimant
    return mirror.staff.get(claimant.id) if claimant is not None else None
