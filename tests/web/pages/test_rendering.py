"""Tests pages that the server makes once and sends to many visitors."""

from tests.web.site import FORM, Site


async def test_a_calendar_that_many_share_shows_changed_settings_and_each_browser_its_own_visit(
    site: Site,
) -> None:
    ana, ben = site.person(), site.person()
    for person in (ana, ben):
        assert "Meet Now, by video" in await (await person.get("/demo")).text()
    await ana.post("/demo/information", FORM)
    assert "You have a visit open" in await (await ana.get("/demo")).text()
    assert "1 person is waiting" in await (await ben.get("/demo")).text()
    await site.change(welcome="Rashes are our field.")
    assert "Rashes are our field." in await (await ben.get("/demo")).text()
