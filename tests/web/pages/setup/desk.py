"""Plays an administrator who is signed in to the demo organisation and sends the forms of its set-up pages.

On these pages (…/staff/setup) administrators change the settings of an organisation.
`Form` reads a form of a page as a browser without JavaScript would send it.
"""

from html.parser import HTMLParser

from aiohttp import ClientResponse

from tests.web.site import ADMIN, Person, Site

Fields = list[tuple[str, str]]


class Form(HTMLParser):
    """The fields of a form in the page `html`, in order, as a browser would send them.

    The form is the first form of the page that is sent to the path `action`.
    """

    def __init__(self, html: str, action: str) -> None:
        super().__init__()
        self.fields: Fields = []
        self._action = action
        self._inside = False
        self._done = False
        self._text: tuple[str, list[str]] | None = None
        self._select = ""
        self.feed(html)
        assert self._done, f"no form posts to {action}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = found.get("action", "") == self._action and not self._done
        if not self._inside:
            return
        name = found.get("name", "")
        if tag == "input" and name:
            kind = found.get("type", "text")
            if kind not in ("checkbox", "radio") or "checked" in found:
                self.fields.append((name, found.get("value", "on")))
        elif tag == "textarea":
            self._text = (name, [])
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in found:
            self.fields.append((self._select, found.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text is not None:
            self.fields.append((self._text[0], "".join(self._text[1])))
            self._text = None
        elif tag == "select":
            self._select = ""
        elif tag == "form" and self._inside:
            self._inside, self._done = False, True


def changed(fields: Fields, **changes: str | None) -> Fields:
    """Return the fields with these changes: name -> new value. The value None removes a field; a new name adds a field.

    In a keyword, `__` means `-` in the name of the field.
    """
    wanted = {name.replace("__", "-"): value for name, value in changes.items()}
    found, seen = [], set()
    for name, value in fields:
        if name in wanted and name not in seen:
            seen.add(name)
            if (new := wanted[name]) is not None:
                found.append((name, new))
        else:
            found.append((name, value))
    return found + [(name, value) for name, value in wanted.items() if name not in seen and value is not None]


class Desk:
    """A signed-in person who uses the set-up pages of an organisation."""

    def __init__(self, person: Person, organisation: str = "demo") -> None:
        self.person = person
        self.home = f"/{organisation}/staff/setup"

    async def fields(self, section: str, html: str | None = None) -> Fields:
        """Return the fields of a section's form. `html`: a page that shows it; by default the page of the section is
        opened.
        """
        path = f"{self.home}/{section}"
        if html is None:
            response = await self.person.get(path)
            assert response.status == 200, response.status
            html = await response.text()
        return Form(html, path).fields

    async def save(self, section: str, fields: Fields) -> ClientResponse:
        """Send the form of a section with these fields and the button Save; return the answer."""
        return await self.person.post(f"{self.home}/{section}", [*fields, ("do", "save")])

    async def change(self, section: str, **changes: str | None) -> ClientResponse:
        """Open a section, change these fields and save it; return the answer."""
        return await self.save(section, changed(await self.fields(section), **changes))


async def desk(site: Site, email: str = ADMIN) -> Desk:
    """Sign a member of the demo's staff in; return the person at the set-up."""
    person = site.person()
    assert (await person.sign_in(email)).status == 303
    return Desk(person)
