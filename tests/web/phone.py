"""Plays a phone with an authenticator app, which makes the codes of two-factor sign-in (TOTP).

The app reads its key from a page. A code is valid for one step of 30 s. `Clock` moves only when a test moves
it. The site uses the same clock, so no step ends during a test by chance.
"""

import base64
import re

import pytest

from tests.web.site import Person, Site
from web.identity import totp
from web.keys import SERVICE
from web.organisations import demo

HOME = "/demo/staff/two-factor"
CODE = "/demo/staff/sign-in/code"


class Clock:
    """A clock that replaces the store's clock in the site; it stands still in the middle of a step of 30 s."""

    def __init__(self, site: Site, patch: pytest.MonkeyPatch) -> None:
        store = site.app[SERVICE].store
        self.now_ms = store.clock_ms() // totp.STEP_MS * totp.STEP_MS + 15_000
        patch.setattr(store, "clock_ms", lambda: self.now_ms)

    def next_step(self, steps: int = 1) -> None:
        """Move the clock ahead by this number of steps of 30 s."""
        self.now_ms += steps * totp.STEP_MS


class Phone:
    """The authenticator app of a phone, with one key.

    `spelled`: the key in letters (base32), as the page shows it.
    """

    def __init__(self, clock: Clock, spelled: str) -> None:
        self.clock = clock
        self.secret = base64.b32decode(spelled.replace(" ", ""))

    def code(self, off: int = 0) -> str:
        """Return the code of the present step, or of the step that is `off` steps later."""
        return totp.code(self.secret, totp.step_at(self.clock.now_ms) + off)


def key_in(html: str) -> str:
    """Return the authenticator's key in letters, which a page shows beside the QR code."""
    found = re.search(r'<code class="secret"[^>]*>([A-Z2-7 ]{39})</code>', html)
    assert found, html[-4000:]
    return found[1]


def recovery_codes_in(html: str) -> list[str]:
    """Return the recovery codes that a page shows."""
    return re.findall(r"<li><code>([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})</code></li>", html)


async def set_up(person: Person, clock: Clock, email: str) -> tuple[Phone, list[str]]:
    """Set up two-factor sign-in for a signed-in person; return (the phone, the recovery codes).

    The clock is moved to the next step, because each code can be used only once.
    """
    begun = await person.post(HOME, {"do": "begin"})
    assert (begun.status, begun.headers["Location"]) == (303, HOME)
    phone = Phone(clock, key_in(await (await person.get(HOME)).text()))
    password = demo.password(person.site.settings, email)
    answer = await person.post(HOME, {"do": "confirm", "password": password, "code": phone.code()})
    html = await answer.text()
    assert answer.status == 200, html[-4000:]
    clock.next_step(3)
    return phone, recovery_codes_in(html)
