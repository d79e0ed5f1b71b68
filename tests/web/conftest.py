"""Fixtures of the web's tests: a site in this process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.web.site import Site, settings_for

OpenSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def open_site(valkey_url: str, tmp_path: Path) -> AsyncIterator[OpenSite]:
    """Opens sites on one store: `await open_site(sessions={"idle_s": 1})`; keywords are sections of the settings."""
    async with AsyncExitStack() as stack:

        async def open_one(**sections: dict[str, Any]) -> Site:
            return await stack.enter_async_context(
                Site(settings_for(valkey_url, tmp_path / "data", **sections))
            )

        yield open_one


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A site with its defaults."""
    return await open_site()
