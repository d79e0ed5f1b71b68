"""Makes a site for synthetic people, which has no limit of visits from this machine."""

import pytest

from tests.web.conftest import OpenSite
from tests.web.site import Site


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A site that opens any number of visits."""
    return await open_site(limits={"visits_per_address": 0})
