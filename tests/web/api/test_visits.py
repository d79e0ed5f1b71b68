"""Tests the REST API: programs open, follow, withdraw, assign and decline visits, with their own API keys."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from redis.asyncio import Redis

from signalling.visit.record import Policy
from tests.limits import WAIT_S
from tests.web.api.client import ALL, PATIENT, Program, program, stranger
from tests.web.audit.test_noting import entries_of
from tests.web.site import ADMIN, OSEI, Site
from web.api.operations import OPERATIONS
from web.keys import API_KEYS
from web.organisations.settings import Area
from web.programs import keys


async def received(ws: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """Return the next message of this type that arrives on a socket."""
    while True:
        message: dict[str, Any] = await ws.receive_json(timeout=WAIT_S)
        if message["type"] == kind:
            return message


async def on_call(site: Site, email: str = OSEI) -> ClientWebSocketResponse:
    """Sign a member of staff in, put them on call and subscribe to the queue; return the socket."""
    person = site.person()
    assert (await person.sign_in(email)).status == 303
    ws = await person.socket("staff")
    await ws.send_json({"type": "on_call", "id": 2, "on": True})
    await received(ws, "done")
    await ws.send_json({"type": "subscribe", "id": 3, "topic": "queue"})
    await received(ws, "queue.snapshot")
    return ws


# --- tests of opening and following a visit


async def test_a_program_opens_a_visit_and_its_patient_enters_it_by_a_link_that_works_once(
    site: Site,
) -> None:
    office = await program(site)
    opened = await office.open()
    visit, url = opened["visit"], opened["link"]["url"]
    assert (visit["status"], visit["place"], visit["facility"]) == ("queued", 1, "Front office")
    path = "/" + url.split("/", 3)[3]
    ana, mallory = site.person(), site.person()
    for _ in range(2):  # A preview of the link in a mail program, which opens its page, must not use it up.
        assert "Open my visit" in await (await ana.get(path)).text()
    answer = await ana.post(path)
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/visit")
    assert visit["id"] in await (await ana.get("/demo/visit")).text()
    assert (await mallory.post(path)).status == 404
    assert (await mallory.get("/demo/visit")).status == 303
    assert (await mallory.get("/demo/enter/" + "x" * 32)).status == 404


async def test_of_two_browsers_that_redeem_a_link_at_once_one_gets_the_visit(site: Site) -> None:
    opened = await (await program(site)).open()
    path = "/" + opened["link"]["url"].split("/", 3)[3]
    answers = await asyncio.gather(*(site.person().post(path) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [303, 404, 404, 404, 404]


async def test_another_link_can_be_made_while_the_visit_is_open(site: Site) -> None:
    office = await program(site)
    visit = (await office.open())["visit"]["id"]
    status, link = await office.call("POST", f"/visits/{visit}/link")
    assert status == 201
    assert (await site.person().post("/" + link["url"].split("/", 3)[3])).status == 303
    await office.call("POST", f"/visits/{visit}/withdraw")
    assert await office.code("POST", f"/visits/{visit}/link") == (409, "wrong_status")


async def test_staff_see_the_row_of_a_program_at_once_with_its_name(site: Site) -> None:
    ws = await on_call(site)
    await (await program(site, label="County ER")).open()
    row = (await received(ws, "queue.row"))["row"]
    assert (row["name"], row["facility"], row["online"]) == ("Ana Ruiz", "County ER", False)


async def test_the_same_request_sent_again_opens_no_second_visit(site: Site) -> None:
    office, body = await program(site), {"patient": PATIENT}
    once = {"headers": {"Idempotency-Key": "order-4711"}}
    answers = await asyncio.gather(*(office.call("POST", "/visits", body, **once) for _ in range(6)))
    assert {status for status, _ in answers} == {201}
    assert len({found["visit"]["id"] for _, found in answers}) == 1
    assert len((await office.call("GET", "/queue"))[1]["patients"]) == 1
    other = {"patient": {**PATIENT, "name": "Ben Ode"}}
    assert await office.code("POST", "/visits", other, **once) == (422, "idempotency_mismatch")
    # An idempotency key belongs to one API key: with another API key, it opens another visit.
    assert (await (await program(site)).call("POST", "/visits", other, **once))[0] == 201


async def test_a_request_that_is_sent_again_gets_its_visit_when_nobody_is_on_call_any_more(
    site: Site,
) -> None:
    await site.change(policy=Policy(needs_on_call=True))
    office, ws = await program(site), await on_call(site)
    body = {"patient": PATIENT}
    first, later = ({"headers": {"Idempotency-Key": f"order-{number}"}} for number in (1, 2))
    status, opened = await office.call("POST", "/visits", body, **first)
    assert status == 201
    await ws.send_json({"type": "on_call", "id": 9, "on": False})
    await received(ws, "done")
    status, again = await office.call("POST", "/visits", body, **first)
    assert (status, again["visit"]["id"]) == (201, opened["visit"]["id"])
    assert await office.code("POST", "/visits", body, **later) == (409, "nobody_on_call")
    await ws.send_json({"type": "on_call", "id": 10, "on": True})
    await received(ws, "done")
    assert (await office.call("POST", "/visits", body, **later))[0] == 201


async def test_an_idempotency_key_opens_a_new_visit_when_its_day_is_over(site: Site, valkey: Redis) -> None:
    office, body = await program(site), {"patient": PATIENT}
    once = {"headers": {"Idempotency-Key": "order-4711"}}
    _, first = await office.call("POST", "/visits", body, **once)
    (place,) = [key async for key in valkey.scan_iter("*:idempotency:*")]
    assert 23 * 3600 < await valkey.ttl(place) <= 24 * 3600
    await valkey.delete(place)  # The idempotency key expires after a day; the test deletes it at once.
    status, second = await office.call("POST", "/visits", body, **once)
    assert (status, first["visit"]["id"] != second["visit"]["id"]) == (201, True)
    assert (await office.call("POST", "/visits", body, **once))[1]["visit"]["id"] == second["visit"]["id"]


async def test_places_and_the_queue_are_those_of_the_staffs_list(site: Site) -> None:
    office = await program(site)
    ids = [(await office.open(name=name))["visit"]["id"] for name in ("Ana Ruiz", "Ben Ode", "Cy Lee")]
    _, queue = await office.call("GET", "/queue")
    assert [(row["place"], row["visit"]) for row in queue["patients"]] == list(enumerate(ids, 1))
    assert (await office.call("GET", f"/visits/{ids[2]}"))[1]["place"] == 3
    await office.call("POST", f"/visits/{ids[0]}/withdraw")
    assert (await office.call("GET", f"/visits/{ids[2]}"))[1]["place"] == 2
    _, wait = await office.call("GET", "/wait")
    assert (wait["available"], wait["waiting"], wait["wait"]) == (True, 2, None)


async def test_a_visits_state_holds_no_patient_information(site: Site) -> None:
    office = await program(site)
    visit = (await office.open())["visit"]["id"]
    text = await (await office.ask("GET", f"/visits/{visit}")).text()
    assert not [value for value in PATIENT.values() if value in text and len(value) > 2]


async def test_what_the_patient_information_page_refuses_the_api_refuses_field_by_field(site: Site) -> None:
    office = await program(site)
    wrong = {**PATIENT, "phone": "12", "birth_date": "2999-01-01", "state": "ZZ"}
    status, problem = await office.call("POST", "/visits", {"patient": wrong})
    assert (status, problem["code"]) == (422, "invalid")
    assert {e["field"] for e in problem["errors"]} == {"patient.phone", "patient.birth_date", "patient.state"}
    status, problem = await office.call("POST", "/visits", {"patient": {**PATIENT, "age": 7}})
    assert (status, problem["errors"][0]["field"]) == (422, "patient")
    assert await office.code("POST", "/visits", data=b"{", headers={"Content-Type": "application/json"}) == (
        400,
        "bad_message",
    )
    assert await office.code("POST", "/visits", data=b"x") == (415, "wrong_type")
    big = {"patient": {**PATIENT, "reason": "x" * 70_000}}
    assert await office.code("POST", "/visits", big) == (413, "too_large")


# --- tests of the actions of the clinic's staff


async def test_a_program_assigns_and_takes_it_back_and_the_assignees_bell_rings(site: Site) -> None:
    ws = await on_call(site)
    await ws.send_json({"type": "subscribe", "id": 9, "topic": "bell"})
    await received(ws, "bell.snapshot")
    office = await program(site)
    visit = (await office.open())["visit"]["id"]
    _, found = await office.call("GET", "/staff")
    osei = next(person for person in found["staff"] if person["on_call"])
    status, state = await office.call("POST", f"/visits/{visit}/assign", {"to": osei["id"]})
    assert (status, state["assignee"]["name"]) == (200, "Dr Maya Osei")
    assert (await received(ws, "bell.item"))["item"]["by"] == "Front office"
    _, state = await office.call("POST", f"/visits/{visit}/unassign")
    assert state["assignee"] is None
    assert await office.code("POST", f"/visits/{visit}/assign", {"to": "u_nobody"}) == (404, "not_found")


async def test_f38_f39_a_program_sets_the_urgency_and_moves_a_request_between_areas(site: Site) -> None:
    await site.change(areas=(Area(id="mind", name="Mind"),))
    office = await program(site)
    visit = (await office.open())["visit"]["id"]
    at = f"/visits/{visit}"
    status, state = await office.call("POST", f"{at}/urgency", {"level": "urgent"})
    assert (status, state["urgency"], state["area"]) == (200, "urgent", None)
    status, state = await office.call("POST", f"{at}/move", {"area": "mind"})
    assert (status, state["area"]) == (200, {"id": "mind", "name": "Mind"})
    [row] = (await office.call("GET", "/queue"))[1]["patients"]
    assert (row["urgency"], row["urgency_by"]["name"], row["area"]["id"]) == (
        "urgent",
        "Front office",
        "mind",
    )
    assert (await office.call("POST", f"{at}/move", {"area": ""}))[1]["area"] is None
    status, problem = await office.call("POST", f"{at}/move", {"area": "gone"})
    assert (status, problem["errors"][0]["field"]) == (422, "area")
    assert await office.code("POST", f"{at}/urgency", {"level": "dire"}) == (422, "invalid")
    await office.call("POST", f"{at}/withdraw")
    for act, body in (("urgency", {"level": "routine"}), ("move", {"area": "mind"})):
        assert await office.code("POST", f"{at}/{act}", body) == (409, "wrong_status")
    acts = [what for _, what, about in await entries_of(site) if about == visit]
    assert acts == ["visit.opened", "visit.urgency_set", "visit.moved", "visit.moved", "visit.withdrawn"]


async def test_staff_who_are_off_call_cannot_be_assigned(site: Site) -> None:
    person = site.person()
    await person.sign_in(OSEI)
    office = await program(site)
    visit = (await office.open())["visit"]["id"]
    assert await office.code("POST", f"/visits/{visit}/assign", {"to": "u_osei"}) == (409, "not_on_call")


async def test_a_program_declines_and_the_patients_page_says_why(site: Site) -> None:
    office = await program(site)
    opened = await office.open()
    ana = site.person()
    await ana.post("/" + opened["link"]["url"].split("/", 3)[3])
    ws = await ana.socket("patient")
    visit = opened["visit"]["id"]
    await ws.send_json({"type": "subscribe", "id": 2, "topic": f"visit/{visit}"})
    assert (await received(ws, "visit.state"))["visit"]["status"] == "queued"
    await office.call("POST", f"/visits/{visit}/decline", {"reason": "Please come in."})
    told = (await received(ws, "visit.state"))["visit"]
    assert (told["outcome"], told["reason"]) == ("declined", "Please come in.")
    assert await office.code("POST", f"/visits/{visit}/decline", {}) == (409, "wrong_status")
    assert (await office.call("GET", f"/visits/{visit}"))[1]["outcome"] == "declined"


async def test_a_program_withdraws_what_it_opened_twice_if_it_must_and_no_patients_own_visit(
    site: Site,
) -> None:
    office = await program(site)
    visit = (await office.open())["visit"]["id"]
    for _ in range(2):
        status, state = await office.call("POST", f"/visits/{visit}/withdraw")
        assert (status, state["outcome"]) == (200, "withdrawn")
    await site.person().ask_for_a_visit()
    own = (await office.call("GET", "/queue"))[1]["patients"][0]["visit"]
    assert await office.code("POST", f"/visits/{own}/withdraw") == (404, "not_found")


# --- tests of API keys and their rights


async def test_a_request_without_a_key_or_with_a_missing_scope_changes_nothing(site: Site) -> None:
    by_scope = {scope: await program(site, scope) for scope in ALL}
    forged = by_scope[ALL[0]].headers["Authorization"].removeprefix("Bearer ")[:-4] + "AAAA"
    nobody = stranger(site, forged)
    for operation in OPERATIONS:
        path = operation.path.format(visit="v_" + "a" * 16, webhook="h_" + "a" * 16)
        assert await nobody.code(operation.method, path, {}) == (401, "not_signed_in")
        for scope, one in by_scope.items():
            if scope in operation.scopes:
                assert (await one.ask(operation.method, path, json={})).status not in (401, 403)
            else:
                assert await one.code(operation.method, path, {}) == (403, "missing_scope")
    for token in (None, "", "gr_x"):
        assert await stranger(site, token).code("GET", "/queue") == (401, "not_signed_in")


async def test_the_api_ignores_a_browsers_sign_in(site: Site) -> None:
    robin = site.person()
    await robin.sign_in(ADMIN)
    assert await Program(robin, "demo", None).code("GET", "/queue") == (401, "not_signed_in")


async def test_a_revoked_key_opens_nothing_from_that_moment_on(site: Site) -> None:
    office = await program(site)
    assert (await office.call("GET", "/queue"))[0] == 200
    ((key, used_ms),) = await site.app[API_KEYS].list("demo")
    assert used_ms is not None
    assert await site.app[API_KEYS].revoke("demo", key.id)
    assert await office.code("GET", "/queue") == (401, "not_signed_in")
    assert not await site.app[API_KEYS].revoke("demo", key.id)


async def test_the_store_does_not_know_the_key_itself(site: Site, valkey: Redis) -> None:
    token = (await program(site)).headers["Authorization"].removeprefix("Bearer ")
    kept = str(await valkey.hgetall("{demo}:api-keys"))
    assert "Front office" in kept
    # The token is split at the first two "_", because the secret itself may contain "_".
    _, key_id, secret = token.split("_", 2)
    assert key_id in kept
    assert secret not in kept


async def test_a_program_that_sends_too_many_requests_gets_429_with_retry_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, other = await program(site), await program(site)
    for name in ("PER_WINDOW", "WRONG_PER_WINDOW"):
        monkeypatch.setattr(f"web.api.dispatch.{name}", 3)
    answers = [await office.ask("GET", "/wait") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= keys.WINDOW_MS // 1000
    assert (await other.ask("GET", "/wait")).status == 200
    wrong = [(await stranger(site, "gr_x").ask("GET", "/wait")).status for _ in range(4)]
    assert wrong == [401, 401, 401, 429]


async def test_an_unknown_path_method_or_organisation_is_a_problem_too(site: Site) -> None:
    office = await program(site)
    assert await office.code("GET", "/nothing") == (404, "not_found")
    answer = await office.ask("DELETE", "/queue")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert await stranger(site, organisation="nowhere").code("GET", "/queue") == (404, "not_found")
