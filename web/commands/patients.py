"""Defines `greenroom export` and `greenroom erase`, which write the records of patients to files, or erase them."""

import contextlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from web.commands.options import ConfigOption, DataOption, JsonOption
from web.commands.organisations import Office, OrganisationOption, carry_out
from web.errors import CommandError

if TYPE_CHECKING:
    from signalling.visit.record import Visit
    from web.appointments.appointment import Appointment
    from web.patients.finding import Wanted

VisitOption = Annotated[
    list[str] | None,
    typer.Option("--visit", help="A visit’s id, or that of a booked visit; may be repeated."),
]
PatientOption = Annotated[
    str,
    typer.Option(
        "--patient", help="All visits of this patient: the whole name, email address or phone number."
    ),
]
BornOption = Annotated[
    str,
    typer.Option("--born", help="Only of this birth date, as in 1990-04-02: two people may have one name."),
]


def export(
    folder: Annotated[Path, typer.Argument(help="A new folder for the files, which are not encrypted.")],
    visit: VisitOption = None,
    patient: PatientOption = "",
    born: BornOption = "",
    everything: Annotated[bool, typer.Option("--all", help="All visits of the organisation.")] = False,
    organisation: OrganisationOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write visits with messages, events and photos, and booked visits, as JSON lines and pictures."""
    wanted = _wanted(visit, patient, born, everything)

    async def work(office: Office) -> list[str]:
        from web.patients.exporting import Export, Folder
        from web.patients.finding import visits

        slug = await office.slug(organisation)
        _, booked = await _found(office, slug, wanted)
        store = await office.store()
        await office.note(slug, "record.exported", wanted.ids[0] if len(wanted.ids) == 1 else "")
        written = await Export(Folder(folder), store, slug).write(visits(store, slug, wanted), booked)
        if as_json:
            return [json.dumps({"folder": str(folder), **written._asdict()}, indent=2)]
        left_out = f" {written.unreadable:,} events and photos cannot be read, and are left out."
        return [
            f"{folder}: {written.visits:,} visits, {written.booked:,} booked visits, {written.photos:,} photos. "
            f"They are not encrypted.{left_out if written.unreadable else ''}"
        ]

    carry_out(config, data, work)


def erase(
    visit: VisitOption = None,
    patient: PatientOption = "",
    born: BornOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    organisation: OrganisationOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Erase ended visits and booked visits permanently, with all that names them, and write the store’s file anew."""
    wanted = _wanted(visit, patient, born, everything=False)

    async def work(office: Office) -> list[str]:
        from signalling.errors import UnavailableError
        from web.patients.erasing import Erasure, require_ended
        from web.server.redis_client import servers
        from web.server.store_rewriting import Rewriting

        slug = await office.slug(organisation)
        visits, booked = await _found(office, slug, wanted)
        require_ended(visits)
        if not yes:
            _ask(visits, booked)
        store = await office.store()
        try:
            await Erasure(store, slug, Path(office.settings.data.folder)).erase(visits, booked)
        except BaseException:
            # After an error or Ctrl-C, some records may be erased, so an audit entry is added if the store answers now.
            with contextlib.suppress(UnavailableError):
                await office.note(slug, "record.erased")
            raise
        await office.note(slug, "record.erased")
        problem = await Rewriting(office.redis, partial(servers, office.settings)).now()
        if as_json:
            record = {"visits": len(visits), "booked": len(booked), "left": problem}
            return [json.dumps(record, indent=2)]
        left = (
            f"The store’s file still has it: {problem}."
            if problem
            else "The store’s file has nothing of it any more."
        )
        return [
            f"Erased: {len(visits):,} visits, {len(booked):,} booked visits. {left} Backups from before still have it."
        ]

    carry_out(config, data, work)


def _wanted(visit: list[str] | None, patient: str, born: str, everything: bool) -> "Wanted":
    """Return which records the options of the command choose.

    `visit`: ids of visits; `patient` and `born`: a name and a date of birth; `everything`: True for all visits. Exactly
    one of `visit`, `patient` and `everything` must be given. Raises BadParameter if that is not so, or if `born` is
    given without `patient` or is no date.
    """
    from web.patients.finding import Wanted, born_of

    if sum(map(bool, (visit, patient, everything))) != 1:
        raise typer.BadParameter("say whose: --visit or --patient, and for an export also --all")
    if born and not patient:
        raise typer.BadParameter("--born goes with --patient")
    try:
        return Wanted(tuple(visit or ()), patient, born_of(born))
    except ValueError:
        raise typer.BadParameter("--born is a date as in 1990-04-02") from None


async def _found(office: Office, slug: str, wanted: "Wanted") -> "tuple[list[Visit], list[Appointment]]":
    """Return the visits and the booked visits that `wanted` chooses. With the option `--all`, all booked visits are
    returned, but no visits: the caller reads these one after another.

    `slug`: the organisation's id. Raises CommandError if there is no such record, or if one of the ids is unknown.
    """
    from web.appointments.book import Book
    from web.patients import finding

    store = await office.store()
    if wanted.everything:
        return [], await finding.booked(Book(office.redis, store.seal), slug, wanted, ())
    visits = [visit async for visit in finding.visits(store, slug, wanted)]
    booked = await finding.booked(
        Book(office.redis, store.seal), slug, wanted, {visit.id for visit in visits}
    )
    unknown = set(wanted.ids) - {visit.id for visit in visits} - {one.id for one in booked}
    if unknown or not (visits or booked):
        raise CommandError(
            f"There is no such visit at {slug}{': ' if unknown else ''}{', '.join(sorted(unknown))}."
        )
    return visits, booked


def _ask(visits: "list[Visit]", booked: "list[Appointment]") -> None:
    """Show what will be erased, and ask the operator; end the command unless the answer is yes."""
    from datetime import UTC, datetime

    for id_, at_ms, patient in (
        *((one.id, one.arrived_ms, one.patient) for one in visits),
        *((one.id, one.starts_ms, one.patient) for one in booked),
    ):
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        typer.echo(f"{id_}  {at:%Y-%m-%d %H:%M} UTC  {patient.name}, {patient.birth_date}", err=True)
    typer.confirm("Erase this permanently?", abort=True, err=True)
