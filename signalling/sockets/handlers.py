"""Defines the effect of each message of a client: one handler per message type, in the table at the end.

A handler returns the reply, or None if another worker sends it. A handler that must wait for the store returns a
coroutine of the reply.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from signalling.errors import UnavailableError
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol.errors import error
from signalling.repeated import due
from signalling.rooms import worker_messages as wire
from signalling.rooms.rooms import WITH_MEDIA
from signalling.store.guest_links import GuestLink
from signalling.tracing import ClaimTrace
from signalling.visit import commands as c
from signalling.visit.audit_entries import OF_TOPICS, OPENED_BELL
from signalling.visit.relations import GUEST_PREFIX, PATIENT, Refusal, party_key

if TYPE_CHECKING:
    from signalling.sockets.connection import Connection

Answer = server.Message | None
Later = Coroutine[Any, Any, Answer]
Handler = Callable[["Connection", Any], Answer | Later]
log = structlog.get_logger()


def _refused(request: client.Request, refusal: Refusal) -> server.Error:
    if refusal.code == "limit_reached" and (count := due("visit.limit_reached")):
        log.warning("visit.limit_reached", request=type(request).__name__, count=count)
    return error(request.id, refusal.code, refusal.details)


async def _command(
    connection: Connection, request: client.VisitRequest, command: c.Command, trace: ClaimTrace | None = None
) -> server.Message:
    service, origin = connection.services.service, connection.origin
    if trace is not None:
        origin = msgspec.structs.replace(origin, trace=trace)
    outcome = await service.command(connection.actor, request.visit, command, origin)
    if isinstance(outcome, Refusal):
        return _refused(request, outcome)
    return server.Done(reply_to=request.id, version=outcome.version)


def _simple(make: Callable[[Any], c.Command]) -> Handler:
    async def handler(connection: Connection, request: client.VisitRequest) -> Answer:
        return await _command(connection, request, make(request))

    return handler


def _claim(connection: Connection, request: client.VisitClaim) -> Later:
    traces = connection.services.traces
    trace = None if traces is None else traces.begin()
    if trace is None:
        return _command(connection, request, c.Claim())
    return _traced_claim(connection, request, trace)


async def _traced_claim(
    connection: Connection, request: client.VisitClaim, trace: ClaimTrace
) -> server.Message:
    result = "unavailable"
    try:
        answer = await _command(connection, request, c.Claim(), trace)
        result = answer.code if isinstance(answer, server.Error) else "done"
        return answer
    finally:
        trace.end(result)


def _read(
    handler: Callable[[Connection, Any], Later], what: Callable[[Any], tuple[str | None, str]]
) -> Handler:
    """Return a handler that calls `handler`, and writes an audit log entry if data was shown.

    `what` returns (the name of the entry, the id of the visit) for a request; the name is None if no entry is needed.
    """

    async def read(connection: Connection, request: client.Request) -> Answer:
        audit_log, actor = connection.services.audit_log, connection.actor
        audit_log.ready()
        answer = await handler(connection, request)
        name, about = what(request)
        if name is None or isinstance(answer, server.Error):
            return answer
        if not actor.is_staff:
            # A patient who reads their own visit adds one entry per connection, so that their requests cannot fill the
            # audit log.
            if (name, about) in connection.noted:
                return answer
            connection.noted |= {(name, about)}
        audit_log.note(actor.organisation, actor.id, name, about)
        return answer

    return read


def _of_topic(request: client.Subscribe) -> tuple[str | None, str]:
    room, _, visit_id = request.topic.partition("/")
    return (None if request.counted else OF_TOPICS.get(room)), visit_id


def _ping(connection: Connection, request: client.Ping) -> Answer:
    return server.Pong(reply_to=request.id, server_ms=connection.services.service.clock_ms())


async def _subscribe(connection: Connection, request: client.Subscribe) -> Answer:
    if len(connection.socket.topics) >= MOST_TOPICS:
        return error(request.id, "not_allowed")
    return await connection.services.topics.subscribe(connection.socket, request)


def _unsubscribe(connection: Connection, request: client.Unsubscribe) -> Answer:
    connection.services.topics.unsubscribe(connection.socket, request.topic)
    return server.Done(reply_to=request.id, version=0)


async def _on_call(connection: Connection, request: client.OnCall) -> Answer:
    if not connection.actor.is_staff:
        return error(request.id, "not_allowed")
    service = connection.services.service
    version = await service.set_on_call(connection.actor, request.on, origin=connection.origin)
    return server.Done(reply_to=request.id, version=version)


async def _enter(connection: Connection, request: client.VisitRequest) -> server.Message:
    answer = await _command(connection, request, c.Enter(connection.id, connection.services.worker))
    if isinstance(answer, server.Done):
        connection.entered |= {request.visit}
        await connection.keep_pages()
    return answer


async def _leave(connection: Connection, request: client.VisitLeave) -> Answer:
    if request.visit in connection.entered:
        try:
            await connection.left(request.visit)
            await connection.keep_pages()
        except UnavailableError:
            # The person is still on the page, so that the client can repeat the request.
            connection.entered |= {request.visit}
            raise
    return server.Done(reply_to=request.id, version=0)


def _party(connection: Connection, visit_id: str) -> str | None:
    """Return the key in `Visit.parties` of this connection's party, according to this worker's copy of the
    visit.

    Return None if the visit has no media now, or the person is no party of it.
    """
    mirror = connection.services.service.mirrors.known(connection.actor.organisation)
    visit = mirror.visits.get(visit_id) if mirror is not None else None
    if visit is None or visit.status not in WITH_MEDIA:
        return None
    return party_key(visit, connection.actor)


async def _member(connection: Connection, request: client.VisitRequest) -> wire.Member | server.Error:
    """Return this connection as a member of the visit's room, or an error with the reason why it is not a member
    (SECURITY.md row 9).
    """
    actor, party = connection.actor, _party(connection, request.visit)
    if party is not None:
        return connection.member(request.visit, party)
    # Another worker may have just committed a claim that this worker's copy of the visit does not contain yet.
    visit = await connection.services.service.visit_now(actor.organisation, request.visit)
    party = party_key(visit, actor) if visit is not None else None
    if visit is None or visit.organisation != actor.organisation:
        return error(request.id, "not_found")
    if party is None:
        return error(request.id, "not_allowed")
    if visit.status not in WITH_MEDIA:
        return error(request.id, "wrong_status", {"status": visit.status})
    return connection.member(visit.id, party)


def _media_probe(connection: Connection, request: client.MediaProbe) -> Answer:
    relay = connection.services.relay
    sdp = relay.probe() if connection.may_probe(time.monotonic()) else None
    if sdp is None:
        return error(request.id, "too_often")
    return server.Probe(reply_to=request.id, sdp=sdp, ice_servers=relay.ice_servers())


def _media_probed(connection: Connection, request: client.MediaProbed) -> Answer:
    if count := due(f"media.probed {request.path}"):
        log.info("media.probed", transport=request.path, count=count)
    return server.Done(reply_to=request.id, version=0)


async def _media_join(connection: Connection, request: client.MediaJoin) -> Answer:
    member = await _member(connection, request)
    if isinstance(member, server.Error):
        return member
    if request.visit not in connection.entered:
        # From now on the connection counts as being on the visit's page: when it leaves the page, it leaves the room,
        # too.
        entered = await _enter(connection, request)
        if isinstance(entered, server.Error):
            return entered
    traces = connection.services.traces
    if traces is not None and member.party == PATIENT:
        traces.pulled_in(request.visit)
    member = msgspec.structs.replace(member, able=request.able)
    await connection.services.memberships.join(member, request.id, connection.origin)
    return None


def _media(make: Callable[[wire.Member, int, Any], wire.Request]) -> Handler:
    def asked(connection: Connection, request: client.VisitRequest) -> Answer:
        known = connection.services.memberships.ask(
            connection.id, request.visit, lambda member, fence: make(member, fence, request)
        )
        return None if known else error(request.id, "no_room")

    async def later(connection: Connection, request: client.VisitRequest) -> Answer:
        member = await _member(connection, request)
        return member if isinstance(member, server.Error) else asked(connection, request)

    def handler(connection: Connection, request: client.VisitRequest) -> Answer | Later:
        if _party(connection, request.visit) is None:
            return later(connection, request)
        return asked(connection, request)

    return handler


async def _invite(connection: Connection, request: client.VisitInvite) -> Answer:
    actor, service = connection.actor, connection.services.service
    guest = GUEST_PREFIX + secrets.token_hex(4)
    invite = c.Invite(guest, request.name, request.relation)
    outcome = await service.command(actor, request.visit, invite, connection.origin)
    if isinstance(outcome, Refusal):
        return _refused(request, outcome)
    for_ms = (await service.organisation(actor.organisation)).policy.invite_ms
    token = await connection.services.guest_links.issue(
        actor.organisation, GuestLink(request.visit, guest), for_ms
    )
    return server.Invited(
        reply_to=request.id,
        guest=guest,
        path=f"/{actor.organisation}/join/{token}",
        expires_ms=service.clock_ms() + for_ms,
    )


async def _bell_mark(connection: Connection, request: client.BellMark) -> Answer:
    if not connection.actor.is_staff:
        return error(request.id, "not_allowed")
    version = await connection.services.topics.bell.mark(
        connection.actor, request.until_ms, connection.origin
    )
    return server.Done(reply_to=request.id, version=version)


async def _chat_send(connection: Connection, request: client.ChatSend) -> Answer:
    outcome = await connection.services.topics.chat.send(connection.actor, request, connection.origin)
    if isinstance(outcome, Refusal):
        return _refused(request, outcome)
    return server.Done(reply_to=request.id, version=outcome)


async def _past(connection: Connection, request: client.SessionsPast) -> Answer:
    if not connection.actor.is_staff:
        return error(request.id, "not_allowed")
    return await connection.services.topics.sessions.past(connection.actor, request)


async def _history(connection: Connection, request: client.VisitHistory) -> Answer:
    if not connection.actor.is_staff:
        return error(request.id, "not_allowed")
    return await connection.services.topics.sessions.history(connection.actor, request)


MOST_TOPICS = 200
HANDLERS: dict[type, Handler] = {
    client.Ping: _ping,
    client.Subscribe: _read(_subscribe, _of_topic),
    client.Unsubscribe: _unsubscribe,
    client.OnCall: _on_call,
    client.VisitSave: _simple(lambda r: c.Save(r.step, r.answer, r.left)),
    client.VisitFinish: _simple(lambda _: c.Finish()),
    client.VisitWithdraw: _simple(lambda _: c.Withdraw()),
    client.VisitHangUp: _simple(lambda _: c.HangUp()),
    client.VisitClaim: _claim,
    client.VisitRelease: _simple(lambda _: c.Release()),
    client.VisitEnd: _simple(lambda r: c.End(r.by_phone)),
    client.VisitStart: _simple(lambda _: c.Start()),
    client.VisitAssign: _simple(lambda r: c.Assign(r.to)),
    client.VisitUnassign: _simple(lambda _: c.Unassign()),
    client.VisitMove: _simple(lambda r: c.Move(r.area)),
    client.VisitUrgency: _simple(lambda r: c.SetUrgency(r.level)),
    client.VisitDecline: _simple(lambda r: c.Decline(r.reason)),
    client.VisitClose: _simple(lambda _: c.Close()),
    client.VisitTransfer: _simple(lambda r: c.Transfer(r.to)),
    client.VisitReopen: _simple(lambda _: c.Reopen()),
    client.VisitTag: _simple(lambda r: c.SetTags(r.tags)),
    client.VisitSurvey: _simple(lambda r: c.AnswerSurvey(r.choice, r.text)),
    client.VisitInvite: _invite,
    client.VisitDismiss: _simple(lambda r: c.Dismiss(r.guest)),
    client.VisitHistory: _read(_history, lambda r: ("history.read", r.visit)),
    client.SessionsPast: _read(_past, lambda _: ("past.searched", "")),
    client.BellMark: _read(_bell_mark, lambda _: (OPENED_BELL, "")),
    client.ChatSend: _chat_send,
    client.VisitEnter: _enter,
    client.VisitLeave: _leave,
    client.MediaProbe: _media_probe,
    client.MediaProbed: _media_probed,
    client.MediaJoin: _media_join,
    client.MediaAnswer: _media(lambda member, fence, r: wire.Answer(member, fence, r.id, r.offer, r.sdp)),
    client.MediaRestart: _media(lambda member, fence, r: wire.Restart(member, fence, r.id)),
    client.MediaMute: _media(
        lambda member, fence, r: wire.Mute(member, fence, r.id, r.kind, r.muted, r.missing)
    ),
    client.MediaShare: _media(lambda member, fence, r: wire.Share(member, fence, r.id, r.act)),
}
"""Type of a client's message -> its handler.

`hello` and `bye` have none: the handshake and the connection handle them.
"""
