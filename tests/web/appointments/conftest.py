"""Makes the clinic for the tests of booking over HTTP."""

import pytest

from tests.web.appointments.visitor import BOOKING
from tests.web.conftest import OpenSite
from tests.web.site import Site


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A clinic that takes bookings day and night, with one provider for booked visits."""
    site = await open_site()
    await site.change(booking=BOOKING)
    return site
