"""Serves the page on which an administrator builds the setup guide.

The buttons to add, move and remove a step send the form. The answer shows the changed form, which is not saved yet. A
script makes this faster and adds a preview. Saving makes a new version. Visits that have begun keep their version, so
their questions do not change.
"""

from typing import Any

from aiohttp import web

from signalling.visit.setup_guide import Kind
from web.identity.accounts import Account
from web.keys import ORGANISATIONS, REDIS, SERVICE
from web.languages.i18n import gettext
from web.organisations.guide_versions import Version, Versions
from web.organisations.settings import Organisation
from web.pages.setup import guide_form
from web.pages.setup.frame import Form, Parsed, admin, path_of, posted_to, save, show, when

SECTION = guide_form.GuideSection()


async def guide(request: web.Request) -> web.Response:
    """Answer GET …/setup/guide with the form; `?version=` fills it with an earlier version, without saving."""
    organisation, _ = await admin(request)
    section = _section(request, organisation)
    asked = request.query.get("version", "")
    parsed = None
    if asked.isascii() and asked.isdigit() and len(asked) < 8:
        try:
            earlier = await request.app[SERVICE].guide(organisation.id, int(asked))
        except LookupError:
            raise web.HTTPNotFound from None
        parsed = Parsed(guide_form.form_of(earlier), {}, lambda document: document)
    more = await _context(
        request, organisation, section.form(organisation) if parsed is None else parsed.form
    )
    return show(request, organisation, section, parsed, **{**more, "taken_up": asked if parsed else ""})


async def save_guide(request: web.Request) -> web.Response:
    """Answer POST …/setup/guide: carry out the action of the pressed button, which `do` names."""
    organisation, account = await admin(request)
    section = _section(request, organisation)
    posted = await posted_to(request)
    form = guide_form.typed(posted)
    pressed = guide_form.moved(form, posted.get("do", "save"))
    if pressed is not None:
        parsed = Parsed(pressed.form, {}, lambda document: document)
        more = await _context(request, organisation, pressed.form)
        revision = posted.get("revision", "")
        return show(
            request, organisation, section, parsed, **{**more, "focus": pressed.focus, "revision": revision}
        )
    before = organisation
    more = await _context(request, organisation, form)
    try:
        return await save(request, organisation, account, section, posted, **more)
    except web.HTTPSeeOther:
        await _keep_versions(request, before, account)
        if isinstance(section, guide_form.AreaGuide):
            path = path_of(organisation, section.name)
            raise web.HTTPSeeOther(f"{path}?saved&area={section.area}") from None
        raise


def _section(request: web.Request, organisation: Organisation) -> guide_form.GuideSection:
    """Return the form section for the waiting area that `?area=` names, otherwise that for the organisation.

    Raises HTTP 404 if there is no such area.
    """
    area = request.query.get("area", "")
    if area and area not in organisation.area_names:
        raise web.HTTPNotFound
    return guide_form.AreaGuide(area) if area else SECTION


async def _keep_versions(request: web.Request, before: Organisation, account: Account) -> None:
    """Store the guide before and after a change, so that both versions can be shown even if no visit has used them.

    `before`: the settings before the change; `account`: the author.
    """
    after = await request.app[ORGANISATIONS].read(before.id)
    if after is None or after.guide == before.guide:
        return
    service, versions = request.app[SERVICE], Versions(request.app[REDIS])
    for guide, by, at_ms in (
        (before.guide, "", 0),
        (after.guide, account.name, service.clock_ms()),
    ):
        await service.store.keep_guide(before.id, guide)
        noted = Version(version=guide.version, by=by, at_ms=at_ms, steps=len(guide.steps))
        await versions.note(before.id, noted)


async def _context(request: web.Request, organisation: Organisation, form: Form) -> dict[str, Any]:
    found = await Versions(request.app[REDIS]).list(organisation.id)
    rows = form["steps"]
    area = request.query.get("area", "")
    of_area = {"form_path": f"{path_of(organisation, 'guide')}?area={area}"} if area else {}
    return {
        **of_area,
        "area_name": organisation.area_names.get(area, ""),
        "kinds": [(str(kind), gettext(label)) for kind, label in guide_form.KINDS.items()],
        "kind_words": {kind: gettext(label) for kind, label in guide_form.KINDS.items()},
        "conditions": [guide_form.conditions(rows, index) for index in range(len(rows))],
        "levels": [(str(level), gettext(label)) for level, label in guide_form.LEVELS.items()],
        "level_choices": [guide_form.level_choices(row) for row in rows],
        "longest": guide_form.LONGEST,
        "has_options": Kind.CHOICE,
        "has_text": Kind.CONSENT,
        "version": organisation.guide.version,
        "versions": [
            {
                "version": version.version,
                "by": version.by,
                "at": when(version.at_ms, organisation) if version.at_ms else "",
                "steps": version.steps,
                "current": version.version == organisation.guide.version,
            }
            for version in found
        ],
        "focus": "",
        "taken_up": "",
    }
