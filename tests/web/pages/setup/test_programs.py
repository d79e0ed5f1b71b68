"""Tests the set-up of programs and facilities: keys, webhooks, links and QR codes are made and revoked."""

import html
import re
from xml.etree import ElementTree

from aiohttp import ClientResponse

from tests.web.api.client import Program, program
from tests.web.pages.setup.desk import Desk, desk
from tests.web.site import OSEI, Site


async def press(robin: Desk, page: str, do: str, **fields: str) -> ClientResponse:
    """Press the button `do` on a page of the set-up; return the answer. `fields`: the other values of its form."""
    return await robin.person.post(f"{robin.home}/{page}", [*fields.items(), ("do", do)])


async def secret(answer: ClientResponse) -> str:
    """Return the secret in an answer that shows it, which happens only once."""
    found = re.search(r'<code class="secret">(.*?)</code>', await answer.text())
    assert found
    return html.unescape(found[1])


async def test_an_administrator_makes_a_key_sees_it_once_and_revokes_it(site: Site) -> None:
    robin = await desk(site)
    token = await secret(await press(robin, "api", "add-key", label="Front office", scopes="read"))
    office = Program(site.person(), "demo", token)
    assert (await office.call("GET", "/queue"))[0] == 200
    page = await (await robin.person.get(f"{robin.home}/api")).text()
    assert "Front office" in page
    assert token not in page
    button = re.search(r'value="(revoke-key \w+)"', page)
    assert button
    assert (await press(robin, "api", button[1])).status == 303
    assert await office.code("GET", "/queue") == (401, "not_signed_in")


async def test_a_key_that_cannot_be_made_says_why_and_keeps_what_was_typed(site: Site) -> None:
    robin = await desk(site)
    answer = await press(robin, "api", "add-key", label="Lab system")
    text = await answer.text()
    assert answer.status == 422
    assert "Choose at least one thing" in text
    assert 'value="Lab system"' in text
    answer = await press(robin, "api", "add-webhook", url="http://10.0.0.1/hook")
    text = await answer.text()
    assert answer.status == 422
    assert "begins with https://" in text
    assert 'value="http://10.0.0.1/hook"' in text


async def test_an_administrator_makes_a_webhook_turns_it_off_and_deletes_it(site: Site) -> None:
    robin, office = await desk(site), await program(site)
    made = await press(robin, "api", "add-webhook", url="https://example.org/hook", events="claimed")
    assert (await secret(made)).startswith("grwh_")
    (hook,) = (await office.call("GET", "/webhooks"))[1]["webhooks"]
    assert (hook["events"], hook["enabled"]) == (["claimed"], True)
    await press(robin, "api", f"off {hook['id']}")
    assert not (await office.call("GET", f"/webhooks/{hook['id']}"))[1]["enabled"]
    await press(robin, "api", f"drop-webhook {hook['id']}")
    assert (await office.call("GET", "/webhooks"))[1]["webhooks"] == []


async def test_an_administrator_makes_a_facilitys_link_with_qr_code_and_sheet_and_revokes_it(
    site: Site,
) -> None:
    robin, visitor = await desk(site), site.person()
    assert (await press(robin, "facilities", "add", name="Ward 3")).status == 303
    again = await press(robin, "facilities", "add", name="ward  3")
    assert again.status == 422
    assert "a facility of this name already" in await again.text()
    page = await robin.person.get(f"{robin.home}/facilities")
    text = await page.text()
    path = "/" + (await secret(page)).split("/", 3)[3]
    assert (await visitor.get(path)).status == 200
    code = re.search(r'src="(\S+/qr.svg)"', text)
    revoke = re.search(r'value="(revoke \w+)"', text)
    assert code
    assert revoke
    image = await robin.person.get(code[1])
    assert image.content_type == "image/svg+xml"
    ElementTree.fromstring(await image.text())
    assert "attachment" in (await robin.person.get(code[1] + "?download")).headers["Content-Disposition"]
    assert path in await (await robin.person.get(code[1].replace("qr.svg", "poster"))).text()
    # The QR code contains the link, so only administrators may see it.
    assert (await visitor.get(code[1])).status == 303
    await press(robin, "facilities", revoke[1])
    assert (await visitor.get(path)).status == 404
    assert (await press(robin, "facilities", "add", name="Ward 3")).status == 303
    fresh = await secret(await robin.person.get(f"{robin.home}/facilities"))
    assert not fresh.endswith(path)


async def test_the_patients_link_has_a_qr_code_that_says_it(site: Site) -> None:
    answer = await site.person().get("/demo/qr.svg")
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    robin = await desk(site)
    assert "/demo/qr.svg" in await (await robin.person.get(f"{robin.home}/links")).text()
    assert (
        f"{robin.person.origin}/demo" in await (await robin.person.get(f"{robin.home}/links/poster")).text()
    )


async def test_only_administrators_open_the_pages_about_keys_and_facilities(site: Site) -> None:
    osei, nobody = await desk(site, OSEI), site.person()
    for page in ("api", "facilities", "links/poster"):
        assert (await osei.person.get(f"{osei.home}/{page}")).status == 403
        assert (await nobody.get(f"{osei.home}/{page}")).status == 303
    for page, do in (("api", "add-key"), ("facilities", "add")):
        assert (await press(osei, page, do, label="x", scopes="read", name="x")).status == 403


async def test_the_description_is_there_to_read_with_every_operation_and_code(site: Site) -> None:
    text = html.unescape(await (await site.person().get("/demo/api")).text())
    described = await (await site.person().get("/demo/api/v1/openapi.json")).json()
    for path in described["paths"]:
        assert path in text
    answer = await (await program(site)).call("GET", "/visits/v_0000000000000000")
    assert answer[1]["type"] == "/demo/api#not_found"
    assert 'id="not_found"' in text
