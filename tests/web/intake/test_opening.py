"""Tests that a visit is opened only once if two workers get the same request, at the same time or one after another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalling.service import Service, new_id
from signalling.visit.commands import Withdraw
from signalling.visit.record import Actor, Role, Visit
from tests.signalling.clinic import ANA
from tests.web.conftest import OpenSite
from tests.web.site import Site
from web.identity.visitors import patient
from web.intake.opening import id_of_form, open_once
from web.keys import SERVICE
from web.requests.security import Attempt


class Counted:
    """Replaces the limit of visits per IP address. `visits`: the number of attempts that count against the limit.

    If an attempt opens no visit, the code under test calls `succeeded` on it, and the attempt does not count.
    """

    def __init__(self) -> None:
        self.visits = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Attempt]:
        attempt = Attempt()
        yield attempt
        self.visits += attempt.failed


async def once(service: Service, visit_id: str, counted: Counted) -> Visit:
    """Open the visit of Ana Ruiz with this id, within the limit `counted`; return the visit."""
    return await open_once(service, patient("demo", visit_id, ANA.name), ANA, visit_id, limit=counted.one())


async def test_a_request_that_two_workers_get_at_once_opens_and_counts_one_visit(open_site: OpenSite) -> None:
    services = [(await open_site()).app[SERVICE] for _ in range(2)]
    visit_id, counted = new_id("v"), Counted()
    found = await asyncio.gather(*(once(service, visit_id, counted) for service in services * 3))
    assert {visit.id for visit in found} == {visit_id}
    for service in services:
        mirror = await service.mirrors.get("demo")
        await mirror.catch_up()
        assert list(mirror.visits) == [visit_id]
    assert counted.visits == 1


async def test_a_request_that_is_sent_again_finds_its_visit_even_if_it_has_ended(site: Site) -> None:
    service, visit_id, counted = site.app[SERVICE], new_id("v"), Counted()
    assert (await once(service, visit_id, counted)).is_open
    assert (await once(service, visit_id, counted)).is_open
    await service.command(patient("demo", visit_id, ANA.name), visit_id, Withdraw())
    assert not (await once(service, visit_id, counted)).is_open
    assert counted.visits == 1


async def test_a_visit_that_is_refused_for_another_reason_is_an_error(site: Site) -> None:
    admin = Actor(organisation="demo", id="u_admin", name="A. Brandt", role=Role.ADMIN)
    with pytest.raises(RuntimeError, match="not_allowed"):
        await open_once(site.app[SERVICE], admin, ANA, new_id("v"))


def test_the_same_form_has_the_same_visit_and_no_other_form_has_it() -> None:
    secret = "s" * 32
    same = id_of_form("demo", secret)
    assert id_of_form("demo", secret) == same
    others = [id_of_form("other", secret), id_of_form("demo", "t" * 32), id_of_form("demo", secret, "f_1")]
    assert len({same, *others}) == 4


def test_a_secret_that_is_too_short_names_no_visit() -> None:
    assert id_of_form("demo", "s" * 31) != id_of_form("demo", "s" * 31)
