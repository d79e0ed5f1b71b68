"""Lists the inputs that strangers can send and the code that parses them: valid examples, and the parsers.

Each `Target` is the product's own function for bytes of one kind, with the errors that it may raise. Inputs of a relay
arrive on its real socket, protected with SRTP, from a peer that has connected as a browser does.
"""

import asyncio
import struct
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import msgspec
from aiohttp import StreamReader, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from media.errors import DtlsError, SdpError
from media.protocols import sdp
from media.transport.dtls import Association, Identity
from signalling.errors import BadMessageError
from signalling.hub import frame
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Codec
from signalling.protocol.errors import error
from signalling.sockets import open_socket
from signalling.sockets.frame_limits import Bound, Counted
from tests.faults.mutation import Mutator
from tests.media.test_fuzz import ANSWER, IDENTITY
from tests.signalling.protocol.test_protocol import EXAMPLES
from web.api.operations import OPERATIONS
from web.intake import information_form as patient_form
from web.intake.phone_numbers import phone_number
from web.languages import i18n
from web.organisations.demo import ORGANISATION
from web.requests import forms, security
from web.requests.fields import PATIENT_BYTES

FRAME_BYTES = 65_536
DATAGRAM_BYTES = 1500
DEEP = (b"[" * 3000, b'{"a":' * 1500, b"\x91" * 3000, b"\x81\xa1a" * 1500)
JSON_TOKENS = (
    *DEEP,
    b"9" * 400,
    b"1e999",
    b"-0.0",
    b"null",
    b"\\ud800",
    b"\xed\xa0\x80",
    b'"type":"visit.save",',
    b'"id":',
    b"{}",
    b"[]",
    b'"' + b"a" * 2100 + b'"',
)
MSGPACK_TOKENS = (
    *DEEP,
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xd9\x20",
    b"\xc0",
)


class Target(NamedTuple):
    """A parser under test. `feed`: the function or coroutine function that gets an input; it may raise only the errors
    in `typed`. `share`: the part (0 to 1) of all inputs that this target gets.
    """

    name: str
    share: float
    mutator: Mutator
    feed: Callable[[bytes], object]
    typed: tuple[type[Exception], ...] = ()


def targets(seed: str) -> list[Target]:
    """Return all targets that work without a connected peer. The same `seed` makes the same inputs."""
    return [
        Target("sdp", 8, Mutator(f"{seed} sdp", *sdp_answers(), 70_000), _parse_sdp, (SdpError,)),
        Target("json", 15, _messages(seed, JSON_SUBPROTOCOL), _decode(JSON_SUBPROTOCOL), (BadMessageError,)),
        Target(
            "msgpack",
            12,
            _messages(seed, MSGPACK_SUBPROTOCOL),
            _decode(MSGPACK_SUBPROTOCOL),
            (BadMessageError,),
        ),
        Target("frames", 12, Mutator(f"{seed} frames", *_frames(), FRAME_BYTES), _read_frames),
        Target(
            "forms",
            10,
            Mutator(f"{seed} forms", *hostile_forms(), PATIENT_BYTES),
            _post,
            (web.HTTPBadRequest,),
        ),
        Target(
            "multipart",
            3,
            Mutator(f"{seed} multipart", *hostile_parts(), PATIENT_BYTES),
            _post_parts,
            _FORM_ERRORS,
        ),
        Target("headers", 4, Mutator(f"{seed} headers", *_headers(), 8192), _read_headers),
        Target("api", 5, Mutator(f"{seed} api", *_bodies(), FRAME_BYTES), _take_body, _API_ERRORS),
        Target("dtls", 1, Mutator(f"{seed} dtls", *hellos()), _Handshakes().feed),
    ]


# --- messages and frames


def _messages(seed: str, subprotocol: str) -> Mutator:
    codec = CODECS[subprotocol]
    tokens = JSON_TOKENS if codec.text else MSGPACK_TOKENS
    return Mutator(f"{seed} {subprotocol}", _encoded(codec), tokens, FRAME_BYTES)


def _encoded(codec: Codec) -> list[bytes]:
    json = CODECS[JSON_SUBPROTOCOL]
    return [codec.encode(json.decode(text)) for side, text in EXAMPLES if side == "client"]


def _decode(subprotocol: str) -> Callable[[bytes], object]:
    return CODECS[subprotocol].decode


def _frames() -> tuple[list[bytes], list[bytes]]:
    texts = _encoded(CODECS[JSON_SUBPROTOCOL])
    masked = [_masked(0x81, text) for text in texts]
    halves = [_masked(0x01, text[:9]) + _masked(0x89, b"now") + _masked(0x80, text[9:]) for text in texts[:8]]
    control = [_masked(opcode, b"x" * 20) for opcode in (0x88, 0x89, 0x8A)]
    tokens = [
        *(_masked(opcode, b"") for opcode in (0x00, 0x01, 0x80, 0x81, 0x88, 0x89, 0x8A, 0xC1, 0xF1, 0x83)),
        b"\x81\xff" + b"\xff" * 12,
        b"\x81\xfe\x00\x00" + bytes(4),
        _masked(0x88, struct.pack("!H", 1005)),
        _masked(0x88, struct.pack("!H", 4000) + b"\xff"),
    ]
    return masked + halves + control, tokens


def _masked(first: int, payload: bytes, mask: bytes = b"\0\0\0\0") -> bytes:
    """Return a client's WebSocket frame.

    `first`: its first byte. A mask of zeros leaves the payload unchanged, so that changed bytes reach the parser.
    """
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + struct.pack("!H", size)
    return head + mask + payload


class _Taken(WebSocketDataQueue):
    """Replaces aiohttp's queue of messages, and decodes each message at once, as `Connection` does."""

    def feed_data(self, data: Any, size: int) -> None:
        """Decode the message `data`. `size`: its length in bytes, which is not used."""
        try:
            CODECS[JSON_SUBPROTOCOL].decode(data.data or b"")
        except BadMessageError:
            frame(CODECS[JSON_SUBPROTOCOL].encode(error(None, "bad_message", {"path": "$"})), 1)


def _read_frames(data: bytes) -> None:
    loop = asyncio.get_running_loop()
    queue = _Taken(BaseProtocol(loop), FRAME_BYTES, loop=loop)
    reader = WebSocketReader(queue, FRAME_BYTES, compress=False, decode_text=False)
    bound = Bound(open_socket.FRAMES, open_socket.MESSAGES * FRAME_BYTES)
    Counted(reader.feed_data, reader.feed_eof, bound, lambda: None).feed_data(data)


# --- the parsers of HTTP


def hostile_forms() -> tuple[list[bytes], list[bytes]]:
    fields = {
        "name": "Ana+Ruiz",
        "birth_date": "1990-04-02",
        "phone": "%28512%29+555-0142",
        "email": "ana%40example.org",
        "state": "TX",
        "reason": "Rash%2C+three+days",
        "language": "en",
        "filled_in_by": "",
    }
    whole = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    swapped = "&".join(f"{name}={fields['email']}" for name in fields).encode()
    tokens = [
        b"&",
        b"=",
        b"%",
        b"%ff%fe",
        b"%ed%a0%80",
        b"%00",
        b"+" * 300,
        b"&a" * 300,
        b"%E2%80%8D" * 90,
        b"(",
    ]
    tokens += [
        "\u0301\u0323".encode() * 900,
        "\u202e\u200d".encode() * 80,
        "ﷺ".encode() * 60,
        b"a@" * 100,
        b"@" + b"a." * 120,
        b"%" * 300,
    ]
    return [whole, swapped], tokens


def _post(data: bytes) -> None:
    form = dict(forms._pairs(data))
    patient_form.check(form, ORGANISATION, date(2026, 11, 28))


_FORM_ERRORS = (web.HTTPBadRequest, web.HTTPUnsupportedMediaType, web.HTTPRequestEntityTooLarge)
_BOUNDARY = "edge"


def hostile_parts() -> tuple[list[bytes], list[bytes]]:
    def part(name: str, value: str, more: str = "") -> bytes:
        return f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()

    end = f"--{_BOUNDARY}--\r\n".encode()
    file = part("logo", "<svg/>", '; filename="logo.svg"\r\nContent-Type: image/svg+xml')
    tokens = [
        b"\r\n",
        b"--edge",
        b"--edge--",
        b"\r\n--edge\r\n",
        b"--edge\r\n\r\n",
        part("a", ""),
        file,
        b"\r\n" * 400,
    ]
    tokens += [
        b"Content-Type: multipart/mixed; boundary=x\r\n",
        b"Content-Encoding: deflate\r\n",
        b"\r" * 90,
        b"-" * 900,
    ]
    tokens += [
        b"Content-Length: 99999999999\r\n",
        b"Content-Disposition: " + b"a;" * 400,
        b'name="_charset_"',
        b"x" * 5000,
    ]
    return [part("name", "Ana Ruiz") + part("state", "TX") + end, part("a", "b") + file + end], tokens


async def _post_parts(data: bytes) -> None:
    loop = asyncio.get_running_loop()
    payload = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    payload.feed_data(data)
    payload.feed_eof()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}", "Content-Length": str(len(data))}
    request = make_mocked_request("POST", "/", headers=headers, payload=payload)
    await forms.read_posted(request, PATIENT_BYTES, forms.MULTIPART)


def _headers() -> tuple[list[bytes], list[bytes]]:
    samples = [
        b"en-US,en;q=0.9,es;q=0.8,*;q=0.1",
        b"https://visits.example.org:8443",
        b"203.0.113.9, 198.51.100.7",
        b"[2001:db8::7%25eth0]:443",
        b"application/x-www-form-urlencoded; charset=utf-8",
    ]
    tokens = [
        b"a-" * 240,
        b",a;q=" * 100,
        b";q=0.",
        b"; charset",
        b"=",
        b" " * 900,
        b":",
        b"%",
        b"[",
        b"]",
        b"0" * 900,
    ]
    return samples, tokens


def _read_headers(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    i18n.accepted(text, i18n.languages())
    security._origin(text)
    forms.CHARSET.findall(text)
    phone_number(text, "US")


_BODIES = [operation.takes for operation in OPERATIONS if operation.takes is not None]
_API_ERRORS = (msgspec.DecodeError, UnicodeDecodeError)


def _bodies() -> tuple[list[bytes], list[bytes]]:
    patient = {
        "name": "Ana Ruiz",
        "birth_date": "1990-04-02",
        "phone": "+1 512 555 0142",
        "email": "a@example.org",
    }
    samples = [
        {"patient": {**patient, "state": "TX", "reason": "Rash", "language": "en"}},
        {"url": "https://example.org/hook", "events": ["visit.opened"]},
        {"to": "u_ana", "reason": "No", "answers": {"fever": True}, "label": "x", "scopes": ["visits:read"]},
    ]
    return [msgspec.json.encode(sample) for sample in samples], list(JSON_TOKENS)


def _take_body(data: bytes) -> None:
    """Read `data` as a request of the API, with each kind of body that the API has."""
    problems: list[Exception] = []
    for kind in _BODIES:
        try:
            msgspec.json.decode(data, type=kind)
        except _API_ERRORS as found:
            problems.append(found)
    if len(problems) == len(_BODIES):
        raise problems[0]


# --- the parsers of SDP and DTLS


def sdp_answers() -> tuple[list[bytes], list[bytes]]:
    lines = ANSWER.encode().splitlines(keepends=True)
    tokens = [
        *lines,
        b"a=ssrc:" + b"9" * 300,
        b"a=ssrc-group:FID 1 2\r\n",
        b"m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n",
    ]
    tokens += [
        b"a=fingerprint:sha-256 " + b"AA:" * 300,
        b"a=ice-ufrag:" + b"a" * 300,
        b"\xd9\xa1\xd9\xa2",
        b" 1" * 200,
    ]
    tokens += [b"\r\n" * 900, b"a=ssrc:1 x\r\n" * 60, b"\x0b", b"\xe2\x80\xa8"]
    return [ANSWER.encode(), ANSWER.replace("\r\n", "\n").encode()], tokens


def _parse_sdp(data: bytes) -> None:
    sdp.parse_answer(data.decode("utf-8", "replace"))


def hellos() -> tuple[list[bytes], list[bytes]]:
    """Return (all messages that a client sends in a DTLS handshake, parts of messages for hostile inputs)."""
    said: list[bytes] = []
    answered: list[bytes] = []
    client = Association(Identity(0.0), said.append, client=True)
    server = Association(IDENTITY, answered.append)
    client.begin()
    at = 0
    while client.established is None or server.established is None:
        for datagram in said[at:]:
            server.feed(datagram)
        at = len(said)
        for datagram in answered:
            client.feed(datagram)
        answered.clear()
    tokens = [
        b"\x16\xfe\xfd",
        b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
        b"\x14\xfe\xfd" + bytes(8) + b"\x00\x01\x01",
    ]
    return said, tokens


class _Handshakes:
    """Plays the server in DTLS handshakes, one after another."""

    def __init__(self) -> None:
        self._fed = 0
        self._association = self._begun()

    @staticmethod
    def _begun() -> Association:
        return Association(IDENTITY, lambda _: None)

    def feed(self, data: bytes) -> None:
        """Process a datagram as if its sender had already proven by ICE that it knows the password."""
        self._fed += 1
        try:
            self._association.feed(data)
            self._association.retransmit()
        except DtlsError:
            self._fed = 0
        if not self._fed % 20 or self._association.closed:
            self._association = self._begun()
