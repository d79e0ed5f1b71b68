"""Serves the set-up's page about text messages: the service that sends them, a test message, and failed messages.

The service's address contains its secrets, so it is never shown again. `web.channels` sends the messages.
"""

from typing import Any

from aiohttp import web

from web.channels.text_service import KIND, MOST, PHONE, Service
from web.channels.texts import WORDS, ask
from web.intake.phone_numbers import example, phone_number
from web.keys import BREAKERS, JOBS, SERVICE, SETTINGS, TEXT_SERVICES, TEXTS
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation
from web.pages.setup.frame import admin, draw, path_of, posted_to, when
from web.pages.setup.unreached import unreached

NAME = "texts"
NO_PHONE = N_("Write {phone} in the address, where the service expects the patient’s number.")
TOO_LONG = N_("This address is too long.")


async def page(request: web.Request) -> web.Response:
    """Answer GET …/setup/texts with the page about text messages."""
    organisation, _ = await admin(request)
    return await _draw(request, organisation)


async def act(request: web.Request) -> web.Response:
    """Answer POST …/setup/texts: save or remove the service, or send a test message, as the field `do` says."""
    organisation, account = await admin(request)
    posted = await posted_to(request)
    services, do = request.app[TEXT_SERVICES], posted.get("do")
    if do == "try":
        return await _try(request, organisation, posted.get("phone", "").strip()[:40])
    if do == "remove":
        await services.drop(organisation.id)
    elif do == "save":
        url = posted.get("url", "").strip()[: MOST + 1]
        wrong = await _problem(request, url)
        if wrong:
            return await _draw(request, organisation, form={"url": url}, errors={"url": wrong}, status=422)
        await services.put(organisation.id, Service(url, account.name, request.app[SERVICE].clock_ms()))
    else:
        raise web.HTTPBadRequest
    raise web.HTTPSeeOther(path_of(organisation, NAME) + "?saved")


async def _problem(request: web.Request, url: str) -> str:
    """Return a sentence about what is wrong with the address of a service; "" if it is right."""
    if len(url) > MOST:
        return gettext(TOO_LONG)
    if PHONE not in url:
        return gettext(NO_PHONE)
    word = await ask(url.replace(PHONE, "15125550100"), None, request.app[SETTINGS].webhooks.allow)
    return "" if word == "sent" else gettext(WORDS[word])


async def _try(request: web.Request, organisation: Organisation, phone: str) -> web.Response:
    service = await request.app[TEXT_SERVICES].get(organisation.id)
    number = phone_number(phone, organisation.country)
    if service is None or number is None:
        sentence = gettext("Write a phone number with area code, for example %(example)s.")
        wrong = {"phone": sentence % {"example": example(organisation.country)}}
        return await _draw(request, organisation, form={"phone": phone}, errors=wrong, status=422)
    word = await request.app[TEXTS].try_out(organisation, service, number.dialled)
    return await _draw(request, organisation, form={"phone": phone}, tried=word)


async def _draw(
    request: web.Request,
    organisation: Organisation,
    *,
    form: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    tried: str = "",
    status: int = 200,
) -> web.Response:
    service = await request.app[TEXT_SERVICES].get(organisation.id)
    now_ms = request.app[SERVICE].clock_ms()
    paused = await request.app[BREAKERS].paused(organisation.id, KIND, now_ms)
    given_up = [
        (at_ms, job) for at_ms, job in await request.app[JOBS].dead(organisation.id) if job.kind == KIND
    ]
    context = {
        "form": {"url": "", "phone": "", **(form or {})},
        "errors": errors or {},
        "longest": {"url": MOST},
        "service": service,
        "since": "" if service is None else when(service.at_ms, organisation),
        "tried": tried,
        "result": gettext(WORDS.get(tried, WORDS["refused"])),
        "paused": paused,
        "until": "" if paused is None else when(paused.until_ms, organisation),
        "given_up": len(given_up),
        "last": when(given_up[-1][0], organisation) if given_up else "",
        "unreached": await unreached(request, organisation, given_up),
    }
    return draw(request, organisation, NAME, "setup/texts.html", context, status)
