"""The REST API: programs open visits, follow them, withdraw, assign and decline, each with a key of its own."""


from tests.web.api.client import program
from tests.web.site import Site


async def test_a_program_opens_a_visit_and_its_patient_enters_it_by_a_link_that_works_once(
    site: Site,
) -> None:
    office = await program(site)
    opened = await office.open()
    visit, url = opened["visit"], opened["link"]["url"]
    assert (visit["status"], visit["place"], visit["facility"]) == ("queued", 1, "Front office")
    path = "/" + url.split("/", 3)[3]
    ana, mallory = site.person(), site.person()
    for _ in range(2):  # a mail program that looks at the link does not use it up
        assert "Open my visit" in await (await ana.get(path)).text()
    answer = await ana.post(path)
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/visit")
    assert visit["id"] in await (await ana.get("/demo/visit")).text()
    assert (await mallory.post(path)).status == 404
    assert (await mallory.get("/demo/visit")).status == 303
    assert (await mallory.get("/demo/enter/" + "x" * 32)).status == 404
