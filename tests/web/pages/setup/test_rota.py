"""Tests the on-call rota in the set-up: people in an order, each with hours of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from signalling.store import keys
from tests.signalling.visits import queued
from tests.web.pages.setup.desk import Desk, desk
from tests.web.pages.setup.test_frame import stored
from tests.web.site import LIND, Site
from web.channels.devices import Device
from web.channels.messages import jobs_of
from web.channels.rota import Facts, next_people
from web.channels.staff import WAITING, channels_of
from web.channels.text_service import Service
from web.errors import OrganisationError
from web.keys import ACCOUNTS, JOBS, PUSH, REDIS, TEXT_SERVICES
from web.organisations.settings import Rota, Turn, validated

NO_CHANNEL = "Has not chosen in their settings"


async def with_people(site: Site, *people: str) -> Desk:
    """Sign an administrator in and add these people to the rota; return the administrator."""
    admin = await desk(site)
    for person in people:
        assert (await admin.change("rota", new=person)).status == 303
    return admin


async def order(site: Site) -> list[str]:
    """Return the ids of the people in the rota, in its order."""
    return [turn.person for turn in (await stored(site)).rota.turns]


async def test_f41_people_are_added_with_the_clinics_hours_ordered_and_removed(site: Site) -> None:
    admin = await with_people(site, "u_lind", "u_osei")
    clinic = await stored(site)
    assert clinic.rota.turns == tuple(Turn(person=one, hours=clinic.hours) for one in ("u_lind", "u_osei"))
    answer = await admin.change(
        "rota", first_min="10", next_min="3", **{"u_lind-place": "2", "u_osei-place": "1"}
    )
    assert answer.status == 303
    rota = (await stored(site)).rota
    assert (rota.first_min, rota.next_min) == (10, 3)
    assert await order(site) == ["u_osei", "u_lind"]
    assert (await admin.change("rota", **{"u_osei-remove": "on"})).status == 303
    assert await order(site) == ["u_lind"]
    assert (await admin.change("rota", new="u_lind")).status == 303, "is in it already"
    assert await order(site) == ["u_lind"]


async def test_f41_the_hours_of_a_person_may_go_over_midnight(site: Site) -> None:
    admin = await with_people(site, "u_osei")
    answer = await admin.change("rota", **{"u_osei-opens-4": "22:00", "u_osei-closes-4": "06:00"}, **{
        f"u_osei-{end}-{day}": "" for day in (0, 1, 2, 3, 5, 6) for end in ("opens", "closes")
    })  # fmt: skip
    assert answer.status == 303, await answer.text()
    assert "<bdi>America/Chicago</bdi>" in await (await admin.person.get(f"{admin.home}/rota")).text()
    (turn,) = (await stored(site)).rota.turns
    assert turn.hours == ((), (), (), (), (("22:00", "06:00"),), (), ())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"first_min": "soon"}, "whole number from 0 to 1440"),
        ({"next_min": "0"}, "whole number from 1 to 1440"),
        ({"u_osei-place": "51"}, "whole number from 1 to 50"),
        ({"u_osei-opens-2": "17:00", "u_osei-closes-2": "17:00"}, "are the same"),
        ({"u_osei-opens-2": "22:00", "u_osei-closes-2": "09:00"}, "end later than these begin"),
    ],
)
async def test_f41_a_wrong_field_says_so_keeps_what_was_typed_and_nothing_is_saved(
    site: Site, wrong: dict[str, str], said: str
) -> None:
    admin = await with_people(site, "u_osei")
    before = (await stored(site)).rota
    answer = await admin.change("rota", **wrong)
    text = await answer.text()
    assert (answer.status, said in text) == (422, True)
    kept = await admin.fields("rota", text)
    assert all(field in kept for field in wrong.items())
    assert (await stored(site)).rota == before


async def on_duty(site: Site) -> list[str]:
    """Return the ids of the people who would get the next message about a request now."""
    accounts = await site.app[ACCOUNTS].list("demo")
    channels = await channels_of(site.app, "demo", accounts)
    facts = Facts(await stored(site), accounts, frozenset(), channels, datetime.now(UTC))
    return [account.id for account in next_people(queued(), facts)]


async def test_f41_the_page_says_who_of_the_rota_gets_no_message_and_the_escalation_agrees(
    site: Site,
) -> None:
    await site.change(hours=((("00:00", "24:00"),),) * 7)
    admin = await with_people(site, "u_lind")
    await site.app[TEXT_SERVICES].put("demo", Service("json://127.0.0.1:9/{phone}", "Robin Hale", 1))

    async def page() -> str:
        return await (await admin.person.get(f"{admin.home}/rota")).text()

    assert NO_CHANNEL in await page()
    assert "No administrator has chosen" in await page()
    assert await on_duty(site) == []
    accounts = site.app[ACCOUNTS]
    await accounts.prefer(
        "demo",
        LIND,
        mail_assigned=False,
        notify=True,
        language="",
        phone="+1 512 555 0150",
        texts=True,
    )
    assert NO_CHANNEL not in await page()
    assert await on_duty(site) == ["u_lind"]
    await site.app[PUSH].staff.add(
        "demo", "u_admin", Device("https://push.example/1", "p", "a", "Firefox", 1)
    )
    assert "No administrator has chosen" not in await page()
    assert "0150" not in await page(), "the number is the person's own"
    await site.app[TEXT_SERVICES].drop("demo")
    assert NO_CHANNEL in await page()
    assert await on_duty(site) == ["u_admin"]
    await accounts.disable("demo", LIND)
    assert "This account is disabled" in await page()
    assert await on_duty(site) == ["u_admin"]


async def test_f41_a_person_whom_one_channel_reached_is_not_listed_as_not_reached(site: Site) -> None:
    admin = await desk(site)
    payload = {"visit": "v_1", "person": "u_lind", "name": "Dr Jonas Lind", "channels": ["text", "push"]}

    async def listed_after(channel: str) -> bool:
        """Let the message on `channel` fail, and never be tried again; then open the page of the rota.

        Return whether the page lists Dr Lind as not reached, by text message and by notification.
        """
        [job] = jobs_of(WAITING, payload, (channel,), 1, 2)
        _, at_ms, member = site.app[JOBS].entry("demo", job)
        await site.app[REDIS].zadd(keys.DEAD_JOBS("demo"), {member: at_ms})
        page = await (await admin.person.get(f"{admin.home}/rota")).text()
        assert ("Not delivered" in page) is ("Dr Jonas Lind</bdi> (" in page)
        return "<bdi>Dr Jonas Lind</bdi> (Text message, Notification)" in page

    assert not await listed_after("text"), "the notification arrived"
    assert await listed_after("push")


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ((Turn(person="a", hours=((),) * 6),), "rota: must list seven days"),
        ((Turn(person="a", hours=((("9", "17:00"),),) * 7),), "rota: times must look like"),
        ((Turn(person="a", hours=((),) * 7),) * 2, "two places"),
        (tuple(Turn(person=str(n), hours=((),) * 7) for n in range(51)), "rota.turns"),
    ],
)
async def test_f41_a_document_with_a_wrong_rota_is_refused(
    site: Site, turns: tuple[Turn, ...], said: str
) -> None:
    clinic = await stored(site)
    with pytest.raises(OrganisationError, match=said):
        validated(replace(clinic, rota=Rota(turns=turns)))
