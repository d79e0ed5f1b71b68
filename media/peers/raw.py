"""A party made of one socket: real ICE checks, real DTLS, and SRTP packets that the caller chooses; no encoder or
decoder.

For benchmarks, whose load must cost little CPU, and for tests that send packets that no browser sends. It has no timer
or reader: the caller calls `readable` when the socket is readable, and `tick` regularly.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from media.errors import DtlsError
from media.protocols import ice, rtp, stun
from media.protocols.codecs import H264, OPUS, RED, VP8, VP8_RTX
from media.protocols.ice import Transport
from media.protocols.rtcp import split
from media.transport import srtp
from media.transport.dtls import Association, Identity
from media.transport.srtp import Binding
from media.transport.tcp import Stream

CHECK_S: Final = 0.1
KEEPALIVE_S: Final = 2.5
# The first bytes of a video packet that begins a VP8 keyframe: the start of partition 0, with its frame header.
VP8_KEYFRAME: Final = b"\x10\x00"
VP8_DELTA: Final = b"\x10\x01"
# The first bytes of a packet that begins a VP8 keyframe, as browsers send it: with a picture id of 15 bits (RFC 7741
# §4.2). The media server mediasoup, to which benchmarks compare Greenroom, reads no other form.
BROWSER_KEYFRAME: Final = b"\x90\x80\x80\x01\x00"
BROWSER_DELTA: Final = b"\x90\x80\x80\x01\x01"
_U32 = Struct("!I")

_OFFERED: Final[dict[Transport, re.Pattern[str]]] = {
    transport: re.compile(
        r"a=ice-ufrag:(?P<ufrag>\S+)\r\na=ice-pwd:(?P<password>\S+)\r\n.*?"
        rf"a=candidate:\S+ 1 {transport} \d+ (?P<host>\S+) (?P<port>\d+) ",
        re.DOTALL,
    )
    for transport in ("udp", "tcp")
}


def _streams(offer: str) -> Iterator[tuple[int, str]]:
    label = ""
    for line in offer.splitlines():
        if line.startswith("a=msid:"):
            label = line[7:].split()[0]
        elif line.startswith("a=ssrc:"):
            yield int(line[7:].split()[0]), label


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """A decrypted RTP packet that came from the relay.

    `packet`: all its bytes. `received_ns`: the time of its arrival, from time.monotonic_ns().
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    packet: bytes
    received_ns: int


class RawPeer:
    """A party with one socket, for tests and load testers.

    `on_rtp` and `on_rtcp` are called with decrypted packets; if they are None, packets are only counted. If `transport`
    is "tcp", `answer` connects, and the running loop calls `readable`.
    """

    def __init__(
        self,
        binding: Binding,
        identity: Identity | None = None,
        host: str = "127.0.0.1",
        transport: Transport = "udp",
    ) -> None:
        self.identity = identity or Identity(0.0)
        self.binding = binding
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.transport = transport
        self.ended = False  # True if the relay has closed the TCP connection
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 << 20)
        self.udp.bind((host, 0))
        self.sock: socket.socket | Stream = self.udp
        self.audio_ssrc, self.video_ssrc, self.rtx_ssrc = (secrets.randbelow(1 << 31) | 1 for _ in range(3))
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self.on_rtp: Callable[[ReceivedPacket], None] | None = None
        self.on_rtcp: Callable[[int, int, bytes], None] | None = None
        self.sent = self.received = self.received_rtcp = self.unauthentic = 0
        self.answered_checks = self.received_checks = 0
        self.answers_checks = True
        self.takes_red = False
        self.promises_nack = True  # True if this peer's SDP answer promises to send lost packets again (NACK)
        self.video_types: tuple[int, ...] = (
            VP8.payload_type,
            VP8_RTX.payload_type,
        )  # `video_types`: the payload types of video that this peer accepts, the best first
        self.received_octets = 0
        # SSRC in the newest offer -> the id of the stream to which it belongs (RFC 8830)
        self.streams: dict[int, str] = {}
        self.association: Association | None = None
        self.failed = False
        self.remote: Any = None
        self.remote_ufrag = self.remote_password = ""
        self.tx: Any = None
        self.rx: Any = None
        self._checked_s = 0.0
        self._buffer = bytearray(srtp.BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._handle, self._length = binding.handle(self._buffer), binding.length()

    @property
    def ready(self) -> bool:
        """Return True if SRTP packets can be sent."""
        return self.tx is not None

    def answer(self, offer: str, *, fingerprint: str | None = None, sources: bool = True) -> str:
        """Apply the server's SDP offer; return an SDP answer. Raises ValueError if the offer has no candidate for
        `transport`.

        `fingerprint`: a false fingerprint to send instead of the certificate's. `sources`: False leaves out the SSRCs.
        """
        offered = _OFFERED[self.transport].search(offer)
        if offered is None:
            raise ValueError(f"the offer has no {self.transport} candidate")
        self.remote_ufrag, self.remote_password = offered["ufrag"], offered["password"]
        self.remote = (offered["host"], int(offered["port"]))
        if self.transport == "tcp" and isinstance(self.sock, socket.socket):
            self.connect_tcp()
        transport = [
            "c=IN IP4 0.0.0.0",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:sha-256 {fingerprint or self.identity.fingerprint.value}",
            "a=setup:active",
            "a=sendrecv",
        ]
        sound = f"{RED.payload_type} {OPUS.payload_type}" if self.takes_red else str(OPUS.payload_type)
        audio = [f"m=audio 9 UDP/TLS/RTP/SAVPF {sound}", *transport, "a=mid:0"]
        video = [
            f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(str(number) for number in self.video_types)}",
            *transport,
            "a=mid:1",
        ]
        if H264.payload_type in self.video_types:
            video.append(f"a=fmtp:{H264.payload_type} {H264.parameters}")
        if self.promises_nack:
            audio.append(f"a=rtcp-fb:{OPUS.payload_type} nack")
            video.append(f"a=rtcp-fb:{VP8.payload_type} nack")
        if sources:
            audio.append(f"a=ssrc:{self.audio_ssrc} cname:probe")
            video += [
                f"a=ssrc-group:FID {self.video_ssrc} {self.rtx_ssrc}",
                f"a=ssrc:{self.video_ssrc} cname:probe",
            ]
        self.streams = dict(_streams(offer))
        further: list[str] = []
        for mid in range(2, offer.count("\nm=")):
            section = audio if mid % 2 == 0 else video
            further += [
                *(line for line in section if not line.startswith(("a=ssrc", "a=mid:", "a=sendrecv"))),
                f"a=mid:{mid}",
                "a=recvonly",
            ]
        mids = " ".join(str(mid) for mid in range(offer.count("\nm=")))
        head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
        return "\r\n".join([*head, *audio, *video, *further]) + "\r\n"

    def connect_tcp(self) -> None:
        """Connect over TCP to the relay, and replace the present socket. Raises OSError if the connection fails."""
        self.sock.close()
        self.sock = Stream(socket.create_connection(self.remote, timeout=5), self._stream_ended)
        self.sock.start(lambda _stream: self.readable())

    def _stream_ended(self, stream: Stream) -> None:
        self.ended = True
        stream.close()

    def check(self, *, password: str | None = None, ufrag: str | None = None, nominate: bool = True) -> None:
        """Send an ICE binding request to the relay. `nominate`: True adds USE-CANDIDATE.

        `password`, `ufrag`: replace those of the offer, for tests with wrong credentials.
        """
        attributes = [
            (stun.USERNAME, f"{ufrag or self.remote_ufrag}:{self.ufrag}".encode()),
            (stun.PRIORITY, (1845501695).to_bytes(4, "big")),
            (stun.ICE_CONTROLLING, (1).to_bytes(8, "big")),
        ]
        if nominate:
            attributes.append((stun.USE_CANDIDATE, b""))
        transaction_id = secrets.token_bytes(12)
        self.send(stun.build(stun.Kind.REQUEST, transaction_id, attributes, password or self.remote_password))

    def tick(self, now_s: float) -> None:
        """Do the work that is due: send an ICE check (often until connected, later to keep consent), send DTLS records
        again.

        `now_s`: the monotonic time.
        """
        if now_s - self._checked_s >= (KEEPALIVE_S if self.ready else CHECK_S):
            self._checked_s = now_s
            self.check()
        if self.association is not None:
            try:
                self.association.retransmit()
            except DtlsError:
                self.failed = True

    def send(self, datagram: bytes | memoryview) -> None:
        """Send a datagram (over TCP: a framed packet) with these bytes to the relay."""
        try:
            self.sock.sendto(datagram, self.remote)
        except OSError:
            # The socket does not take the datagram, so it is lost, as may happen on a network.
            return

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt a whole RTP packet and send it."""
        self._buffer[: len(packet)] = packet
        self._length[0] = len(packet)
        if self.binding.protect(self.tx, self._handle, self._length) == srtp.OK:
            self.send(self._view[: self._length[0]])
            self.sent += 1

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt a compound RTCP packet and send it."""
        self._buffer[: len(packet)] = packet
        self._length[0] = len(packet)
        if self.binding.protect_rtcp(self.tx, self._handle, self._length) == srtp.OK:
            self.send(self._view[: self._length[0]])

    def readable(self) -> None:
        """Handle all datagrams that wait on the socket."""
        while True:
            try:
                size, _address = self.sock.recvfrom_into(self._buffer)
            except OSError:
                return
            self.received_octets += size
            first = self._buffer[0]
            if 127 < first < 192:
                self._media(size)
            elif first < 4:
                self._stun(bytes(self._view[:size]))
            elif self.association is not None:
                self._dtls(bytes(self._view[:size]))

    def close(self) -> None:
        """Close the socket without a DTLS close_notify, like a browser that was killed."""
        self.sock.close()

    def _stun(self, datagram: bytes) -> None:
        message = stun.parse(datagram)
        if message is None:
            return
        if message.kind == stun.Kind.REQUEST:
            self._answer_check(message)
        else:
            self.answered_checks += 1
            if self.association is None:
                self._begin_dtls()

    def _begin_dtls(self) -> None:
        self.association = Association(self.identity, self.send, client=True)
        self.association.begin()

    def _answer_check(self, message: stun.Message) -> None:
        if not message.is_signed_with(self.password):
            return
        self.received_checks += 1
        if self.answers_checks:
            self.send(ice.response(message, self.remote, self.password))

    def _dtls(self, datagram: bytes) -> None:
        assert self.association is not None
        try:
            self.association.feed(datagram)
        except DtlsError:
            self.failed = True
            return
        established = self.association.established
        if established is not None and self.tx is None:
            self.rx = self.binding.context(established.keys.inbound)
            self.tx = self.binding.context(established.keys.outbound)

    def _media(self, size: int) -> None:
        received_ns = time.monotonic_ns()
        if 191 < self._buffer[1] < 224:
            self.received_rtcp += 1
            if self.on_rtcp is not None and self._unprotect(self.binding.unprotect_rtcp, size):
                for count, packet_type, packet in split(bytes(self._view[: self._length[0]])):
                    self.on_rtcp(count, packet_type, packet)
            return
        self.received += 1
        if self.on_rtp is not None and self._unprotect(self.binding.unprotect, size):
            packet = bytes(self._view[: self._length[0]])
            start = rtp.payload_start(packet, len(packet))
            self.on_rtp(
                ReceivedPacket(
                    packet[1] & 0x7F,
                    packet[2] << 8 | packet[3],
                    _U32.unpack_from(packet, 4)[0],
                    _U32.unpack_from(packet, rtp.SSRC_AT)[0],
                    packet[start:],
                    packet,
                    received_ns,
                )
            )

    def _unprotect(self, unprotect: srtp.InPlace, size: int) -> bool:
        self._length[0] = size
        if self.rx is None or unprotect(self.rx, self._handle, self._length) != srtp.OK:
            self.unauthentic += 1
            return False
        return True
