"""Serves the set-up's page of waiting areas (services): address, name, and if needed an area's own hours and guide.

The guide of an area is edited on the page of the setup guide (`guide.py`).
"""

import re
import unicodedata
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from web.languages.i18n import day_names, gettext
from web.organisations.settings import IN_USE, MOST_AREAS, SLUG, Area, Organisation, bounds
from web.pages.setup import calendar_form
from web.pages.setup.frame import Form, Parsed, Posted, admin, path_of, plain, posted_to, save, show

LONGEST_NAME = bounds(Area, "name").most


class AreasSection:
    """Handles the form of the set-up's section "Waiting areas"."""

    name = "areas"
    template = "setup/areas.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        return {"areas": [_row(area, organisation) for area in organisation.areas], "new": ""}

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        known = {area.id: area for area in organisation.areas}
        keys = [key for key in dict.fromkeys(posted.getall("area", [])) if key in known]
        rows = [_typed(posted, known[key]) for key in keys]
        form: Form = {"areas": rows, "new": plain(posted.get("new", ""), LONGEST_NAME)}
        errors = {name: sentence for row in rows for name, sentence in _wrong(row).items()}
        kept = [_area(row, known[row["key"]]) for row in rows if not row["remove"]] if not errors else []
        if form["new"]:
            new = _new_id(form["new"], set(known))
            if len(form["new"]) > LONGEST_NAME:
                sentence = gettext("This is too long; at most %(most)s characters, please.")
                errors["new"] = sentence % {"most": LONGEST_NAME}
            elif not new:
                errors["new"] = gettext(
                    "Write a name with letters a to z or digits: the address is made of it."
                )
            elif len(kept) >= MOST_AREAS:
                errors["new"] = gettext("There are at most %(most)s waiting areas.") % {"most": MOST_AREAS}
            else:
                kept.append(Area(id=new, name=form["new"]))

        def apply(document: Organisation) -> Organisation:
            return replace(document, areas=tuple(kept))

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the waiting areas in words: name and id -> text. Two areas may have the same name."""
        return {
            f"{area.name} ({area.id})": " · ".join(
                (
                    calendar_form.hours_words(area.hours) if area.hours else gettext("The clinic’s hours"),
                    gettext("Setup guide of its own") if area.guide else gettext("The clinic’s setup guide"),
                )
            )
            for area in organisation.areas
        }


SECTION = AreasSection()


async def areas(request: web.Request) -> web.Response:
    """Answer GET …/setup/areas with the page of waiting areas."""
    organisation, _ = await admin(request)
    return show(request, organisation, SECTION, **_context(organisation))


async def save_areas(request: web.Request) -> web.Response:
    """Answer POST …/setup/areas: save the waiting areas."""
    organisation, account = await admin(request)
    posted = await posted_to(request)
    return await save(request, organisation, account, SECTION, posted, **_context(organisation))


def _context(organisation: Organisation) -> dict[str, Any]:
    return {
        "day_names": day_names(),
        "guide_path": path_of(organisation, "guide"),
        "longest": {"new": LONGEST_NAME, "name": LONGEST_NAME},
    }


def _row(area: Area, organisation: Organisation) -> dict[str, Any]:
    hours = area.hours if area.hours is not None else organisation.hours
    return {
        "key": area.id,
        "name": area.name,
        "own": area.hours is not None,
        "hours": calendar_form.clock_hours(hours),
        "guide": area.guide is not None,
        "remove": False,
    }


def _typed(posted: Posted, area: Area) -> dict[str, Any]:
    key = area.id
    return {
        "key": key,
        "name": plain(posted.get(f"{key}-name", ""), LONGEST_NAME),
        "own": f"{key}-own" in posted,
        "hours": calendar_form.typed_hours(posted, f"{key}-"),
        "guide": area.guide is not None and f"{key}-guide" in posted,
        "remove": f"{key}-remove" in posted,
    }


def _wrong(row: dict[str, Any]) -> dict[str, str]:
    if row["remove"]:
        return {}
    key, errors = row["key"], {}
    if not 1 <= len(row["name"]) <= LONGEST_NAME:
        sentence = gettext("Write a name of 1 to %(most)s characters.")
        errors[f"{key}-name"] = sentence % {"most": LONGEST_NAME}
    if row["own"]:
        wrong = calendar_form.wrong_week(row["hours"])
        errors |= {f"{key}-hours-{day}": sentence for day, sentence in wrong.items()}
    return errors


def _area(row: dict[str, Any], before: Area) -> Area:
    return replace(
        before,
        name=row["name"],
        hours=tuple(calendar_form.spans_of(day) for day in row["hours"]) if row["own"] else None,
        guide=before.guide if row["guide"] else None,
    )


def _new_id(name: str, taken: set[str]) -> str:
    """Return the id of a new area, made from its name; "" if the name has no usable letter or digit.

    `taken`: the ids of the other areas.
    """
    plain_name = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "-", plain_name).strip("-")[:30].strip("-")
    number, found = 1, base
    while base and (found in taken or found in IN_USE):
        number += 1
        found = f"{base}-{number}"
    return found if SLUG.fullmatch(found) else ""
