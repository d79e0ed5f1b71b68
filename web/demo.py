"""The demo organisation: Riverside Clinic, with an admin, two providers and a setup guide with a step of every kind.

Knows its content and how to sign in to it. It is added only to a store without organisations, and only if the settings
ask for it. Its passwords are derived from this installation's data key, and printed only by the start that creates it.
"""

import contextlib
from pathlib import Path

import msgspec
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalling.store import keys
from signalling.visit.record import Role
from signalling.visit.setup_guide import Guide, Kind, Step
from web.config import Settings
from web.errors import AccountError, ConfigError
from web.identity.accounts import Account, Accounts
from web.mail.carriers import where
from web.organisations.documents import Organisations
from web.organisations.settings import Booking, Organisation
from web.organisations.starter import basic_steps
from web.server.data_key import data_key, derived

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
            *basic_steps(CONSENT),
        ),
    ),
)


def password(settings: Settings, email: str) -> str:
    """Return the demo password of this installation for one of PEOPLE, such as "cedar-lagoon-flint-4071"."""
    drawn = derived(data_key(Path(settings.data.folder)), f"demo password {email}")
    words = [WORDS[int.from_bytes(drawn[at : at + 4]) % len(WORDS)] for at in (0, 4, 8)]
    return "-".join([*words, f"{int.from_bytes(drawn[12:16]) % 10_000:04}"])


FRESH = keys.DEMO_FRESH(ID)
"""This key exists from the creation of the demo until its passwords are printed."""
FRESH_S = 600


async def seed(settings: Settings, store: Redis, organisations: Organisations, accounts: Accounts) -> bool:
    """Create the demo organisation if the store has none and the settings ask for it; return whether it was created.

    Several workers may try. Raises ConfigError if other machines could reach an unchanged demo that was not asked for.
    """
    names = await organisations.list()
    if names or not settings.demo:
        if ID in names and settings.public and settings.server.demo != "yes":
            await _refuse_untouched(accounts)
        return False
    for person, email, name, role, states in PEOPLE:
        with contextlib.suppress(AccountError):  # another worker has added it
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
    # Last, so that the next start continues if this one is interrupted.
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


def welcome(settings: Settings) -> str:
    """Return the text for the terminal: the links for patients and staff, and how to sign in to the demo.

    Without the demo it lists the organisations; without any, the command that creates one. If the store does not
    answer, it is only the origin. Passwords are included once: in the first call after the demo was created.
    """
    try:
        names, people, fresh = _found(settings)
    except (RedisError, OSError):
        return f"Greenroom is at {settings.origin}"
    lines = [f"Greenroom is at {settings.origin}"]
    for name in names:
        lines += [f"  Patients  {settings.origin}/{name}", f"  Staff     {settings.origin}/{name}/staff"]
    lines.append(f"  Mail      {where(settings)}")
    if not names:
        lines.append(
            "  There is no organisation yet. Set up the first one and its administrator, at another terminal:"
        )
        lines.append(
            "    greenroom init        (with the --config or --data that the server was started with)"
        )
    shown = [row for row in PEOPLE if row[1] in people and not people[row[1]].disabled]
    if shown:
        lines.append("  Sign in to the demo as")
    for _, email, name, role, _ in shown:
        secret = password(settings, email) if fresh and people[email].generation == 1 else ""
        lines.append(
            f"    {email:<24} {secret:<30} {name}, {role}" if fresh else f"    {email:<24} {name}, {role}"
        )
    if shown and fresh:
        lines.append("  These passwords are printed this once.")
    elif shown:
        lines.append(
            "  Their passwords were printed when the demo was made; for a new one: greenroom user password EMAIL"
        )
    return "\n".join(lines)


def _found(settings: Settings) -> tuple[list[str], dict[str, Account], bool]:
    """Return the organisations in the store, the demo's accounts by email address, and whether it was just created."""
    client = redis.Redis.from_url(settings.redis.url, socket_timeout=settings.redis.socket_timeout_s)
    try:
        names = sorted(name.decode() for name in client.smembers(keys.ORGANISATIONS()))  # type: ignore[union-attr]
        kept = client.hvals(keys.ACCOUNTS(ID))
        found = [msgspec.json.decode(record, type=Account) for record in kept]
        fresh = ID in names and client.getdel(FRESH) is not None
    finally:
        client.close()
    return names, {account.email: account for account in found}, fresh
