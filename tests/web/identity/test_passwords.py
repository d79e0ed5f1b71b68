"""Tests that every form that sets a password refuses the most common passwords (SECURITY.md row 39)."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web.site import OSEI, Site
from web.errors import AccountError
from web.identity.accounts import check_password
from web.identity.invitations import Invitations
from web.identity.passwords import LIST, LONGEST, Weak, weakness
from web.keys import ACCOUNTS, REDIS
from web.organisations import demo

OWN = (OSEI, "Dr Maya Osei", "demo", "Riverside Clinic", "Greenroom")
REFUSED = {
    Weak.SIMPLE: [
        "aaaaaaaaaaaa",
        "123456789012",
        "abcdefghijkl",
        "abcabcabcabc",
        "qwertzuiopas",
        "aaaaaabbbbbb",
        "987654321098",
    ],
    Weak.COMMON: [
        "password1234",
        "Password1234!",
        "P4$$w0rd2026",
        "1qaz2wsx3edc",
        "iloveyou1234",
        "unfortunately",
        "dragonmonkey1",
    ],
    Weak.OWN: [
        OSEI,
        "riverside2026",
        "RiversideClinic1",
        "Greenroom2026!",
        "MayaOsei1234",
        "dr maya osei!",
        "R1vers1de-Clinic",
    ],
}
GOOD = [
    "correct horse battery staple",
    "café au lait, grand",
    "a password of one's own",
    "x7Kq-92mfPz1",
    "osei likes green tea",
]


@pytest.mark.parametrize(
    ("why", "password"), [(why, word) for why, words in REFUSED.items() for word in words]
)
def test_s39_common_passwords_are_refused_with_the_reason(why: Weak, password: str) -> None:
    assert weakness(password, OWN) is why
    with pytest.raises(AccountError, match=why.value[:30]):
        check_password(password, *OWN[:-1])


@pytest.mark.parametrize("password", GOOD)
def test_s39_a_phrase_and_a_drawn_password_are_taken(password: str) -> None:
    assert weakness(password, OWN) is None


def test_s39_the_list_has_thousands_of_passwords_of_allowed_length() -> None:
    long = [word for word in LIST.read_text("utf-8").split() if len(word) >= 12]
    assert len(long) > 3000
    assert all(weakness(word) for word in long)


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=0, max_size=256), st.lists(st.text(max_size=60), max_size=4))
def test_s39_any_text_is_checked_quickly(password: str, own: list[str]) -> None:
    started = time.process_time()
    weakness(password, own)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("way", ["link", "own", "add", "set"])
async def test_s39_every_form_and_command_that_sets_a_password_refuses_them(site: Site, way: str) -> None:
    accounts = site.app[ACCOUNTS]
    account = await accounts.find("demo", OSEI)
    assert account is not None
    osei = site.person()
    if way == "link":
        token = await Invitations(site.app[REDIS], accounts).make("demo", account)
        await osei.get(f"/demo/staff/invitation/{token}")
    elif way == "own":
        await osei.sign_in(OSEI)
    path = {"link": "/demo/staff/password", "own": "/demo/staff/preferences/password"}.get(way)
    old = demo.password(site.settings, OSEI)
    for wrong in ("aaaaaaaaaaaa", "password1234", OSEI, "Riverside2026", "greenroom2026"):
        if path is not None:
            answer = await osei.post(path, {"old": old, "password": wrong, "again": wrong})
            assert (answer.status, "This password" in await answer.text()) == (422, True), wrong
        elif way == "add":
            with pytest.raises(AccountError):
                await accounts.add("demo", email=f"new-{OSEI}", name="New", role=account.role, password=wrong)
        else:
            with pytest.raises(AccountError):
                await accounts.set_password("demo", OSEI, wrong)
    assert await accounts.check("demo", OSEI, old)


async def test_s39_the_reason_is_shown_in_spanish_too(site: Site) -> None:
    osei = site.person(**{"Accept-Language": "es"})
    await osei.sign_in(OSEI)
    form = {"old": "x", "password": "password1234", "again": "password1234"}
    text = await (await osei.post("/demo/staff/preferences/password?lang=es", form)).text()
    assert "Esta contraseña es de las que se prueban primero" in text


def test_s39_a_password_that_unicode_makes_eighteen_times_longer_is_judged_at_once() -> None:
    short, long = "\ufdfa" * 15, "\ufdfa" * 256
    plain = unicodedata.normalize("NFKC", short)[:LONGEST]
    assert len(plain) == LONGEST
    times: dict[str, list[float]] = {plain: [], long: []}
    for _ in range(5):
        for password, took in times.items():
            began_s = time.process_time()
            weakness(password)
            took.append(time.process_time() - began_s)
    assert min(times[long]) < 4 * min(times[plain]), "the whole password is judged"
