"""Credentials for TURN: made as coturn reads them, and valid for five minutes."""

import base64
import hmac

from media.protocols.turn import LASTS_S, ice_server


def test_the_user_name_says_when_it_expires_and_the_password_is_its_hmac() -> None:
    made = ice_server(("turn:a",), "north", "a1", 1_700_000_000.9)
    assert made.urls == ("turn:a",)
    assert made.username == f"{1_700_000_000 + LASTS_S}:a1"
    digest = hmac.digest(b"north", made.username.encode(), "sha1")
    assert base64.b64decode(made.credential) == digest


def test_another_secret_or_another_time_makes_another_password() -> None:
    made = {ice_server((), secret, "a", now).credential for secret in ("x", "y") for now in (0.0, 1.0)}
    assert len(made) == 4
