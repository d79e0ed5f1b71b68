"""Tests that any input is decoded to a message, or is refused with a `BadMessageError`.

The error names the place of the fault in the input, and quotes nothing of it.
"""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signalling.errors import BadMessageError
from signalling.protocol import errors
from signalling.protocol.client_messages import ClientMessage
from signalling.protocol.codec import CODECS, Codec

TYPES = sorted(
    "hello bye ping subscribe unsubscribe on_call visit.save visit.finish visit.withdraw visit.hang_up visit.claim "
    "visit.release visit.end visit.enter visit.leave visit.start media.join media.answer media.restart "
    "media.mute media.share".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=90),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    "id role resume topic epoch version visit step answer left on offer sdp kind muted from type".split()
)
MAPS = st.builds(
    lambda fields, kind: {**fields, **kind},
    st.dictionaries(FIELDS, VALUES, max_size=8),
    st.one_of(st.just({}), st.fixed_dictionaries({"type": st.sampled_from(TYPES), "id": st.integers(0, 9)})),
)
BOTH = pytest.mark.parametrize("codec", CODECS.values(), ids=["json", "msgpack"])


def read(codec: Codec, data: bytes | str) -> ClientMessage | None:
    """Return the decoded message, or None if the codec raises BadMessageError; every other error is raised."""
    bad: BadMessageError | None = None
    message: ClientMessage | None = None
    try:
        message = codec.decode(data)
    except BadMessageError as problem:
        bad = problem
    if bad is not None or message is None:
        assert bad is not None
        assert len(bad.path) <= 80
        assert bad.reply_to is None or 0 <= bad.reply_to <= 2**53
        return None
    for other in CODECS.values():
        assert other.encode(message), "what was let in can be written again"
    return message


@BOTH
@settings(max_examples=300)
@given(data=st.binary(max_size=200))
@example(data=b"\xdd\xff\xff\xff\xff")
@example(data=b"\xdf\xff\xff\xff\xff")
@example(data=b"\xc9\xff\xff\xff\xff\x01")
@example(data=b"\xd6\xff\xff\xff\xff\xff")
@example(data=b'{"type":"visit.claim","id":1,"visit":"\\ud800"}')
@example(data=b'{"type":"ping","id":1e400}')
@example(data=b'{"type":"ping","id":' + b"9" * 5000 + b"}")
def test_any_bytes_are_a_message_or_a_bad_message(codec: Codec, data: bytes) -> None:
    read(codec, data)


@settings(max_examples=300)
@given(st.text(max_size=200))
@example('{"type":"visit.claim","id":1,"visit":"\ud800"}')
def test_any_text_is_a_message_or_a_bad_message(text: str) -> None:
    read(CODECS["greenroom.v1.json"], text)


@settings(max_examples=400)
@given(MAPS)
def test_both_codecs_accept_the_same_messages(fields: dict[str, Any]) -> None:
    in_json = read(CODECS["greenroom.v1.json"], json.dumps(fields, allow_nan=False) if finite(fields) else "")
    in_msgpack = read(CODECS["greenroom.v1.msgpack"], msgpack.packb(fields))
    if finite(fields):
        assert in_json == in_msgpack


def finite(value: Any) -> bool:
    """Return True if JSON can represent a value: it contains no infinite number and no NaN."""
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return all(finite(v) for v in value.values())
    return all(finite(v) for v in value) if isinstance(value, list) else True


CANARY = "Ana-Ruiz-512-555-0142"
WITH_CANARY: list[dict[str, Any]] = [
    {"type": CANARY, "id": 1},
    {"type": f"x - at `$.{CANARY}", "id": 1},
    {"type": "hello", "id": 1, "role": CANARY},
    {"type": "ping", "id": CANARY},
    {"type": "ping", "id": 1, CANARY: 1},
    {"type": "ping", "id": 1, f"x - at `{CANARY}": 1},
    {"type": "ping", "id": 1, f"x - at `$.{CANARY}": 1},
    {"type": "visit.save", "id": 1, "visit": "v", "step": "s", "left": True, "answer": {CANARY: 1}},
    {"type": "visit.save", "id": 1, "visit": "v", "step": "s", "left": True, "answer": [CANARY]},
    {"type": "visit.claim", "id": 1, "visit": CANARY * 9},
    {"type": "media.mute", "id": 1, "visit": "v", "muted": True, "kind": CANARY},
    {"type": "on_call", "id": 1, "on": CANARY},
]


@BOTH
@pytest.mark.parametrize("message", WITH_CANARY)
def test_a_bad_message_names_the_place_but_not_the_value(codec: Codec, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() if codec.text else msgpack.packb(message)
    with pytest.raises(BadMessageError) as bad:
        codec.decode(data)
    assert CANARY not in bad.value.path
    assert CANARY not in str(bad.value)
    assert bad.value.path.startswith(("$", "key"))


def test_json_goes_in_text_frames_and_messagepack_in_binary_ones() -> None:
    found = [(name, codec.subprotocol, codec.text, codec.opcode) for name, codec in CODECS.items()]
    assert found == [
        ("greenroom.v1.json", "greenroom.v1.json", True, 1),
        ("greenroom.v1.msgpack", "greenroom.v1.msgpack", False, 2),
    ]


@BOTH
@pytest.mark.parametrize(
    ("message", "path", "reply_to"),
    [
        ({"type": "ping", "id": 7, "more": 1}, "$", 7),
        ({"type": "on_call", "id": 8, "on": "yes"}, "$.on", 8),
        ({"type": "on_call", "on": True}, "$", None),
        ({"type": "on_call", "id": -1, "on": True}, "$.id", None),
        ({"type": "visit.claim", "id": 9}, "$", 9),
    ],
)
def test_a_bad_message_names_the_place_and_the_request(
    codec: Codec, message: dict[str, Any], path: str, reply_to: int | None
) -> None:
    with pytest.raises(BadMessageError) as bad:
        codec.decode(json.dumps(message).encode() if codec.text else msgpack.packb(message))
    assert (bad.value.path, bad.value.reply_to, str(bad.value)) == (path, reply_to, path)


@BOTH
def test_encoded_messages_can_be_decoded(codec: Codec) -> None:
    request = codec.decode(
        json.dumps({"type": "ping", "id": 7}) if codec.text else msgpack.packb({"type": "ping", "id": 7})
    )
    assert codec.decode(codec.encode(request)) == request
    answer = errors.error(7, "not_found")
    assert codec.decode_server(codec.encode(answer)) == answer
