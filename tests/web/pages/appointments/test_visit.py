"""Tests the link of a booked visit over HTTP: access, moving, cancelling, and requesting the link again."""

from tests.web.appointments.visitor import appointments, book, offered
from tests.web.site import Site


async def test_a_forged_cut_or_foreign_link_opens_nothing(site: Site) -> None:
    ana = site.person()
    path = await book(ana, (await offered(ana))[0])
    await site.change(id="lakeside")
    token = path.rpartition("/")[2]
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    other = "a_" + "x" * 16 + "~" + token.partition("~")[2]
    for wrong in (
        f"/demo/appointments/{forged}",
        f"/demo/appointments/{other}",
        f"/lakeside/appointments/{token}",
    ):
        answer = await site.person().get(wrong)
        assert answer.status == 404
        assert "There is no such booked visit" in await answer.text()
        assert (await site.person().post(f"{wrong}/cancel")).status == 404
    assert "Ana" not in path
    assert (await site.person().get(path)).headers["Cache-Control"] == "no-store"


async def test_moving_frees_the_old_time_and_takes_the_new_one(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    # the present time of the visit is offered too
    assert first in await offered(ana, f"{path}/move")
    assert (await ana.post(f"{path}/move", {"starts": str(second)})).headers["Location"] == path
    free = await offered(ben)
    assert first in free
    assert second not in free
    (kept,) = await appointments(site)
    assert (kept.starts_ms, kept.moved) == (second, 1)


async def test_a_visit_cannot_move_to_a_time_that_is_taken(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    await book(ben, second, name="Ben Lee")
    answer = await ana.post(f"{path}/move", {"starts": str(second)})
    assert answer.status == 409
    assert "Somebody else has just taken this time" in await answer.text()
    assert sorted(kept.starts_ms for kept in await appointments(site)) == [first, second]


async def test_cancelling_frees_the_time_once_and_for_all(site: Site) -> None:
    ana = site.person()
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    assert (await ana.post(f"{path}/cancel")).status == 303
    assert "This visit was cancelled" in await (await ana.get(path)).text()
    assert first in await offered(ana)
    assert (await ana.post(f"{path}/cancel")).status == 303
    assert (await ana.post(f"{path}/move", {"starts": str(second)})).status == 409
    assert (await ana.post(f"{path}/check-in")).status == 409


async def test_the_browser_that_booked_finds_the_way_back_from_the_calendar(site: Site) -> None:
    ana = site.person()
    path = await book(ana, (await offered(ana))[0])
    assert f'href="{path}"' in await (await ana.get("/demo")).text()
    assert path not in await (await site.person().get("/demo")).text()
    await ana.post(f"{path}/cancel")
    assert path not in await (await ana.get("/demo")).text()


async def test_a_stranger_cannot_change_a_visit_from_another_site(site: Site) -> None:
    ana = site.person()
    path = await book(ana, (await offered(ana))[0])
    answer = await ana.post(f"{path}/cancel", None, Origin="https://elsewhere.example")
    assert answer.status == 403
    assert (await appointments(site))[0].status == "booked"
