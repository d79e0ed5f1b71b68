"""The topic `bell`: a person's notifications, the same on all the person's tabs and workers (PROTOCOL.md#bell).

This module shows notifications and marks them as read; `notifications.py` defines who receives them.
"""

from __future__ import annotations

import msgspec
import structlog

from signalling.errors import SealError, UnavailableError
from signalling.hub import Hub, Socket
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes
from signalling.service import Service
from signalling.store.mirror import Change, Mirror, Reset
from signalling.store.notices import Notices, read_until
from signalling.store.records import Origin
from signalling.visit.record import Actor, Mark, Notice
from signalling.visit.relations import Event

TOPIC = "bell"
ATTEMPTS = 10
MOST_AT_FIRST = 64
log = structlog.get_logger()


class Unread:
    """A person's unread notifications. `at_ms`: the times of the newest unread notifications, in order of arrival.
    `older`: the number of unread notifications before these.

    Notifications are marked as read in order of arrival, even if the clock was set back between two of them.
    `counted`: the ids of the notifications that were read from the store. Events of some of them may arrive at this
    worker later, and must not be counted again.
    """

    def __init__(self, at_ms: list[int], older: int, counted: frozenset[str] = frozenset()) -> None:
        self._at_ms, self._older = at_ms, older
        self.counted = counted

    def add(self, at_ms: int) -> int:
        """Count a new notification with the time `at_ms`; return the number of unread notifications."""
        self._at_ms.append(at_ms)
        return len(self)

    def read(self, until_ms: int) -> int:
        """Mark the notifications up to the time `until_ms` as read; return how many notifications stay unread."""
        exact = [n for n, at_ms in enumerate(self._at_ms, 1) if at_ms == until_ms]
        before = [n for n, at_ms in enumerate(self._at_ms, 1) if at_ms <= until_ms]
        read = max(exact or before, default=0)
        if read:
            self._at_ms, self._older = self._at_ms[read:], 0
        return len(self)

    def __len__(self) -> int:
        return len(self._at_ms) + self._older


def _part(notice: Notice) -> shapes.BellPart:
    return shapes.BellPart(
        id=notice.id,
        kind=notice.kind,
        at_ms=notice.at_ms,
        visit=notice.visit,
        name=notice.name,
        by=notice.by,
        note=notice.note,
        count=notice.count,
        area=notice.area,
    )


class Bell:
    """Sends the topic `bell`, a person's notifications, to the pages of staff that this worker serves."""

    def __init__(self, hub: Hub, service: Service) -> None:
        self._hub = hub
        self._service = service
        self._notices = Notices(service.store)
        # topic -> the unread notifications of a person who is, or was, subscribed on this worker; if there are `_most`
        # persons, those who are no longer subscribed are removed
        self._unread: dict[str, Unread] = {}
        self._most = MOST_AT_FIRST
        service.mirrors.observers.append(self.news)

    @staticmethod
    def _name(organisation: str, person: str) -> str:
        return f"{organisation}/bell:{person}"

    async def subscribe(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror
    ) -> server.Subscribed | server.Error:
        """Subscribe a socket to the notifications of its person (topic `bell`), send it a snapshot, and return the
        reply.

        `mirror`: this worker's copy of the organisation's records. Raises `UnavailableError` if the store does not
        answer.
        """
        actor = socket.actor
        name = self._name(actor.organisation, actor.id)
        held = name in socket.topics
        # The socket is subscribed before the snapshot is read, so that it misses no change.
        self._hub.subscribe(socket, name, mirror.version)
        try:
            snapshot = await self._snapshot(mirror, actor.id)
        except BaseException:
            if not held:
                self._hub.unsubscribe(socket, name)
            raise
        socket.send(snapshot)
        return server.Subscribed(
            reply_to=request.id, topic=TOPIC, epoch=mirror.epoch, version=snapshot.version
        )

    async def show_whole(self, mirror: Mirror, person: str) -> None:
        """Send all pages of a person a new snapshot of the notifications.

        Raises `UnavailableError` if the store does not answer.
        """
        self._hub.send(self._name(mirror.organisation, person), await self._snapshot(mirror, person))

    async def _snapshot(self, mirror: Mirror, person: str) -> server.BellSnapshot:
        name = self._name(mirror.organisation, person)
        for _ in range(ATTEMPTS):  # read again if a message of this topic was sent during the read
            before = self._hub.sent(name)
            notices, unread = await self._notices.newest(mirror.organisation, person)
            if self._hub.sent(name) == before:
                break
        at_ms = [notice.at_ms for notice in reversed(notices[:unread])]
        counted = frozenset(notice.id for notice in notices)
        if len(self._unread) >= self._most:
            self._unread = {each: self._unread[each] for each in self._unread if self._hub.has(each)}
            self._most = MOST_AT_FIRST + 2 * len(self._unread)
        self._unread[name] = Unread(at_ms, unread - len(at_ms), counted)
        return server.BellSnapshot(
            topic=TOPIC,
            epoch=mirror.epoch,
            version=mirror.version,
            unread=unread,
            items=tuple(_part(notice) for notice in notices),
        )

    def unsubscribe(self, socket: Socket) -> None:
        """End a socket's subscription to the notifications of its person (topic `bell`)."""
        self._hub.unsubscribe(socket, self._name(socket.actor.organisation, socket.actor.id))

    async def mark(self, actor: Actor, until_ms: int, origin: Origin) -> int:
        """Mark a person's notifications up to the time `until_ms` as read; return the topic's new version, 0 if nothing
        changed.

        Raises `UnavailableError` if the store does not answer, `SupersededError` if a newer socket uses the connection
        `origin`.
        """
        store = self._service.store
        mirror = await self._service.mirrors.get(actor.organisation)
        for _ in range(ATTEMPTS):
            held, now_ms = await store.load(actor.organisation, Mark, actor.id)
            place = await self._notices.place(actor.organisation, actor.id, until_ms)
            if read_until(held) >= place:
                return 0
            version = (held.version if held is not None else 0) + 1
            mark = Mark(id=actor.id, version=version, until_ms=until_ms, place=place)
            committed = await store.commit(
                actor.organisation, mark, Event("bell_marked", now_ms), index_score=0, origin=origin
            )
            if committed is not None:
                mirror.committed(committed)
                return mirror.version
        raise UnavailableError("overtaken too often")

    def news(self, news: Change | Reset) -> None:
        """Send the subscribers a new notification, or the time up to which the person has read notifications. The
        mirror calls this for each event, in order.
        """
        mirror = self._service.mirrors.known(news.organisation)
        if mirror is None or isinstance(news, Reset):
            return
        for person, sealed in news.notices:
            name = self._name(news.organisation, person)
            if self._hub.has(name):
                try:
                    notice = self._notices.opened(news.organisation, person, sealed)
                except (SealError, msgspec.DecodeError):
                    log.error("bell.unreadable_notice", organisation=news.organisation)
                    continue  # a fault in one notification must not prevent the other notifications from being sent
                held = self._unread.setdefault(name, Unread([], 0))
                # The store may have been ahead of this worker's copy when the snapshot was read, so the snapshot may
                # have this notification already. Then it is not counted again. It is sent all the same, because
                # another page of this person may not have it yet.
                unread = len(held) if notice.id in held.counted else held.add(notice.at_ms)
                item = server.BellItem(topic=TOPIC, version=mirror.version, unread=unread, item=_part(notice))
                self._hub.send(name, item)
        if isinstance(news.after, Mark):
            name = self._name(news.organisation, news.after.id)
            if self._hub.has(name):
                unread = self._unread.setdefault(name, Unread([], 0)).read(news.after.until_ms)
                marked = server.BellMarked(
                    topic=TOPIC, version=mirror.version, until_ms=news.after.until_ms, unread=unread
                )
                self._hub.send(name, marked)
