"""Begins and ends the emergency access of a member of staff to a visit, and notifies all administrators of the access.

The audit entry and the administrators' notifications are stored before the access begins, so that there is never an
access that nobody can notice.
"""

from collections.abc import Sequence

from aiohttp import web
from msgspec.structs import replace

from signalling.visit.record import Notice, Person, Role, Staff, Visit
from signalling.visit.relations import Event
from web.emergency.erasing import erase_without_visit
from web.emergency.grants import Grant, Grants, new_grant
from web.identity.accounts import Account
from web.keys import ACCOUNTS, AUDIT_LOG, MAIL_QUEUE, REDIS, SEAL, SERVICE
from web.organisations.settings import Organisation

OPENED, ENDED = "emergency", "emergency_ended"
"""The kinds of the notifications about an emergency access. The mail that administrators get has the name of the
first kind.
"""


def grants_of(app: web.Application) -> Grants:
    """Return the object that reads and writes grants of emergency access in the app's store."""
    return Grants(app[REDIS], app[SEAL])


async def open_access(
    app: web.Application, organisation: Organisation, account: Account, visit: Visit, reason: str
) -> Grant:
    """Give the account access to the visit for the number of minutes that the organisation has set; return the grant.

    `reason`: what the person wrote. If the visit is erased at the same time, the grant is erased as well. Raises
    `UnavailableError` if the store does not answer; then there may be notifications, but no access.
    """
    now_ms = app[SERVICE].clock_ms()
    grant = new_grant(visit.id, account.id, account.name, reason, now_ms, organisation.emergency_min)
    await app[AUDIT_LOG].write(organisation.id, account.id, "visit.emergency_opened", visit.id, grant.id)
    admins = [
        one
        for one in await app[ACCOUNTS].list(organisation.id)
        if one.role is Role.ADMIN and not one.disabled
    ]
    notice = Notice(
        id=f"n_{grant.id}",
        kind=OPENED,
        at_ms=grant.since_ms,
        visit=visit.id,
        name=visit.patient.name,
        by=account.name,
        note=reason,
    )
    await _notify(app, organisation, account, notice, [admin.id for admin in admins])
    await grants_of(app).add(organisation.id, grant)
    store = app[SERVICE].store
    if (await store.load(organisation.id, Visit, visit.id))[0] is None:
        await erase_without_visit(store, organisation.id)
        return grant
    for admin in admins:
        await app[MAIL_QUEUE].queue(
            organisation.id,
            OPENED,
            admin.email,
            admin.language or organisation.languages[0],
            {"name": admin.name, "by": account.name, "minutes": organisation.emergency_min},
            now_ms=now_ms,
        )
    return grant


async def end_access(
    app: web.Application, organisation: Organisation, account: Account, grant_id: str
) -> Grant | None:
    """End the grant with this id, and return it; return None if there is no such grant or it has ended already.

    `account`: the person who ends the grant. If the grant belongs to another person, that person is notified, and
    the page on which that person reads the visit is cleared. Raises `UnavailableError` if the store does not answer.
    """
    now_ms = app[SERVICE].clock_ms()
    ended = await grants_of(app).end(organisation.id, grant_id, account.name, now_ms)
    if ended is not None and ended.person != account.id:
        notice = Notice(id=f"n_{ended.id}-end", kind=ENDED, at_ms=now_ms, visit=ended.visit, by=account.name)
        await _notify(app, organisation, account, notice, [ended.person])
    return ended


async def end_all(app: web.Application, organisation: Organisation, account: Account) -> None:
    """End all emergency accesses of an organisation, because an administrator has turned emergency access off.

    `account`: this administrator. Every other person who had an access is notified, and the page on which that person
    reads the visit is cleared. Raises `UnavailableError` if the store does not answer.
    """
    for grant in await grants_of(app).holding(organisation.id, app[SERVICE].clock_ms()):
        if await end_access(app, organisation, account, grant.id):
            app[AUDIT_LOG].note(organisation.id, account.id, "visit.emergency_ended", grant.visit)


async def _notify(
    app: web.Application, organisation: Organisation, account: Account, notice: Notice, people: Sequence[str]
) -> None:
    """Add `notice` to the bells of `people`, in a commit of the author's own staff record.

    `account`: the author of the notice. `people`: ids of members of staff.
    """
    service = app[SERVICE]
    mirror = await service.mirrors.get(organisation.id)
    committed = None
    # `committed` is None if another worker has changed the record since it was read. Then the commit is tried
    # again.
    while committed is None:
        held, now_ms = await service.store.load(organisation.id, Staff, account.id)
        before = held or account.staff
        committed = await service.store.commit(
            organisation.id,
            replace(before, version=before.version + 1),
            Event(notice.kind, now_ms, Person(account.id, account.name)),
            index_score=0,
            notices=[(person, notice) for person in people],
        )
    mirror.committed(committed)
