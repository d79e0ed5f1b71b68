"""Tests the demo organisation: when the server makes it, and its passwords."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from signalling.visit.setup_guide import Kind
from tests.web.conftest import OpenSite
from tests.web.site import ADMIN, LIND, OSEI, settings_for
from web.commands.welcome import welcome
from web.errors import ConfigError
from web.keys import ACCOUNTS, ORGANISATIONS
from web.organisations import demo
from web.organisations.settings import validated
from web.server import data_key as secret


@pytest.mark.parametrize(
    ("server", "given"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "::"}, False),
        ({"host": "visits.example.org"}, False),
        ({"public_url": "https://visits.example.org"}, False),
        ({"host": "0.0.0.0", "demo": "yes"}, True),
        ({"demo": "no"}, False),
    ],
)
async def test_s35_no_demo_on_a_public_address_unless_asked_for(
    server: dict[str, str], given: bool, open_site: OpenSite
) -> None:
    site = await open_site(server={"demo": "auto", **server})
    assert await site.app[ORGANISATIONS].list() == (["demo"] if given else [])
    assert len(await site.app[ACCOUNTS].list("demo")) == (3 if given else 0)
    text = welcome(site.settings)
    assert ("riverside.example" in text) is given
    assert ("greenroom init" in text) is not given
    page = await site.person().get("/")
    assert ("greenroom init" in await page.text()) is not given


async def test_s35_a_demo_made_on_this_machine_is_not_served_to_others_unasked(open_site: OpenSite) -> None:
    site = await open_site(server={"demo": "auto"})
    with pytest.raises(ConfigError, match=r"server\.demo: the demo organisation"):
        await open_site(server={"demo": "auto", "public_url": "https://visits.example.org"})
    await open_site(server={"demo": "yes", "public_url": "https://visits.example.org"})
    for email in (OSEI, LIND):
        await site.app[ACCOUNTS].disable("demo", email)
    await site.app[ACCOUNTS].set_password("demo", ADMIN, "a password of one's own")
    await open_site(server={"demo": "auto", "public_url": "https://visits.example.org"})


async def test_the_demo_is_there_once_however_many_workers_start(open_site: OpenSite) -> None:
    sites = await asyncio.gather(*(open_site() for _ in range(3)))
    assert len(await sites[0].app[ACCOUNTS].list("demo")) == 3
    changed = msgspec.structs.replace(demo.ORGANISATION, name="Mine")
    await sites[0].app[ORGANISATIONS].save(changed)
    again = await open_site()
    found = await again.app[ORGANISATIONS].get("demo")
    assert found is not None
    assert found.name == "Mine"


def test_passwords_differ_between_installations(tmp_path: Path) -> None:
    one, other = (settings_for("unix:///nowhere", tmp_path / name) for name in ("one", "other"))
    for settings in (one, other):
        secret.make_data_key(Path(settings.data.folder))
    assert demo.password(one, OSEI) == demo.password(one, OSEI)
    assert len({demo.password(one, OSEI), demo.password(one, LIND), demo.password(other, OSEI)}) == 3


def test_the_demos_setup_guide_has_a_step_of_every_kind() -> None:
    assert {step.kind for step in validated(demo.ORGANISATION).guide.steps} == set(Kind)
