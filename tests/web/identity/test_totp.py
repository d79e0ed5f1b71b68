"""Tests codes of authenticator apps: the examples of RFC 6238, the accepted steps of time, and the URL for the app."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from web.identity import totp

# the key of the examples in RFC 6238, appendix B
SECRET = b"12345678901234567890"
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("at_s", "expected"), VECTORS.items())
def test_codes_are_those_of_rfc_6238(at_s: int, expected: str) -> None:
    step = totp.step_at(at_s * 1000)
    assert totp.code(SECRET, step, digits=8) == expected
    assert totp.code(SECRET, step) == expected[-6:]


@pytest.mark.parametrize(("off", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_taken_one_step_before_and_after_its_own(off: int, taken: bool) -> None:
    now_ms = 1_111_111_111_000
    step = totp.step_at(now_ms) + off
    assert list(totp.steps_of(SECRET, totp.code(SECRET, step), now_ms)) == ([step] if taken else [])


def test_the_totp_address_names_the_account_and_the_product() -> None:
    found = urlsplit(totp.address(SECRET, "St. John’s: Clinic & Co", "ana@example.org"))
    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert unquote(found.path) == "/St. John’s  Clinic & Co:ana@example.org"
    assert parse_qs(found.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["St. John’s  Clinic & Co"],
    }
    assert totp.spelled(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
