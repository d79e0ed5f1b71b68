"""Tests what the staff's calendar says about mails to the patient of a booked visit."""

from datetime import datetime
from typing import Any

import pytest

from tests.web.appointments.visitor import BOOKING, CHICAGO, appointments, book, offered
from tests.web.conftest import OpenSite
from tests.web.site import OSEI

SMTP = {"mail": {"host": "127.0.0.1", "port": 1, "tls": "none"}}


@pytest.mark.parametrize(("sections", "sends"), [({}, False), (SMTP, True)])
async def test_staff_read_that_no_email_is_sent_if_the_server_has_no_smtp_server(
    open_site: OpenSite, sections: dict[str, Any], sends: bool
) -> None:
    site = await open_site(**sections)
    await site.change(booking=BOOKING)
    ana, osei = site.person(), site.person()
    await book(ana, (await offered(ana))[0])
    await osei.sign_in(OSEI)
    [booked] = await appointments(site)
    day = datetime.fromtimestamp(booked.starts_ms / 1000, CHICAGO).date()
    calendar = await (await osei.get(f"/demo/staff/calendar?day={day}")).text()
    move = await (await osei.get(f"/demo/staff/calendar/{booked.id}/move")).text()
    assert ("No email is sent: please call the patient." in calendar) is not sends
    assert ("Reason, which the patient reads in the letter" in calendar) is sends
    assert ("No email is sent: please tell the patient the new time." in move) is not sends
    assert ("The patient gets a letter about the new time." in move) is sends
