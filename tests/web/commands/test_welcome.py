"""Tests the text that the terminal shows when the server has started and answers."""

import asyncio
from pathlib import Path

from tests.web.conftest import OpenSite
from tests.web.site import ADMIN, LIND, OSEI, settings_for
from web.commands.welcome import welcome
from web.keys import ACCOUNTS
from web.organisations import demo


async def test_the_welcome_names_the_links_and_passwords_that_work(open_site: OpenSite) -> None:
    site = await open_site()
    text = welcome(site.settings)
    assert f"{site.settings.origin}/demo\n" in text
    assert f"{site.settings.origin}/demo/staff" in text
    assert f"Mail      files in {site.settings.data.folder}/outbox" in text
    for email in (ADMIN, OSEI, LIND):
        line = next(line for line in text.splitlines() if email in line)
        assert (await site.person().sign_in(email, line.split()[1])).status == 303


async def test_s35_passwords_are_printed_once_by_the_start_that_made_them(open_site: OpenSite) -> None:
    sites = await asyncio.gather(*(open_site() for _ in range(3)))
    told = [welcome(site.settings) for site in (*sites, await open_site())]
    for email in (ADMIN, OSEI, LIND):
        assert [demo.password(sites[0].settings, email) in text for text in told] == [
            True,
            False,
            False,
            False,
        ]
        assert all(email in text for text in told)
    assert "greenroom user password" in told[1]


async def test_a_changed_demo_password_is_not_shown(open_site: OpenSite) -> None:
    site = await open_site()
    await site.app[ACCOUNTS].set_password("demo", OSEI, "a password of one's own")
    assert demo.password(site.settings, OSEI) not in welcome(site.settings)


def test_the_welcome_does_not_wait_for_a_store_that_is_not_there(tmp_path: Path) -> None:
    settings = settings_for("unix:///nowhere", tmp_path)
    assert welcome(settings) == f"Greenroom is at {settings.origin}"
