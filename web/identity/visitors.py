"""Who a browser is: staff by its sign-in, a patient by the visits it opened, a guest by the link it redeemed.

Knows what a session may hold ("staff", "half", "visit:{organisation}", "guest:{organisation}") and compares it with the
account as it is now. Knows no page. A session that was begun before the account's last change is nobody's; one that is
half signed in (the password was right, the second factor was not asked yet) opens nothing but that question.
"""

from typing import Any

from aiohttp import web
from msgspec.structs import replace

from signalling.service import Service
from signalling.visit.record import Actor, Person, Role, Staff, Visit
from signalling.visit.rules import Event
from web.identity import sessions
from web.identity.accounts import Account, Accounts, publish
from web.identity.sessions import Session
from web.keys import ACCOUNTS, ORGANISATION, SESSIONS, SIGNED_IN
from web.organisations.documents import Organisation

STAFF, HALF = "staff", "half"
HALF_MS = 5 * 60_000
"""How long a right password waits for the second factor."""


class StaffActor(Actor, frozen=True, kw_only=True):
    """A signed-in member of staff: the store's key of the session that says so, and the account's generation then."""

    session: str
    generation: int


class NotForYou(web.HTTPForbidden):
    """Signed in, but not as somebody who may see or do this."""


def visit_key(organisation: str) -> str:
    """Under which name a session keeps the visit that this browser opened at an organisation."""
    return f"visit:{organisation}"


def visit_of(session: Session, organisation: str) -> str | None:
    """The id of the visit that this browser opened at the organisation last."""
    found = session.get(visit_key(organisation))
    return found if isinstance(found, str) else None


def guest_key(organisation: str) -> str:
    """Under which name a session keeps the visit, and the party there, that a guest's link opened."""
    return f"guest:{organisation}"


def guest_of(session: Session, organisation: str) -> tuple[str, str] | None:
    """The visit and the party's key that this browser was let in to at the organisation last."""
    match session.get(guest_key(organisation)):
        case {"visit": str(visit), "guest": str(guest)}:
            return visit, guest
    return None


async def signed_in(request: web.Request, organisation: str) -> Account | None:
    """The account that is signed in to the organisation, which the request keeps from then on; None where none is."""
    account = await account_of(await sessions.get(request), organisation, request.app[ACCOUNTS])
    if account is not None:
        request[SIGNED_IN] = account
    return account


async def was_signed_in(request: web.Request, organisation: str) -> bool:
    """Whether this browser is that of an account whose sign-in took too long, and that nothing else has ended."""
    lapsed = (await sessions.get(request)).lapsed
    return lapsed is not None and await _as_begun(lapsed, organisation, request.app[ACCOUNTS]) is not None


async def account_of(session: Session, organisation: str, accounts: Accounts) -> Account | None:
    """The account that is signed in to the organisation, as it is now; None where it changed or was closed since."""
    entry: dict[str, Any] | None = session.get(STAFF)
    return None if entry is None else await _as_begun(entry, organisation, accounts)


async def _as_begun(entry: dict[str, Any], organisation: str, accounts: Accounts) -> Account | None:
    if entry["organisation"] != organisation:
        return None
    account = await accounts.get(organisation, entry["person"])
    if account is None or account.disabled or account.generation != entry["generation"]:
        return None
    return account


async def require(request: web.Request, organisation: str, *roles: Role) -> Account:
    """The account that is signed in to the organisation, in one of these roles (any, where none is named).

    Raises HTTP 303 to the sign-in where nobody is, and to the set-up of a second factor where the organisation (which
    the request must know by now) demands one; NotForYou where the account has another role.
    """
    account = await signed_in(request, organisation)
    if account is None:
        raise web.HTTPSeeOther(f"/{organisation}/staff/sign-in")
    if owes_second_factor(request[ORGANISATION], account):
        raise web.HTTPSeeOther(f"/{organisation}/staff/two-factor")
    if roles and account.role not in roles:
        raise NotForYou
    return account


def owes_second_factor(organisation: Organisation, account: Account) -> bool:
    """Whether the account must set up a second factor before it does anything else."""
    return organisation.admins_two_factor and account.role is Role.ADMIN and not account.second_factor


async def let_in(request: web.Request, organisation: str, account: Account, now_ms: int) -> str:
    """Signs the account in, or half in where it has a second factor; returns the path to go on to."""
    if not account.second_factor:
        await sign_in(request, organisation, account)
        return f"/{organisation}/staff"
    session = await sessions.renew(request)
    session[HALF] = {
        "organisation": organisation,
        "person": account.id,
        "generation": account.generation,
        "until_ms": now_ms + HALF_MS,
    }
    return f"/{organisation}/staff/sign-in/code"


async def half_in(session: Session, organisation: str, accounts: Accounts, now_ms: int) -> Account | None:
    """The account that is half signed in to the organisation; None where it changed since, or took too long."""
    entry: dict[str, Any] | None = session.get(HALF)
    if entry is None or entry["until_ms"] <= now_ms:
        return None
    return await _as_begun(entry, organisation, accounts)


async def sign_in(request: web.Request, organisation: str, account: Account) -> None:
    """This browser is the account's from now on, under a new session id; what it was signed in as before ends."""
    old = await sessions.get(request)
    before = old.get(STAFF)
    session = await sessions.renew(request)
    session.pop(HALF, None)
    session[STAFF] = {
        "organisation": organisation,
        "person": account.id,
        "generation": account.generation,
    }
    if before is not None:
        await publish(request.app[SESSIONS].redis, before["organisation"], before["person"], old.key)


async def sign_out(request: web.Request) -> None:
    """This browser is no staff member's any more; its old session id is dead, and its staff sockets close."""
    old = await sessions.get(request)
    before = old.get(STAFF)
    session = await sessions.renew(request)
    session.pop(STAFF, None)
    session.pop(HALF, None)
    if before is not None and old.identity is not None:
        # Dead before anyone is told, so that a socket that closes cannot come back by the same cookie.
        storage = request.app[SESSIONS]
        await storage.delete(old.identity)
        await publish(storage.redis, before["organisation"], before["person"], old.key)


async def off_call(service: Service, organisation: str, account: Account) -> None:
    """Turns the person's On-Call switch off, where it is on. Raises `Unavailable`."""
    mirror = await service.mirrors.get(organisation)
    staff = mirror.staff.get(account.id)
    if staff is not None and staff.on_call:
        actor = Actor(organisation=organisation, id=account.id, name=account.name, role=account.role)
        await service.set_on_call(actor, on=False)


async def enrol(service: Service, organisation: str, account: Account) -> None:
    """Makes the record by which signalling decides (name, role, states of licence) say what the account says.

    Raises `Unavailable`.
    """
    mirror = await service.mirrors.get(organisation)
    committed = None
    while committed is None:  # each failed turn is another writer's success, and there are few
        held, now_ms = await service.store.load(organisation, Staff, account.id)
        before = held or account.staff
        after = replace(before, name=account.name, role=account.role, states=account.states)
        if after == held:
            return
        after = replace(after, version=before.version + 1)
        event = Event("enrolled", now_ms, Person(account.id, account.name))
        committed = await service.store.commit(organisation, after, event, index_score=0)
    mirror.committed(committed)


def booked_key(organisation: str) -> str:
    """Under which name a session keeps the visit that this browser booked at an organisation."""
    return f"booked:{organisation}"


def patient(organisation: str, visit_id: str, name: str) -> Actor:
    """The patient of a visit, as signalling knows them."""
    return Actor(
        organisation=organisation, id=f"patient:{visit_id}", name=name, role=Role.PATIENT, visit=visit_id
    )


def guest(visit: Visit, key: str) -> Actor | None:
    """A guest as signalling knows them; None where the visit has no such party (any more)."""
    party = visit.parties.get(key)
    if party is None or party.relation is None:
        return None
    return Actor(organisation=visit.organisation, id=key, name=party.name, role=Role.GUEST, visit=visit.id)
