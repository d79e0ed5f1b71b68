"""Builds the server's SDP offer and parses the browser's answer (JSEP RFC 8829, SDP RFC 8866, BUNDLE RFC 8843).

An answer is untrusted text: its size is limited, and each fault in it has a code. Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from media.errors import SdpError
from media.protocols.codecs import (
    BY_STREAM,
    CODECS,
    EXTENSIONS,
    GROUP_EXTENSIONS,
    H264,
    H264_TYPES,
    KINDS,
    Kind,
    StreamKind,
)
from media.protocols.ice import Candidate, Credentials, candidate_lines

# The label of the other party's stream in a room of two, if the party's id is not given.
UNNAMED: Final = "remote"
LINES_MAX: Final = 1_000
BYTES_MAX: Final = 64 * 1024
SOURCES_MAX: Final = 8
DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}

_FINGERPRINT = re.compile(r"(?a)(\S{1,16}) ((?:[0-9A-Fa-f]{2}:){31,63}[0-9A-Fa-f]{2})")
_MEDIA = re.compile(r"(?a)(audio|video) (\d{1,5}) UDP/TLS/RTP/SAVPF((?: \d{1,3}){1,64})")
_SSRC = re.compile(r"(?a)(\d{1,10})(?: .*)?")
# Matches a user name or password of ICE. RFC 8839 §5.4 allows only letters, digits, + and /; some browsers also use
# the characters -, _ and =.
_ICE = re.compile(r"(?a)[A-Za-z0-9+/=_-]{4,256}")
# Matches the SDP line in which a client accepts packetization mode 1 of H.264. Without this mode, a client does not
# accept a keyframe of more than one packet (RFC 6184 §6.2).
_WHOLE_H264 = re.compile(rf"(?a)a=fmtp:{H264.payload_type} .*\bpacketization-mode=1\b")
_SENDING: Final = {"a=sendrecv": True, "a=sendonly": True, "a=recvonly": False, "a=inactive": False}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of a certificate, as SDP names it.

    `algorithm`: the hash function. `value`: upper-case hex bytes with colons (RFC 8122 §5).
    """

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A browser's answer: the hashes of its certificate, its ICE credentials, and the SSRC of each stream that it may
    send.

    `sending`, `rejected`: the kinds of media that the browser sends, and those that it refuses.
    """

    fingerprints: tuple[Fingerprint, ...]
    ufrag: str
    password: str
    sources: Mapping[StreamKind, int]
    sending: frozenset[Kind]
    rejected: frozenset[Kind]
    payload_types: frozenset[int]  # the RTP payload types (codecs) that the browser accepts
    prefers_h264: bool  # True if the browser accepts H.264, and lists it before VP8
    mends: frozenset[
        StreamKind
    ]  # `mends`: the kinds of media whose lost packets the browser requests and sends again (generic NACK, RFC 4585)


def offer(
    credentials: Credentials,
    fingerprint: Fingerprint,
    candidates: Sequence[Candidate],
    ssrcs: Mapping[StreamKind, int],
    *,
    session_id: int,
    version: int,
    label: str = UNNAMED,
    further: Sequence[tuple[str, Mapping[StreamKind, int]]] = (),
    h264_first: bool = False,
) -> str:
    """Return the server's SDP offer: one bundled transport, `ice-lite`, the codecs of CODECS, the server's SSRCs.

    `credentials`, `fingerprint`, `candidates`: those of the server. `session_id`, `version`: the numbers in
    the `o=` line. `ssrcs`: the SSRCs that the party receives on the m-lines on which it also sends. `label`:
    the id of the stream (RFC 8830) to which these SSRCs belong. `further`: label and SSRCs of each further
    party whose media the party receives; for each there are two more m-lines (sound and video), on which only
    the server sends. `h264_first`: list H.264 first, because browsers send the codec that is listed first.
    The video's SSRC comes before that of its retransmissions (RTX), because Chromium shows no video
    otherwise.
    """
    host = candidates[0].host if candidates else "127.0.0.1"
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {host}",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mid for mid, _ in enumerate_mids(1 + len(further)))}",
        "a=ice-lite",
        "a=msid-semantic: WMS *",
    ]
    transport = [
        f"c=IN {family} {host}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=ice-ufrag:{credentials.ufrag}",
        f"a=ice-pwd:{credentials.password}",
        f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
        "a=setup:actpass",
    ]
    parties = [(label, ssrcs), *further]
    for place, (mid, kind) in enumerate(enumerate_mids(len(parties))):
        stream_id, ssrcs = parties[place // len(KINDS)]
        codecs = [codec for codec in CODECS if codec.media == kind]
        if h264_first:
            codecs.sort(key=lambda codec: codec.payload_type not in H264_TYPES)
        lines.append(f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(str(codec.payload_type) for codec in codecs)}")
        lines += transport
        lines.append("a=sendrecv" if place < len(KINDS) else "a=sendonly")
        lines += [f"a=mid:{mid}", f"a=msid:{stream_id} {stream_id}-{kind}"]
        extensions = EXTENSIONS | (GROUP_EXTENSIONS if kind == "audio" and further else {})
        lines += [f"a=extmap:{number} {uri}" for number, uri in extensions.items()]
        for codec in codecs:
            lines.append(f"a=rtpmap:{codec.payload_type} {codec.rtpmap}")
            if codec.parameters:
                lines.append(f"a=fmtp:{codec.payload_type} {codec.parameters}")
            lines += [f"a=rtcp-fb:{codec.payload_type} {feedback}" for feedback in codec.feedback]
        streams: list[StreamKind] = list(dict.fromkeys(codec.stream for codec in codecs))
        if "rtx" in streams:
            lines.append(f"a=ssrc-group:FID {ssrcs['video']} {ssrcs['rtx']}")
        lines += [f"a=ssrc:{ssrcs[stream]} cname:{stream_id}" for stream in streams]
        # candidates are needed only in the first section of the bundle (RFC 8843 §10.1)
        if place < len(KINDS):
            lines += [f"a=candidate:{line}" for line in candidate_lines(candidates)]
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def enumerate_mids(others: int) -> Iterable[tuple[str, Kind]]:
    """Return (mid, kind) of each m-line, in order, for a party that receives the media of `others` other parties."""
    return tuple((str(place), kind) for place, kind in enumerate(KINDS * others))


def parse_answer(text: str, others: int = 1) -> Answer:
    """Return the parsed answer to an `offer` for a party that receives the media of `others` other parties.

    The party may send only on the first two m-lines. The only error that this raises is SdpError, if the answer cannot
    be used.
    """
    if len(text) > BYTES_MAX:
        raise SdpError("too-large", f"an answer has at most {BYTES_MAX} characters")
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        raise SdpError("too-large", f"an answer has at most {LINES_MAX} lines")
    if not lines or lines[0] != "v=0":
        raise SdpError("not-sdp", "the first line must be v=0")
    session: list[str] = []
    sections: list[list[str]] = []
    for line in lines:
        if not line:
            continue
        if len(line) < 2 or line[1] != "=":
            raise SdpError("not-sdp", "each line is a letter, an equals sign and a value")
        if line[0] == "m":
            sections.append([line])
        else:
            (sections[-1] if sections else session).append(line)
    offered = len(KINDS) * others
    if len(sections) != offered:
        raise SdpError("media-count", f"the offer had {offered} media, the answer has {len(sections)}")
    sources: dict[StreamKind, int] = {}
    fingerprints: list[Fingerprint] = []
    ufrags: set[str] = set()
    password = ""
    sending: set[Kind] = set()
    rejected: set[Kind] = set()
    taken: set[int] = set()
    mends: set[StreamKind] = set()
    prefers_h264 = False
    for place, ((_, kind), section) in enumerate(zip(enumerate_mids(others), sections, strict=True)):
        if place >= len(KINDS):
            _accepted(kind, section[0])
            fingerprints += [f for f in _fingerprints(session + section) if f not in fingerprints]
            # The browser must not send on this m-line, so the direction in the answer is ignored.
            continue
        payload_types = _accepted(kind, section[0])
        if not payload_types:
            rejected.add(kind)
            continue
        if not any(_WHOLE_H264.match(line) for line in section):
            payload_types = [number for number in payload_types if number not in H264_TYPES]
        taken.update(payload_types)
        prefers_h264 = prefers_h264 or payload_types[0] == H264.payload_type
        if f"a=rtcp-fb:{BY_STREAM[kind].payload_type} nack" in section:
            mends.add(kind)
        attributes = session + section
        fingerprints += [found for found in _fingerprints(attributes) if found not in fingerprints]
        ufrags.add(_one(attributes, "a=ice-ufrag:", "ice"))
        password = _one(attributes, "a=ice-pwd:", "ice")
        if "a=rtcp-mux" not in section:
            raise SdpError("rtcp-mux", "RTP and RTCP must share a port")
        if _one(attributes, "a=setup:", "setup") != "active":
            raise SdpError("setup", "the answer must take the active DTLS role")
        if [True, *(_SENDING[line] for line in attributes if line in _SENDING)][-1]:
            sending.add(kind)
        sources |= _sources(kind, section)
    if len(rejected) == len(KINDS):
        raise SdpError("nothing", "the answer takes neither sound nor picture")
    if not any(line.startswith("a=group:BUNDLE") for line in session):
        raise SdpError("bundle", "sound and picture must share one transport")
    if len(ufrags) != 1:
        raise SdpError("ice", "sound and picture must share one transport")
    if len(set(sources.values())) != len(sources):
        raise SdpError("ssrc", "two streams claim one SSRC")
    return Answer(
        tuple(fingerprints),
        ufrags.pop(),
        password,
        sources,
        frozenset(sending),
        frozenset(rejected),
        frozenset(taken),
        prefers_h264,
        frozenset(mends),
    )


def _accepted(kind: Kind, line: str) -> list[int]:
    """Return the payload types that an m-line accepts, in the order of the m-line; [] if it is rejected (RFC 3264 §6).

    Raises SdpError if the m-line does not match the offer.
    """
    match = _MEDIA.fullmatch(line[2:])
    if match is None or match[1] != kind:
        raise SdpError("media", f"the {kind} section does not fit the one that was offered")
    if match[2] == "0":
        return []
    offered = {codec.payload_type for codec in CODECS if codec.media == kind}
    payload_types = [int(number) for number in match[3].split()]
    if not offered.issuperset(payload_types):
        raise SdpError("codec", f"the {kind} section names payload types that were not offered")
    required = BY_STREAM[kind]
    if required.payload_type not in payload_types:
        raise SdpError(
            "codec", f"the {kind} section lacks {required.encoding}, payload type {required.payload_type}"
        )
    return payload_types


def _fingerprints(attributes: list[str]) -> list[Fingerprint]:
    found = []
    for line in attributes:
        if not line.startswith("a=fingerprint:"):
            continue
        match = _FINGERPRINT.fullmatch(line[14:].strip())
        size = DIGEST_BYTES.get(match[1].lower()) if match else None
        if match is None or size is None or len(match[2]) != size * 3 - 1:
            raise SdpError("fingerprint", "a SHA-256, SHA-384 or SHA-512 fingerprint is needed")
        found.append(Fingerprint(match[1].lower(), match[2].upper()))
    if not 0 < len(found) <= 8:
        raise SdpError("fingerprint", "the certificate's fingerprint is missing")
    return found


def _one(attributes: list[str], prefix: str, code: str) -> str:
    """Return the value of the last line that begins with `prefix`.

    A value of the media section has precedence over that of the whole session, because the section's lines come last.
    `attributes`: the lines. Raises SdpError with this `code` if there is no such line, or its value is malformed.
    """
    values = [line[len(prefix) :] for line in attributes if line.startswith(prefix)]
    if not values or not _ICE.fullmatch(values[-1]):
        raise SdpError(code, f"{prefix} is missing or malformed")
    return values[-1]


def _sources(kind: Kind, section: list[str]) -> dict[StreamKind, int]:
    """Return the SSRCs that a media section declares, by the kind of their stream (RFC 5576).

    The first SSRC is that of the media. If there is a group FID, its second SSRC is that of the retransmissions. Raises
    SdpError if an SSRC or a group is malformed, or there are more than SOURCES_MAX.
    """
    declared: list[int] = []
    sources: dict[StreamKind, int] = {}
    for line in section:
        if line.startswith("a=ssrc:"):
            match = _SSRC.fullmatch(line[7:])
            if match is None or int(match[1]) > 0xFFFFFFFF:
                raise SdpError("ssrc", "an SSRC is a 32-bit number")
            if int(match[1]) not in declared:
                declared.append(int(match[1]))
        elif kind == "video" and line.startswith("a=ssrc-group:FID "):
            group = line[17:].split()
            if len(group) != 2 or not all(
                number.isascii() and number.isdigit() and len(number) <= 10 and int(number) <= 0xFFFFFFFF
                for number in group
            ):
                raise SdpError("ssrc", "a retransmission group names two SSRCs")
            sources = {"video": int(group[0]), "rtx": int(group[1])}
    if len(declared) > SOURCES_MAX:
        raise SdpError("ssrc", f"at most {SOURCES_MAX} SSRCs in one section")
    if not sources and declared:
        sources[kind] = declared[0]
    return sources
