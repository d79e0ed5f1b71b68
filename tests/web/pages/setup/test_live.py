"""Tests that a change in the set-up applies to open visits from the next command on: limits and licensed states."""

from signalling.service import Accepted
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from signalling.visit.relations import Refusal
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_people import account, change
from tests.web.site import OSEI, Site
from web.keys import SERVICE


async def test_a_mismatch_of_states_blocks_or_warns_as_the_admin_says_at_once(site: Site) -> None:
    admin, ana = await desk(site), site.person()
    await desk(site, OSEI)
    await ana.ask_for_a_visit(state="TX")
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits
    osei = Actor(organisation="demo", id="u_osei", name="Dr Maya Osei", role=Role.PROVIDER)
    await service.set_on_call(osei, True)

    assert (await change(admin, await account(site, OSEI), "save", states="LA"))[0] == 303
    assert (await admin.change("policy", block_unlicensed="on")).status == 303
    refused = await service.command(osei, visit, c.Claim())
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.details) == ("not_licensed", {"state": "TX"})

    assert (await admin.change("policy", block_unlicensed=None)).status == 303
    assert isinstance(await service.command(osei, visit, c.Claim()), Accepted)
