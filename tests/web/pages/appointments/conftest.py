"""Makes the fixture `site` of tests/web/appointments available to the tests of the pages of booked visits."""

from tests.web.appointments.conftest import site as site
