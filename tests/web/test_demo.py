"""The demo organisation, the data key, and the organisation's document."""

import asyncio
import stat
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from signalling.visit.setup_guide import Kind
from tests.conftest import StartServer
from tests.web.conftest import OpenSite
from tests.web.site import ADMIN, LIND, OSEI, settings_for
from web import demo
from web.errors import ConfigError
from web.keys import ACCOUNTS, ORGANISATIONS
from web.organisations.settings import validated
from web.server import data_key as secret

# --- the demo


async def test_the_welcome_names_the_links_and_passwords_that_work(open_site: OpenSite) -> None:
    site = await open_site()
    text = demo.welcome(site.settings)
    assert f"{site.settings.origin}/demo\n" in text
    assert f"{site.settings.origin}/demo/staff" in text
    assert f"Mail      files in {site.settings.data.folder}/outbox" in text
    for email in (ADMIN, OSEI, LIND):
        line = next(line for line in text.splitlines() if email in line)
        assert (await site.person().sign_in(email, line.split()[1])).status == 303


async def test_s35_passwords_are_printed_once_by_the_start_that_made_them(open_site: OpenSite) -> None:
    sites = await asyncio.gather(*(open_site() for _ in range(3)))
    told = [demo.welcome(site.settings) for site in (*sites, await open_site())]
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
    assert demo.password(site.settings, OSEI) not in demo.welcome(site.settings)


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
    text = demo.welcome(site.settings)
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


def test_the_welcome_does_not_wait_for_a_store_that_is_not_there(tmp_path: Path) -> None:
    settings = settings_for("unix:///nowhere", tmp_path)
    assert demo.welcome(settings) == f"Greenroom is at {settings.origin}"


# --- the data key


def test_the_data_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    secret.make_data_key(tmp_path / "data")
    key = secret.data_key(tmp_path / "data")
    secret.make_data_key(tmp_path / "data")
    path = tmp_path / "data" / "secret.key"
    assert len(key) == 32
    assert secret.data_key(tmp_path / "data") == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret.key"]


def test_a_data_key_that_is_lost_is_missed_and_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        secret.data_key(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_truncated_data_key_is_reported_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    secret.make_data_key(tmp_path)
    with pytest.raises(ConfigError, match="must hold 32 bytes"):
        secret.data_key(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == b"short"


async def test_a_server_with_another_key_does_not_touch_the_store(valkey: Redis) -> None:
    await secret.check(valkey, b"a" * 32)
    await secret.check(valkey, b"a" * 32)
    with pytest.raises(ConfigError, match="not the key"):
        await secret.check(valkey, b"b" * 32)


def test_a_server_with_another_key_says_so_and_exits_2(start_server: StartServer) -> None:
    server = start_server().wait()
    server.stop()
    (server.data / "secret.key").write_bytes(b"x" * 32)
    second = start_server()
    assert second.process.wait(20) == 2
    assert "secret.key" in second.log + second.output
