"""Lists the cases of the Autobahn test suite for WebSocket servers, by their numbers, with messages of our protocol.

Autobahn's cases often expect that the server sends a message back. In these cases the client sends a request of our
protocol, and expects the reply. The octets of the frames are the same otherwise. The compression cases (12 and 13) are
in `COMPRESSION`: this server offers none. The suite itself needs Python 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from web.peers.people.frames import BINARY, CLOSE, CONTINUED, FINAL, NO_MASK, PING, PONG, TEXT, frame

REPLY_TO = 7
WHOLE, FRAMES = 0, -1
"""How the octets are sent: all in one write, or each frame in one write. A positive number is the size of a write."""
MESSAGE_BYTES = 65_536
KIB, MIB = 2**10, 2**20


class Answer(NamedTuple):
    """A frame of the server: its opcode, and the payload of a PONG or the `reply_to` of a message."""

    opcode: int
    about: bytes | int | None


class Case(NamedTuple):
    """A case: frames of the client, the server's answers before the connection ends, and the server's close code.

    With code 1000, the client closes after the answers, unless it has already sent a close frame. `explained`: why the
    result differs from what Autobahn expects, "" if it does not. `chop`: the size of the writes (WHOLE, FRAMES).
    `binary`: True if the client uses MessagePack.
    """

    frames: list[bytes]
    answers: list[Answer]
    code: int = 1000
    chop: int = WHOLE
    explained: str = ""
    binary: bool = False


def request(size: int = 0, binary: bool = False, text: bytes | None = None) -> bytes:
    """Return a request whose id is REPLY_TO.

    `size`: the length of the message, unless that is too short for it. `text`: the bytes of its string `topic`; None:
    it is a ping. `binary`: True for a message in MessagePack; its string `topic` is too long, so that the server
    replies `bad_message` with the id.
    """
    if binary:
        head = b"\x83\xa4type\xa9subscribe\xa2id\x07\xa5topic"
        long = max(0, size - len(head) - 3)
        return head + b"\xda" + long.to_bytes(2) + b"*" * long
    if text is None:
        return b'{"type":"ping","id":7}'.ljust(size)
    return b'{"type":"subscribe","id":7,"topic":"' + text + b'"}'


def more(opcode: int, payload: bytes) -> bytes:
    """Return a frame without FIN: more frames of its message follow."""
    whole = frame(opcode, payload)
    return bytes((whole[0] & ~FINAL,)) + whole[1:]


def reserved(opcode: int, bits: int, payload: bytes = b"") -> bytes:
    """Return a frame whose three reserved bits are `bits`."""
    whole = frame(opcode, payload)
    return bytes((whole[0] | bits << 4,)) + whole[1:]


def parts(opcode: int, payload: bytes, size: int) -> list[bytes]:
    """Return a message in frames of at most `size` bytes."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    opcodes = [opcode] + [CONTINUED] * (len(pieces) - 1)
    return [more(*pair) for pair in zip(opcodes[:-1], pieces[:-1], strict=True)] + [
        frame(opcodes[-1], pieces[-1])
    ]


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """Return a close frame. `code`: None for a frame without a code."""
    return frame(CLOSE, (b"" if code is None else code.to_bytes(2)) + reason)


ASK = frame(TEXT, request())
ANSWERED = Answer(TEXT, REPLY_TO)
BAD = Answer(TEXT, None)
NO_MESSAGE = "the text is no message of this protocol (`bad_message`; the socket stays open)"
TOO_LARGE = "a message is larger than 64 KiB (1009)"
TOO_MANY = "a client sends too many messages (4005)"
TOO_BAD = "ten messages are bad ones (4004)"
AT_THE_END = "text that is not UTF-8 is noticed only at the end of its message (1007)"
NO_COMPRESSION = "they need compression"


def pong(payload: bytes = b"") -> Answer:
    """Return the answer to a ping with this payload."""
    return Answer(PONG, payload)


def refused(*frames: bytes, answers: int = 0, chop: int = WHOLE, code: int = 1002) -> Case:
    """Return a case in which the server answers this number of requests, and then closes the connection with `code`."""
    return Case(list(frames), [ANSWERED] * answers, code, chop)


def framing() -> Iterator[tuple[str, Case]]:
    """Yield the cases of section 1: messages of such lengths that the header of their frame has each of its forms."""
    for section, opcode in ((1, TEXT), (2, BINARY)):
        binary = opcode == BINARY
        answered = [Answer(opcode, REPLY_TO)]
        empty = [Answer(opcode, None)]
        yield f"1.{section}.1", Case([frame(opcode, b"")], empty, explained=NO_MESSAGE, binary=binary)
        sizes = [(125, WHOLE), (126, WHOLE), (127, WHOLE), (128, WHOLE), (65_535, WHOLE), (65_536, WHOLE)]
        for number, (size, chop) in enumerate([*sizes, (65_536, 997)], start=2):
            sent = [frame(opcode, request(size, binary))]
            yield f"1.{section}.{number}", Case(sent, answered, chop=chop, binary=binary)


BYTES = bytes.fromhex("00fffefdfcfb00ff")
TEN = [b"payload-%d" % number for number in range(10)]
TEN_PINGS = [frame(PING, payload) for payload in TEN]
UNASKED = b"unsolicited pong payload"
PINGS: dict[str, Case] = {
    "2.1": Case([frame(PING, b"")], [pong()]),
    "2.2": Case([frame(PING, b"Hello, world!")], [pong(b"Hello, world!")]),
    "2.3": Case([frame(PING, BYTES)], [pong(BYTES)]),
    "2.4": Case([frame(PING, b"\xfe" * 125)], [pong(b"\xfe" * 125)]),
    "2.5": refused(frame(PING, b"\xfe" * 126)),
    "2.6": Case([frame(PING, b"\xfe" * 125)], [pong(b"\xfe" * 125)], chop=1),
    "2.7": Case([frame(PONG, b"")], []),
    "2.8": Case([frame(PONG, UNASKED)], []),
    "2.9": Case([frame(PONG, UNASKED), frame(PING, b"ping payload")], [pong(b"ping payload")]),
    "2.10": Case(TEN_PINGS, [pong(payload) for payload in TEN]),
    "2.11": Case(TEN_PINGS, [pong(payload) for payload in TEN], chop=1),
}
PINGED = frame(PING, b"")
SAME = request()
RESERVED: dict[str, Case] = {
    "3.1": refused(reserved(TEXT, 1, SAME)),
    "3.2": refused(ASK, reserved(TEXT, 2, SAME), PINGED, answers=1),
    "3.3": refused(ASK, reserved(TEXT, 3, SAME), PINGED, answers=1, chop=FRAMES),
    "3.4": refused(ASK, reserved(TEXT, 4, SAME), PINGED, answers=1, chop=1),
    "3.5": refused(reserved(BINARY, 5, BYTES)),
    "3.6": refused(reserved(BINARY, 6, SAME)),
    "3.7": refused(reserved(CLOSE, 7)),
}
OPCODES: dict[str, Case] = {
    f"4.{section}.{number}": case
    for section, first in ((1, 0x3), (2, 0xB))
    for number, case in enumerate(
        [
            refused(frame(first, b"")),
            refused(frame(first + 1, b"reserved opcode payload")),
            refused(ASK, frame(first + 2, b""), PINGED, answers=1),
            refused(ASK, frame(first + 3, SAME), PINGED, answers=1),
            refused(ASK, frame(first + 4, SAME), PINGED, answers=1, chop=1),
        ],
        start=1,
    )
}
FIRST, LAST = more(TEXT, SAME[:9]), frame(CONTINUED, SAME[9:])
TWO = [FIRST, LAST]
PING_BETWEEN = [FIRST, frame(PING, b"ping payload"), LAST]
STRAY, STRAY_MORE = frame(CONTINUED, b"non-continuation"), more(CONTINUED, b"non-continuation")
FIVE = parts(TEXT, SAME, 5)
MIXED = [*FIVE[:2], frame(PING, b"one"), *FIVE[2:4], frame(PING, b"two"), *FIVE[4:]]
MIXED_ANSWERS = [pong(b"one"), pong(b"two"), ANSWERED]
FRAGMENTS: dict[str, Case] = {
    "5.1": refused(more(PING, b"fragment1"), frame(CONTINUED, b"fragment2")),
    "5.2": refused(more(PONG, b"fragment1"), frame(CONTINUED, b"fragment2")),
    "5.3": Case(TWO, [ANSWERED]),
    "5.4": Case(TWO, [ANSWERED], chop=FRAMES),
    "5.5": Case(TWO, [ANSWERED], chop=1),
    "5.6": Case(PING_BETWEEN, [pong(b"ping payload"), ANSWERED]),
    "5.7": Case(PING_BETWEEN, [pong(b"ping payload"), ANSWERED], chop=FRAMES),
    "5.8": Case(PING_BETWEEN, [pong(b"ping payload"), ANSWERED], chop=1),
    "5.9": refused(STRAY, ASK),
    "5.10": refused(STRAY, ASK, chop=FRAMES),
    "5.11": refused(STRAY, ASK, chop=1),
    "5.12": refused(STRAY_MORE, ASK),
    "5.13": refused(STRAY_MORE, ASK, chop=FRAMES),
    "5.14": refused(STRAY_MORE, ASK, chop=1),
    "5.15": refused(*TWO, STRAY_MORE, ASK, answers=1),
    "5.16": refused(*[STRAY_MORE, *TWO] * 2),
    "5.17": refused(*[STRAY, *TWO] * 2),
    "5.18": refused(FIRST, frame(TEXT, SAME[9:])),
    "5.19": Case(MIXED, MIXED_ANSWERS),
    "5.20": Case(MIXED, MIXED_ANSWERS, chop=FRAMES),
}
GREETING = "Hello-µ@ßöäüàá-UTF-8!!".encode()
GREEK, SURROGATE, EDITED = bytes.fromhex("cebae1bdb9cf83cebcceb5"), b"\xed\xa0\x80", b"edited"
GREETED = request(text=GREETING)
NOT_UTF8 = request(text=GREEK + SURROGATE + EDITED)
SPLIT = GREETED.index("ü".encode())
TOO_HIGH = request(text=GREEK + b"\xf4\x90\x80\x80" + EDITED)
WRONG_AT = TOO_HIGH.index(b"\x90")


def _at(*ends: int) -> list[bytes]:
    """Return the request TOO_HIGH, which is invalid UTF-8, in three pieces. `ends`: where the first two end."""
    return [TOO_HIGH[: ends[0]], TOO_HIGH[ends[0] : ends[1]], TOO_HIGH[ends[1] :]]


def _three(pieces: list[bytes]) -> list[bytes]:
    return [more(TEXT, pieces[0]), more(CONTINUED, pieces[1]), frame(CONTINUED, pieces[2])]


def _late(frames: list[bytes], chop: int = FRAMES) -> Case:
    return Case(frames, [], 1007, chop, AT_THE_END)


TEXTS: dict[str, Case] = {
    "6.1.1": Case([frame(TEXT, b"")], [BAD], explained=NO_MESSAGE),
    "6.1.2": Case(_three([b""] * 3), [BAD], explained=NO_MESSAGE),
    "6.1.3": Case(_three([b"", SAME, b""]), [ANSWERED]),
    "6.2.1": Case([frame(TEXT, GREETED)], [ANSWERED]),
    "6.2.2": Case([more(TEXT, GREETED[:SPLIT]), frame(CONTINUED, GREETED[SPLIT:])], [ANSWERED]),
    "6.2.3": Case(parts(TEXT, GREETED, 1), [ANSWERED]),
    "6.2.4": Case(parts(TEXT, request(text=GREEK), 1), [ANSWERED]),
    "6.3.1": refused(frame(TEXT, NOT_UTF8), code=1007),
    "6.3.2": refused(*parts(TEXT, NOT_UTF8, 1), code=1007),
    "6.4.1": _late(_three(_at(WRONG_AT - 1, WRONG_AT + 3))),
    "6.4.2": _late(_three(_at(WRONG_AT, WRONG_AT + 1))),
    "6.4.3": _late([frame(TEXT, TOO_HIGH)], WRONG_AT - 1),
    "6.4.4": _late([frame(TEXT, TOO_HIGH)], WRONG_AT),
}
INCOMPLETE = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf"
NON_CHARACTERS = [chr(plane << 16 | last).encode().hex() for plane in range(17) for last in (0xFFFE, 0xFFFF)]
"""The last two code points of each plane."""
SEQUENCES = [
    "68656c6c6f24 68656c6c6fc2a2 68656c6c6fe282ac 68656c6c6ff0a4ada2 " + GREEK.hex(),
    " ".join(
        ("" if end in (2, 5, 7, 9, 11) else "!") + GREEK[:end].hex() for end in range(1, len(GREEK) + 1)
    ),
    "00 c280 e0a080 f0908080",
    "!f888808080 !fc8480808080",
    "7f dfbf efbfbf f48fbfbf",
    "!f7bfbfbf !fbbfbfbfbf !fdbfbfbfbfbf",
    "ed9fbf ee8080 efbfbd f48fbfbf !f4908080",
    "!80 !bf !80bf !80bf80 !80bf80bf !80bf80bf80 !80bf80bf80bf !" + bytes(range(0x80, 0xBF)).hex(),
    " ".join(
        "!" + b" ".join(bytes((lead,)) for lead in range(*ends)).hex()
        for ends in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
    ),
    " ".join("!" + each for each in INCOMPLETE.split()),
    "!" + INCOMPLETE.replace(" ", ""),
    "!fe !ff !fefeffff",
    "!c0af !e080af !f08080af !f8808080af !fc80808080af",
    "!c1bf !e09fbf !f08fbfbf !f887bfbfbf !fc83bfbfbfbf",
    "!c080 !e08080 !f0808080 !f880808080 !fc8080808080",
    "!eda080 !edadbf !edae80 !edafbf !edb080 !edbe80 !edbfbf",
    " ".join(
        f"!{high}{low}" for high in ("eda080", "edadbf", "edae80", "edafbf") for low in ("edb080", "edbfbf")
    ),
    " ".join(NON_CHARACTERS),
    " ".join(chr(code).encode().hex() for code in range(0xFFF9, 0x10000)),
]
"""Sections 6.5 to 6.23: octets as hexadecimal digits; `!` marks octets that are no UTF-8."""


def sequences() -> Iterator[tuple[str, Case]]:
    """Yield the cases 6.5 to 6.23: valid and invalid UTF-8 in a string of a request."""
    for section, line in enumerate(SEQUENCES, start=5):
        for number, octets in enumerate(line.split(), start=1):
            sent = [frame(TEXT, request(text=bytes.fromhex(octets.removeprefix("!"))))]
            case = Case(sent, [ANSWERED])
            if octets.startswith("!"):
                case = refused(*sent, code=1007)
            elif octets == "00":  # JSON allows no control character in a string
                case = Case(sent, [BAD], explained=NO_MESSAGE)
            yield f"6.{section}.{number}", case


VALID = 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999
INVALID = 0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999
LARGE = frame(TEXT, b"BAsd7&jh23" * 26_215)
CLOSES: dict[str, Case] = {
    "7.1.1": Case([ASK], [ANSWERED]),
    "7.1.2": Case([close(), close(None)], []),
    "7.1.3": Case([close(), PINGED], []),
    "7.1.4": Case([close(), ASK], []),
    "7.1.5": Case([FIRST, close(), LAST], []),
    "7.1.6": Case([LARGE, ASK, close(), PINGED], [], 1009, explained=TOO_LARGE),
    "7.3.1": Case([close(None)], []),
    "7.3.2": refused(close(None, b"a")),
    "7.3.3": Case([close()], []),
    "7.3.4": Case([close(reason=b"Hello World!")], []),
    "7.3.5": Case([close(reason=b"*" * 123)], []),
    "7.3.6": refused(close(reason=b"*" * 124)),
    "7.5.1": refused(close(reason=GREEK + SURROGATE + EDITED), code=1007),
    **{f"7.7.{number}": Case([close(code)], []) for number, code in enumerate(VALID, start=1)},
    **{f"7.9.{number}": refused(close(code)) for number, code in enumerate(INVALID, start=1)},
    "7.13.1": Case([close(5000)], []),
    "7.13.2": Case([close(65_535)], []),
}


def limits() -> Iterator[tuple[str, Case]]:
    """Yield the cases of section 9 and 10.

    The client sends as much of a large message as the server reads, which is less than 80 KiB.
    """
    for text, opcode in ((1, TEXT), (0, BINARY)):
        binary = opcode == BINARY
        answered = [Answer(opcode, REPLY_TO)]
        for number, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), start=1):
            name = f"9.{2 - text}.{number}"
            if size <= MESSAGE_BYTES:
                yield name, Case([frame(opcode, request(size, binary))], answered, binary=binary)
            else:
                yield name, Case([_start(opcode, size)], [], 1009, WHOLE, TOO_LARGE, binary)
        for number in range(9):
            size = 64 * 4**number
            piece = _start(opcode, size, last=False)
            following = [_start(CONTINUED, size, last=False)] * (80 * KIB // size)
            yield f"9.{4 - text}.{number + 1}", Case([piece, *following], [], 1009, WHOLE, TOO_LARGE, binary)
        for number in range(6):
            sent = [_start(opcode, MIB)]
            yield f"9.{6 - text}.{number + 1}", Case(sent, [], 1009, 64 * 2**number, TOO_LARGE, binary)
        for number, size in enumerate((0, 16, 64, 256, KIB, 4 * KIB), start=1):
            name = f"9.{8 - text}.{number}"
            if size == 0 or size == 16 or (binary and size > 64):
                about = REPLY_TO if size > 64 else None
                sent = [frame(opcode, request(size, binary) if size > 64 else b"*" * size)] * 1000
                yield name, Case(sent, [Answer(opcode, about)] * 10, 4004, WHOLE, TOO_BAD, binary)
            else:
                sent = [frame(opcode, request(size, binary))] * 1000
                yield name, Case(sent, answered * 200, 4005, WHOLE, TOO_MANY, binary)
    yield "10.1.1", Case(parts(TEXT, request(65_536), 1300), [ANSWERED])


def _start(opcode: int, size: int, last: bool = True) -> bytes:
    """Return the first octets of a frame of `size` bytes, at most 80 KiB of them."""
    if size <= 80 * KIB:
        return (frame if last else more)(opcode, b"*" * size)
    return bytes((opcode | FINAL * last, 0xFF)) + size.to_bytes(8) + NO_MASK + b"*" * 80 * KIB


CASES: dict[str, Case] = {
    **dict(framing()),
    **PINGS,
    **RESERVED,
    **OPCODES,
    **FRAGMENTS,
    **TEXTS,
    **dict(sequences()),
    **CLOSES,
    **dict(limits()),
}
DEFLATE = "permessage-deflate"
NO_CONTEXT = f"{DEFLATE}; server_no_context_takeover"
OFFERS = {
    **dict.fromkeys((f"12.{data}" for data in range(1, 6)), f"{DEFLATE}; client_max_window_bits"),
    "13.1": DEFLATE,
    "13.2": NO_CONTEXT,
    "13.3": f"{DEFLATE}; server_max_window_bits=9",
    "13.4": f"{DEFLATE}; server_max_window_bits=15",
    "13.5": f"{NO_CONTEXT}; server_max_window_bits=9",
    "13.6": f"{NO_CONTEXT}; server_max_window_bits=15",
    "13.7": f"{NO_CONTEXT}; server_max_window_bits=9, {NO_CONTEXT}, {DEFLATE}",
}
"""Section or case about compression (12 and 13) -> the WebSocket extensions that the client offers in it."""
COMPRESSION = {f"{section}.{number}": offer for section, offer in OFFERS.items() for number in range(1, 19)}
