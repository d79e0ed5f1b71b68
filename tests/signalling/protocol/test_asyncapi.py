"""The AsyncAPI document is what the types say, and AsyncAPI's own parser takes it."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from signalling.protocol import asyncapi
from signalling.protocol.reference import TOPICS, client_types, server_types
from tests.signalling.protocol.test_protocol import DOCUMENT

FOLDER = Path(__file__).with_name("asyncapi_parser")
NO_NODE = "no Node and npm here: install nodejs and npm"
INSTALL_S = 110
ERROR, WARNING = 0, 1


@pytest.fixture(scope="session")
def parser(pytestconfig: pytest.Config) -> Path:
    """A folder with the parser of the lock in it, in the tests' cache."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(NO_NODE)
    assert pytestconfig.cache is not None
    lock = (FOLDER / "package-lock.json").read_bytes()
    folder = Path(pytestconfig.cache.mkdir(f"asyncapi-{hashlib.sha256(lock).hexdigest()[:12]}"))
    if not (folder / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        try:
            done = subprocess.run(command, cwd=folder, timeout=INSTALL_S, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not deliver the AsyncAPI parser in time")
        if done.returncode:
            pytest.skip(f"npm did not deliver the AsyncAPI parser: {done.stderr.strip()[-200:]}")
        (folder / "installed").touch()
    return folder


def parsed(parser: Path, *documents: dict[str, Any]) -> list[dict[str, Any]]:
    """What the parser makes of documents."""
    said = subprocess.run(
        ["node", str(FOLDER / "check.mjs")],
        input=json.dumps([json.dumps(document) for document in documents]),
        cwd=parser,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(said.stdout)
    return found


def test_the_asyncapi_parser_takes_the_document_and_would_not_take_a_wrong_one(parser: Path) -> None:
    wrong = asyncapi.document("")
    wrong["operations"] = {"visit_claim": wrong["operations"]["visit_claim"]}
    wrong["operations"]["visit_claim"]["messages"] = [{"$ref": "#/channels/socket/messages/no_such"}]
    found, refused = parsed(parser, asyncapi.document(DOCUMENT), wrong)
    assert [c for c in found["complaints"] if c["severity"] in (ERROR, WARNING)] == []
    assert set(found["messages"]) == {*client_types(), *server_types()}
    assert len(found["operations"]) == len(client_types()) + len(TOPICS) + 1
    assert any("visit_claim" in c["path"] and c["severity"] == ERROR for c in refused["complaints"])


def test_every_message_has_a_schema_an_example_and_a_way() -> None:
    found = asyncapi.document(DOCUMENT)
    messages = found["components"]["messages"]
    for name in (*client_types(), *server_types()):
        message = messages[name.replace(".", "_")]
        assert message["payload"]["$ref"].rpartition("/")[2] in found["components"]["schemas"]
        assert message["examples"], name
    used = json.dumps(found["operations"])
    for key in messages:
        assert f'/messages/{key}"' in used, f"{key} is in no operation"


def test_every_example_fits_its_schema_and_a_wrong_one_would_not() -> None:
    found = asyncapi.document(DOCUMENT)
    for message in found["components"]["messages"].values():
        validator = jsonschema_rs.validator_for({**found, **message["payload"]})
        for example in message["examples"]:
            validator.validate(example["payload"])
    claim = found["components"]["messages"]["visit_claim"]
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate({**found, **claim["payload"]}, {**claim["examples"][0]["payload"], "visit": 7})


def test_every_schema_says_what_its_fields_mean_and_which_values_are_closed() -> None:
    schemas = asyncapi.document(DOCUMENT)["components"]["schemas"]
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
