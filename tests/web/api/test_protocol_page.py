"""Tests that the description of the WebSocket's protocol is served beside the API, and printed on the command line."""

import json

from typer.testing import CliRunner

from tests.web.site import Site
from web.api.protocol_page import protocol_md
from web.commands.main import app


async def test_the_protocols_description_is_served_for_this_server_and_organisation(site: Site) -> None:
    answer = await site.person().get("/demo/api/v1/asyncapi.json")
    found = json.loads(await answer.text())
    assert (answer.status, answer.content_type) == (200, "application/json")
    host = f"{site.server.host}:{site.server.port}"
    assert found["servers"]["greenroom"]["host"] == host
    assert found["servers"]["greenroom"]["protocol"] == "ws"
    assert found["channels"]["socket"]["address"] == "/demo/ws"
    assert (await site.person().get("/nowhere/api/v1/asyncapi.json")).status == 404


async def test_the_protocol_can_be_read_from_the_page_for_programs(site: Site) -> None:
    page = await (await site.person().get("/demo/api")).text()
    assert "/demo/api/v1/asyncapi.json" in page
    assert "/demo/api/v1/protocol.md" in page
    answer = await site.person().get("/demo/api/v1/protocol.md")
    assert answer.content_type == "text/markdown"
    assert await answer.text() == protocol_md()


def test_the_command_line_prints_the_description() -> None:
    done = CliRunner().invoke(app, ["asyncapi", "https://visits.example.org/", "--organisation", "demo"])
    found = json.loads(done.stdout)
    assert found["servers"]["greenroom"] | {"description": "", "security": []} == {
        "host": "visits.example.org",
        "protocol": "wss",
        "description": "",
        "security": [],
    }
    assert CliRunner().invoke(app, ["asyncapi", "visits.example.org"]).exit_code == 2
