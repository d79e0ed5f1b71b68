"""The clinic of tests/web/appointments, for tests of the pages of booked visits."""

from tests.web.appointments.conftest import site as site
