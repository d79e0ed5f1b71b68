"""Tests the user account that docs/OPERATIONS.md defines for the store.

This user is allowed to do everything that a server does in the store, and nothing else.
"""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import StartServer
from tests.docs.marked import DOCS
from tests.faults.sentinels import Program, wait_for
from tests.faults.test_cluster import opens_a_visit, whole_visit
from tests.faults.test_sentinel import clinic_at
from tests.ports import free_ports
from tests.web.commands.test_organisations import greenroom

PASSWORD = "a-password-of-the-store"


def line() -> str:
    """Return the arguments of ACL SETUSER in docs/OPERATIONS.md, with a real password."""
    (found,) = re.findall(r"^ACL SETUSER (.+)$", (DOCS / "OPERATIONS.md").read_text("utf-8"), re.MULTILINE)
    return str(found.replace("PASSWORD", PASSWORD))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Program]:
    """A Valkey on a TCP port, as an operator would run it, with the documented user beside the default user."""
    (port,) = free_ports(1)
    rules = f'port {port}\nbind 127.0.0.1\nappendonly yes\naof-use-rdb-preamble no\nsave ""\nuser {line()}\n'
    program = Program(tmp_path / "store", port, rules)
    wait_for(lambda: program.says("server", "run_id"))
    yield program
    program.end()


def denied(store: Program) -> list[str]:
    """Return the commands and keys that the store has refused to its users, by its log of refusals."""
    with store.client() as client:
        found: Any = client.acl_log()
    return [f"{each['reason']} {each['object']} in {each['context']}" for each in found]


async def test_a_whole_visit_works_with_the_documented_user_of_the_store(store: Program) -> None:
    async with clinic_at(f"redis://greenroom:{PASSWORD}@127.0.0.1:{store.port}/0") as at:
        await whole_visit(at)
    assert denied(store) == []


@pytest.mark.long
def test_a_server_and_its_commands_work_with_the_documented_user_of_the_store(
    store: Program, greenroom_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    url = f"redis://127.0.0.1:{store.port}/0"
    user = {"username": "greenroom", "password_file": str(tmp_path / "password")}
    server = greenroom_server(redis={"url": url, **user})
    asyncio.run(opens_a_visit(server))
    for words in (
        ("status", "--json"),
        ("organisation", "add", "Lakeside", "--slug", "lakeside"),
        ("backup", str(tmp_path / "backup"), "--json"),
        ("rotate-keys", "--json"),
        ("audit", "verify", "--organisation", "demo"),
        ("export", str(tmp_path / "all"), "--organisation", "demo", "--all"),
    ):
        greenroom(server, *words)
    assert "NOPERM" not in server.log
    assert denied(store) == []


@pytest.mark.parametrize(
    "words",
    [
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("SHUTDOWN",),
        ("GET", "another-program"),
        ("SET", "another-program", "1"),
        ("PUBLISH", "another-program", "1"),
        ("ACL", "LIST"),
        ("REPLICAOF", "NO", "ONE"),
        ("SCRIPT", "FLUSH"),
    ],
)
def test_the_documented_user_of_the_store_may_do_nothing_else(store: Program, words: tuple[str, ...]) -> None:
    with (
        redis.Redis(port=store.port, username="greenroom", password=PASSWORD) as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*words)
