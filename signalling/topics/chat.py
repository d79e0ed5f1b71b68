"""The chat of a visit: between its parties, and between staff and a patient who waits (PROTOCOL.md#chat)."""

from __future__ import annotations

from signalling.hub import Hub
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes
from signalling.service import Service, new_id
from signalling.store.mirror import Change, Mirror, Reset
from signalling.store.records import Origin
from signalling.visit.commands import Write
from signalling.visit.record import Actor, ChatMessage, Status, Visit
from signalling.visit.relations import CLAIMANT, GUEST, PATIENT, Refusal, party_key, relations
from signalling.visit.rules import RULES

STAFF = "staff"
MOST_MESSAGES, MOST_MESSAGES_WITH_STAFF = 1_000, 2_000
"""The greatest number of messages in a visit.

Only staff may write the second thousand, so that a patient or guest cannot prevent staff from writing.
"""
SHOWN = 500
"""The greatest number of messages that a snapshot reads from the store: the newest ones."""
# the number of visits for which a worker remembers how many chat messages they have
VISITS_KNOWN = 1_024
# status -> the persons who may write, by their relation to the visit; `rights.py` defines who may read
WRITES: dict[Status, frozenset[str]] = {
    Status.QUEUED: frozenset(who for rule in RULES if rule.command is Write for who in rule.by),
    Status.CLAIMED: frozenset({PATIENT, CLAIMANT, GUEST}),
    Status.LIVE: frozenset({PATIENT, CLAIMANT, GUEST}),
    Status.ENDED: frozenset(),
}


def _part(message: ChatMessage) -> shapes.ChatMessagePart:
    return shapes.ChatMessagePart(
        id=message.id, at_ms=message.at_ms, party=message.party, name=message.name, text=message.text
    )


def _may_write(visit: Visit, actor: Actor, mirror: Mirror) -> bool:
    return not relations(visit, actor, mirror.staff).isdisjoint(WRITES[visit.status])


class Chat:
    """Sends the topics `chat/{id}`, the chat of each visit, to this worker's sockets."""

    def __init__(self, hub: Hub, service: Service) -> None:
        self._hub = hub
        self._service = service
        # Name of a topic in the hub -> one list for each snapshot that is being read from the store. A message that
        # arrives during the read is added to the list.
        self._reading: dict[str, list[list[ChatMessage]]] = {}
        self._unasked: dict[
            str, int
            # "organisation/visit/limit" -> how many more messages may be sent before the number of stored messages is
            # read again
        ] = {}
        service.mirrors.observers.append(self.news)

    async def snapshot(self, mirror: Mirror, visit: Visit) -> server.ChatSnapshot:
        """Return a snapshot: the newest SHOWN chat messages of a visit, and those that arrive during the read.

        `mirror`: this worker's copy of the organisation's open visits. Raises `UnavailableError` if the store does
        not answer.
        """
        name, arrived = f"{mirror.organisation}/chat/{visit.id}", list[ChatMessage]()
        self._reading.setdefault(name, []).append(arrived)
        try:
            found = await self._service.store.lines(mirror.organisation, visit.id, SHOWN)
        finally:
            self._reading[name] = [others for others in self._reading[name] if others is not arrived]
            if not self._reading[name]:
                del self._reading[name]
        messages = {message.id: message for message in (*found, *arrived)}
        return server.ChatSnapshot(
            topic=f"chat/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            lines=tuple(map(_part, messages.values())),
        )

    async def _has_room(self, organisation: str, visit: str, most: int) -> bool:
        """Return True if a visit has fewer than `most` chat messages. Raises `UnavailableError` if the store does not
        answer.

        The number of messages is not read from the store each time. It is read again after this worker has sent a
        quarter of the messages that were still allowed, because other workers may have sent messages, too.
        """
        name = f"{organisation}/{visit}/{most}"
        left = self._unasked.get(name, 0)
        if left <= 0:
            count = await self._service.store.count_lines(organisation, visit)
            if count >= most:
                return False
            left = (most - count) // 4
            if len(self._unasked) >= VISITS_KNOWN:
                self._unasked.clear()
        self._unasked[name] = left - 1
        return True

    async def send(self, actor: Actor, request: client.ChatSend, origin: Origin) -> int | Refusal:
        """Store and send a chat message of `actor`; return the version of the topic that contains it, or a refusal.

        Raises `UnavailableError` if the store does not answer, `SupersededError` if a newer socket uses the connection
        `origin`.
        """
        mirror = await self._service.mirrors.get(actor.organisation)
        visit = await self._service.visit(actor.organisation, request.visit)
        if visit is None or not _may_write(visit, actor, mirror):
            # Another worker may have just committed a claim that this worker's copy of the visit does not contain yet.
            visit = await self._service.visit_now(actor.organisation, request.visit)
        if visit is None:
            return Refusal("not_found")
        if not _may_write(visit, actor, mirror):
            known = relations(visit, actor, mirror.staff)
            once = any(not known.isdisjoint(who) for who in WRITES.values())
            return Refusal("wrong_status", {"status": str(visit.status)}) if once else Refusal("not_allowed")
        most = MOST_MESSAGES_WITH_STAFF if actor.is_staff else MOST_MESSAGES
        if not await self._has_room(actor.organisation, visit.id, most):
            return Refusal("limit_reached", {"most": most})
        refusal = await self._noted(actor, visit, mirror, origin) if visit.status is Status.QUEUED else None
        if refusal is not None:
            return refusal
        now_ms = self._service.clock_ms()
        message = ChatMessage(
            id=new_id("m"),
            visit=visit.id,
            at_ms=now_ms,
            party=party_key(visit, actor) or STAFF,
            name=actor.name,
            text=request.text,
        )
        version = await self._service.write(actor.organisation, message, actor.person, origin)
        # `write` returned no version: the store already has another message with this random id
        return Refusal("unavailable") if version is None else version

    async def _noted(self, actor: Actor, visit: Visit, mirror: Mirror, origin: Origin) -> Refusal | None:
        """Record in the visit that `actor` writes a message while the patient waits; return a refusal if that is not
        allowed.

        `mirror`: this worker's copy of the records. `origin`: the connection that asks. The visit is changed before the
        message is stored. So after a crash the visit may count a message that is not stored, but never the reverse.
        """
        noted = await self._service.command(actor, visit.id, Write(), origin)
        if not isinstance(noted, Refusal):
            return None
        # The visit may have been claimed a moment ago. Then the rules for a claimed visit decide who may write.
        now = await self._service.visit_now(actor.organisation, visit.id)
        in_session = now is not None and now.status is not Status.QUEUED and _may_write(now, actor, mirror)
        return None if in_session else noted

    def news(self, news: Change | Reset) -> None:
        """Send a new chat message to the subscribers. The mirror calls this for each event, in order."""
        mirror = self._service.mirrors.known(news.organisation)
        if mirror is not None and isinstance(news, Change) and isinstance(news.after, ChatMessage):
            topic = f"chat/{news.after.visit}"
            line = server.ChatLine(topic=topic, version=mirror.version, line=_part(news.after))
            name = f"{news.organisation}/{topic}"
            for arrived in self._reading.get(name, ()):
                arrived.append(news.after)
            self._hub.send(name, line)
