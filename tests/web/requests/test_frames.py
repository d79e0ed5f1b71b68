"""Tests a patient's pages in a frame of the clinic's site: which sites may show which page, and the
cookies in a frame.
"""

from typing import Any

from aiohttp import ClientResponse

from tests.web.site import FORM, OSEI, Person, Site
from web.organisations import demo
from web.requests.frames import FRAMED, twin

CLINIC = "https://www.clinic.example"
OTHER = "http://localhost:9000"


class Frame:
    """A frame (iframe) in a page of another site, in a browser that keeps only partitioned cookies."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.cookies: dict[str, str] = {}

    async def open(self, path: str, data: Any = None, site: str = "same-origin") -> ClientResponse:
        """Open a page, or send a form if `data` is not None; return the answer.

        `site`: the value of Sec-Fetch-Site, which says from where the request comes.
        """
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        client = self.person.client
        answer = await client.request(
            "GET" if data is None else "POST",
            path,
            data=data,
            headers={"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": site, "Cookie": kept},
            allow_redirects=False,
        )
        await answer.read()
        for line in answer.headers.getall("Set-Cookie", []):
            (name, _, value), *attributes = (part.partition("=") for part in line.split("; "))
            if ("Partitioned", "", "") in attributes:
                assert ("Secure", "", "") in attributes
                assert ("SameSite", "=", "None") in attributes
                self.cookies[name] = value
        client.session.cookie_jar.clear()
        return answer


async def framed(site: Site, *origins: str) -> Frame:
    """Let the clinic allow its pages in frames of the sites `origins`.

    Return a frame that has just opened the clinic's calendar.
    """
    await site.change(frame_origins=origins)
    frame = Frame(site.person())
    assert (await frame.open("/demo", site="cross-site")).status == 200
    return frame


def refuses_frames(answer: ClientResponse) -> bool:
    """Return whether the answer forbids every site to show it in a frame."""
    policy, old = answer.headers["Content-Security-Policy"], answer.headers.get("X-Frame-Options")
    return "frame-ancestors 'none'" in policy and old == "DENY"


async def test_f47_no_site_may_frame_a_page_and_no_cookie_is_kept_in_one_unless_the_clinic_names_it(
    site: Site,
) -> None:
    frame = await framed(site)
    for path in ("/demo", "/demo/information", "/demo/visit"):
        assert refuses_frames(await frame.open(path))
    assert (await frame.open("/demo/information", FORM, site="none")).status == 303
    assert frame.cookies == {}


async def test_f47_the_named_sites_may_frame_the_patients_pages_and_no_others(site: Site) -> None:
    await site.change(frame_origins=(CLINIC, OTHER))
    ana = site.person()
    await ana.ask_for_a_visit()
    for path in ("/demo", "/demo/information?another", "/demo/visit", "/demo/appointments/new", "/demo/x"):
        answer = await ana.get(path)
        assert f"frame-ancestors {CLINIC} {OTHER};" in answer.headers["Content-Security-Policy"], path
        assert "X-Frame-Options" not in answer.headers
    osei = site.person()
    await osei.sign_in(OSEI)
    for path in (
        "/demo/staff",
        "/demo/staff/sign-in",
        "/demo/staff/calendar",
        "/demo/facility/x",
        "/demo/api",
        "/demo/a/b",
        "/demo/guest",
        "/demo/enter/x",
        "/elsewhere",
        "/static/icon.svg",
        "/healthz",
    ):
        assert refuses_frames(await osei.get(path)), path


async def test_f47_a_patient_in_a_frame_enters_the_queue_with_the_frames_own_cookies(site: Site) -> None:
    frame = await framed(site, CLINIC)
    page = await (await frame.open("/demo")).text()
    assert "/demo/staff" not in page, "a link would lead to a page that is not framed"
    assert (await frame.open("/demo/information")).status == 200
    assert (await frame.open("/demo/information", FORM)).headers["Location"] == "/demo/visit"
    assert (await frame.open("/demo/visit")).status == 200
    assert 'lang="es"' in await (await frame.open("/demo/visit?lang=es")).text()
    assert 'lang="es"' in await (await frame.open("/demo/visit")).text()
    assert all(name.endswith("-frame") for name in frame.cookies)
    top = site.person()
    assert (
        await top.client.get("/demo/visit", headers={"Cookie": "x=y"}, allow_redirects=False)
    ).status == 303


async def test_f47_another_site_changes_nothing_with_the_cookies_of_a_frame(site: Site) -> None:
    frame = await framed(site, CLINIC)
    await frame.open("/demo/information", FORM)
    for path in ("/demo/information?another", "/demo/visits/v_x/contact", "/demo/appointments/hold"):
        for elsewhere in ("cross-site", "same-site"):
            assert (await frame.open(path, FORM, site=elsewhere)).status == 403


async def test_f47_staff_do_not_sign_in_inside_a_frame_and_its_cookies_open_no_staff_page(site: Site) -> None:
    frame = await framed(site, CLINIC)
    before = dict(frame.cookies)
    form = {"email": OSEI, "password": demo.password(site.settings, OSEI)}
    await frame.open("/demo/staff/sign-in", form)
    assert frame.cookies == before, "a sign-in has no twin of its cookie"
    osei = site.person()
    await osei.sign_in(OSEI)
    frame.cookies = {"greenroom-frame": osei.cookie}
    assert (await frame.open("/demo/staff")).headers["Location"] == "/demo/staff/sign-in"


async def test_f47_a_page_outside_of_a_frame_sets_no_cookie_for_other_sites(site: Site) -> None:
    await site.change(frame_origins=(CLINIC,))
    answer = await site.person(**{"Sec-Fetch-Dest": "document"}).get("/demo/information?lang=es")
    cookies = answer.headers.getall("Set-Cookie")
    assert len(cookies) >= 2
    assert all("SameSite=Lax" in cookie and "Partitioned" not in cookie for cookie in cookies)


async def test_f47_a_browser_that_keeps_no_cookies_in_frames_is_led_to_a_tab_of_its_own(site: Site) -> None:
    frame = await framed(site, CLINIC)
    frame.cookies.clear()
    answer = await frame.open("/demo/information")
    assert (answer.status, "a tab of its own" in await answer.text()) == (403, True)
    assert 'href="/demo" target="_blank" rel="noopener"' in await answer.text()
    assert not refuses_frames(answer)


def test_f47_the_twin_of_a_cookie_differs_only_in_the_attributes_for_frames() -> None:
    cookie = "__Host-greenroom=abc; HttpOnly; Max-Age=60; Path=/; SameSite=Lax; Secure"
    assert twin(cookie) == (
        "__Host-greenroom-frame=abc; HttpOnly; Max-Age=60; Path=/; Secure; SameSite=None; Partitioned"
    )


async def test_f47_every_path_that_may_be_framed_exists_and_is_the_patients(site: Site) -> None:
    paths = {resource.canonical for resource in site.app.router.resources()}
    assert paths >= FRAMED
    staffs = ("staff", "facility", "api", "guest", "join", "enter", "feed")
    assert not [path for path in FRAMED if path.split("/")[2:3] and path.split("/")[2] in staffs]
