"""Tests who may read the metrics, that they include all workers, and which metrics can be read without the store."""

import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from signalling.errors import UnavailableError
from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.conftest import OpenSite
from tests.web.site import Site
from web.config import parse
from web.errors import ConfigError
from web.keys import WORKER
from web.metrics import scrape
from web.metrics.boards import Boards
from web.metrics.table import METRICS, values
from web.server.processes import Worker

TOKEN = "a token for the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield (name, labels, value) for each sample in the text of the metrics."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


async def test_metrics_are_off_until_a_token_or_a_port_is_set(site: Site, open_site: OpenSite) -> None:
    assert (await site.person().get("/metrics")).status == 404
    on_its_port = await open_site(metrics={"port": 9100, "token": TOKEN})
    assert (await on_its_port.person(**BEARER).get("/metrics")).status == 404


async def test_on_the_port_of_the_pages_a_scrape_needs_the_token(open_site: OpenSite, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    for given in ({"token": TOKEN}, {"token_file": str(tmp_path / "token")}):
        site = await open_site(metrics=given)
        for wrong in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
            refused = await site.person(**wrong).get("/metrics")
            assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "greenroom_" not in await refused.text()
        answer = await site.person(**BEARER).get("/metrics")
        assert (answer.status, answer.content_type) == (200, "text/plain")
        found = {name for name, _, _ in samples(await answer.text())}
        assert {"greenroom_visits", "greenroom_jobs_due", "greenroom_store_round_trip_seconds_count"} <= found


def test_a_token_that_cannot_be_read_or_is_short_is_said_at_start(tmp_path: Path) -> None:
    for wrong in ({"token": "short"}, {"token": TOKEN, "token_file": "x"}):
        with pytest.raises(ConfigError, match=r"metrics\.token"):
            parse({"metrics": wrong}, "test")
    with pytest.raises(ConfigError, match=r"metrics\.token_file"):
        scrape.token_of(parse({"metrics": {"token_file": str(tmp_path / "none")}}, "test"))
    (tmp_path / "token").write_text("short\n")
    with pytest.raises(ConfigError, match=r"metrics\.token_file: expected at least 16 characters"):
        scrape.token_of(parse({"metrics": {"token_file": str(tmp_path / "token")}}, "test"))


async def test_no_scrape_is_answered_while_the_file_of_the_token_is_empty(
    open_site: OpenSite, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    site = await open_site(metrics={"token_file": str(tmp_path / "token")})
    (tmp_path / "token").write_text("")
    answer = await site.person().get("/metrics")
    assert answer.status != 200
    assert "greenroom_" not in await answer.text()


async def test_a_scrape_has_each_worker_s_values_and_what_they_share_once(site: Site) -> None:
    boards = Boards(2)
    site.app._state[WORKER] = Worker(0, "w0", 1, boards=boards)
    await until(lambda: 0 in boards.read(time.monotonic()))
    other = {**values(site.app), "greenroom_rooms": [((), 7.0)]}
    boards.write(1, msgspec.msgpack.encode(other), time.monotonic() + 60)
    found = await scrape.gathered(site.app)
    assert found.keys() == {metric.name for metric in METRICS}
    assert found["greenroom_rooms"] == [(("0",), 0), (("1",), 7.0)]
    assert found["greenroom_workers"] == [((), 2)]
    assert len(found["greenroom_loop_lag_seconds"]) == 2
    assert found["greenroom_jobs_due"] == [((queue,), 0) for queue in ("mail", "webhook", "text", "push")]


async def test_without_the_store_all_that_the_workers_know_is_still_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(app: object) -> scrape.Found:
        raise UnavailableError("away")

    monkeypatch.setattr(scrape, "_stored", away)
    found = await scrape.gathered(site.app)
    assert found["greenroom_store_writable"]
    assert found["greenroom_visits"]
    assert found["greenroom_jobs_due"] == []


async def test_the_port_of_the_metrics_serves_nothing_else(site: Site) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    served = partial(scrape.port, listener)(site.app)
    await anext(served)
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
            assert answer.status == 200
            assert (
                dict.fromkeys(name for name, _, _ in samples(await answer.text()))["greenroom_workers"]
                is None
            )
        async with aiohttp.ClientSession() as http, http.get(f"{url}/demo") as answer:
            assert answer.status == 404
    finally:
        with pytest.raises(StopAsyncIteration):
            await anext(served)


async def test_a_port_that_is_in_use_is_said_in_a_sentence(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start_server({"metrics": {"port": port}})
        assert server.process.wait(WAIT_S) == 2
    assert f"metrics.port: port {port} on 127.0.0.1 is in use" in server.log
