"""Tests a patient's photo: only the patient adds it, staff see it with Case Information, and it is
erased when removed.
"""

import io

import pytest
from aiohttp import ClientResponse, FormData
from PIL import Image

from signalling.store import keys
from signalling.store.guest_links import GuestLink
from signalling.visit import commands as c
from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Refusal
from tests.browsers import SHOWN_S
from tests.web.audit.test_noting import entries_of
from tests.web.site import ADMIN, LIND, OSEI, Person, Site
from web.keys import ACCOUNTS, INVITES, REDIS, SERVICE
from web.pages.patient import photos
from web.requests.security import Rule


def jpeg(size: tuple[int, int] = (40, 30)) -> bytes:
    """Return a JPEG file of this size, with a marker text in its metadata."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0110] = "canary of a camera"
    Image.new("RGB", size, "red").save(out, "JPEG", exif=exif)
    return out.getvalue()


async def opened(site: Site) -> tuple[Person, Visit]:
    """Open a visit; return (the waiting patient, the visit)."""
    ana = site.person()
    assert (await ana.ask_for_a_visit()).status == 303
    return ana, await now(site)


async def now(site: Site) -> Visit:
    """Return the present record of the visit."""
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    return visit


async def send(person: Person, visit: Visit, data: bytes | None = None, text: str = "") -> ClientResponse:
    """Send a photo from the page of the visit; return the answer. `data`: its file, by default a JPEG. `text`: its
    description.
    """
    form = FormData()
    form.add_field("photo", jpeg() if data is None else data, filename="DCIM canary.jpg")
    form.add_field("text", text)
    return await person.post(f"/demo/visits/{visit.id}/photos", form)


async def signed_in(site: Site, email: str) -> tuple[Person, Actor]:
    """Sign a member of staff in; return (their browser, the actor for their commands)."""
    person, account = site.person(), await site.app[ACCOUNTS].find("demo", email)
    assert (await person.sign_in(email)).status == 303
    assert account is not None
    return person, Actor(organisation="demo", id=account.id, name=account.name, role=account.role)


async def does(site: Site, actor: Actor, visit: Visit, command: c.Command) -> None:
    """Carry out a command on the visit, as `actor`. Raises AssertionError if the command is refused."""
    assert not isinstance(await site.app[SERVICE].command(actor, visit.id, command), Refusal)


async def test_s49_a_photo_is_sealed_in_the_store_and_shown_in_case_information(site: Site) -> None:
    ana, visit = await opened(site)
    socket = await ana.socket("patient")
    await socket.send_json({"type": "subscribe", "id": 2, "topic": f"case/{visit.id}"})
    answer = await send(ana, visit, text="  My arm\r\n\u202e since Monday ")
    assert (answer.status, await answer.text()) == (204, "")
    (photo,) = (await now(site)).photos
    assert (photo.width, photo.height, photo.text) == (40, 30, "My arm since Monday")
    assert len(photo.id) > 16, "an id that cannot be guessed"
    while not (message := await socket.receive_json(timeout=SHOWN_S)).get("case", {}).get("photos"):
        pass
    (shown,) = message["case"]["photos"]
    assert shown["path"] == f"/demo/visits/{visit.id}/photos/{photo.id}"
    stored: dict[bytes, bytes] = await site.app[REDIS].hgetall(  # type: ignore[assignment]
        keys.PHOTOS("demo", visit.id)
    )
    assert [name.decode() for name in stored] == [photo.id]
    assert not any(b"canary" in data or b"JFIF" in data for data in stored.values())
    got = await ana.get(shown["path"])
    assert (got.status, got.content_type) == (200, "image/jpeg")
    for name, value in {
        "Content-Disposition": 'inline; filename="photo.jpg"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
    }.items():
        assert got.headers[name] == value
    data = await got.read()
    assert b"canary" not in data
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (40, 30)


async def test_s49_those_who_have_no_part_in_the_visit_are_not_shown_its_photos(site: Site) -> None:
    ana, visit = await opened(site)
    await send(ana, visit)
    (photo,) = (await now(site)).photos
    path = f"/demo/visits/{visit.id}/photos/{photo.id}"
    (osei, doctor), (lind, colleague) = [await signed_in(site, email) for email in (OSEI, LIND)]
    admin, _ = await signed_in(site, ADMIN)
    other, guest = site.person(), site.person()
    await other.get("/demo")

    async def readers() -> set[str]:
        people = {"ana": ana, "osei": osei, "lind": lind, "admin": admin, "other": other, "guest": guest}
        return {name for name, person in people.items() if (await person.get(path)).status == 200}

    assert await readers() == {"ana", "admin"}, "staff who are not on call see no case"
    for actor in (doctor, colleague):
        await site.app[SERVICE].set_on_call(actor, on=True)
    assert await readers() == {"ana", "admin", "osei", "lind"}
    await does(site, doctor, visit, c.Claim())
    assert await readers() == {"ana", "admin", "osei"}
    await does(site, doctor, visit, c.Invite("guest-rosa", "Rosa", "interpreter"))
    token = await site.app[INVITES].issue("demo", GuestLink(visit.id, "guest-rosa"), 60_000)
    assert (await guest.post(f"/demo/join/{token}")).status == 303
    assert await readers() == {"ana", "admin", "osei"}, "a guest sees no Case Information"
    assert (await osei.get(f"{path}x")).status == 404
    assert (await osei.get(path.replace(visit.id, f"{visit.id}x"))).status == 404
    assert (await osei.get(path.replace("/demo/", "/lakeside/"))).status == 404
    await does(site, doctor, visit, c.End())
    assert await readers() == {"admin", "osei"}, "the patient has the page of the end alone"


async def test_a_photo_is_removed_by_the_patient_or_the_provider_and_is_gone_from_the_store(
    site: Site,
) -> None:
    ana, visit = await opened(site)
    osei, doctor = await signed_in(site, OSEI)
    lind, colleague = await signed_in(site, LIND)
    for actor in (doctor, colleague):
        await site.app[SERVICE].set_on_call(actor, on=True)
    for _ in range(2):
        assert (await send(ana, visit)).status == 204
    first, second = [f"/demo/visits/{visit.id}/photos/{photo.id}" for photo in (await now(site)).photos]
    assert (await osei.post(f"{first}/remove")).status == 404, "not their visit"
    assert (await ana.post(f"{first}/remove")).status == 204
    assert (await ana.post(f"{first}/remove")).status == 204, "the answer may have been lost"
    assert [(await ana.get(path)).status for path in (first, second)] == [404, 200]
    await does(site, doctor, visit, c.Claim())
    assert (await lind.post(f"{second}/remove")).status == 404
    assert (await osei.post(f"{second}/remove")).status == 204
    assert not await site.app[REDIS].exists(keys.PHOTOS("demo", visit.id))
    assert (await now(site)).photos == ()
    assert await site.app[REDIS].exists(keys.ERASED()), "the store's file is rewritten"


async def test_s49_photos_are_bounded_by_visit_by_size_and_by_rate(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, visit = await opened(site)

    async def problem(answer: ClientResponse) -> tuple[int, str]:
        return answer.status, (await answer.json())["problem"]

    for _ in range(6):
        assert (await send(ana, visit)).status == 204
    status, words = await problem(await send(ana, visit))
    assert (status, "Remove one first" in words) == (409, True)
    assert await site.app[REDIS].hlen(keys.PHOTOS("demo", visit.id)) == 6, "nothing of it is kept"
    status, words = await problem(await send(ana, visit, bytes(photos.FORM_BYTES)))
    assert (status, "larger than 8 MB" in words) == (413, True)
    status, words = await problem(await send(ana, visit, b"no picture"))
    assert (status, "no picture" in words) == (422, True)
    monkeypatch.setattr(photos, "RATE", Rule("photo_test", limit=2, first_delay_ms=0))
    assert [(await send(ana, visit, b"bad")).status for _ in range(2)] == [422, 422]
    answer = await send(ana, visit)
    status, words = await problem(answer)
    assert (status, "wait 30 min" in words, int(answer.headers["Retry-After"]) > 60) == (429, True, True)


async def test_s49_a_photo_is_taken_from_the_patient_of_an_open_visit_alone(site: Site) -> None:
    ana, visit = await opened(site)
    osei, doctor = await signed_in(site, OSEI)
    await site.app[SERVICE].set_on_call(doctor, on=True)
    await does(site, doctor, visit, c.Claim())
    eve = site.person()
    assert (await eve.ask_for_a_visit(name="Eve Other")).status == 303
    for person in (osei, eve, site.person()):
        assert (await send(person, visit)).status == 404
    foreign = await ana.post(f"/demo/visits/{visit.id}/photos", {"text": ""}, Origin="https://evil.example")
    assert foreign.status == 403
    await does(site, doctor, visit, c.End())
    answer = await send(ana, visit)
    assert (answer.status, (await answer.json())["problem"][:10]) == (409, "This visit")
    assert not await site.app[REDIS].exists(keys.PHOTOS("demo", visit.id))


async def test_each_photo_that_is_added_opened_by_staff_and_removed_leaves_an_entry(site: Site) -> None:
    ana, visit = await opened(site)
    osei, doctor = await signed_in(site, OSEI)
    await site.app[SERVICE].set_on_call(doctor, on=True)
    await send(ana, visit)
    (photo,) = (await now(site)).photos
    path = f"/demo/visits/{visit.id}/photos/{photo.id}"
    assert [(await person.get(path)).status for person in (ana, osei)] == [200, 200]
    assert (await ana.post(f"{path}/remove")).status == 204
    found = [
        (who, what) for who, what, about in await entries_of(site) if "photo" in what and about == visit.id
    ]
    assert sorted(found) == [
        (f"patient:{visit.id}", "visit.photo_added"),
        (f"patient:{visit.id}", "visit.photo_removed"),
        (doctor.id, "photo.read"),
    ]
