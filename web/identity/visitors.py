"""Identifies a browser: staff by sign-in, a patient by the visits that it opened, a guest by the link that it redeemed.

A browser's session is a dictionary. It may have the keys "staff", "half", "visit:{organisation}",
"visits:{organisation}", "booked:{organisation}" and "guest:{organisation}". The key "half" has a pending sign-in: the
password was right, and the second factor was not given yet. This sign-in allows only the page for the second factor. A
session that began before the last change of the account's password, role or status counts as not signed in.
"""

from typing import Any

from aiohttp import web
from msgspec.structs import replace

from signalling.service import Service
from signalling.store.records import Committed, Store
from signalling.visit.record import STAFF_ROLES, Actor, Person, Role, Staff, Visit
from signalling.visit.relations import Event
from web.identity import sessions
from web.identity.accounts import Account, Accounts, publish
from web.identity.after_sign_in import asked_for, sign_in_path
from web.identity.sessions import Session
from web.keys import ACCOUNTS, ORGANISATION, ORGANISATIONS, SERVICE, SESSIONS, SIGNED_IN
from web.organisations.settings import Organisation

STAFF, HALF = "staff", "half"
HALF_MS = 5 * 60_000
"""How long a pending sign-in waits for the second factor, in ms."""
MOST_VISITS = 5
"""The greatest number of visits that a browser follows at one organisation."""


class StaffActor(Actor, frozen=True, kw_only=True):
    """A signed-in member of staff, with the session's key in the store and the account's generation at the sign-in.

    The generation is a number that grows when sessions must end.
    """

    session: str
    generation: int


class NotForYou(web.HTTPForbidden):
    """The signed-in person has no right to see or do what they requested (HTTP 403)."""


class NotForAuditors(NotForYou):
    """The signed-in person is an auditor and has no right to see or do what they requested (HTTP 403)."""


def visit_key(organisation: str) -> str:
    """Return the key in the session dictionary for the visit that this browser opened last at an organisation."""
    return f"visit:{organisation}"


def visit_of(session: Session, organisation: str, wanted: str | None = None) -> str | None:
    """Return the id of the visit that this browser opened last at the organisation, or None if there is none.

    `wanted`: the id of an earlier visit, which is returned instead if this browser opened it.
    """
    held = visits_of(session, organisation)
    return wanted if wanted in held else next(iter(held), None)


def visits_of(session: Session, organisation: str) -> list[str]:
    """Return the ids of the visits of this browser at the organisation; the visit that was opened last comes first."""
    last, earlier = session.get(visit_key(organisation)), session.get(earlier_key(organisation))
    return [
        one for one in (last, *(earlier if isinstance(earlier, list) else ())) if isinstance(one, str) and one
    ]


def add_visit(session: Session, organisation: str, visit_id: str) -> None:
    """Add a visit to the visits of this browser, of which the newest MOST_VISITS are kept.

    The visits may be those of several patients. `visit_of` now returns this visit, unless its caller asks for another.
    """
    earlier = [one for one in visits_of(session, organisation) if one != visit_id]
    session[earlier_key(organisation)] = earlier[: MOST_VISITS - 1]
    session[visit_key(organisation)] = visit_id


def visit_path(session: Session, organisation: str) -> str:
    """Return the path of the page of the visit that this browser opened last.

    The path names the visit if the browser has others, ended ones too: without a name, a tab shows the visit that it
    has shown before.
    """
    held = visits_of(session, organisation)
    return f"/{organisation}/visit" + (f"?visit={held[0]}" if len(held) > 1 else "")


def earlier_key(organisation: str) -> str:
    """Return the key in the session dictionary for this browser's earlier visits at an organisation."""
    return f"visits:{organisation}"


def booked_key(organisation: str) -> str:
    """Return the key in the session dictionary for the visit that this browser booked last at an organisation."""
    return f"booked:{organisation}"


def guest_key(organisation: str) -> str:
    """Return the key in the session dictionary for the id of a visit and the id of the guest in this visit."""
    return f"guest:{organisation}"


def guest_of(session: Session, organisation: str) -> tuple[str, str] | None:
    """Return the visit's id and the guest's id from the guest link that this browser used last, or None.

    `organisation`: its id; links of other organisations are not considered.
    """
    match session.get(guest_key(organisation)):
        case {"visit": str(visit), "guest": str(guest)}:
            return visit, guest
    return None


async def signed_in(request: web.Request, organisation: str) -> Account | None:
    """Return the account that is signed in to the organisation, or None.

    An account is also stored in the request, under the key `SIGNED_IN`.
    """
    account = await account_of(await sessions.get(request), organisation, request.app[ACCOUNTS])
    if account is not None:
        request[SIGNED_IN] = account
    return account


async def was_signed_in(request: web.Request, organisation: str) -> bool:
    """Return whether a person was signed in to the organisation in this browser until the sign-in ended by its time
    limit.
    """
    lapsed = (await sessions.get(request)).lapsed
    return lapsed is not None and await _as_begun(lapsed, organisation, request.app[ACCOUNTS]) is not None


async def account_of(session: Session, organisation: str, accounts: Accounts) -> Account | None:
    """Return the account that is signed in to the organisation, as it is now; None if nobody is signed in.

    An account that was disabled, or whose password or role has changed since the sign-in, counts as not signed in.
    """
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
    """Return the account that is signed in to the organisation and has one of these roles.

    If no `roles` are given, the account must have a role of staff. Raises HTTP 303 to the sign-in page if no account
    is signed in; HTTP 303 to the set-up of a second factor if the organisation requires a second factor that the
    account does not have; and NotForYou if the account has another role. The organisation must already be in the
    request.
    """
    account = await signed_in(request, organisation)
    if account is None:
        raise web.HTTPSeeOther(sign_in_path(organisation, request.method, request.path))
    if owes_second_factor(request[ORGANISATION], account):
        raise web.HTTPSeeOther(f"/{organisation}/staff/two-factor")
    if account.role not in (roles or STAFF_ROLES):
        raise NotForAuditors if account.role is Role.AUDITOR else NotForYou
    return account


def home_of(organisation: str, account: Account, wanted: object = "") -> str:
    """Return the path of the first page that the account opens after its sign-in.

    `wanted`: the path that was asked for, which may be anything; it is returned if it may open.
    """
    if isinstance(wanted, str) and asked_for(organisation, wanted):
        return wanted
    home = f"/{organisation}/staff"
    return f"{home}/setup/audit" if account.role is Role.AUDITOR else home


def owes_second_factor(organisation: Organisation, account: Account) -> bool:
    """Return whether the account must first set up a second factor, because the organisation's rules require it."""
    owing = account.role in (Role.ADMIN, Role.AUDITOR)
    return organisation.admins_two_factor and owing and not account.second_factor


async def let_in(
    request: web.Request, organisation: str, account: Account, now_ms: int, wanted: str = ""
) -> str:
    """Sign the account in, or begin a pending sign-in if it has a second factor; return the path to redirect to.

    `now_ms`: the time by the store's clock; `wanted`: the path that was asked for, as for `home_of`.
    """
    if not account.second_factor:
        await sign_in(request, organisation, account)
        return home_of(organisation, account, wanted)
    session = await sessions.renew(request)
    session[HALF] = {
        "organisation": organisation,
        "person": account.id,
        "generation": account.generation,
        "until_ms": now_ms + HALF_MS,
        "to": asked_for(organisation, wanted),
    }
    return f"/{organisation}/staff/sign-in/code"


async def half_in(session: Session, organisation: str, accounts: Accounts, now_ms: int) -> Account | None:
    """Return the account whose password was given and whose second factor is still missing; None if there is none.

    The result is also None if the account was changed after the password was given, or if too much time has passed.
    """
    entry: dict[str, Any] | None = session.get(HALF)
    if entry is None or entry["until_ms"] <= now_ms:
        return None
    return await _as_begun(entry, organisation, accounts)


async def sign_in(request: web.Request, organisation: str, account: Account) -> None:
    """Sign this browser in as the account, under a new session id; an earlier sign-in of the browser ends."""
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
    """Sign this browser out: its session gets a new id, and the staff sockets of the old session close."""
    old = await sessions.get(request)
    before = old.get(STAFF)
    session = await sessions.renew(request)
    session.pop(STAFF, None)
    session.pop(HALF, None)
    if before is not None and old.identity is not None:
        # The session is deleted before the message to the sockets, so that a closed socket cannot reconnect
        # with its cookie.
        storage = request.app[SESSIONS]
        await storage.delete(old.identity)
        await publish(storage.redis, before["organisation"], before["person"], old.key)


async def off_call(service: Service, organisation: str, account: Account) -> None:
    """Turn the person's On-Call switch off if it is on. Raises `UnavailableError` if the store does not answer."""
    mirror = await service.mirrors.get(organisation)
    staff = mirror.staff.get(account.id)
    if staff is not None and staff.on_call:
        actor = Actor(organisation=organisation, id=account.id, name=account.name, role=account.role)
        await service.set_on_call(actor, on=False)


async def enrol(service: Service, organisation: str, account: Account) -> None:
    """Update signalling's record of this member of staff from the account.

    If the account no longer has a role of staff, first turn its On-Call switch off, so that no page shows the person
    as on call.
    """
    mirror = await service.mirrors.get(organisation)
    if account.role not in STAFF_ROLES:
        await off_call(service, organisation, account)
    committed = await enrolled(service.store, organisation, account)
    if committed is not None:
        mirror.committed(committed)


async def enrolled(store: Store, organisation: str, account: Account) -> Committed | None:
    """Write name, role, licensed states and areas of the account into signalling's record of this member of staff.

    Return the written record, None if nothing has changed. No record is made for an account without a role of staff.
    Raises `UnavailableError` if the store does not answer.
    """
    committed = None
    # An attempt fails only if another worker has changed the record since it was read, which is rare. The attempt is
    # then repeated.
    while committed is None:
        held, now_ms = await store.load(organisation, Staff, account.id)
        is_staff, before = account.role in STAFF_ROLES, held or account.staff
        after = replace(
            before, name=account.name, role=account.role, states=account.states, areas=account.areas
        )
        if not is_staff:
            after = replace(after, on_call=False, on_call_since_ms=None)
        if after == held or (held is None and not is_staff):
            return None
        after = replace(after, version=before.version + 1)
        event = Event("enrolled", now_ms, Person(account.id, account.name))
        committed = await store.commit(organisation, after, event, index_score=0)
    return committed


def patient(organisation: str, visit_id: str, name: str) -> Actor:
    """Return the actor (the author of commands) for the patient of a visit, who has this name."""
    return Actor(
        organisation=organisation, id=f"patient:{visit_id}", name=name, role=Role.PATIENT, visit=visit_id
    )


def guest(visit: Visit, key: str) -> Actor | None:
    """Return the actor (the author of commands) for a guest of the visit.

    `key`: the guest's key in `visit.parties`. Returns None if the visit has no such party (a dismissed guest
    is removed), or if that party is not a guest.
    """
    party = visit.parties.get(key)
    if party is None or party.relation is None:
        return None
    return Actor(organisation=visit.organisation, id=key, name=party.name, role=Role.GUEST, visit=visit.id)


async def _staff_actor(
    app: web.Application, session: Session, organisation: str, _: str | None = None
) -> Actor | None:
    account = await account_of(session, organisation, app[ACCOUNTS])
    if account is None or session.key is None or account.role not in STAFF_ROLES:
        return None
    settings = await app[ORGANISATIONS].get(organisation)
    if settings is None or owes_second_factor(settings, account):
        return None
    return StaffActor(
        organisation=organisation,
        id=account.id,
        name=account.name,
        role=account.role,
        session=session.key,
        generation=account.generation,
    )


async def _patient_actor(
    app: web.Application, session: Session, organisation: str, wanted: str | None = None
) -> Actor | None:
    visit_id = visit_of(session, organisation, wanted)
    visit = None if visit_id is None else await app[SERVICE].visit(organisation, visit_id)
    return None if visit is None else patient(organisation, visit.id, visit.patient.name)


async def _guest_actor(
    app: web.Application, session: Session, organisation: str, _: str | None = None
) -> Actor | None:
    found = guest_of(session, organisation)
    if found is None:
        return None
    visit = await app[SERVICE].visit_now(
        organisation,
        found[0],
        # The store is read, because the guest may arrive before this worker's copy of the visits has the
        # invitation.
    )
    return None if visit is None else guest(visit, found[1])


ACTORS = {"staff": _staff_actor, "patient": _patient_actor, "guest": _guest_actor}
"""Role -> a function that returns the actor of a browser in that role, as it is now, or None.

The function's last argument is the id of the visit on a patient's page, because a browser may follow several visits.
"""
