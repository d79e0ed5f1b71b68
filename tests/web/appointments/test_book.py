"""Tests the daily limits of bookings: by IP address, by mail address and by clinic (SECURITY.md row 36).

Tests also that no mail about a booking contains a text that a patient wrote.
"""

import re

import msgspec
import pytest
from structlog.testing import capture_logs

from signalling import repeated
from tests.web.appointments.test_letters import mails
from tests.web.appointments.visitor import BOOKING, appointments, book, hold, offered
from tests.web.conftest import OpenSite
from tests.web.site import FORM, Person, Site
from web.intake.visit_limit import MOVES
from web.mail.letters import NAMES, TEMPLATES

WORDS = "You won ninehundred dollars at evil.example"
HERE, ELSEWHERE = {"X-Forwarded-For": "203.0.113.5:5123"}, {"X-Forwarded-For": "203.0.113.6:5123"}


async def clinic(open_site: OpenSite, **limits: int) -> Site:
    site = await open_site(server={"trusted_proxies": ["127.0.0.1"]}, limits=limits)
    await site.change(booking=msgspec.structs.replace(BOOKING, capacity=9))
    return site


async def booked(person: Person, starts_ms: int, email: str) -> int:
    """Send the booking form for this time; return the status of the answer."""
    assert (await hold(person, starts_ms)).status == 303
    answer = await person.post("/demo/appointments/new", {**FORM, "email": email})
    if answer.status == 429:
        text = await answer.text()
        assert "Too many visits have been booked today" in text
        assert 'value="Ana Ruiz"' in text, "what was written is kept"
        assert 80_000 < int(answer.headers["Retry-After"]) <= 86_400
    return answer.status


async def test_s36_an_address_has_a_daily_limit_of_bookings_whatever_mail_addresses_it_names(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated, "_repeated", repeated.Repeated())
    site = await clinic(open_site, bookings_per_address=3)
    times = await offered(site.person())
    with capture_logs() as told:
        tried = [
            await booked(site.person(**HERE), at, f"victim{n}@example.org") for n, at in enumerate(times[:6])
        ]
    assert [event["event"] for event in told].count("booking.refused") == 1, "one line a minute (S48)"
    assert tried == [303] * 3 + [429] * 3
    assert len(await appointments(site)) == 3
    assert await booked(site.person(**ELSEWHERE), times[7], "ana@example.org") == 303


async def test_s36_a_mail_address_has_a_daily_limit_of_mails_from_all_addresses(
    open_site: OpenSite,
) -> None:
    site = await clinic(open_site, bookings_per_email=2)
    times = await offered(site.person())
    spelled = ("victim@example.org", "Victim@Example.org", "VICTIM@EXAMPLE.ORG", "victim@example.org")
    tried = [
        await booked(site.person(**{"X-Forwarded-For": f"203.0.113.{n}"}), times[n], email)
        for n, email in enumerate(spelled)
    ]
    assert tried == [303, 303, 429, 429]
    assert await booked(site.person(), times[5], "ana@example.org") == 303


async def test_s36_a_clinic_has_a_daily_limit_of_bookings_from_all_addresses(
    open_site: OpenSite,
) -> None:
    site = await clinic(open_site, bookings_per_day=3)
    times = await offered(site.person())
    tried = [
        await booked(site.person(**{"X-Forwarded-For": f"203.0.113.{n}"}), times[n], f"v{n}@example.org")
        for n in range(5)
    ]
    assert tried == [303] * 3 + [429] * 2
    assert len(await appointments(site)) == 3


async def test_s36_a_request_that_books_nothing_does_not_count(open_site: OpenSite) -> None:
    site = await clinic(open_site, bookings_per_address=2, bookings_per_email=2)
    times, ana = await offered(site.person()), site.person(**HERE)
    await hold(ana, times[0])
    for _ in range(4):
        assert (await ana.post("/demo/appointments/new", {**FORM, "state": "?"})).status == 422
    first = await ana.post("/demo/appointments/new", FORM)
    assert first.status == 303
    assert await booked(site.person(**HERE), times[1], "ana@example.org") == 303
    assert await booked(site.person(**HERE), times[2], "ana@example.org") == 429


async def test_s36_the_defaults_stop_twenty_bookings_in_a_row(open_site: OpenSite) -> None:
    site = await clinic(open_site)
    times = await offered(site.person())
    tried = [await booked(site.person(), at, f"victim{n}@example.org") for n, at in enumerate(times[:14])]
    assert tried == [303] * 10 + [429] * 4
    free = await clinic(open_site, bookings_per_address=0, bookings_per_email=0)
    assert await booked(free.person(), times[15], "victim@example.org") == 303


async def test_s36_a_visit_has_a_daily_limit_of_moves_because_each_sends_a_mail(site: Site) -> None:
    ana = site.person()
    times = await offered(ana)
    path = await book(ana, times[0])
    moved = [
        (await ana.post(f"{path}/move", {"starts": str(times[n % 2 + 1])})).status
        for n in range(MOVES.limit + 2)
    ]
    assert moved == [303] * MOVES.limit + [429] * 2
    assert (await ana.post(f"{path}/cancel")).status == 303


async def test_s36_mails_of_a_booking_contain_no_text_of_its_sender(site: Site) -> None:
    ana = site.person()
    times = await offered(ana)
    path = await book(ana, times[0], name=WORDS, reason=WORDS, filled_in_by=WORDS)
    await mails(site, 1)
    await ana.post(f"{path}/move", {"starts": str(times[1])})
    await mails(site, 2)
    await ana.post(f"{path}/cancel")
    for mail in await mails(site, 3):
        parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
        text = "\n".join([*(str(value) for value in mail.values()), *map(str, parts)])
        assert "evil.example" not in re.sub(r"\s", "", text)
        assert "won" not in text
        assert "ninehundred" not in text


@pytest.mark.parametrize("name", ["booked", "moved", "cancelled", "reminder", "declined"])
def test_s36_no_letter_to_a_patient_names_what_a_patient_writes(name: str) -> None:
    text = (TEMPLATES / "mail" / f"{name}.jinja").read_text()
    assert name in NAMES
    assert not re.search(r"(?<!org\.)\bname\b|patient", text.split("#}", 1)[1])
