"""Makes a site for synthetic people: they can open any number of visits from one IP address."""

import pytest

from tests.web.conftest import OpenSite
from tests.web.site import Site


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A site that opens any number of visits."""
    return await open_site(limits={"visits_per_address": 0})
