"""Tests each check of `greenroom doctor` on a real site, store and mail server: what it finds right or wrong."""

import asyncio
import datetime
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from tests.ports import free_ports
from tests.web.conftest import OpenSite
from tests.web.mail.smtp import MailServer
from tests.web.site import Site
from web.config import Settings, parse
from web.doctor import CHECKS, Finding, State, checks, look, mail, media, pages, store
from web.doctor.machine import data_folder, data_key
from web.server import tls


def settings(folder: Path, **sections: dict[str, Any]) -> Settings:
    """Return settings whose data folder is `folder`. `sections`: further sections of the settings."""
    return parse({"data": {"folder": str(folder)}, **sections}, "test")


async def found(site: Site, **server: Any) -> dict[str, Finding]:
    """Return the name of each check -> what it finds about a site. The site's public address is its server's address.

    `server`: further settings of the section [server].
    """
    reached = replace(site.settings.server, public_url=str(site.server.make_url("")).rstrip("/"), **server)
    return {name: each async for name, each in look(replace(site.settings, server=reached))}


async def test_a_server_that_runs_well_has_nothing_wrong(site: Site) -> None:
    each = await found(site, trusted_proxies=("127.0.0.1",))
    assert list(each) == list(CHECKS)
    assert {name: finding for name, finding in each.items() if finding.state == State.WRONG} == {}
    for name in ("data folder", "data key", "store", "clock", "pages", "sockets", "proxy"):
        assert each[name].state == State.GOOD, name
    # These two checks warn: the site offers the demo organisation to others, and it cannot send mail.
    assert each["demo"].state == each["mail"].state == State.DOUBTFUL
    assert all(finding.advice for finding in each.values() if finding.state != State.GOOD)


def test_a_folder_or_a_key_that_others_may_read_is_wrong(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    tmp_path.chmod(0o755)
    assert data_folder(mine) == Finding(
        State.WRONG, f"other accounts of this machine may open {tmp_path}", f"chmod 700 {tmp_path}"
    )
    tmp_path.chmod(0o770)
    assert data_folder(mine).state == State.DOUBTFUL, "in a pod it is the group of the server alone"
    tmp_path.chmod(0o700)
    assert data_folder(mine).state == State.GOOD
    key = tmp_path / "secret.key"
    assert "not there yet" in data_key(mine).found
    key.write_bytes(b"short")
    assert "must hold 32 bytes" in data_key(mine).found
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    assert data_key(mine).advice == f"chmod 600 {key}"
    key.chmod(0o440)
    assert (data_key(mine).state, "the group" in data_key(mine).found) == (State.DOUBTFUL, True)
    key.chmod(0o600)
    assert data_key(mine).state == State.GOOD


async def test_a_store_that_does_not_answer_is_wrong_and_hides_its_password(tmp_path: Path) -> None:
    mine = settings(tmp_path, redis={"url": "redis://:s3cret@127.0.0.1:1/0"})
    for check, state in (
        (store.answers, State.WRONG),
        (store.keeps, State.DOUBTFUL),
        (store.clock, State.DOUBTFUL),
    ):
        finding = await check(mine)
        assert finding.state == state
        assert "s3cret" not in f"{finding}"


async def test_a_store_that_evicts_sign_ins_is_doubtful(
    valkey_url: str, valkey: redis.asyncio.Redis, tmp_path: Path
) -> None:
    mine = settings(tmp_path, redis={"url": valkey_url})
    assert (await store.keeps(mine)).state == State.GOOD
    await valkey.config_set("maxmemory-policy", "volatile-lru")
    try:
        assert (await store.keeps(mine)).found == "maxmemory-policy volatile-lru"
    finally:
        await valkey.config_set("maxmemory-policy", "noeviction")


async def test_clocks_that_disagree_are_wrong(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = settings(tmp_path, redis={"url": valkey_url})
    assert (await store.clock(mine)).state == State.GOOD
    away = time.time() + 90
    monkeypatch.setattr(time, "time", lambda: away)
    assert (await store.clock(mine)).state == State.WRONG


@pytest.mark.parametrize(("days", "state"), [(-1, State.WRONG), (5, State.DOUBTFUL), (200, State.GOOD)])
def test_a_certificate_that_ends_soon_is_doubtful(tmp_path: Path, days: int, state: State) -> None:
    made = datetime.datetime.now(datetime.UTC) - tls.VALID_FOR + datetime.timedelta(days=days, hours=12)
    certificate, key = tls.self_signed(tmp_path, made)
    mine = settings(tmp_path, tls={"certificate": str(certificate), "key": str(key)})
    assert pages.certificate(mine).state == state


@pytest.mark.parametrize(
    ("status", "said"),
    [(426, "drops the header Upgrade"), (502, "answered with 502"), (403, "answered with 403")],
)
async def test_a_proxy_that_passes_no_websockets_is_wrong(site: Site, status: int, said: str) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=status, text="no")

    proxy = web.Application()
    proxy.router.add_get("/{path:.*}", refuse)
    async with TestServer(proxy) as between:
        reached = replace(site.settings.server, public_url=str(between.make_url("")).rstrip("/"))
        mine = replace(site.settings, server=reached)
        assert said in (finding := await pages.sockets(mine)).found
        assert finding.state == State.WRONG
        assert f"answers {status}" in (await pages.answer(mine)).found


async def test_nobody_who_answers_and_a_proxy_that_is_not_trusted_are_found(tmp_path: Path) -> None:
    mine = settings(tmp_path, server={"public_url": "https://127.0.0.1:1"})
    assert (await pages.answer(mine)).state == State.DOUBTFUL
    assert "everybody has its address" in pages.proxy(mine).found


@pytest.mark.parametrize(
    ("network", "state"),
    [
        ("0.0.0.0/0", State.WRONG),
        ("::/0", State.WRONG),
        ("128.0.0.0/1", State.WRONG),
        ("10.0.0.0/8", State.GOOD),
        ("fc00::/7", State.GOOD),
        ("203.0.113.7", State.GOOD),
    ],
)
def test_a_network_of_proxies_that_has_clients_in_it_is_found(
    tmp_path: Path, network: str, state: State
) -> None:
    behind = {"public_url": "https://visits.example.org", "trusted_proxies": ["127.0.0.1", network]}
    finding = pages.proxy(settings(tmp_path, server=behind))
    assert finding.state == state
    assert network in finding.found


async def test_f44_private_addresses_and_ports_in_use_are_found(tmp_path: Path) -> None:
    public = {"host": "0.0.0.0", "public_url": "https://visits.example.org"}
    mine = settings(tmp_path, server=public, media={"announce": ["10.0.0.7"]})
    assert await media.address(mine) == Finding(
        State.DOUBTFUL, "browsers are told private addresses alone (10.0.0.7)", media.ADVICE
    )
    assert (
        await media.address(settings(tmp_path, server=public, media={"announce": ["8.8.8.8"]}))
    ).state == State.GOOD
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        mine = settings(tmp_path, media={"ports": number})
        assert f"127.0.0.1 port {number} cannot be used" in media.ports(mine).found
    assert media.ports(settings(tmp_path)).state == State.GOOD


def test_a_media_port_that_another_program_uses_for_tcp_is_found(tmp_path: Path) -> None:
    [number] = free_ports(1)
    with socket.create_server(("127.0.0.1", number)):
        finding = media.ports(settings(tmp_path, media={"ports": number}))
        assert finding.state == State.DOUBTFUL
        assert f"127.0.0.1 port {number} cannot be used for TCP" in finding.found
        without = media.ports(settings(tmp_path, media={"ports": number, "tcp": False}))
        assert (without.state, "TCP" in without.found) == (State.GOOD, False)


def test_a_media_port_that_is_in_use_for_ipv6_alone_is_found(tmp_path: Path) -> None:
    [number] = free_ports(1)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind(("::1", number))
        finding = media.ports(settings(tmp_path, media={"host": "0.0.0.0", "ports": number}))
        assert finding.state == State.WRONG


async def test_media_that_only_this_machine_reaches_is_wrong_if_people_come_through_a_proxy(
    tmp_path: Path,
) -> None:
    behind = {"public_url": "https://visits.example.org", "trusted_proxies": ["127.0.0.1"]}
    announced = {"announce": ["8.8.8.8"]}
    finding = await media.address(settings(tmp_path, server=behind, media=announced))
    assert finding.state == State.WRONG
    assert "on this machine alone (127.0.0.1)" in finding.found
    opened = settings(tmp_path, server=behind, media={"host": "::", **announced})
    assert (await media.address(opened)).state == State.GOOD


async def test_a_mail_server_is_asked_without_a_mail_and_links_that_lead_nowhere_are_found(
    tmp_path: Path,
) -> None:
    server = MailServer()
    await server.start()
    told = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
    assert (await mail.server(settings(tmp_path, mail=told))).state == State.GOOD
    assert server.mails == []
    served = {"host": "::", "public_url": ""}
    finding = await mail.server(settings(tmp_path, mail=told, server=served))
    assert (finding.state, "begin with http://127.0.0.1:8000" in finding.found) == (State.WRONG, True)
    served["public_url"] = "https://visits.example.org"
    assert (await mail.server(settings(tmp_path, mail=told, server=served))).state == State.GOOD
    await server.stop()
    assert (await mail.server(settings(tmp_path, mail=told))).state == State.WRONG


async def test_a_check_that_fails_or_hangs_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(settings: Settings) -> Finding:
        await asyncio.sleep(60)
        raise AssertionError

    def fail(settings: Settings) -> Finding:
        raise ValueError("Jane Doe")

    table: dict[str, Callable[[Settings], Any]] = {"hangs": hang, "fails": fail, "folder": data_folder}
    monkeypatch.setattr(checks, "CHECKS", table)
    monkeypatch.setattr(checks, "EACH_S", 2.0)
    each = {name: finding async for name, finding in look(settings(tmp_path / "none"))}
    assert "no answer within" in each["hangs"].found
    assert each["fails"].found == "the check failed (ValueError)"
    assert each["folder"].state == State.GOOD


async def test_no_finding_shows_a_secret(open_site: OpenSite) -> None:
    site = await open_site(mail={"host": "127.0.0.1", "port": 1, "username": "u", "password": "s3cret"})
    assert "s3cret" not in str(await found(site))
