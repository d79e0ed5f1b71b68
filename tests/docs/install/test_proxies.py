"""Tests the recipes for proxies: each configuration in the documents runs, with other ports, in front of a
server.

Through each proxy, a page opens, a person signs in, a WebSocket gets its welcome, and the limit of sockets counts the
address of the person, not that of the proxy. Each proxy listens on a loopback address of its own, so that no other
proxy uses its ports.
"""

from __future__ import annotations

import contextlib
import datetime
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import yaml  # type: ignore[import-untyped]
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signalling.clients.client import SignallingClient
from tests.conftest import QUICK
from tests.docs.marked import DOCS
from tests.server import RunningServer
from tests.web.site import OSEI
from web.config import parse
from web.organisations import demo
from web.requests.pictures import MOST_BYTES

RECIPES = DOCS / "install/proxies"
SITE = "visits.example.org"
SERVER = "127.0.0.1:8000"
PATIENCE_S = 60.0
AND = {"nginx": ";\n    server ", "haproxy": " check\n    server two ", "caddy": " "}
"""The text between two servers in each recipe."""
ANSWERED_S = 3.0
"""The longest time in s for a page if one of two servers does not answer; the recipes wait for it for 1 s."""


class Place(NamedTuple):
    """Where a proxy runs: its folder, its IPv4 address, and the address (host:port) of the server behind it."""

    folder: Path
    address: str
    server: str


class Proxy(NamedTuple):
    """A proxy to test: the name of its recipe, the texts to replace in the recipe, and the command that
    runs the proxy.
    """

    recipe: str
    replaced: Callable[[Place], Mapping[str, str]]
    command: Callable[[Place], list[str]]


def nginx(at: Place) -> list[str]:
    (at.folder / "main.conf").write_text(
        f"user root; daemon off; pid {at.folder}/pid; events {{}} error_log stderr;"
        f"http {{ access_log off; client_body_temp_path {at.folder}; proxy_temp_path {at.folder};"
        "include nginx.conf; }"
    )
    return ["nginx", "-e", "stderr", "-p", str(at.folder), "-c", "main.conf"]


def caddy(at: Place) -> list[str]:
    return [
        "env",
        f"HOME={at.folder}",
        f"SERVERS={at.server}",
        "caddy",
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        "Caddyfile",
    ]


PROXIES = {
    "nginx": Proxy(
        "nginx.conf",
        lambda at: {
            "listen [::]:443 ssl;": "",
            "listen [::]:80;": "",
            "listen 443": f"listen {at.address}:8443",
            "listen 80": f"listen {at.address}:8080",
            f"/etc/letsencrypt/live/{SITE}/fullchain.pem": f"{at.folder}/certificate.pem",
            f"/etc/letsencrypt/live/{SITE}/privkey.pem": f"{at.folder}/key.pem",
            SERVER: at.server,
        },
        nginx,
    ),
    "haproxy": Proxy(
        "haproxy.cfg",
        lambda at: {
            ":::80 v4v6": f"{at.address}:8080",
            ":::443 v4v6": f"{at.address}:8443",
            f"/etc/haproxy/{SITE}.pem": f"{at.folder}/both.pem",
            SERVER: at.server,
        },
        lambda at: ["haproxy", "-db", "-f", "haproxy.cfg"],
    ),
    "caddy": Proxy(
        "Caddyfile",
        lambda at: {
            f"{{$SITE:{SITE}}} {{": f"{{\nadmin off\nhttp_port 8080\nhttps_port 8443\n}}\n{SITE} {{\n"
            f"bind {at.address}\ntls certificate.pem key.pem\n"
        },
        caddy,
    ),
}


class Resolver(AbstractResolver):
    """Resolves every host name to the same address."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Return the same address for every host and port."""
        return [{"hostname": host, "host": self._address, "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Do nothing, because the resolver holds no resources."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A running server, which is behind each of the proxies."""
    settings: dict[str, dict[str, Any]] = {
        "server": {
            "port": 0,
            "public_url": f"https://{SITE}",
            "trusted_proxies": ["127.0.0.1"],
            "demo": "yes",
        },
        "limits": {"sockets_before_hello": 1, "hello_s": 60.0},
    }
    started = RunningServer(tmp_path_factory.mktemp("server"), settings, quick=QUICK)
    while not (listening := [event for event in started.events if event["event"] == "server.listening"]):
        assert started.process.poll() is None, started.log
        time.sleep(0.02)
    started.url = f"http://127.0.0.1:{listening[0]['port']}"
    started.until_said(SITE)
    yield started
    started.stop()


@contextlib.contextmanager
def running(name: str, server: RunningServer, folder: Path, *others: str) -> Iterator[Place]:
    """Run the proxy of this name by its recipe, in front of a server; yield where the proxy runs.

    `folder`: the folder for the proxy's files. `others`: addresses (host:port) of further servers.
    """
    if shutil.which(name) is None or sys.platform != "linux":
        pytest.skip(f"no {name} here, or only one loopback address")
    proxy = PROXIES[name]
    behind = AND[name].join([*others, server.url[7:]])
    at = Place(folder, "127." + ".".join(str(random.randint(2, 254)) for _ in range(3)), behind)
    make_certificate(folder)
    text = (RECIPES / proxy.recipe).read_text("utf-8")
    for old, new in proxy.replaced(at).items():
        assert old in text
        text = text.replace(old, new)
    (folder / proxy.recipe).write_text(text, "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(proxy.command(at), cwd=folder, stdout=log, stderr=log)
    try:
        while not listens(at):
            assert process.poll() is None, "the proxy has ended"
            time.sleep(0.02)
        yield at
    except BaseException:
        print((folder / "log").read_text("utf-8"))
        raise
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def listens(at: Place) -> bool:
    """Return whether the proxy accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection((at.address, 8443), timeout=1):
        return True
    return False


def make_certificate(folder: Path) -> None:
    """Write three files into `folder`: a certificate of the site, its key, and both together."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name, day = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SITE)]), datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - day, now + day
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    for file, content in (("certificate", certificate), ("key", secret), ("both", certificate + secret)):
        (folder / f"{file}.pem").write_bytes(content)


@contextlib.asynccontextmanager
async def person(at: Place, number: int) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the browser of a person, who uses the proxy at `at` from an IPv4 address of their own.

    `number`: the last part of this address; its other parts are those of the proxy's address.
    """
    connector = aiohttp.TCPConnector(
        resolver=Resolver(at.address), ssl=False, local_addr=(f"{at.address.rpartition('.')[0]}.{number}", 0)
    )
    headers = {"Host": SITE, "Origin": f"https://{SITE}"}
    async with aiohttp.ClientSession(f"https://{SITE}:8443", connector=connector, headers=headers) as http:
        yield http


@pytest.mark.long
@pytest.mark.parametrize("name", PROXIES)
async def test_a_proxy_with_its_recipe_passes_pages_sockets_and_addresses(
    name: str, server: RunningServer, tmp_path: Path
) -> None:
    password = demo.password(parse({"data": {"folder": str(server.data)}}, "test"), OSEI)
    with running(name, server, tmp_path) as at:
        async with person(at, 1) as osei, person(at, 255) as other:
            async with osei.get("/demo") as calendar:
                assert "Riverside Clinic" in await calendar.text()
            async with osei.get("http://plain:8080/demo", allow_redirects=False) as plain:
                assert plain.headers["Location"] == f"https://{SITE}/demo"
            form = {"email": OSEI, "password": password}
            async with osei.post("/demo/staff/sign-in", data=form, allow_redirects=False) as answer:
                assert answer.status == 303
            async with osei.post("/demo/information", data=b"x" * (MOST_BYTES + 16 * 1024)) as large:
                assert "nginx" not in await large.text(), "a photo passes the proxy"
            url = f"https://{SITE}:8443/demo/ws"
            async with await SignallingClient.connect(osei, url, "staff", timeout_s=PATIENCE_S) as client:
                assert client.welcome["type"] == "welcome"
            async with osei.ws_connect("/demo/ws"), other.ws_connect("/demo/ws"):
                invented = {"X-Forwarded-For": "203.0.113.9"}
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await osei.ws_connect("/demo/ws", headers=invented)
                assert refused.value.status == 429, "two sockets of one address wait for their hello"


def test_behind_a_proxy_the_documents_settings_receive_media_from_other_machines() -> None:
    section = (DOCS / "OPERATIONS.md").read_text("utf-8").split("### Behind a proxy")[1].split("\n### ")[0]
    (block,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    settings = parse(tomllib.loads(block), "docs/OPERATIONS.md")
    assert settings.media_host == "::"
    assert settings.media_ports(0) != (0,)


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Yield an address (host:port) at which nothing answers, as at that of a machine without power.

    It belongs to a socket whose queue of new connections is full, so that the system drops further ones.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.long
@pytest.mark.parametrize("name", PROXIES)
async def test_a_proxy_with_its_recipe_asks_another_server_if_one_does_not_answer(
    name: str, server: RunningServer, tmp_path: Path
) -> None:
    with silent() as address, running(name, server, tmp_path, address) as at:
        for number in range(1, 7):
            began_s = time.monotonic()
            async with person(at, number) as somebody, somebody.get("/demo") as calendar:
                assert calendar.status == 200
            assert time.monotonic() - began_s < ANSWERED_S


def test_the_recipe_for_traefik_leads_to_the_server_and_asks_for_its_health() -> None:
    http = yaml.safe_load((RECIPES / "traefik.yaml").read_text("utf-8"))["http"]
    (router,), (service,) = http["routers"].values(), http["services"].values()
    assert router["rule"] == f"Host(`{SITE}`)"
    assert router["service"] in http["services"]
    assert service["loadBalancer"]["servers"] == [{"url": f"http://{SERVER}"}]
    assert service["loadBalancer"]["healthCheck"]["path"] == "/readyz"
