"""Tests that organisations on one server are separate, on every route of staff, page and socket."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from signalling.store import keys
from signalling.visit.record import Role
from tests.web.conftest import OpenSite
from tests.web.site import ADMIN, FORM, Person, Site
from web.identity.accounts import Account
from web.keys import ACCOUNTS, ORGANISATIONS, REDIS, SERVICE
from web.organisations import starter
from web.organisations.documents import KEEP_S, Organisations

PASSWORD = "correct horse battery"
OPEN_TO_ALL = {"/sign-in", "/sign-out", "/password", "/session"}
"""Routes below …/staff that anybody may request, because without a sign-in they show and change nothing."""


async def lakeside(site: Site) -> Account:
    """Add a second clinic, which is open at all hours; return the account of its administrator."""
    clinic = msgspec.structs.replace(
        starter.organisation("lakeside", "Lakeside Clinic", "UTC"), hours=((("00:00", "24:00"),),) * 7
    )
    assert await site.app[ORGANISATIONS].add(clinic)
    return await site.app[ACCOUNTS].add(
        "lakeside", email="ida@lakeside.example", name="Ida Berg", role=Role.ADMIN, password=PASSWORD
    )


async def admin_of_the_demo(site: Site) -> Person:
    person = site.person()
    assert (await person.sign_in(ADMIN)).status == 303
    return person


def staff_routes(site: Site) -> list[tuple[str, str]]:
    """Return (method, path) of every route below /{organisation}/staff."""
    found = []
    for route in site.app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        rest = path.removeprefix("/{organisation}/staff")
        if rest != path and rest not in OPEN_TO_ALL and route.method in ("GET", "POST"):
            found.append((route.method, path))
    return found


async def test_an_admin_of_one_clinic_opens_no_staff_address_of_another(site: Site) -> None:
    ida = await lakeside(site)
    robin = await admin_of_the_demo(site)
    before = await site.app[ORGANISATIONS].read("lakeside")
    routes = staff_routes(site)
    assert len(routes) > 15
    for method, path in routes:
        there = re.sub(r"\{\w+(:[^}]*)?\}", ida.id, path.replace("{organisation}", "lakeside"))
        answer = await (robin.get(there) if method == "GET" else robin.post(there, {"do": "save"}))
        where = answer.headers.get("Location", "").partition("?")[0]
        assert (answer.status, where) == (303, "/lakeside/staff/sign-in") or answer.status in (
            401,
            403,
            404,
        ), f"{method} {path}: {answer.status} {where}"
        assert "Ida Berg" not in await answer.text()
    assert await site.app[ORGANISATIONS].read("lakeside") == before
    assert await site.app[ACCOUNTS].list("lakeside") == [ida]


@pytest.mark.parametrize("role", ["staff", "patient"])
async def test_a_socket_of_one_clinic_is_nobodys_at_another(site: Site, role: str) -> None:
    await lakeside(site)
    person = await admin_of_the_demo(site) if role == "staff" else site.person()
    if role == "patient":
        await person.ask_for_a_visit()
    ws = await person.client.ws_connect(
        "/lakeside/ws", protocols=("greenroom.v1.json",), headers={"Origin": person.origin}
    )
    await ws.send_json({"type": "hello", "id": 1, "role": role})
    answer = await ws.receive_json()
    assert answer["type"] == "error"
    await ws.close()


async def test_a_patient_stands_in_the_queue_of_one_clinic_only(site: Site) -> None:
    await lakeside(site)
    ana = site.person()
    await ana.get("/lakeside/information")
    answer = await ana.post("/lakeside/information", {**FORM, "language": "en"})
    assert (answer.status, answer.headers["Location"]) == (303, "/lakeside/visit")
    mirrors = site.app[SERVICE].mirrors
    assert len((await mirrors.get("lakeside")).visits) == 1
    assert not (await mirrors.get("demo")).visits
    assert (await ana.get("/demo/visit")).headers["Location"] == "/demo"
    for name, clinic in (("demo", "Riverside"), ("lakeside", "Lakeside")):
        text = await (await site.person().get(f"/{name}")).text()
        assert clinic in text
        assert not ({"Riverside", "Lakeside"} - {clinic}) & set(re.findall(r"\w+", text))


async def test_settings_saved_on_one_worker_apply_on_the_others_within_two_seconds(
    open_site: OpenSite,
) -> None:
    one, other = await open_site(), await open_site()
    assert "Riverside Clinic" in await (await other.person().get("/demo")).text()
    settings = await one.app[ORGANISATIONS].read("demo")
    assert settings is not None
    named = msgspec.structs.replace(settings, name="Hillside Clinic")
    assert await one.app[ORGANISATIONS].replace(settings, named, "Robin Hale")
    await asyncio.sleep(KEEP_S)
    assert "Hillside Clinic" in await (await other.person().get("/demo")).text()


async def test_a_worker_reads_the_settings_in_use_again_before_they_are_two_seconds_old(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Organisations(site.app[REDIS])
    before = await other.get("demo")
    assert before is not None
    await site.app[ORGANISATIONS].replace(before, msgspec.structs.replace(before, name="Renamed"), "Ida")
    await lakeside(site)
    await other.refresh()
    # From here on, each command to the store would fail.
    monkeypatch.setattr(site.app[REDIS], "execute_command", None)
    found = await other.get("demo")
    assert found is not None
    assert found.name == "Renamed"
    assert await other.list() == ["demo", "lakeside"]


async def test_a_worker_reads_the_other_settings_if_those_of_one_organisation_are_broken(site: Site) -> None:
    await lakeside(site)
    other = Organisations(site.app[REDIS])
    for name in ("demo", "lakeside"):
        assert await other.get(name) is not None
    await site.app[REDIS].set(keys.ORGANISATION("demo"), b"{")
    lake = await site.app[ORGANISATIONS].read("lakeside")
    assert lake is not None
    await site.app[ORGANISATIONS].replace(lake, msgspec.structs.replace(lake, name="Renamed"), "Ida")
    await other.refresh()
    found = await other.get("lakeside")
    assert found is not None
    assert found.name == "Renamed"


async def test_what_a_worker_has_saved_is_not_replaced_by_settings_that_it_asked_for_before(
    site: Site,
) -> None:
    organisations, read, goes_on = Organisations(site.app[REDIS]), asyncio.Event(), asyncio.Event()
    before = await organisations.get("demo")
    assert before is not None
    pipeline = site.app[REDIS].pipeline

    def slow(transaction: bool) -> SimpleNamespace:
        pipe = pipeline(transaction=transaction)

        async def execute() -> list[Any]:
            found: list[Any] = await pipe.execute()
            read.set()
            await goes_on.wait()
            return found

        return SimpleNamespace(smembers=pipe.smembers, get=pipe.get, execute=execute)

    organisations._redis = SimpleNamespace(  # type: ignore[assignment]
        pipeline=slow, get=site.app[REDIS].get, smembers=site.app[REDIS].smembers, time=site.app[REDIS].time
    )
    refreshing = asyncio.create_task(organisations.refresh())
    await read.wait()
    assert await organisations.replace(before, msgspec.structs.replace(before, name="Renamed"), "Ida")
    goes_on.set()
    await refreshing
    found = await organisations.get("demo")
    assert found is not None
    assert found.name == "Renamed"


async def test_an_organisation_whose_addition_was_interrupted_is_in_the_list_after_the_next_try(
    site: Site,
) -> None:
    clinic = starter.organisation("lakeside", "Lakeside Clinic", "UTC")
    await site.app[REDIS].set(keys.ORGANISATION("lakeside"), msgspec.json.encode(clinic))
    assert not await site.app[ORGANISATIONS].add(clinic)
    assert await site.app[ORGANISATIONS].list() == ["demo", "lakeside"]
