"""Sends inputs of every kind that a party of a call can send over the relay's real socket: SRTP, signed STUN, any
bytes.
"""

import asyncio
import hmac
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha1

from aioice import stun

from media import Party
from media.errors import PartyGoneError, SdpError
from media.forwarding.endpoint import BUDGET_MAX, SOURCES_MAX
from media.peers.raw import VP8_DELTA, VP8_KEYFRAME
from media.protocols import rtcp, rtp
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from tests.faults.hostile import Target, hellos, sdp_answers
from tests.faults.mutation import Mutator
from tests.limits import WAIT_S
from tests.media.duo import Duo, Speaker, call


class RefusedError(Exception):
    """The relay has closed the TCP connection of the hostile peer."""


class Peer:
    """A hostile party of a call.

    Each method sends one input and makes the relay read it at once, before the event loop continues.
    """

    def __init__(self, peers: Duo, speaker: Speaker, party: Party) -> None:
        self.peers, self.speaker, self.party = peers, speaker, party
        self._sock = peers.relay._sockets[0]
        self._stream: socket.socket | None = None

    def _read(self) -> None:
        # The relay drops the packets of a party that sends more bytes a second than its budget. Fill up the budget, so
        # that the relay reads every packet.
        self.party.endpoint.budget = BUDGET_MAX
        self.peers.relay.forwarder.read(self._sock)

    def datagram(self, data: bytes) -> None:
        """Send any bytes over UDP, from an address that belongs to a party of the call."""
        self.speaker.send(data)
        self._read()

    def binding(self, data: bytes) -> None:
        """Send a STUN message that is signed with the right password; its other content may be invalid."""
        self.speaker.send(_signed(data, self.speaker.remote_password))
        self._read()

    def rtp(self, data: bytes) -> None:
        """Send a packet that is encrypted and signed for SRTP; its content may be invalid."""
        self.speaker.send_rtp(data)
        self._read()

    def rtcp(self, data: bytes) -> None:
        """Send an RTCP packet that is encrypted and signed for SRTCP; its content may be invalid."""
        self.speaker.send_rtcp(data)
        self._read()

    async def framing(self, data: bytes) -> None:
        """Send any bytes over TCP, on a new connection if the relay has closed the earlier one.

        Raises RefusedError if the relay closes this connection.
        """
        if self._stream is None:
            port = next(found.port for found in self.peers.relay.candidates() if found.transport == "tcp")
            self._stream = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
            self._stream.setblocking(False)
        try:
            self._stream.send(data)
            # The relay needs three turns of the loop: to accept, to read one batch of packets, and to read the
            # packets after this batch.
            for _ in range(3):
                await asyncio.sleep(0)
            ended = not self._stream.recv(4096)
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        if ended:
            self.close()
            raise RefusedError

    def close(self) -> None:
        """Close the connection over TCP, if there is one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def answers(self, data: bytes) -> None:
        """Make a connected endpoint of the relay parse these bytes as an SDP answer."""
        try:
            self.party.accept(data.decode("utf-8", "replace"))
        finally:
            assert len(self.party.endpoint.sources) <= SOURCES_MAX

    def targets(self, seed: str) -> list[Target]:
        """Return the targets for all kinds of input that this peer can send."""
        stuns, dtls = _bindings(self.speaker), hellos()[0]
        samples, tokens = _packets(self.speaker)
        controls, blocks = _controls(self.speaker, self.party)
        answer = self.speaker.answer(self.party.offer()).encode()
        return [
            Target(
                "datagrams",
                8,
                Mutator(f"{seed} any", [*stuns, *dtls, *samples, *controls], tokens),
                self.datagram,
            ),
            Target(
                "framing",
                6,
                Mutator(f"{seed} framing", *_frames([*stuns, *dtls, *samples])),
                self.framing,
                (RefusedError,),
            ),
            Target("stun", 6, Mutator(f"{seed} stun", stuns, _ATTRIBUTES, 560), self.binding),
            Target("rtp", 7, Mutator(f"{seed} rtp", samples, tokens), self.rtp),
            Target("rtx", 4, Mutator(f"{seed} rtx", *_retransmissions(self.speaker, tokens)), self.rtp),
            Target("rtcp", 8, Mutator(f"{seed} rtcp", controls, blocks), self.rtcp),
            Target(
                "answers",
                2,
                Mutator(
                    f"{seed} answers", [answer], [*sdp_answers()[1], *answer.splitlines(keepends=True)], 8192
                ),
                self.answers,
                (SdpError, PartyGoneError),
            ),
        ]


@asynccontextmanager
async def peer(others: int = 1) -> AsyncIterator[Peer]:
    """Yield a connected hostile party in a call with `others` other parties."""
    async with call() as (peers, a, _):
        for number in range(1, others):
            await peers.join(f"guest-{number}")
        someone = Peer(peers, a, peers.parties["a"])
        yield someone
        someone.close()


_ATTRIBUTES = [
    struct.pack("!HH", kind, size) + bytes(8)
    for kind in (
        0x0001,
        0x0006,
        0x0008,
        0x0009,
        0x000A,
        0x0020,
        0x0024,
        0x0025,
        0x8022,
        0x8028,
        0x8029,
        0x802A,
    )
    for size in (0, 4, 8, 0xFFFF)
]


def _frames(packets: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return (samples, tokens): packets with a length before each, as TCP carries them (RFC 4571).

    One sample has several packets. Some samples and tokens have only a length, which is wrong.
    """
    framed = [struct.pack("!H", len(packet)) + packet for packet in packets]
    lengths = [struct.pack("!H", length) for length in (0, 1, 2, 20, 1600, 1601, 0x7FFF, 0xFFFF)]
    return [*framed, b"".join(framed[:6]), *lengths], [*lengths, *framed[:4]]


def _bindings(speaker: Speaker) -> list[bytes]:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{speaker.remote_ufrag}:{speaker.ufrag}"
    message.attributes["PRIORITY"] = 1845501695
    message.attributes["ICE-CONTROLLING"] = 1
    plain = bytes(message)
    message.attributes["USE-CANDIDATE"] = None
    nominating = bytes(message)
    message.add_message_integrity(speaker.remote_password.encode())
    return [plain, nominating, bytes(message)]


def _signed(data: bytes, password: str) -> bytes:
    """Return a STUN message with a valid length, MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 §14.5, §14.7).

    `data`: the message without these two attributes.
    """
    body = data[20:]
    head = data[:2].ljust(2, b"\0")
    rest = data[4:20].ljust(16, b"\0")

    def with_length(more: int) -> bytes:
        return head + struct.pack("!H", len(body) + more & 0xFFFF) + rest + body

    digest = hmac.new(password.encode(), with_length(24), sha1).digest()
    body += struct.pack("!HH", 0x0008, 20) + digest
    check = (zlib.crc32(with_length(8)) & 0xFFFFFFFF) ^ 0x5354554E
    body += struct.pack("!HHI", 0x8028, 4, check)
    return with_length(0)


def _packets(speaker: Speaker) -> tuple[list[bytes], list[bytes]]:
    ssrcs = speaker.audio_ssrc, speaker.video_ssrc, speaker.rtx_ssrc
    samples = [
        rtp.build(OPUS.payload_type, 500, 48_000, ssrcs[0], b"x" * 60, transport_cc=7),
        rtp.build(
            VP8.payload_type, 600, 90_000, ssrcs[1], VP8_KEYFRAME + b"x" * 400, transport_cc=8, marker=True
        ),
        rtp.build(VP8.payload_type, 601, 90_000, ssrcs[1], VP8_DELTA + b"x" * 400, transport_cc=9),
        rtp.build(
            VP8_RTX.payload_type, 9, 90_000, ssrcs[2], b"\x02\x58" + VP8_DELTA + b"x" * 99, transport_cc=10
        ),
    ]
    tokens = [struct.pack("!I", ssrc) for ssrc in ssrcs]
    tokens += [
        b"\xbe\xde\x00\x01",
        b"\xbe\xde\xff\xff",
        b"\x10\x00",
        b"\x90\x80\xff",
        b"\x9f",
        b"\xbf",
        b"\xff" * 12,
    ]
    return samples, tokens


def _retransmissions(speaker: Speaker, tokens: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return (samples, tokens): retransmissions (RFC 4588) of packets that the relay still has, never had, or has
    forgotten, and a packet that is only padding.
    """
    samples = []
    for number, original in enumerate((600, 601, 590, 610, 0x7000, 0xFFFF, 0)):
        payload = original.to_bytes(2, "big") + VP8_DELTA + b"x" * 99
        ids = VP8_RTX.payload_type, 20 + number, 90_000, speaker.rtx_ssrc
        samples.append(rtp.build(*ids, payload, transport_cc=20 + number))
    padding = rtp.build(*ids, b"\0" * 9 + b"\x0a")
    samples += [bytes((padding[0] | 0x20,)) + padding[1:], samples[0] + b"x" * 1300]
    return samples, [*tokens, b"\x02\x58", b"\x02\x59", b"\x00\x00", b"\xff\xff"]


def _controls(speaker: Speaker, party: Party) -> tuple[list[bytes], list[bytes]]:
    own = speaker.video_ssrc
    heard = party.endpoint.sinks["video"].ssrc
    block = struct.pack("!IIIIII", heard, 1 << 24 | 5, 70_000, 9, 1, 1)
    samples = [
        struct.pack("!BBHIIIIII", 0x80, 200, 6, own, 1, 2, 3, 4, 5),
        struct.pack("!BBHIIIIII", 0x81, 200, 12, own, 1, 2, 3, 4, 5) + block,
        struct.pack("!BBHI", 0x81, 201, 7, own) + block,
        struct.pack("!BBHIIHHI", 0x8F, 205, 5, own, heard, 7, 20, 1 << 8) + b"\x20\x14\x04\x04",
        struct.pack("!BBHIIHH", 0x81, 205, 3, own, heard, 600, 0xFFFF),
        rtcp.picture_loss(own, heard),
        struct.pack("!BBHIIII", 0x84, 206, 4, own, 0, heard, 7 << 24),
        rtcp.bitrate_limit(own, heard, 900.0),
        struct.pack("!BBHI", 0x81, 203, 1, own),
        struct.pack("!BBHI4s", 0x80, 204, 2, own, b"HACK"),
        struct.pack("!BBHIBB2s", 0x81, 202, 2, own, 1, 2, b"xx"),
    ]
    tokens = [
        *samples,
        block,
        struct.pack("!I", heard),
        struct.pack("!I", own),
        b"\xbf",
        b"\x9f",
        b"\xff\xff",
    ]
    return samples, tokens
