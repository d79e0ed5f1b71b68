"""The demo organisation: Riverside Clinic, with an admin, two providers and a setup guide with a step of every kind.

Knows what it consists of and how to sign in to it. Passwords are drawn from this installation's data key, so that they
are the same at every start and nobody else's. Only a store without any organisation is given it.
"""

import contextlib
from pathlib import Path

import msgspec
import redis
from redis.exceptions import RedisError

from signalling.guide import Guide, Kind, Step
from signalling.record import Role
from web.accounts import Account, AccountError, Accounts
from web.config import Settings
from web.mail.carriers import where
from web.organisations import Booking, Organisation, Organisations
from web.secret import data_key, derived

ID = "demo"
PEOPLE: tuple[tuple[str, str, str, Role, tuple[str, ...]], ...] = (
    ("u_admin", "admin@riverside.example", "Robin Hale", Role.ADMIN, ()),
    ("u_osei", "osei@riverside.example", "Dr Maya Osei", Role.PROVIDER, ("TX", "NM", "OK")),
    ("u_lind", "lind@riverside.example", "Dr Jonas Lind", Role.PROVIDER, ("TX", "LA")),
)
"""Id, email, name, role, states of licence."""

WORDS = (
    "amber apple arrow aspen badge baker basil beach berry birch blaze bloom board brave bread brick "
    "brook brush cabin cable camel candy cedar chalk charm cherry chess cliff cloud clover coast cobalt "
    "copper coral cotton crane creek crisp crown daisy dance delta denim dingo drift eagle earth ember "
    "fable falcon fern field flame flint flora forest frost garden ginger glade globe grain grape grove "
    "hazel heron honey indigo island ivory jasper jewel juniper kayak kettle lagoon lantern laurel lemon "
    "lilac linen lotus lunar mango maple marble meadow melon mint mosaic"
).split()

CONSENT = """\
I ask for a video visit with a clinician of Riverside Clinic.

I understand that a video visit has limits: the clinician cannot touch or listen to me as in a room, and may ask me \
to come in or to go to an emergency department. The connection may fail; then the clinic calls me on the number I gave.

Nobody sees or hears me before I press Start Session, and nothing is recorded. What I write here and what the \
clinician notes is part of my record and is kept as the law asks.

I may end the visit at any time. In an emergency I call 911."""

ORGANISATION = Organisation(
    id=ID,
    name="Riverside Clinic",
    timezone="America/Chicago",
    welcome="See a clinician by video today, without an appointment. Most visits take ten to fifteen minutes.",
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
            Step(
                id="allergies",
                kind=Kind.TEXT,
                title="Allergies and medicines",
                help="What you cannot take, and what you take now. Write “none” if there are none.",
            ),
            Step(
                id="consent",
                kind=Kind.CONSENT,
                title="Consent to a video visit",
                help="Please read it, and sign with your name.",
                text=CONSENT,
            ),
            Step(
                id="devices",
                kind=Kind.DEVICE_CHECK,
                title="Camera, microphone and sound",
                help="You can be seen without a camera or a microphone too: the clinician is told.",
                required=False,
            ),
        ),
    ),
)


def password(settings: Settings, email: str) -> str:
    """The demo password of this installation for one of PEOPLE, such as "cedar-lagoon-flint-4071"."""
    drawn = derived(data_key(Path(settings.data.folder)), f"demo password {email}")
    words = [WORDS[int.from_bytes(drawn[at : at + 4]) % len(WORDS)] for at in (0, 4, 8)]
    return "-".join([*words, f"{int.from_bytes(drawn[12:16]) % 10_000:04}"])


async def seed(settings: Settings, organisations: Organisations, accounts: Accounts) -> bool:
    """Creates the demo organisation if the store has none at all; returns whether it did. Several workers may try."""
    if await organisations.list():
        return False
    for person, email, name, role, states in PEOPLE:
        with contextlib.suppress(AccountError):  # another worker was here first
            await accounts.add(
                ID,
                person=person,
                email=email,
                name=name,
                role=role,
                states=states,
                password=password(settings, email),
            )
    # Last, so that a start that was cut short is taken up again by the next.
    await organisations.save(ORGANISATION)
    return True


def welcome(settings: Settings) -> str:
    """What a person at the terminal is told: where patients and staff go, and how to sign in to the demo.

    Without the demo it names the organisations that there are; where the store does not answer, the origin.
    """
    try:
        names, people = _found(settings)
    except (RedisError, OSError):
        return f"Greenroom is at {settings.origin}"
    lines = [f"Greenroom is at {settings.origin}"]
    for name in names:
        lines += [f"  Patients  {settings.origin}/{name}", f"  Staff     {settings.origin}/{name}/staff"]
    lines.append(f"  Mail      {where(settings)}")
    if people:
        lines.append("  Sign in to the demo as")
    for _, email, name, role, _ in PEOPLE:
        account = people.get(email)
        if account is not None and not account.disabled:
            # A raised generation is a password, a role or a standing that somebody has changed since.
            secret = password(settings, email) if account.generation == 1 else "(changed)"
            lines.append(f"    {email:<24} {secret:<30} {name}, {role}")
    return "\n".join(lines)


def _found(settings: Settings) -> tuple[list[str], dict[str, Account]]:
    """The organisations in the store, and the demo's accounts by email address."""
    client = redis.Redis.from_url(settings.redis.url, socket_timeout=settings.redis.socket_timeout_s)
    try:
        names = sorted(name.decode() for name in client.smembers("organisations"))  # type: ignore[union-attr]
        kept = client.hvals(f"{{{ID}}}:accounts")
        found = [msgspec.json.decode(record, type=Account) for record in kept]
    finally:
        client.close()
    return names, {account.email: account for account in found}
