"""Which path of the set-up goes where."""

from aiohttp import web

from web.pages.setup import overview

HOME = "/{organisation}/staff/setup"

ROUTES = (
    web.get(HOME, overview.overview),
    web.get(f"{HOME}/calendar", overview.calendar),
    web.post(f"{HOME}/calendar", overview.save_calendar),
    web.get(f"{HOME}/policy", overview.policy),
    web.post(f"{HOME}/policy", overview.save_policy),
    web.get(f"{HOME}/links", overview.links),
)
