"""Creates the demo organisation: Riverside Clinic, with an admin, two providers and a guide with every kind of step.

It is added only to a store without organisations, and only if the settings ask for it. Its passwords are
derived from this installation's data key, and printed only at the start that creates it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from signalling.store import keys
from signalling.visit.record import Role
from signalling.visit.setup_guide import Guide, Kind, Step
from web.config import Settings
from web.errors import AccountError, ConfigError
from web.organisations.demo_texts import CONSENT, TRANSLATIONS, WELCOME
from web.organisations.documents import Organisations
from web.organisations.settings import Booking, Organisation
from web.organisations.starter import basic_steps
from web.server.data_key import data_key, derived

if TYPE_CHECKING:
    from web.identity.accounts import Accounts

ID = "demo"
PEOPLE: tuple[tuple[str, str, str, Role, tuple[str, ...]], ...] = (
    ("u_admin", "admin@riverside.example", "Robin Hale", Role.ADMIN, ()),
    ("u_osei", "osei@riverside.example", "Dr Maya Osei", Role.PROVIDER, ("TX", "NM", "OK")),
    ("u_lind", "lind@riverside.example", "Dr Jonas Lind", Role.PROVIDER, ("TX", "LA")),
)
"""The people of the demo: id, email, name, role, states of licence."""

WORDS = (
    "amber apple arrow aspen badge baker basil beach berry birch blaze bloom board brave bread brick "
    "brook brush cabin cable camel candy cedar chalk charm cherry chess cliff cloud clover coast cobalt "
    "copper coral cotton crane creek crisp crown daisy dance delta denim dingo drift eagle earth ember "
    "fable falcon fern field flame flint flora forest frost garden ginger glade globe grain grape grove "
    "hazel heron honey indigo island ivory jasper jewel juniper kayak kettle lagoon lantern laurel lemon "
    "lilac linen lotus lunar mango maple marble meadow melon mint mosaic"
).split()

ORGANISATION = Organisation(
    id=ID,
    name="Riverside Clinic",
    timezone="America/Chicago",
    welcome=WELCOME,
    translations=TRANSLATIONS,
    languages=("en", "es", "vi", "ase"),
    booking=Booking(enabled=True, opens="08:00", closes="18:00", capacity=2),
    guide=Guide(
        version=1,
        steps=(
            Step(
                id="since",
                kind=Kind.DATE,
                title="When did it begin?",
                help="A guess is fine.",
                required=False,
            ),
            Step(
                id="how-bad",
                kind=Kind.CHOICE,
                title="How are you right now?",
                options=("I can go about my day", "It is hard to go about my day", "I cannot get up"),
            ),
            Step(
                id="pregnant",
                kind=Kind.YES_NO,
                title="Are you pregnant, or could you be?",
            ),
            *basic_steps(CONSENT),
        ),
    ),
)


def password(settings: Settings, email: str) -> str:
    """Return the password of one of PEOPLE in the demo of this installation, such as "cedar-lagoon-flint-4071"."""
    drawn = derived(data_key(Path(settings.data.folder)), f"demo password {email}")
    words = [WORDS[int.from_bytes(drawn[at : at + 4]) % len(WORDS)] for at in (0, 4, 8)]
    return "-".join([*words, f"{int.from_bytes(drawn[12:16]) % 10_000:04}"])


FRESH = keys.DEMO_FRESH(ID)
"""A key of the store that exists until the passwords of the new demo are printed, and for at most FRESH_S seconds."""
FRESH_S = 600


async def seed(settings: Settings, store: Redis, organisations: Organisations, accounts: Accounts) -> bool:
    """Create the demo organisation if the store has none and the settings ask for it; return whether it was created.

    Several workers may call this at the same time. Raises ConfigError if other machines can reach a demo that still has
    its first passwords, and the settings do not allow this.
    """
    names = await organisations.list()
    if names or not settings.demo:
        if ID in names and settings.public and settings.server.demo != "yes":
            await _refuse_untouched(accounts)
        return False
    for person, email, name, role, states in PEOPLE:
        # Another worker may have added the account already.
        with contextlib.suppress(AccountError):
            await accounts.add(
                ID,
                person=person,
                email=email,
                name=name,
                role=role,
                states=states,
                password=password(settings, email),
            )
    await store.set(FRESH, b"1", ex=FRESH_S, nx=True)
    # The organisation is written last, so that the next start continues if this start is interrupted.
    await organisations.save(ORGANISATION)
    return True


async def _refuse_untouched(accounts: Accounts) -> None:
    for person, email, *_ in PEOPLE:
        account = await accounts.get(ID, person)
        if account is not None and not account.disabled and account.generation == 1:
            raise ConfigError(
                f"server.demo: the demo organisation would be served to other machines, where {email} can sign in with "
                "a printed password; start with --demo if you want that, or name another folder with --data"
            )
