"""Tests mails: text and HTML have the same content, in the reader's language; no header can be injected."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from web.errors import LetterError
from web.languages.i18n import languages
from web.mail.letters import NAMES, Attachment, Letter, readable, written
from web.organisations.demo import ORGANISATION

NOW = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
CONTEXT: dict[str, Any] = {
    "name": "Ana Ruiz",
    "reason": "Please come in:\nthis needs an examination.",
    "by": "Robin Hale",
    "minutes": 2,
    "hours": 24,
    "left_min": 95,
    # 10:00 on 2026-11-20 in Chicago
    "starts_ms": 1795190400000,
    "was_ms": 1795104000000,
    "timezone": "America/Chicago",
    "url": "https://visits.example/demo/appointments/token",
    "by_clinic": True,
    "what": "on",
}


def letter(name: str, language: str = "en", /, **changes: Any) -> Letter:
    """Return the letter `name` (a mail to write) to Ana, with all values of its template.

    `changes`: values to replace.
    """
    return Letter(name=name, to="ana@example.org", language=language, context={**CONTEXT, **changes})


def mail(to_write: Letter, **changes: Any) -> EmailMessage:
    """Return the mail that the demo organisation sends for this letter.

    `changes`: settings of the organisation to replace.
    """
    return written(
        to_write,
        replace(ORGANISATION, **changes),
        sender="visits@example.org",
        origin="https://visits.example",
        message_id="<j_1@example.org>",
        now=NOW,
    )


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail."""
    return cast(str, cast(EmailMessage, message.get_body(("plain",))).get_content())


def html_of(message: EmailMessage) -> str:
    """Return the HTML of a mail."""
    return cast(str, cast(EmailMessage, message.get_body(("html",))).get_content())


@pytest.mark.parametrize(
    ("what", "said"), [("on", "turned on"), ("off", "turned off"), ("reset", "has reset")]
)
def test_a_person_gets_a_mail_about_changes_of_their_sign_in(what: str, said: str) -> None:
    text = text_of(mail(letter("two_factor", what=what)))
    assert said in " ".join(text.split())
    assert "If this was not you" in text


@pytest.mark.parametrize("language", list(languages()))
@pytest.mark.parametrize("name", NAMES)
def test_every_letter_can_be_written_in_every_language(name: str, language: str) -> None:
    message = mail(letter(name, language))
    assert message["Subject"]
    assert message["From"] == "Riverside Clinic <visits@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = text_of(message), html_of(message)
    assert "https://visits.example/" in text
    assert f'<html lang="{language}" dir="{languages()[language].direction}">' in html
    assert "{" not in text
    assert "%(" not in text + html


def test_a_declined_patient_reads_the_reason_in_their_language() -> None:
    message = mail(letter("declined", "es"))
    assert message["Subject"] == "Su solicitud en Riverside Clinic"
    assert "Hola:" in text_of(message)
    assert "> Please come in:\n> this needs an examination." in text_of(message)
    assert "Please come in:<br>this needs an examination." in html_of(message)


def test_a_booked_time_is_written_in_the_clinics_time_zone_and_the_readers_format() -> None:
    assert "Friday, November 20, 2026: 10:00\u202fAM (time in Chicago)" in text_of(mail(letter("booked")))
    spanish = text_of(mail(letter("booked", "es")))
    assert "viernes, 20 de noviembre de 2026" in spanish
    assert "10:00\u202fa.m. (hora de Chicago)" in spanish.replace("\xa0", "\u202f")


def test_a_patients_text_is_escaped_in_mails() -> None:
    html = html_of(mail(letter("declined", reason="<script>alert(1)</script><b>")))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in html


def test_a_mail_to_staff_says_nothing_of_the_patient() -> None:
    message = mail(letter("assigned", name="Dr Maya Osei"))
    assert "Ana" not in text_of(message) + html_of(message)
    assert "After 2 minutes" in text_of(message)


def test_an_organisation_has_its_own_name_colour_sender_and_reply_address() -> None:
    message = mail(
        letter("booked"), name="Nord, Klinik “Ost”", accent="#7fd3ff", reply_to="desk@nord.example"
    )
    assert message["From"].addresses[0].display_name == "Nord, Klinik “Ost”"
    assert message["Reply-To"] == "desk@nord.example"
    assert readable("#7fd3ff") in html_of(message)
    assert readable("#0f6d5f") == "#0f6d5f"


def test_a_calendar_attachment_keeps_its_content_type() -> None:
    ics = Attachment("visit.ics", "text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\n")
    [part] = mail(replace(letter("booked"), attachments=(ics,))).iter_attachments()
    assert part.get_content_type() == "text/calendar"
    assert part.get_param("method") == "REQUEST"
    assert part.get_filename() == "visit.ics"


INJECTED = [
    "ana@example.org\r\nBcc: all@example.org",
    "ana@example.org\nX: y",
    "a@b.co, c@d.co",
    "no address",
    "",
]


@pytest.mark.parametrize("to", INJECTED)
def test_an_address_that_would_break_a_header_is_refused(to: str) -> None:
    with pytest.raises(LetterError):
        mail(replace(letter("booked"), to=to))


@given(st.text(), st.text(min_size=1, max_size=100))
def test_no_text_at_all_becomes_a_header(name: str, clinic: str) -> None:
    try:
        message = mail(letter("declined", name=name), name=clinic + "\r\nBcc: all@example.org")
        wire = bytes(message)
    except LetterError:
        return
    head = wire.partition(b"\r\n\r\n")[0]
    assert b"\nBcc" not in head
    assert [line for line in head.split(b"\r\n") if line.lower().startswith(b"bcc")] == []


def test_f20_a_letter_goes_to_a_domain_in_a_labels() -> None:
    written_to = msgspec.structs.replace(letter("declined"), to="ana@münchen.de")
    assert mail(written_to)["To"] == "ana@xn--mnchen-3ya.de"


@pytest.mark.parametrize("to", ["josé@x.org", "a..b@docomo.ne.jp", ""])
def test_f20_a_letter_to_an_address_that_no_mail_reaches_is_not_written(to: str) -> None:
    with pytest.raises(LetterError):
        mail(msgspec.structs.replace(letter("declined"), to=to))


@pytest.mark.parametrize(
    ("left_min", "language", "said"),
    [
        (95, "en", "In about 95 minutes: your video visit at Riverside Clinic"),
        (1440, "en", "In about 24 hours: your video visit at Riverside Clinic"),
        (95, "es", "En aproximadamente 95 minutos: su consulta por video en Riverside Clinic"),
    ],
)
def test_f27_a_reminder_says_the_time_that_is_left(left_min: int, language: str, said: str) -> None:
    assert mail(letter("reminder", language, left_min=left_min))["Subject"] == said


def test_f28_a_calendar_entry_is_an_alternative_and_an_attachment() -> None:
    entry = Attachment("visit.ics", "text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\n")
    message = mail(msgspec.structs.replace(letter("booked"), attachments=(entry,)))
    alternative, attached = message.iter_parts()
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    for part in (list(alternative.iter_parts())[-1], attached):
        assert part.get_content_type() == "text/calendar"
        assert part.get_param("method") == "REQUEST"
