"""Contains the fixtures of the web's tests: a site in this process, with quick password hashes.

Each site begins with three accounts. Hashes of full strength would take a third of the time of these tests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.prepared import CHEAP_HASHER
from tests.web.site import Site, settings_for
from web.identity import accounts
from web.pages import static_files

FULL = accounts.HASHER
OpenSite = Callable[..., Awaitable[Site]]


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """Makes password hashes quick in this process; `full_passwords` undoes that for tests of their strength."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "HASHER", CHEAP_HASHER)
        yield


@pytest.fixture
def full_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes password hashes as strong as in production."""
    monkeypatch.setattr(accounts, "HASHER", FULL)


@pytest.fixture
async def open_site(valkey_url: str, tmp_path: Path) -> AsyncIterator[OpenSite]:
    """A function that opens a site: `await open_site(sessions={"idle_s": 1})`. Keywords are sections of the settings.
    All sites use the same store.
    """
    async with AsyncExitStack() as stack:

        async def open_one(**sections: dict[str, Any]) -> Site:
            return await stack.enter_async_context(
                Site(settings_for(valkey_url, tmp_path / "data", **sections))
            )

        yield open_one


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A running Greenroom site with default settings."""
    return await open_site()


@pytest.fixture
def joined() -> None:
    """Fails a test that needs `web/joined`, and says why, if a source was changed after the files there were made."""
    if not all(map(static_files.is_joined, (".js", ".css"))):
        pytest.fail("web/joined is older than its sources; run `make joined`", pytrace=False)
