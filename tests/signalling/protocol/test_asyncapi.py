"""Tests that the AsyncAPI document matches the message types, and that AsyncAPI's own parser accepts it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from signalling.protocol import asyncapi
from signalling.protocol.reference import TOPICS, client_types, server_types
from tests.limits import WAIT_S
from tests.signalling.protocol.test_protocol import DOCUMENT

CHECK = Path(__file__).with_name("asyncapi_parser.mjs")
PACKAGES = Path(__file__).parents[2] / "javascript"
ERROR, WARNING = 0, 1


# The document is generated at import, not by the first test that needs it. `make mutants` runs only the tests that
# run a changed line. If a line runs at import, it counts as run by every test of the file.
WRITTEN = json.dumps(asyncapi.document(DOCUMENT))


def made() -> dict[str, Any]:
    """Return a copy of the AsyncAPI document."""
    copy: dict[str, Any] = json.loads(WRITTEN)
    return copy


def parsed(*documents: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the result of AsyncAPI's own parser for each of these documents."""
    said = subprocess.run(
        ["node", str(CHECK)],
        input=json.dumps([json.dumps(document) for document in documents]),
        cwd=PACKAGES,
        capture_output=True,
        text=True,
        timeout=3 * WAIT_S,  # the parser computes for 3 s, and for 46 s on a busy machine
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(said.stdout)
    return found


@pytest.mark.skipif(
    not (shutil.which("node") and (PACKAGES / "node_modules/@asyncapi/parser").is_dir()),
    reason="the AsyncAPI parser is not installed (`make check` installs it, with Node and npm)",
)
def test_the_asyncapi_parser_takes_the_document_and_would_not_take_a_wrong_one() -> None:
    wrong = made()
    wrong["channels"]["socket"]["messages"] = {}
    wrong["components"] |= {"messages": {}, "schemas": {}}
    wrong["operations"] = {"visit_claim": wrong["operations"]["visit_claim"]}
    wrong["operations"]["visit_claim"]["messages"] = [{"$ref": "#/channels/socket/messages/no_such"}]
    found, refused = parsed(made(), wrong)
    assert [c for c in found["complaints"] if c["severity"] in (ERROR, WARNING)] == []
    assert set(found["messages"]) == {*client_types(), *server_types()}
    assert len(found["operations"]) == len(client_types()) + len(TOPICS) + 1
    assert any("visit_claim" in c["path"] and c["severity"] == ERROR for c in refused["complaints"])


def test_every_message_has_a_schema_an_example_and_a_direction() -> None:
    found = made()
    messages = found["components"]["messages"]
    for name in (*client_types(), *server_types()):
        message = messages[name.replace(".", "_")]
        assert message["payload"]["$ref"].rpartition("/")[2] in found["components"]["schemas"]
        assert message["examples"], name
    used = json.dumps(found["operations"])
    for key in messages:
        assert f'/messages/{key}"' in used, f"{key} is in no operation"


def test_every_example_fits_its_schema_and_a_wrong_one_would_not() -> None:
    found = made()
    for message in found["components"]["messages"].values():
        validator = jsonschema_rs.validator_for({**found, **message["payload"]})
        for example in message["examples"]:
            validator.validate(example["payload"])
    claim = found["components"]["messages"]["visit_claim"]
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate({**found, **claim["payload"]}, {**claim["examples"][0]["payload"], "visit": 7})


def test_every_schema_says_what_its_fields_mean_and_which_values_are_closed() -> None:
    schemas = made()["components"]["schemas"]
    for name, schema in schemas.items():
        for field, shape in schema.get("properties", {}).items():
            if field != "type":
                assert shape.get("description"), f"{name}.{field}"
    assert schemas["VisitPart"]["properties"]["status"]["$ref"] == "#/components/schemas/Status"
    assert schemas["Status"]["enum"] == ["claimed", "ended", "live", "queued"]
    assert schemas["SessionRow"]["properties"]["status"]["enum"] == ["claimed", "live"]


def test_the_documents_address_is_the_servers() -> None:
    found = asyncapi.document(DOCUMENT, host="visits.example.org", scheme="ws", organisation="demo")
    assert found["servers"]["greenroom"]["host"] == "visits.example.org"
    assert found["channels"]["socket"]["address"] == "/demo/ws"
    assert found["components"]["securitySchemes"]["session"]["name"] == "greenroom"


SOCKET = {"$ref": "#/channels/socket"}


def refs(*keys: str) -> list[dict[str, str]]:
    """Return references to the messages with these keys, as AsyncAPI writes them."""
    return [{"$ref": f"#/channels/socket/messages/{key}"} for key in keys]


def test_the_document_begins_with_who_it_is_and_how_one_connects() -> None:
    found = made()
    assert list(found) == "asyncapi id info defaultContentType servers channels operations components".split()
    assert (found["asyncapi"], found["id"]) == ("3.1.0", "urn:greenroom:signalling:v1")
    assert found["defaultContentType"] == "application/json"
    assert {name: value for name, value in found["info"].items() if name != "description"} == {
        "title": "Greenroom signalling",
        "version": "1.0.0",
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "tags": [{"name": "signalling"}],
    }
    assert "PROTOCOL.md" in found["info"]["description"]
    server = found["servers"]["greenroom"]
    assert (server["host"], server["protocol"]) == ("greenroom.example", "wss")
    assert "greenroom.v1.json" in server["description"]
    assert server["security"] == [{"$ref": "#/components/securitySchemes/session"}]
    session = found["components"]["securitySchemes"]["session"]
    assert session.pop("description")
    assert session == {"type": "httpApiKey", "in": "cookie", "name": "__Host-greenroom"}
    assert list(found["components"]) == ["messages", "schemas", "correlationIds", "securitySchemes"]
    assert {name: (value["location"], bool(value["description"])) for name, value in
            found["components"]["correlationIds"].items()} == {
        "request": ("$message.payload#/id", True),
        "answer": ("$message.payload#/reply_to", True),
    }  # fmt: skip


def test_the_one_channel_is_a_websocket_with_every_message() -> None:
    channel = made()["channels"]["socket"]
    names = [name.replace(".", "_") for name in (*client_types(), *server_types())]
    assert channel.pop("messages") == {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    headers = channel["bindings"]["ws"].pop("headers")
    assert channel == {
        "address": "/{organisation}/ws",
        "title": "One connection",
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        "parameters": {"organisation": {"description": "The organisation’s name in addresses."}},
    }
    assert headers["properties"]["Origin"].pop("description")
    assert headers == {
        "type": "object",
        "required": ["Origin"],
        "properties": {
            "Origin": {"type": "string"},
            "Sec-WebSocket-Protocol": {
                "type": "string",
                "enum": ["greenroom.v1.json", "greenroom.v1.msgpack"],
            },
        },
    }
    assert "parameters" not in asyncapi.document(DOCUMENT, organisation="demo")["channels"]["socket"]


def test_a_request_is_received_and_a_topic_is_sent() -> None:
    operations = made()["operations"]
    claim = operations["visit_claim"]
    assert claim.pop("summary")
    assert claim == {
        "action": "receive",
        "channel": SOCKET,
        "messages": refs("visit_claim"),
        "reply": {"channel": SOCKET, "messages": refs("done", "error")},
    }
    assert set(operations["bye"]) == {"action", "channel", "summary", "messages"}
    assert {key for key in operations if key.startswith("topic_")} == {
        f"topic_{t.partition('/')[0]}" for t in TOPICS
    }
    for key, text in (
        ("topic_chat", "The topic chat/<visit>."),
        ("media", "A visit’s media, for those who have joined it."),
    ):
        operation = operations[key]
        messages = [reference["$ref"].rpartition("/")[2] for reference in operation["messages"]]
        assert messages, key
        assert operation == {
            "action": "send",
            "channel": SOCKET,
            "summary": text,
            "messages": refs(*messages),
        }


def test_a_message_is_described_by_its_type() -> None:
    messages = made()["components"]["messages"]
    claim = messages["visit_claim"]
    assert claim["summary"].endswith(".")
    assert claim["description"].startswith("PROTOCOL.md#")
    assert (claim["name"], claim["title"], claim["contentType"]) == (
        "visit.claim",
        "visit.claim",
        "application/json",
    )
    assert set(claim) == set(
        "name title summary description contentType payload examples correlationId".split()
    )
    assert {"name", "payload"} == set(claim["examples"][0])
    assert claim["examples"][0]["name"] == "visit.claim"
    assert claim["correlationId"] == {"$ref": "#/components/correlationIds/request"}
    assert messages["done"]["correlationId"] == {"$ref": "#/components/correlationIds/answer"}
    assert "correlationId" not in messages["queue_row"]


def test_schemas_are_sorted_and_named_by_their_key_only() -> None:
    schemas = made()["components"]["schemas"]
    assert list(schemas) == sorted(schemas)
    assert not any("title" in schema for schema in schemas.values())
