"""PROTOCOL.md is the contract: every example in it is a message, and every message has an example."""

import json
import re
from pathlib import Path
from typing import get_args

import msgpack
import msgspec
import pytest

import signalling
from signalling.messages import (
    CODECS,
    JSON_SUBPROTOCOL,
    MSGPACK_SUBPROTOCOL,
    TEXTS,
    BadMessage,
    ClientMessage,
    ServerMessage,
    error,
)

DOCUMENT = (Path(signalling.__file__).parent / "PROTOCOL.md").read_text()
EXAMPLES = re.findall(r"```json (client|server)\n(.*?)```", DOCUMENT, re.DOTALL)
JSON, MSGPACK = CODECS[JSON_SUBPROTOCOL], CODECS[MSGPACK_SUBPROTOCOL]


@pytest.mark.parametrize(("side", "text"), EXAMPLES)
def test_every_example_is_a_message_and_says_the_same_in_both_codecs(side: str, text: str) -> None:
    example = json.loads(text)
    for codec, data in ((JSON, text.encode()), (MSGPACK, msgpack.packb(example))):
        message = codec.decode(data) if side == "client" else codec.decode_server(data)
        written = codec.encode(message)
        again = json.loads(written) if codec is JSON else msgpack.unpackb(written)
        assert {k: v for k, v in again.items() if v is not None or k in example} == example


@pytest.mark.parametrize("union", [ClientMessage, ServerMessage])
def test_every_message_type_has_an_example(union: object) -> None:
    shown = {json.loads(text)["type"] for _, text in EXAMPLES}
    assert {msgspec.inspect.type_info(t).tag for t in get_args(union)} <= shown  # type: ignore[attr-defined]


def test_every_error_code_is_explained_and_has_a_text() -> None:
    table = DOCUMENT.split("## Errors")[1].split("## Close codes")[0]
    assert set(
        re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    ) == set(TEXTS)


@pytest.mark.parametrize(
    ("data", "reply_to"),
    [
        (b"", None),
        (b"\xff\xfe", None),
        (b"[]", None),
        (b'{"type":"visit.claim","id":7}', 7),
        (b'{"type":"nonsense","id":8}', 8),
        (b'{"type":"visit.claim","id":9,"visit":"v_1","from":"u_boss"}', 9),
        (b'{"type":"visit.claim","id":"9","visit":"v_1"}', None),
        (b'{"type":"visit.save","id":3,"visit":"v","step":"a","answer":[1],"left":true}', 3),
        (b"[" * 60_000, None),
        (b'{"type":"hello","id":1,"role":"system"}', 1),
    ],
)
def test_anything_else_is_a_bad_message_and_tells_which_request_it_was(
    data: bytes, reply_to: int | None
) -> None:
    with pytest.raises(BadMessage) as bad:
        JSON.decode(data)
    assert bad.value.reply_to == reply_to


def test_deeply_nested_message_pack_is_a_bad_message() -> None:
    with pytest.raises(BadMessage):
        MSGPACK.decode(b"\x91" * 60_000)


def test_a_refused_claim_says_who_has_it() -> None:
    assert (
        error(1, "already_claimed", {"by": {"id": "u", "name": "Dr Osei"}}).text
        == "Dr Osei has claimed this visit."
    )
