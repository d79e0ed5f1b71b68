"""Tests email addresses: refused if no mail can be sent to them, and written in ASCII for the mail server."""

import pytest

from web.requests.mail_addresses import mail_address, on_the_envelope


@pytest.mark.parametrize(
    "text",
    [
        "a..b@docomo.ne.jp",
        ".a@x.org",
        "josé@x.org",
        "ana@",
        "ana@@example.org",
        "ana@-x.org",
        "a" * 300 + "@x.org",
    ],
)
def test_f20_an_address_that_no_mail_reaches_is_not_valid(text: str) -> None:
    assert mail_address(text) == ""
    assert on_the_envelope(text) == ""


def test_f20_a_domain_beyond_ascii_is_written_in_a_labels_on_the_envelope() -> None:
    assert mail_address("ana@münchen.de") == "ana@münchen.de"
    assert on_the_envelope("ana@münchen.de") == "ana@xn--mnchen-3ya.de"


def test_f20_a_domain_without_a_dot_is_only_for_the_clinics_own_people() -> None:
    assert mail_address("robin@mailhost") == ""
    assert mail_address("robin@mailhost", public=False) == "robin@mailhost"
