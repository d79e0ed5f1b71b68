"""Checks how a server handles media: joining, the offer, the answers that it refuses, and when it forwards media.

The checks use ICE, DTLS and SRTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any, Final

from web.peers.conformance.checked_socket import CheckedSocket
from web.peers.conformance.people import People
from web.peers.conformance.table import check
from web.peers.conformance.visits import status
from web.peers.errors import ViolationError
from web.peers.media.light import LightMedia

CONNECT_S, CROSS_S, GATE_S = 10.0, 5.0, 0.7

OFFERS: Final = (
    (r"^a=group:BUNDLE 0 1", "one bundled transport (a=group:BUNDLE 0 1)"),
    (r"^a=ice-lite$", "a=ice-lite"),
    (r"^a=candidate:\S+ 1 udp ", "the server’s candidates, over UDP"),
    (r"^a=end-of-candidates", "a=end-of-candidates"),
    (r"^a=ice-ufrag:\S{4,}", "a=ice-ufrag"),
    (r"^a=ice-pwd:\S{22,}", "a=ice-pwd of 22 characters or more"),
    (r"^a=fingerprint:sha-256 ", "a SHA-256 fingerprint"),
    (r"^a=setup:actpass", "a=setup:actpass"),
    (r"^a=rtcp-mux", "a=rtcp-mux"),
    (r"^m=audio \d+ UDP/TLS/RTP/SAVPF (?:\d+ )*111\b", "Opus as payload type 111"),
    (r"^a=rtpmap:111 opus/48000/2", "a=rtpmap of Opus"),
    (r"^m=video \d+ UDP/TLS/RTP/SAVPF 96", "VP8 as payload type 96"),
    (r"^a=rtpmap:96 VP8/90000", "a=rtpmap of VP8"),
    (r"^a=msid:", "a=msid"),
)


async def offered(line: CheckedSocket, visit: str) -> dict[str, Any]:
    """Join the visit's media; return the server's offer."""
    await line.get("media.join", visit=visit)
    offer = await line.expect("media.offer", lambda m: m["visit"] == visit, "after `done`")
    line.want(offer["fresh"] is True, "`fresh` true after media.join", offer)
    return offer


async def connected(line: CheckedSocket, visit: str, media: LightMedia) -> None:
    """Join the visit's media, answer the offer, and wait until packets can be sent."""
    offer = await offered(line, visit)
    answer = await media.take_offer(offer["sdp"], fresh=True)
    await line.get("media.answer", visit=visit, offer=offer["offer"], sdp=answer)
    try:
        await media.wait_connected(CONNECT_S)
    except TimeoutError:
        raise ViolationError(
            f"ICE and DTLS connected within {CONNECT_S:g} s",
            "no connection: is UDP to the server open?",
            "an answer",
        ) from None


def line_of(sdp: str, pattern: str) -> str:
    """Return the first line of an SDP text that matches the pattern; "" if there is none."""
    found = re.search(pattern, sdp, re.MULTILINE)
    return found[0].strip() if found else ""


@check("media", "media cannot be joined before the claim, nor answered before it is joined", "media")
async def too_early(people: People) -> None:
    patient, line = await people.in_line()
    details = await line.refused("wrong_status", "media.join", visit=patient.visit)
    line.want(details.get("status") == "queued", "`details.status` queued", details)
    claimed, _, visit = await people.claimed_visit()
    await claimed.refused("no_room", "media.mute", visit=visit, kind="video", muted=True)
    await claimed.refused("no_room", "media.restart", visit=visit)


@check("media", "the offer is what the document says", "media", codecs=True)
async def offer(people: People) -> None:
    patient, _, visit = await people.claimed_visit()
    sdp = (await offered(patient, visit))["sdp"]
    for pattern, what in OFFERS:
        patient.want(bool(line_of(sdp.replace("\r", ""), pattern)), f"an offer with {what}", sdp)
    patient.want("\r\n" in sdp, "lines that end in CR LF (RFC 8866)", sdp[:60])


@check("media", "an answer that cannot be used is bad_sdp, and says what is wrong", "media")
async def bad_answers(people: People) -> None:
    patient, _, visit = await people.claimed_visit()
    made = await offered(patient, visit)
    media = LightMedia(lambda: None)
    try:
        good = await media.take_offer(made["sdp"], fresh=True) or ""
    finally:
        await media.close()
    for wrong, problem in (
        ("nonsense", "not-sdp"),
        (good.replace("a=setup:active", "a=setup:passive"), "setup"),
        (good.replace("a=rtcp-mux\r\n", ""), "rtcp-mux"),
        (re.sub(r"a=fingerprint:.*\r\n", "", good), "fingerprint"),
        (good[: good.index("m=video")], "media-count"),
    ):
        details = await patient.refused(
            "bad_sdp", "media.answer", visit=visit, offer=made["offer"], sdp=wrong
        )
        patient.want(details.get("problem") == problem, f"`details.problem` {problem}", details)
    await patient.get("media.answer", visit=visit, offer=made["offer"] - 1, sdp="v=0\r\n")


@check("media", "a restart brings new ICE credentials on the same session", "media")
async def restarts(people: People) -> None:
    patient, _, visit = await people.claimed_visit()
    first = await offered(patient, visit)
    await patient.get("media.restart", visit=visit)
    again = await patient.expect("media.offer", what="after media.restart")
    patient.want(again["fresh"] is False, "`fresh` false", again)
    patient.want(again["offer"] > first["offer"], f"a number above {first['offer']}", again)
    ufrags = [line_of(made["sdp"], r"^a=ice-ufrag:.*") for made in (first, again)]
    patient.want(ufrags[0] != ufrags[1], "another a=ice-ufrag", ufrags)
    sessions = [line_of(made["sdp"], r"^o=\S+ \d+") for made in (first, again)]
    patient.want(sessions[0] == sessions[1], "the same session in o=", sessions)


@check("media", "a switched-off camera is told to the other side", "media")
async def mutes(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    for line in (patient, provider):
        await offered(line, visit)
    await patient.get("media.mute", visit=visit, kind="video", muted=True)
    message = await provider.expect("media.muted", what="of the patient’s camera")
    wanted = {"type": "media.muted", "visit": visit, "party": "patient", "kind": "video", "muted": True}
    provider.want(message.items() >= wanted.items(), f"{wanted}, and maybe more", message)


@check("media", "a party whose path is open, and then lost, is told to the other side", "media")
async def paths(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    await offered(provider, visit)
    media = LightMedia(lambda: None)
    wanted = {"type": "media.path", "visit": visit, "party": "patient", "path": "open"}
    try:
        await connected(patient, visit, media)
        message = await provider.expect("media.path", what="of the patient’s connection")
        provider.want(message.items() >= wanted.items(), f"{wanted}, and maybe more", message)
        await offered(
            await people.hello(people.patients[-1].browser, "patient"),
            visit,
            # The patient joins from a second socket. The server must then report the path of the first connection as
            # lost.
        )
        message = await provider.expect("media.path", what="of the connection that was given up")
        wanted["path"] = "lost"
        provider.want(message.items() >= wanted.items(), f"{wanted}, and maybe more", message)
    finally:
        await media.close()


@check("media", "who joins from another tab takes the media over", "media")
async def takes_over(people: People) -> None:
    patient, _, visit = await people.claimed_visit()
    await offered(patient, visit)
    other = await people.hello(people.patients[-1].browser, "patient")
    await offered(other, visit)
    message = await patient.expect("media.taken_over", what="on the socket that had it")
    patient.want(message["visit"] == visit, f"`visit` {visit}", message)


@check("media", "nothing crosses before both have pressed Start, nor after hanging up", "media")
async def gate(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    crossed = asyncio.Event()
    sends, receives = LightMedia(lambda: None), LightMedia(crossed.set)
    try:
        await connected(provider, visit, receives)
        await connected(patient, visit, sends)
        # The check sends media although nobody has pressed Start Session; the server must not forward it.
        sends.start()
        receives.start()
        await _nothing_crosses(provider, receives, "before anybody has pressed Start")
        await provider.get("visit.start", visit=visit)
        await _nothing_crosses(provider, receives, "while only the provider has pressed Start")
        before = receives.flow.packets
        await patient.get("visit.start", visit=visit)
        await status(provider, visit, "live")
        await _crosses(provider, receives, before)
        await patient.get("visit.hang_up", visit=visit)
        await status(provider, visit, "claimed")
        # Packets that were sent earlier may still be on the way; the pause gives them time to arrive.
        await asyncio.sleep(0.1)
        await _nothing_crosses(provider, receives, "after the patient has hung up")
    finally:
        for media in (sends, receives):
            with contextlib.suppress(Exception):
                await media.close()


async def _nothing_crosses(line: CheckedSocket, media: LightMedia, when: str) -> None:
    before = media.flow.packets
    await asyncio.sleep(GATE_S)
    crossed = media.flow.packets - before
    line.sent = "picture and sound, over SRTP"
    line.want(crossed == 0, f"nothing crosses {when}", f"{crossed} packets crossed")


async def _crosses(line: CheckedSocket, media: LightMedia, before: int) -> None:
    line.sent = "picture and sound, over SRTP"
    try:
        async with asyncio.timeout(CROSS_S):
            while media.flow.packets == before:  # noqa: ASYNC110 - no event is set for each packet
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise ViolationError(f"packets within {CROSS_S:g} s of the second Start", "none", line.sent) from None
