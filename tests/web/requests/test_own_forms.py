"""Tests forms of browsers that do not send their origin: Safari before 16.4 (SECURITY.md row 44)."""

import re
from html.parser import HTMLParser

from tests.web.site import ADMIN, FORM, OSEI, Person, Site
from web.organisations import demo
from web.pages.rendering import TEMPLATES
from web.pages.static_files import STATIC
from web.requests.own_forms import FIELD
from web.requests.own_forms import FORM as FORM_TAG

OLD_SAFARI = {"Origin": "null"}
PUBLIC = ("/demo/information", "/demo/staff/sign-in")
STAFF = ("/demo/staff/preferences", "/demo/staff/two-factor")
SETUP = tuple(
    f"/demo/staff/setup/{name}" for name in ("calendar", "policy", "guide", "people", "mail", "api")
)


class Forms(HTMLParser):
    """Collects the forms of a page that change something: the target and the hidden fields of each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, bool, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the target of a form, or a hidden field (called by HTMLParser)."""
        at = {name: value or "" for name, value in attrs}
        if tag == "form" and at.get("method", "get").lower() == "post":
            self.found.append((at["action"], "enctype" in at, {}))
        elif tag == "input" and at.get("type") == "hidden" and self.found:
            self.found[-1][2][at["name"]] = at["value"]


async def own_forms(person: Person, path: str) -> list[tuple[str, bool, dict[str, str]]]:
    answer = await person.get(path)
    assert answer.status == 200, path
    return Forms(await answer.text()).found


async def sent(
    person: Person, path: str, fields: dict[str, str], multipart: bool = False, **headers: str
) -> int:
    """Send a form as Safari before 16.4 does, without Sec-Fetch-Site and with `Origin: null`; return the status.
    `multipart`: whether it is sent as multipart/form-data.
    """
    data, kind = (
        "&".join(f"{name}={value}" for name, value in fields.items()),
        "application/x-www-form-urlencoded",
    )
    if multipart:
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()
        ]
        data, kind = "".join(parts) + "--x--\r\n", "multipart/form-data; boundary=x"
    return (await person.post(path, data, **{**OLD_SAFARI, "Content-Type": kind, **headers})).status


async def test_s44_a_pages_own_form_passes_in_a_browser_that_hides_its_origin(site: Site) -> None:
    someone, admin, other = site.person(), site.person(), site.person()
    await admin.sign_in(ADMIN)
    ((_, _, of_other), *_) = await own_forms(other, PUBLIC[0])
    asked = 0
    for person, paths in ((someone, PUBLIC), (admin, (*STAFF, *SETUP))):
        for path in paths:
            forms = await own_forms(person, path)
            assert forms, path
            for action, multipart, fields in forms:
                if action.endswith("/sign-out"):
                    continue
                bare = {name: value for name, value in fields.items() if name != FIELD}
                for wrong in (
                    bare,
                    {**bare, FIELD: ""},
                    {**bare, FIELD: "0" * 64},
                    {**bare, FIELD: of_other[FIELD]},
                ):
                    assert await sent(person, action, wrong, multipart) == 403, action
                assert (
                    await sent(person, action, fields, multipart, **{"Sec-Fetch-Site": "cross-site"}) == 403
                )
                assert await sent(person, action, fields, multipart, Origin="https://evil.example") == 403
                assert await sent(person, action, fields, multipart) not in (403, 415, 500), action
                asked += 1
    assert asked > 12


async def test_s44_a_patient_and_a_doctor_enter_with_an_old_safari(site: Site) -> None:
    ana = site.person()
    ((action, _, fields),) = await own_forms(ana, "/demo/information")
    answer = await ana.post(action, {**FORM, **fields}, **OLD_SAFARI)
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/visit")
    osei = site.person()
    ((action, _, fields),) = await own_forms(osei, "/demo/staff/sign-in")
    # `sign_in` uses the password that the demo organisation gives to its staff.
    password = (await site.person().sign_in(OSEI)).status
    assert password == 303
    form = {"email": OSEI, "password": demo.password(site.settings, OSEI), **fields}
    assert (await osei.post(action, form, **OLD_SAFARI)).headers["Location"] == "/demo/staff"
    # The token in the page's head is accepted in a form that a script has made, and in a request that has no
    # other fields.
    token = re.search(rf'<meta name="{FIELD}" content="(\w+)">', await (await osei.get("/demo/staff")).text())
    assert token is not None
    assert await sent(osei, "/demo/staff/session", {}) == 403
    assert await sent(osei, "/demo/staff/session", {FIELD: token[1]}) == 200
    large = {FIELD: token[1], "x": "a" * 200_000}
    # Dr Osei is a provider, who may not use the set-up, so this large form is refused.
    assert await sent(osei, "/demo/staff/setup/guide", large) == 403
    assert await sent(osei, "/demo/staff/sign-out", {FIELD: token[1]}) == 303


async def test_s44_a_token_without_its_cookie_is_not_valid_and_the_body_is_not_read(site: Site) -> None:
    ana = site.person()
    ((action, _, fields),) = await own_forms(ana, "/demo/information")
    assert await sent(site.person(), action, {**FORM, **fields}) == 403
    assert await sent(site.person(), action, {**fields, "x": "a" * 1_000_000}) == 403
    assert await sent(ana, action, {**fields, "x": "a" * 1_000_000}) == 413


async def test_s44_other_browsers_get_no_cookie_and_no_token(site: Site) -> None:
    modern = site.person(**{"Sec-Fetch-Site": "none"})
    answer = await modern.get("/demo/information")
    assert FIELD not in await answer.text()
    assert "greenroom-own" not in answer.headers.getall("Set-Cookie", [""])[0]


def test_s44_every_form_of_a_template_is_found() -> None:
    lines = [
        line for path in TEMPLATES.rglob("*.html") for line in re.findall(r"<form\b.*", path.read_text())
    ]
    for line in lines:
        without = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", line)
        assert FORM_TAG.match(without) or 'method="get"' in without, line
    assert len(lines) > 30


def test_s44_every_form_that_a_script_draws_has_the_field() -> None:
    texts = [path.read_text() for path in STATIC.rglob("*.js")]
    forms = [text[found.start() :] for text in texts for found in re.finditer('<form method="post"', text)]
    assert forms
    assert all("${ownField()}" in form[:300] for form in forms)
