"""Tests which addresses are accepted as the origin of a site that may show a patient's pages in a frame."""

import pytest

from web.organisations.frame_origins import exact_origin


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://www.clinic.example", "https://www.clinic.example"),
        (" HTTPS://WWW.Clinic.example:443/ ", "https://www.clinic.example"),
        ("https://clinic.example:8443", "https://clinic.example:8443"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
    ],
)
def test_f47_an_address_is_kept_as_browsers_write_its_origin(written: str, origin: str) -> None:
    assert exact_origin(written) == origin
    assert exact_origin(origin) == origin


@pytest.mark.parametrize(
    "written",
    [
        "",
        "www.clinic.example",
        "http://www.clinic.example",
        "https://",
        "https://*.clinic.example",
        "https://clinic.example/visits",
        "https://clinic.example/?x",
        "https://clinic.example/#x",
        "https://ana@clinic.example",
        "https://clinic.example; script-src *",
        "https://clinic.example https://other.example",
        "https://clinic.example:99999",
        "https://[::1]",
        "https:clinic.example",
        "'self'",
        "data:text/html,x",
    ],
)
def test_f47_what_names_no_single_https_site_is_refused(written: str) -> None:
    assert exact_origin(written) == ""
