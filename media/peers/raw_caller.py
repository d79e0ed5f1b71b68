"""A raw party that can also call: it makes an SDP offer, and does the checks of full ICE in both roles (RFC 8445).

`RawPeer` can only answer the offer of a server with ICE-lite, such as ours. `RawCaller` can also be connected to other
servers, and to another party without a server.
"""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Sequence
from typing import Final

from media.peers.raw import RawPeer
from media.protocols import stun
from media.protocols.codecs import OPUS, VP8
from media.transport.dtls import Association

HELLO_AGAIN_S: Final = 0.05
"""The time in s after which the first DTLS records are sent again, as in Chromium and Firefox.

OpenSSL would wait 1 s. Each later wait is twice as long.
"""
HIGHEST_PRIORITY: Final = 2130706431
_CREDENTIALS: Final = re.compile(r"a=ice-ufrag:(\S+).*?a=ice-pwd:(\S+)", re.DOTALL)
_CANDIDATE: Final = re.compile(r"a=candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) typ host", re.IGNORECASE)
_SECTION: Final = re.compile(r"^m=(\w+).*?^a=mid:(\S+)", re.DOTALL | re.MULTILINE)


class RawCaller(RawPeer):
    """A party with one socket that offers or answers one m-line of sound and one of video, over UDP and IPv4.

    `hosts`: the addresses of its candidates; if there are none, the address to which its socket is bound.
    """

    controlling = True
    hosts: Sequence[str] = ()
    _dtls_role = "active"
    _hello: tuple[bytes, ...] = ()
    _hello_again_s, _hello_pause_s = math.inf, HELLO_AGAIN_S

    def offer(self) -> str:
        """Return an SDP offer with the streams that this party sends and receives.

        In DTLS, this party is the client.
        """
        return self._description([("audio", "0"), ("video", "1")])

    def answer_to(self, offer: str) -> str:
        """Apply an offer and return the SDP answer.

        In ICE this party gets the controlling role if the offer has `a=ice-lite`, otherwise the controlled
        role. In DTLS this party is the client, unless the offer has `a=setup:active`: then the other side is the
        client. Raises ValueError if the offer has no IPv4 candidate.
        """
        self.controlling = "a=ice-lite" in offer
        self.accept(offer)
        if "a=setup:active" in offer:
            self._dtls_role = "passive"
            self.association = Association(self.identity, self.send, client=False)
        return self._description(_SECTION.findall(offer))

    def accept(self, description: str) -> None:
        """Apply the other side's SDP, `description`. Raises ValueError if it has no IPv4 candidate."""
        credentials, candidate = _CREDENTIALS.search(description), _CANDIDATE.search(description)
        if credentials is None or candidate is None:
            raise ValueError("no IPv4 candidate")
        self.remote_ufrag, self.remote_password = credentials.groups()
        self.remote = (candidate[1], int(candidate[2]))

    def _description(self, sections: list[tuple[str, str]]) -> str:
        host, port = self.udp.getsockname()[:2]
        candidates = [
            f"a=candidate:{number} 1 udp {HIGHEST_PRIORITY - number} {each} {port} typ host"
            for number, each in enumerate(self.hosts or (host,))
        ]
        lines = ["v=0", f"o=- {secrets.randbits(31)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        lines += [f"a=group:BUNDLE {' '.join(mid for _, mid in sections)}", "a=msid-semantic: WMS s"]
        for kind, mid in sections:
            codec, ssrc = (OPUS, self.audio_ssrc) if kind == "audio" else (VP8, self.video_ssrc)
            feedback = ("nack", "nack pli") if codec is VP8 else ()
            lines += [
                f"m={kind} {port} UDP/TLS/RTP/SAVPF {codec.payload_type}",
                f"c=IN IP4 {host}",
                "a=rtcp-mux",
                f"a=ice-ufrag:{self.ufrag}",
                f"a=ice-pwd:{self.password}",
                f"a=fingerprint:sha-256 {self.identity.fingerprint.value}",
                f"a=setup:{self._dtls_role}",
                f"a=mid:{mid}",
                "a=sendrecv",
                f"a=msid:s s-{kind}",
                f"a=rtpmap:{codec.payload_type} {codec.rtpmap}",
                *(f"a=rtcp-fb:{codec.payload_type} {each}" for each in feedback),
                f"a=ssrc:{ssrc} cname:raw",
                f"a=ssrc:{ssrc} msid:s s-{kind}",
                *candidates,
                "a=end-of-candidates",
            ]
        return "\r\n".join(lines) + "\r\n"

    def check(self, *, password: str | None = None, ufrag: str | None = None, nominate: bool = True) -> None:
        """Send an ICE check to the other side; do nothing if its address is not known yet.

        `nominate`: True adds USE-CANDIDATE. `password`, `ufrag`: used in place of those of the other side.
        All three apply only in the controlling role of ICE.
        """
        if self.remote is None:
            return
        if self.controlling:
            super().check(password=password, ufrag=ufrag, nominate=nominate)
            return
        attributes = [
            (stun.USERNAME, f"{self.remote_ufrag}:{self.ufrag}".encode()),
            (stun.PRIORITY, (1845501695).to_bytes(4, "big")),
            (stun.ICE_CONTROLLED, (1).to_bytes(8, "big")),
        ]
        self.send(stun.build(stun.Kind.REQUEST, secrets.token_bytes(12), attributes, self.remote_password))

    def tick(self, now_s: float) -> None:
        """Send the ICE checks and DTLS records that are due, and the first DTLS records again until an answer arrives.

        The first records may be lost, because a server with full ICE may ignore DTLS until its own checks
        have succeeded. Browsers send them again too. `now_s`: the monotonic time.
        """
        super().tick(now_s)
        if self._hello and now_s >= self._hello_again_s:
            for datagram in self._hello:
                self.send(datagram)
            self._hello_pause_s *= 2
            self._hello_again_s = now_s + self._hello_pause_s

    def _begin_dtls(self) -> None:
        self._hello_again_s = time.monotonic() + self._hello_pause_s
        self.association = Association(self.identity, self._send_dtls, client=True)
        self.association.begin()

    def _send_dtls(self, datagram: bytes) -> None:
        if self._hello_again_s < math.inf:
            self._hello = (*self._hello, datagram)
        self.send(datagram)

    def _dtls(self, datagram: bytes) -> None:
        self._hello, self._hello_again_s = (), math.inf
        super()._dtls(datagram)

    def _answer_check(self, message: stun.Message) -> None:
        # The other side (a full ICE agent) may send checks before this party has received the other side's
        # address.
        if self.remote is not None:
            super()._answer_check(message)
