"""Tests that every example in PROTOCOL.md is a message, and that every message has an example."""

import json
import re
from pathlib import Path
from typing import get_args

import msgpack
import msgspec
import pytest

import signalling
from signalling.errors import BadMessageError
from signalling.protocol.client_messages import ClientMessage
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from signalling.protocol.errors import CLOSE_CODES, TEXTS, error
from signalling.protocol.reference import (
    TOPICS,
    about,
    client_types,
    fields,
    maps,
    media_messages,
    renewed,
    server_types,
    topic_messages,
)
from signalling.protocol.server_messages import ServerMessage
from signalling.topics.rights import OF_STAFF, OF_VISITS
from web import websocket as sockets

DOCUMENT = Path(signalling.__file__).with_name("protocol").joinpath("PROTOCOL.md").read_text()
EXAMPLES = re.findall(r"```json (client|server)\n(.*?)```", DOCUMENT, re.DOTALL)
VISIT_ROOMS = [f"{room}/{{id}}" for room in OF_VISITS]
JSON, MSGPACK = CODECS[JSON_SUBPROTOCOL], CODECS[MSGPACK_SUBPROTOCOL]


@pytest.mark.parametrize(("side", "text"), EXAMPLES)
def test_every_example_is_a_message_and_says_the_same_in_both_codecs(side: str, text: str) -> None:
    example = json.loads(text)
    for codec, data in ((JSON, text.encode()), (MSGPACK, msgpack.packb(example))):
        message = codec.decode(data) if side == "client" else codec.decode_server(data)
        written = codec.encode(message)
        again = json.loads(written) if codec is JSON else msgpack.unpackb(written)
        left_out = {k for k, v in again.items() if k not in example and (v is None or v is False)}
        assert {k: v for k, v in again.items() if k not in left_out} == example


@pytest.mark.parametrize("union", [ClientMessage, ServerMessage])
def test_every_message_type_has_an_example(union: object) -> None:
    shown = {json.loads(text)["type"] for _, text in EXAMPLES}
    assert {msgspec.inspect.type_info(t).tag for t in get_args(union)} <= shown  # type: ignore[attr-defined]


def test_every_error_code_is_explained_and_has_a_text() -> None:
    table = DOCUMENT.split("## Errors")[1].split("## Close codes")[0]
    assert set(
        re.findall(r"`([a-z_]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    ) == set(TEXTS)


def test_every_message_field_and_map_is_in_the_reference() -> None:
    wanted = renewed(DOCUMENT)
    assert wanted == DOCUMENT, "the types have changed: run `make protocol`"


def test_every_field_has_a_meaning() -> None:
    kinds = {**client_types(), **server_types(), **maps()}
    assert [
        f"{name}.{field.name}" for name, kind in kinds.items() for field in fields(kind) if not field.meaning
    ] == []


def test_every_message_has_its_section_and_is_a_reply_or_an_update() -> None:
    headings = {
        re.sub(r"[^a-z -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^##+ (.*)$", DOCUMENT, re.MULTILINE)
    }
    for kind in (*client_types().values(), *server_types().values()):
        text, section = about(kind)
        assert len(text) > 1, kind
        assert section in headings, kind
    assert set(re.findall(r"\]\(#([a-z-]+)\)", DOCUMENT)) - headings == set()
    replies = {"error", *(kind.reply for kind in client_types().values() if kind.reply)}
    updates = {name for topic in TOPICS for name in topic_messages(topic)} | set(media_messages())
    assert replies | updates == server_types().keys()
    assert not replies & updates


def test_every_topic_and_close_code_is_explained() -> None:
    topics = DOCUMENT.split("| topic | who | state |")[1].split("```")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", topics, re.MULTILINE)) == set(TOPICS)
    assert set(TOPICS) == {*VISIT_ROOMS, *OF_STAFF}
    table = DOCUMENT.split("## Close codes")[1].split("## ")[0]
    rows = re.findall(r"^\| (\d{4}) \| (.*) \|$", table, re.MULTILINE)
    assert {int(code): why for code, why in rows} == CLOSE_CODES
    used = set()
    for path in (*Path(signalling.__file__).parent.rglob("*.py"), Path(sockets.__file__)):
        if path.stem not in ("errors", "client", "reconnecting"):
            used |= {
                int(code)
                for code in re.findall(r"\b(4\d{3})\b(?=\)|,| *$|:)", path.read_text(), re.MULTILINE)
            }
    assert {code for code in used if code < 4300 and code not in (4000, 4096)} <= CLOSE_CODES.keys()


@pytest.mark.parametrize(
    "path", sorted(Path(signalling.__file__).parent.rglob("*.md")), ids=lambda path: path.name
)
def test_links_between_the_documents_have_a_target(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+\.md)\)", path.read_text()):
        assert (path.parent / target).exists(), target


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
def test_anything_else_is_a_bad_message_whose_error_names_the_request(
    data: bytes, reply_to: int | None
) -> None:
    with pytest.raises(BadMessageError) as bad:
        JSON.decode(data)
    assert bad.value.reply_to == reply_to


def test_deeply_nested_message_pack_is_a_bad_message() -> None:
    with pytest.raises(BadMessageError):
        MSGPACK.decode(b"\x91" * 60_000)


def test_a_refused_claim_says_who_has_it() -> None:
    assert (
        error(1, "already_claimed", {"by": {"id": "u", "name": "Dr Osei"}}).text
        == "Dr Osei has claimed this visit."
    )
