"""Tests over HTTP how an administrator adds, licenses and disables people, and resets their passwords.

A new person sets the password by a one-time link.
"""

import asyncio
import re

import pytest

from signalling.visit.record import Role, Staff
from tests.web.pages.setup.desk import Desk, desk
from tests.web.site import ADMIN, LIND, OSEI, Site
from web.errors import BusyError
from web.identity.accounts import Account, Hasher
from web.keys import ACCOUNTS, SERVICE
from web.pages.setup.people import fingerprint

PASSWORD = "correct horse battery"
NEW = {"name": "Dr Ida Berg", "email": "berg@riverside.example", "role": "provider", "states": "TX"}


async def account(site: Site, email: str) -> Account:
    found = await site.app[ACCOUNTS].find("demo", email)
    assert found is not None
    return found


async def link_in(admin: Desk, text: str) -> str:
    """Return the path of the one-time link in `text`, the HTML of a page."""
    found = re.search(r"/demo/staff/invitation/[\w-]{32}", text)
    assert found, text[:3000]
    return found[0]


async def change(admin: Desk, person: Account, do: str, **fields: str) -> tuple[int, str]:
    form = {"name": person.name, "role": str(person.role), "seen": fingerprint(person), **fields}
    data = [*form.items(), *(("states", state) for state in person.states if "states" not in fields)]
    answer = await admin.person.post(f"{admin.home}/people/{person.id}", [*data, ("do", do)])
    return answer.status, await answer.text()


async def test_a_new_person_sets_a_password_by_a_link_and_is_signed_in(site: Site) -> None:
    admin = await desk(site)
    answer = await admin.person.post(f"{admin.home}/people", NEW)
    text = await answer.text()
    assert answer.status == 200, text
    path = await link_in(admin, text)
    added = await account(site, NEW["email"])
    assert (added.role, added.states, added.hash) == (Role.PROVIDER, ("TX",), "")
    assert path not in await (await admin.person.get(f"{admin.home}/people")).text()

    berg = site.person()
    opened = await berg.get(path)
    assert (opened.status, opened.headers["Location"]) == (303, "/demo/staff/password")
    page = await (await berg.get("/demo/staff/password")).text()
    assert "Dr Ida Berg" in page
    for wrong, said in (
        ({"password": "short", "again": "short"}, "12 to 256 characters"),
        ({"password": PASSWORD, "again": "another long one"}, "not the same"),
    ):
        refused = await berg.post("/demo/staff/password", wrong)
        assert refused.status == 422
        assert said in await refused.text()
    done = await berg.post("/demo/staff/password", {"password": PASSWORD, "again": PASSWORD})
    assert (done.status, done.headers["Location"]) == (303, "/demo/staff")
    assert (await berg.get("/demo/staff")).status == 200
    for other in (site.person(), berg):
        assert (await other.get(path)).status == 404
    assert (await site.person().sign_in(NEW["email"], PASSWORD)).status == 303


async def test_of_two_who_use_one_link_at_once_one_sets_the_password(site: Site) -> None:
    admin = await desk(site)
    text = await (await admin.person.post(f"{admin.home}/people", NEW)).text()
    path = await link_in(admin, text)
    two = [site.person(), site.person()]
    for person in two:
        assert (await person.get(path)).status == 303
    answers = await asyncio.gather(
        *(
            person.post("/demo/staff/password", {"password": f"{PASSWORD} {i}", "again": f"{PASSWORD} {i}"})
            for i, person in enumerate(two)
        )
    )
    assert sorted(answer.status for answer in answers) == [303, 404]


async def test_a_link_still_sets_the_password_after_the_server_was_too_busy_to_do_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> str:
        raise BusyError

    admin, berg = await desk(site), site.person()
    text = await (await admin.person.post(f"{admin.home}/people", NEW)).text()
    await berg.get(await link_in(admin, text))
    wanted = {"password": PASSWORD, "again": PASSWORD}
    with monkeypatch.context() as patch:
        patch.setattr(Hasher, "hash", busy)
        assert (await berg.post("/demo/staff/password", wanted)).status == 503
    assert (await berg.post("/demo/staff/password", wanted)).status == 303
    assert (await site.person().sign_in(NEW["email"], PASSWORD)).status == 303


async def test_forged_links_are_slowed_down_and_look_like_used_ones(site: Site) -> None:
    stranger = site.person()
    answers = [await stranger.get("/demo/staff/invitation/" + "x" * 32) for _ in range(3)]
    assert {answer.status for answer in answers} == {404}
    assert "does not open anything any more" in await answers[0].text()
    assert (await stranger.get("/demo/staff/password")).status == 404


async def test_a_person_who_cannot_be_added_keeps_what_was_typed(site: Site) -> None:
    admin = await desk(site)
    for fields, said in (
        ({**NEW, "name": " "}, "Write the person’s name"),
        ({**NEW, "email": "nowhere"}, "email address"),
        ({**NEW, "email": OSEI}, "There is an account for this email address already"),
    ):
        answer = await admin.person.post(f"{admin.home}/people", fields)
        text = await answer.text()
        assert answer.status == 422
        assert said in text
        assert f'value="{fields["email"]}"' in text
        assert 'value="TX" checked' in text


async def test_f22_people_are_licensed_in_the_regions_of_the_clinics_country(site: Site) -> None:
    admin = await desk(site)
    assert (await admin.change("calendar", country="XX")).status == 422
    assert (await admin.change("calendar", country="CA")).status == 303
    page = await (await admin.person.get(f"{admin.home}/people")).text()
    assert "Ontario" in page
    assert "Texas" not in page
    await change(admin, await account(site, OSEI), "save", states="ON")
    assert (await account(site, OSEI)).states == ("ON",)
    assert (await admin.change("calendar", asks_region=None)).status == 303
    assert "Licensed in" not in await (await admin.person.get(f"{admin.home}/people")).text()
    await change(admin, await account(site, OSEI), "save", name="Dr M. Osei")
    assert (await account(site, OSEI)).states == ("ON",), "kept for when it is asked again"


async def test_licensed_states_reach_signalling_at_once(site: Site) -> None:
    admin = await desk(site)
    status, _ = await change(admin, await account(site, OSEI), "save", states="LA")
    assert status == 303
    service = site.app[SERVICE]
    record, _ = await service.store.load("demo", Staff, "u_osei")
    assert record is not None
    assert record.states == ("LA",)


async def test_a_closed_account_is_signed_out_at_once_and_may_be_opened_again(site: Site) -> None:
    admin, osei = await desk(site), (await desk(site, OSEI)).person
    assert (await change(admin, await account(site, OSEI), "disable"))[0] == 303
    assert (await osei.get("/demo/staff")).status == 303
    assert (await osei.sign_in(OSEI)).status == 422
    assert (await change(admin, await account(site, OSEI), "enable"))[0] == 303
    assert (await osei.sign_in(OSEI)).status == 303


async def test_a_reset_ends_the_old_password_and_gives_a_link(site: Site) -> None:
    admin = await desk(site)
    status, text = await change(admin, await account(site, LIND), "reset")
    assert status == 200
    path = await link_in(admin, text)
    lind = site.person()
    assert (await lind.sign_in(LIND)).status == 422
    assert (await lind.get(path)).status == 303


@pytest.mark.parametrize("do", ["disable", "reset"])
async def test_an_administrator_cannot_close_their_own_account(site: Site, do: str) -> None:
    admin = await desk(site)
    status, text = await change(admin, await account(site, ADMIN), do)
    assert status == 422
    assert "your own account" in text
    assert not (await account(site, ADMIN)).disabled


async def test_two_admins_who_change_one_person_do_not_overwrite_each_other(site: Site) -> None:
    one, other = await desk(site), await desk(site)
    seen = await account(site, OSEI)
    assert (await change(one, seen, "save", states="LA"))[0] == 303
    status, text = await change(other, seen, "save", name="Dr M. Osei")
    assert status == 409
    assert "Somebody else has changed this person" in text
    assert "Dr M. Osei" in text
    assert (await account(site, OSEI)).states == ("LA",)
    assert (await change(other, await account(site, OSEI), "save", name="Dr M. Osei"))[0] == 303


async def test_an_admin_reaches_nobody_of_another_organisation(site: Site) -> None:
    admin = await desk(site)
    stranger = await site.app[ACCOUNTS].add(
        "lakeside", email="x@lakeside.example", name="X", role=Role.PROVIDER, password=PASSWORD
    )
    assert (await change(admin, stranger, "disable"))[0] == 404
