"""Serves the set-up's page that finds the records of one patient, exports them as a file, and erases them permanently.

It does the work of `greenroom export` and `greenroom erase`. Names and ids are sent in forms, never in a URL. A
search reads all records. If a search takes too long for one request, the page shows the progress, and a form on the
page continues the search with the next request. So the store keeps nothing about a search.
"""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from signalling.store.past_visits import folded
from signalling.store.records import NEWEST, OLDEST, Place
from web.appointments.book import Book
from web.audit.noting import noted
from web.errors import CommandError
from web.keys import REDIS, SERVICE, SETTINGS
from web.languages.i18n import gettext
from web.organisations.settings import Organisation
from web.pages.downloads import sending
from web.pages.errors import not_found
from web.pages.setup.frame import Form, Posted, admin, draw, path_of, plain, posted_to, when
from web.patients import finding
from web.patients.erasing import Erasure
from web.patients.exporting import Archive, Export, each
from web.patients.finding import Patient, Wanted

NAME = "patients"
LONGEST = 254
SECONDS = 2.0
"""How long one request searches, in s; the next request continues the search."""
MOST = 500
"""The greatest number of visits and booked visits that a search may find. A form with more of them would have more
fields than the server accepts.
"""


class Search(NamedTuple):
    """The state of a search, which may need several requests.

    `wanted`: what is searched for. `place`: (time, id) of the ended visit that was read last. `read`: the number of
    visits that were read. `found`: the ids of the wanted visits so far. `done`: whether all visits were read.
    """

    wanted: Wanted
    place: Place = OLDEST
    read: int = 0
    found: tuple[str, ...] = ()
    done: bool = False


class Shown(NamedTuple):
    """What the page shows in addition to its first form.

    `form`: the values of the forms; `errors`: a sentence for each wrong field. `search`: a search that is not done;
    `whole`: the number of all ended visits, to show the progress of this search. `patients`: the result of a search,
    None before a search. `erased`: the numbers of erased visits and erased booked visits.
    """

    form: Form = {"patient": "", "born": "", "name": ""}  # noqa: RUF012 - no code changes this dictionary
    errors: dict[str, str] = {}  # noqa: RUF012 - no code changes this dictionary
    status: int = 200
    search: Search | None = None
    whole: int = 0
    patients: list[Patient] | None = None
    erased: tuple[int, int] | None = None


async def page(request: web.Request) -> web.Response:
    """Answer GET …/setup/patients with the form of a search."""
    organisation, _ = await admin(request)
    return _draw(request, organisation, Shown())


async def act(request: web.Request) -> web.Response:
    """Answer POST …/setup/patients: carry out the action in the field `do`, which is "find" or "erase"."""
    organisation, _ = await admin(request)
    posted = await posted_to(request)
    do = {"find": _find, "erase": _erase}.get(posted.get("do", ""))
    if do is None:
        raise web.HTTPBadRequest
    return _draw(request, organisation, await do(request, organisation, posted))


async def download(request: web.Request) -> web.StreamResponse:
    """Answer POST …/setup/patients/export with a zip file of the visits and booked visits that the form names."""
    organisation, _ = await admin(request)
    visits, booked = await _named(request, organisation, await posted_to(request))
    if not visits and not booked:
        links = [(gettext("Records of a patient"), path_of(organisation, NAME))]
        return not_found(
            request, gettext("There are no such records"), gettext("They may have been erased."), links
        )
    ids = [one.id for one in (*visits, *booked)]
    await noted(request, "record.exported", ids[0] if len(ids) == 1 else "")
    response, store = web.StreamResponse(), request.app[SERVICE].store
    async with sending(request, response, f"records-{organisation.id}.zip", "application/zip") as send:
        await Export(Archive(send), store, organisation.id).write(each(visits), booked)
    return response


async def _find(request: web.Request, organisation: Organisation, posted: Posted) -> Shown:
    form, errors = _checked(posted)
    if errors:
        return Shown(form, errors, 422)
    service, book = request.app[SERVICE], Book(request.app[REDIS], request.app[SERVICE].store.seal)
    store = service.store
    search = _continued(form, posted)
    begins = search.place == OLDEST
    search = await _go_on(request, organisation, search)
    # The first request and the last request of a search each write an audit entry. The last request is not enough,
    # because it is never sent if the search is stopped or finds too many visits.
    if begins or search.done:
        await noted(request, "record.searched")
    if len(search.found) > MOST:
        return _too_many(form)
    if not search.done:
        return Shown(form, search=search, whole=await store.count_ended(organisation.id, NEWEST))
    still_open = await finding.still_open(store, organisation.id, search.wanted)
    ended_since = await finding.ended_since(store, organisation.id, search.wanted, search.place)
    ids = [*search.found, *(visit.id for visit in (*still_open, *ended_since))]
    # The visits are read again, because some may have been reopened or erased since the search found them.
    visits, _ = await finding.with_ids(store, book, organisation.id, ids, ())
    booked = await finding.booked(book, organisation.id, search.wanted, set(ids))
    if len(visits) + len(booked) > MOST:
        return _too_many(form)
    return Shown(form, patients=finding.by_patient(visits, booked))


def _too_many(form: Form) -> Shown:
    sentence = gettext(
        "More than %(most)s visits fit. Write also the date of birth, or another value. If all are of one patient, "
        "the commands greenroom export and greenroom erase have no such limit."
    )
    return Shown(form, {"patient": sentence % {"most": MOST}}, 422)


def _checked(posted: Posted) -> tuple[Form, dict[str, str]]:
    """Return the values of the posted form of a search, and a sentence for each wrong field."""
    form: Form = {
        "patient": plain(posted.get("patient", ""), LONGEST),
        "born": posted.get("born", "").strip()[:10],
        "name": "",
    }
    errors = {}
    if not 1 <= len(form["patient"]) <= LONGEST:
        errors["patient"] = gettext("Write a whole name, an email address or a phone number.")
    try:
        form["born"] = finding.born_of(form["born"])
    except ValueError:
        errors["born"] = gettext("Write the date as in 1990-04-02, or leave it out.")
    return form, errors


def _continued(form: Form, posted: Posted) -> Search:
    """Return the search to carry on with: a new search for the patient in the form, or the search whose state the
    form contains.
    """
    numbers = [
        int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
        for text in (posted.get("at_ms", ""), posted.get("read", ""))
    ]
    place = (numbers[0], posted.get("at", "")[:64])
    found = tuple(posted.getall("visit", []))
    return Search(Wanted(patient=form["patient"], born=form["born"]), place, numbers[1], found)


async def _go_on(request: web.Request, organisation: Organisation, search: Search) -> Search:
    """Continue a search for about SECONDS; return the search with what was found.

    It stops earlier if all ended visits are read or too many visits are found. Raises `UnavailableError` if the store
    does not answer.
    """
    clock = asyncio.get_running_loop().time
    until_s, store = clock() + SECONDS, request.app[SERVICE].store
    async for part in finding.ended(store, organisation.id, search.wanted, search.place):
        found = (*search.found, *(visit.id for visit in part.found))
        search = search._replace(place=part.place, read=search.read + part.read, found=found)
        if len(found) > MOST or clock() >= until_s:
            return search
    return search._replace(done=True)


async def _named(
    request: web.Request, organisation: Organisation, posted: Posted
) -> tuple[list[Any], list[Any]]:
    """Return the visits and the booked visits that a form names by their ids."""
    store = request.app[SERVICE].store
    book = Book(request.app[REDIS], store.seal)
    visits, booked = posted.getall("visit", []), posted.getall("booked", [])
    return await finding.with_ids(store, book, organisation.id, visits, booked)


async def _erase(request: web.Request, organisation: Organisation, posted: Posted) -> Shown:
    """Erase the records that a form names, if they are of one patient whose name was typed to confirm it."""
    visits, booked = await _named(request, organisation, posted)
    patients = finding.by_patient(visits, booked)
    if not patients:
        gone = gettext("There are no such records any more. Nothing was erased now.")
        return Shown(errors={"": gone}, status=409)
    if len(patients) > 1:
        raise web.HTTPBadRequest
    (patient,) = patients
    if patient.open_visits:
        return Shown(patients=patients, status=409)
    name = plain(posted.get("name", ""), LONGEST)
    if folded(name) != folded(patient.name):
        errors = {
            "name-1": gettext(
                "This is not the name of the patient. Nothing is erased yet; write it as it is shown."
            )
        }
        return Shown({"patient": "", "born": "", "name": name}, errors, 422, patients=patients)
    data = Path(request.app[SETTINGS].data.folder)
    try:
        await Erasure(request.app[SERVICE].store, organisation.id, data).erase(visits, booked)
    except CommandError:
        # A visit was reopened after the check that all visits have ended, so the erasure has stopped.
        return Shown(patients=finding.by_patient(*await _named(request, organisation, posted)), status=409)
    finally:
        # The audit entry is also written if an error has ended the erasure, because some records may be erased.
        await noted(request, "record.erased")
    return Shown(erased=(len(visits), len(booked)))


def _draw(request: web.Request, organisation: Organisation, shown: Shown) -> web.Response:
    context = {
        "form": shown.form,
        "errors": shown.errors,
        "longest": {"patient": LONGEST},
        "search": shown.search,
        "whole": shown.whole,
        "patients": None if shown.patients is None else [_rows(one, organisation) for one in shown.patients],
        "erased": shown.erased,
    }
    return draw(request, organisation, NAME, "setup/patients.html", context, shown.status)


def _rows(patient: Patient, organisation: Organisation) -> dict[str, Any]:
    return {
        "name": patient.name,
        "born": patient.birth_date,
        "open": bool(patient.open_visits),
        "visits": [
            (visit.id, when(visit.arrived_ms, organisation), f"/{organisation.id}/staff/visits/{visit.id}")
            for visit in patient.visits
        ],
        "booked": [(one.id, when(one.starts_ms, organisation)) for one in patient.booked],
    }
