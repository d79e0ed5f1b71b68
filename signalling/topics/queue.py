"""The queue: On-Demand Requests for the staff, and each waiting patient's place in it (PROTOCOL.md#queue, #place).

Knows how changes of visits and staff change the queue. Its order and the expected wait are defined in
`visit/waiting.py`.
"""

from __future__ import annotations

import asyncio
from functools import partial

from signalling.hub import Hub, Socket
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes, views
from signalling.service import Service
from signalling.store.mirror import Change, Mirror, Reset
from signalling.topics.debounce import Debouncer
from signalling.visit import waiting
from signalling.visit.queue_state import Watch
from signalling.visit.record import Policy, Staff, Status, Visit

TOPIC = "queue"
PLACE_TICK_S = 0.25  # the shortest time in s between two counts of the patients' places
PLACES_PER_TURN = 64


def queue_topic(organisation: str) -> str:
    """Return the hub's name of an organisation's queue."""
    return f"{organisation}/{TOPIC}"


class Queue:
    """The topics `queue` and `place/{id}` for this worker's sockets."""

    def __init__(self, hub: Hub, service: Service, debouncer: Debouncer) -> None:
        self._hub = hub
        self._service = service
        self._debouncer = debouncer
        service.mirrors.observers.append(self.news)

    async def subscribe(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror
    ) -> server.Subscribed | server.Error:
        """Subscribe a socket of staff, send it the missing updates or a snapshot, and return the reply."""
        policy = (await self._service.organisation(mirror.organisation)).policy
        # No await from here on: snapshot, subscription and later updates must fit together.
        topic = queue_topic(mirror.organisation)
        self._hub.subscribe(socket, topic, mirror.version)
        missing = None
        if request.epoch == mirror.epoch and request.version is not None:
            missing = self._hub.since(topic, request.version)
        if missing is None:
            socket.send(self._snapshot(mirror, policy))
        else:
            for encoded in missing:
                socket.write(encoded.frame(socket.codec))
        return server.Subscribed(reply_to=request.id, topic=TOPIC, epoch=mirror.epoch, version=mirror.version)

    async def show_whole(self, mirror: Mirror, _: str) -> None:
        """Send the whole queue to all subscribers. Raises `UnavailableError`."""
        try:
            policy = (await self._service.organisation(mirror.organisation)).policy
        except LookupError:
            policy = Policy()  # the store has lost the organisation as well
        topic = queue_topic(mirror.organisation)
        self._hub.forget(topic, mirror.version)
        self._hub.send(topic, self._snapshot(mirror, policy))

    @staticmethod
    def _snapshot(mirror: Mirror, policy: Policy) -> server.QueueSnapshot:
        return server.QueueSnapshot(
            topic=TOPIC,
            epoch=mirror.epoch,
            version=mirror.version,
            rows=tuple(map(views.row, mirror.visits.queue(urgent_first=policy.urgent_first))),
            staff=tuple(_staff_part(mirror, staff) for staff in mirror.staff.values()),
            limits=views.limits(policy.queue_rules),
        )

    def news(self, news: Change | Reset) -> None:
        """Send a change to the subscribers. Called by the mirrors, in order."""
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
        # Two messages of one event have different versions, or a client would ignore the second as a
        # repetition.
        version = mirror.version - (staff is not None)
        was, is_ = (visit is not None and visit.status is Status.QUEUED for visit in (before, after))
        if is_:
            row = views.row(after)
            fresh = views.is_fresh(before, after)
            if fresh or before is None or views.row(before) != row:
                self._publish(mirror, server.QueueRow(topic=TOPIC, version=version, fresh=fresh, row=row))
        elif was:
            gone = server.QueueGone(
                topic=TOPIC,
                version=version,
                visit=after.id,
                why=views.why_gone(after),
                by=views.person(after.claimant),
            )
            self._publish(mirror, gone)
        if staff is not None:
            self._publish_staff(mirror, staff)
        if was != is_ or (before is not None and before.urgency is not after.urgency):
            self._count_places(mirror)

    def _staff_changed(self, mirror: Mirror, before: Staff | None, after: Staff) -> None:
        if before is None or views.staff(before, in_session=False) != views.staff(after, in_session=False):
            self._publish_staff(mirror, after)
            self._count_places(mirror)

    def _publish_staff(self, mirror: Mirror, staff: Staff) -> None:
        part = _staff_part(mirror, staff)
        self._publish(mirror, server.QueueStaff(topic=TOPIC, version=mirror.version, staff=part))

    def _publish(
        self,
        mirror: Mirror,
        message: server.QueueRow | server.QueueGone | server.QueueStaff | server.QueueChanged,
    ) -> None:
        self._hub.publish(queue_topic(mirror.organisation), message.version, message)

    def place(self, mirror: Mirror, policy: Policy, visit_id: str) -> server.PlaceState:
        """Return the state of the topic `place` of a visit."""
        place = mirror.visits.place(visit_id, urgent_first=policy.urgent_first)
        on_call = sum(staff.on_call for staff in mirror.staff.values())
        wait = None
        if place is not None and policy.show_wait:
            wait = waiting.expected_wait(place, mirror.claims, on_call, self._service.clock_ms())
        low, high = wait if wait is not None else (None, None)
        return server.PlaceState(
            topic=f"place/{visit_id}",
            epoch=mirror.epoch,
            version=mirror.version,
            place=place if policy.show_place else None,
            waiting=mirror.visits.waiting if policy.show_place else None,
            wait_low_ms=low,
            wait_high_ms=high,
            on_call=on_call,
        )

    def _count_places(self, mirror: Mirror) -> None:
        """Count the places of waiting patients after a short delay, once for all changes until then."""
        self._debouncer.run(f"{mirror.organisation}/places", partial(self._send_places, mirror), PLACE_TICK_S)

    async def _send_places(self, mirror: Mirror) -> None:
        policy = (await self._service.organisation(mirror.organisation)).policy
        for number, visit in enumerate(mirror.visits.queue(urgent_first=policy.urgent_first), 1):
            if number % PLACES_PER_TURN == 0:
                await asyncio.sleep(0)
            name = f"{mirror.organisation}/place/{visit.id}"
            if self._hub.has(name):
                self._hub.send(name, self.place(mirror, policy, visit.id))


def _staff_part(mirror: Mirror, staff: Staff) -> shapes.StaffPart:
    return views.staff(staff, staff.id in mirror.visits.in_session)


def _session_changed(mirror: Mirror, before: Visit | None, after: Visit) -> Staff | None:
    """Return the member of staff whose visit went live or stopped being live; None if neither happened."""
    was, is_ = (visit is not None and visit.status is Status.LIVE for visit in (before, after))
    if was == is_:
        return None
    claimant = after.claimant if is_ or before is None else before.claimant
    return mirror.staff.get(claimant.id) if claimant is not None else None
