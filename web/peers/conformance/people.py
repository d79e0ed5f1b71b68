"""Makes the people of a check: staff who sign in once, patients who come by Meet Now, and the sockets they open.

Staff sign in and patients enter as in PROTOCOL.md#entry. After each check, all visits are ended and all sockets
closed, so that no made-up visit stays in the queue.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import aiohttp

from signalling.protocol.codec import JSON_SUBPROTOCOL
from web.peers.conformance.checked_socket import CheckedSocket
from web.peers.errors import EntryError, MissingPersonError, UntestableError, ViolationError
from web.peers.people.answers import information
from web.peers.people.entry import Browser, Clinic

ROLES: Final = ("patient", "staff", "guest")


@dataclass(slots=True)
class PatientBrowser:
    """A patient in the queue: the browser, and the visit's id, which is "" until the server has welcomed a socket."""

    browser: Browser
    visit: str = ""


@contextlib.asynccontextmanager
async def off_call(line: CheckedSocket) -> AsyncIterator[None]:
    """Turn On-Call off for the member of staff of this socket while the context is open; then turn it on again."""
    await line.get("on_call", on=False)
    try:
        yield
    finally:
        await line.get("on_call", on=True)


@dataclass(slots=True)
class People:
    """The people of the checks of one server.

    `subprotocol`: the subprotocol of their sockets, unless a check uses another. `staff_browsers`: the
    browsers of the providers first, then those of `admins`. `numbers`: an iterator with a number for each new
    patient, which makes the name unique. `lines`: the sockets that were opened.
    """

    clinic: Clinic
    credentials: tuple[tuple[str, str], ...] = ()
    subprotocol: str = JSON_SUBPROTOCOL
    staff_browsers: list[Browser] = field(default_factory=list)
    admins: list[Browser] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    lines: list[CheckedSocket] = field(default_factory=list)
    patients: list[PatientBrowser] = field(default_factory=list)

    def speaking(self, subprotocol: str) -> People:
        """Return a `People` with the same staff for another check; its sockets use this subprotocol."""
        return replace(self, subprotocol=subprotocol, lines=[], patients=[])

    async def sign_in(self) -> None:
        """Sign the staff in, and find out who is an administrator. Raises EntryError if sign-in fails."""
        for email, password in self.credentials:
            browser = Browser(self.clinic)
            page = await browser.post(
                f"{self.clinic.path}/staff/sign-in", {"email": email, "password": password}
            )
            if page.status != 303:
                raise EntryError(
                    f"{self.clinic.origin} does not sign {email} in: email or password are wrong, or try later"
                )
            if page.location != f"{self.clinic.path}/staff":
                raise EntryError(f"{email} is asked for more than a password; name an account that is not")
            self.staff_browsers.append(browser)
            # A wrong reply to hello is ignored here: another check reports it, and it must not stop the sign-in.
            with contextlib.suppress(ViolationError):
                line = await self.hello(browser, "staff")
                if line.welcome["me"]["role"] == "admin":
                    self.admins.append(browser)
        self.staff_browsers.sort(key=lambda browser: browser in self.admins)
        await self.tidy()

    # --- methods that return people, or their sockets

    def staff_browser(self, number: int = 0) -> Browser:
        """Return the browser of a member of staff. `number`: which member, from 0.

        Raises MissingPersonError if there are too few credentials.
        """
        if number >= len(self.staff_browsers):
            raise MissingPersonError("a second member of staff" if number else "a member of staff")
        return self.staff_browsers[number]

    async def staff(self, number: int = 0, **how: Any) -> CheckedSocket:
        """Return a new socket of a member of staff, after the server's `welcome`.

        `number`: which member, from 0; `how`: further arguments of `hello`. Raises MissingPersonError if
        there are too few credentials.
        """
        return await self.hello(self.staff_browser(number), "staff", **how)

    async def on_call(self, number: int = 0, **how: Any) -> CheckedSocket:
        """Open a socket of a member of staff, turn the person's On-Call on, and return the socket.

        `number`: which member, from 0; `how`: further arguments of `hello`. Raises MissingPersonError if
        there are too few credentials.
        """
        line = await self.staff(number, **how)
        await line.get("on_call", on=True)
        return line

    async def provider(self, number: int = 0) -> CheckedSocket:
        """Open a socket of a provider, turn the provider's On-Call on, and return the socket.

        `number`: which provider, from 0. Raises MissingPersonError if there are too few providers.
        """
        if number >= len(self.staff_browsers) - len(self.admins):
            raise MissingPersonError("a second provider" if number else "a provider")
        return await self.on_call(number)

    async def admin(self) -> CheckedSocket:
        """Return a new socket of an administrator, after the server's `welcome`.

        Raises MissingPersonError if the staff has no administrator or no provider.
        """
        if not self.admins:
            raise MissingPersonError("an admin")
        if len(self.admins) == len(self.staff_browsers):
            raise MissingPersonError("a provider")
        return await self.hello(self.admins[0], "staff")

    async def patient(self) -> PatientBrowser:
        """Return a new patient in the queue, who came by Meet Now. Raises UntestableError if Meet Now is closed."""
        browser = Browser(self.clinic)
        try:
            language = await self.clinic.language(browser)
        except EntryError as closed:
            raise UntestableError(f"{closed}; somebody on call and opening hours may be missing") from None
        await browser.get(f"{self.clinic.path}/information")
        form = information(next(self.numbers), language, reason="A conformance check, no real request")
        page = await browser.post(f"{self.clinic.path}/information", form)
        if page.status == 429:
            raise UntestableError(
                "too many visits from this address: raise the server’s limit for it, or come again later"
            )
        if page.status != 303 or not page.location.endswith("/visit"):
            raise ViolationError(
                f"303 to {self.clinic.path}/visit",
                f"{page.status} {page.location}",
                f"POST {self.clinic.path}/information",
            )
        self.patients.append(PatientBrowser(browser))
        return self.patients[-1]

    async def in_line(self, **how: Any) -> tuple[PatientBrowser, CheckedSocket]:
        """Return a new patient in the queue, and the patient's socket after the server's `welcome`.

        `how`: further arguments of `hello`.
        """
        patient = await self.patient()
        line = await self.hello(patient.browser, "patient", **how)
        patient.visit = line.visit
        return patient, line

    async def claimed_visit(self, number: int = 0) -> tuple[CheckedSocket, CheckedSocket, str]:
        """Let a provider claim the visit of a new patient.

        `number`: which provider, from 0. Returns the patient's socket, the provider's socket and the visit's
        id.
        """
        provider = await self.on_call(number)
        _, patient = await self.in_line()
        await provider.get("visit.claim", visit=patient.visit)
        for line in (patient, provider):
            await line.get("subscribe", "subscribed", topic=f"visit/{patient.visit}")
            await line.get("visit.enter", visit=patient.visit)
        return patient, provider, patient.visit

    # --- methods that open and close sockets

    async def open(
        self,
        browser: Browser | None,
        subprotocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        **how: Any,
    ) -> CheckedSocket:
        """Return an open socket on which nothing was sent yet.

        `browser`: the browser whose cookies are sent, None to send no cookies; `subprotocol`: the codec; `headers`: the
        headers to send instead of the browser's; `how`: further arguments of aiohttp's `ws_connect`.

        Raises ViolationError if the server refuses the upgrade.
        """
        subprotocol = subprotocol or self.subprotocol
        sent = dict(headers) if headers is not None else (browser or Browser(self.clinic)).headers
        try:
            ws = await self.clinic.http.ws_connect(
                self.clinic.socket_url,
                **{
                    "protocols": (subprotocol,),
                    "headers": sent,
                    "max_msg_size": 0,
                    "ssl": self.clinic.ssl,
                    **how,
                },
            )
        except aiohttp.WSServerHandshakeError as refused:
            raise ViolationError(
                "the upgrade (101)", f"HTTP {refused.status}", f"GET {self.clinic.path}/ws"
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ViolationError(
                "the upgrade (101)", type(problem).__name__, f"GET {self.clinic.path}/ws"
            ) from None
        line = CheckedSocket(ws, subprotocol)
        self.lines.append(line)
        if how.get("protocols", True) and ws.protocol != subprotocol:
            raise ViolationError(f"the subprotocol {subprotocol}, that was asked for", str(ws.protocol))
        return line

    async def hello(
        self,
        browser: Browser,
        role: str,
        subprotocol: str | None = None,
        resume: str | None = None,
        **how: Any,
    ) -> CheckedSocket:
        """Open a socket with the browser's cookies and send hello; return the socket after the server's welcome.

        `role` and `subprotocol`: those of the socket; `resume`: a token to send; `how`: further arguments of
        `open`. Raises ViolationError if there is no welcome.
        """
        line = await self.open(browser, subprotocol, **how)
        line.welcome = await line.get("hello", "welcome", role=role, **({"resume": resume} if resume else {}))
        return line

    async def tidy(self) -> None:
        """Close all sockets of these people, and withdraw the open visits of the patients."""
        for line in self.lines:
            with contextlib.suppress(Exception):
                await line.close()
        for patient in self.patients:
            with contextlib.suppress(ViolationError, UntestableError):
                line = await self.hello(patient.browser, "patient")
                await line.ask("visit.withdraw", visit=line.visit)
                await line.close()
        self.lines.clear()
        self.patients.clear()
