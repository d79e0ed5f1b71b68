"""Plays a small server for page tests: it has one visit and a queue, and follows the protocol of PROTOCOL.md.

It behaves as one worker with one visit. A test can put the pages into any state, refuse any request and close any
socket. The real server has other tests.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any, ClassVar

from aiohttp import web

from tests.browsers import SHOWN_S
from tests.web.pages.guide_steps import STEPS

JSON = dict[str, Any]
OSEI = {"id": "u_osei", "name": "Dr Maya Osei"}
LIND = {"id": "u_lind", "name": "Dr Jonas Lind"}
Command = Callable[["Clinic", JSON, web.WebSocketResponse], Awaitable[JSON | None]]


PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
PHOTO = {
    "id": "p_1",
    "path": PIXEL,
    "at_ms": 1,
    "width": 1600,
    "height": 1200,
    "text": "The rash on my left arm",
}


class RefusedError(Exception):
    """Raised in a test's `refuse`: the server then replies with an error that has this code, text and details."""

    def __init__(self, code: str, text: str, **details: Any) -> None:
        super().__init__(text)
        self.code, self.text, self.details = code, text, details


class Clinic:
    """A server for pages: the state that it shows, its sockets, and the received messages. `url`: its origin."""

    def __init__(self) -> None:
        now = int(time.time() * 1000)
        self.url = ""
        self.version = 1
        self.epoch = "e_1"
        self.sockets: dict[web.WebSocketResponse, set[str]] = {}
        self.roles: dict[web.WebSocketResponse, str] = {}
        self.hellos: list[JSON] = []
        self.received: list[JSON] = []
        self.refuse: dict[str, Callable[[JSON], None]] = {}
        self.silent: set[str] = set()  # types of requests to which this server sends no answer
        self.refuse_resume: str | None = None
        self.open_to_all = True  # if False, new sockets get the status 503, as if the worker had ended
        self.drops_upgrade = False  # if True, new sockets get 426, as behind a proxy without WebSockets
        self.contexts: dict[str, JSON] = {}
        self.current: str | None = None
        self.visit: JSON = {
            "id": "v_1",
            "status": "queued",
            "outcome": None,
            "arrived_ms": now - 65_000,
            "claimed_ms": None,
            "live_ms": None,
            "ended_ms": None,
            "talked_ms": 0,
            "guide_done": False,
            "reason": None,
            "claimant": None,
            "parties": {
                "patient": {"name": "Ana Ruiz", "present": True, "away_since_ms": None, "started": False}
            },
        }
        self.case: JSON = {
            "visit": "v_1",
            "patient": {
                "name": "Ana Ruiz",
                "birth_date": "1990-04-02",
                "phone": "+1 512 555 0142",
                "email": "ana@example.org",
                "state": "TX",
                "phone_shown": "(512) 555-0142",
                "reason": "Rash, three days",
                "language": "es",
                "filled_in_by": None,
            },
            "steps": deepcopy(STEPS),
            "answers": {},
            "typing": None,
            "step": 1,
            "guide_done": False,
            "photos": [],
        }
        self.place: JSON = {
            "place": 2,
            "waiting": 5,
            "wait_low_ms": 240_000,
            "wait_high_ms": 540_000,
            "on_call": 2,
        }
        self.next_time_ms: int | None = None
        self.lines: list[JSON] = []
        self.notices: list[JSON] = []
        self.unread = 0
        self.taken: list[JSON] = []
        self.calls: list[JSON] = []  # the quality of each party's call, as the visit's history shows it
        self.past: list[JSON] = []
        self.past_left: list[int] = []
        """How many past visits are not read from the store yet, at each next answer; the last answer comes
        first.
        """
        self.rows: dict[str, JSON] = {}
        self.limits: JSON = {"amber_ms": 600_000, "red_ms": 1_800_000, "urgent_first": False}
        self.staff: dict[str, JSON] = {
            person["id"]: {**person, "role": "provider", "on_call": person is LIND, "in_session": False}
            for person in (OSEI, LIND)
        }

    # --- methods that tests call

    def row(self, visit: str, name: str, waited_s: int, **changes: Any) -> JSON:
        """Add a row to the queue, of a patient who came `waited_s` s ago; return the row. Sends no message.

        If the visit has a row, it is replaced. `changes`: further fields of the row.
        """
        row = {
            "visit": visit,
            "name": name,
            "arrived_ms": int(time.time() * 1000) - waited_s * 1000,
            "state": "TX",
            "phone": "+1 512 555 0142",
            "language": "en",
            "reason": "Rash, three days",
            "step": 2,
            "steps": 6,
            "guide_done": False,
            "online": True,
            "away_since_ms": None,
            "returned": 0,
            "assignee": None,
            "assigned_ms": None,
            "facility": None,
            "blocked": False,
            "admins_until_ms": None,
            "filled_in_by": None,
            "urgency": None,
            "area": None,
            "answered_ms": None,
            "escalations": [],
            **changes,
        }
        self.rows[visit] = row
        return row

    async def arrives(self, row: JSON, *, fresh: bool = True) -> None:
        """Send a row of the queue to the staff. `fresh`: the patient has just arrived."""
        await self.push("queue", {"type": "queue.row", "fresh": fresh, "row": row})

    async def leaves(self, visit: str, why: str = "claimed", by: JSON | None = None) -> None:
        """Remove a visit's row, and send the removal to the staff, with its reason and the person who caused it."""
        self.rows.pop(visit, None)
        await self.push("queue", {"type": "queue.gone", "visit": visit, "why": why, "by": by})

    async def claimed_by(self, person: JSON = OSEI) -> None:
        """Let this person claim the patient's visit, and send its state."""
        now = int(time.time() * 1000)
        provider = {"name": person["name"], "present": True, "away_since_ms": None, "started": False}
        self.visit |= {"status": "claimed", "claimed_ms": now, "claimant": person}
        self.visit["parties"]["provider"] = provider
        await self.tell_visit()

    async def party(self, role: str, **changes: Any) -> None:
        """Change fields of the party `role` of the visit, and send the visit's state.

        When all parties have pressed Start Session, the visit goes live.
        """
        self.visit["parties"][role] |= changes
        if (
            all(party["started"] for party in self.visit["parties"].values())
            and self.visit["status"] == "claimed"
        ):
            self.visit |= {"status": "live", "live_ms": int(time.time() * 1000)}
        await self.tell_visit()

    async def becomes(self, **changes: Any) -> None:
        """Change fields of the visit, and send its state."""
        self.visit |= changes
        await self.tell_visit()

    async def tell_visit(self) -> None:
        """Send the state of the visit to its subscribers."""
        await self.push("visit/v_1", self.whole("visit/v_1"))

    async def tell_case(self) -> None:
        """Send the state of the case (the patient's information and answers) to its subscribers."""
        await self.push("case/v_1", self.whole("case/v_1"))

    async def writes(self, party: str, text: str, name: str = "Dr Maya Osei") -> None:
        """Add a line of the author `party`, called `name`, to the patient's chat; send it to subscribers."""
        number, now = len(self.lines) + 1, int(time.time() * 1000)
        line = {"id": f"m_{number}", "at_ms": now, "party": party, "name": name, "text": text}
        self.lines.append(line)
        await self.push("chat/v_1", {"type": "chat.line", "line": line})

    async def push(self, topic: str, message: JSON) -> None:
        """Send a message to the subscribers of a topic, with the topic's next version."""
        self.version += 1
        await self.send({**message, "topic": topic, "version": self.version}, topic)

    async def send(self, message: JSON, to: str | None = None) -> None:
        """Send a message on all sockets; with `to`, only to the subscribers of this topic."""
        for socket, topics in list(self.sockets.items()):
            if to is None or to in topics:
                with suppress(ConnectionResetError):  # the page was left a moment ago
                    await socket.send_str(json.dumps(message))

    async def cut(self, code: int = 1012) -> None:
        """Close all sockets with this code."""
        for socket in list(self.sockets):
            await socket.close(code=code)

    def got(self, kind: str) -> list[JSON]:
        """Return the requests of this type that were received, in order."""
        return [message for message in self.received if message["type"] == kind]

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait until the condition holds. Raises TimeoutError after SHOWN_S."""
        async with asyncio.timeout(SHOWN_S):
            while not true():  # noqa: ASYNC110 - what is awaited is any condition at all
                await asyncio.sleep(0.01)

    # --- methods that make the messages for pages

    def whole(self, topic: str) -> JSON:
        """Return the snapshot of a topic: the message with its whole state."""
        kind = topic.split("/")[0]
        state: dict[str, JSON] = {
            "queue": {
                "type": "queue.snapshot",
                "rows": list(self.rows.values()),
                "staff": list(self.staff.values()),
                "limits": self.limits,
            },
            "visit": {"type": "visit.state", "visit": self.visit},
            "case": {"type": "case.state", "case": self.case},
            "place": {"type": "place.state", **self.place},
            "chat": {"type": "chat.snapshot", "lines": self.lines},
            "bell": {"type": "bell.snapshot", "unread": self.unread, "items": self.notices},
            "sessions": {"type": "sessions.snapshot", "rows": self.taken},
        }
        return {**state[kind], "topic": topic, "epoch": self.epoch, "version": self.version}

    async def answer(self, socket: web.WebSocketResponse, message: JSON) -> None:
        """Carry out a request, and send the reply."""
        self.received.append(message)
        if message["type"] in self.silent:
            return
        reply: JSON = {"reply_to": message["id"]}
        try:
            if override := self.refuse.get(message["type"]):
                override(message)
            done = await self.COMMANDS.get(message["type"], Clinic._nothing)(self, message, socket)
        except RefusedError as refusal:
            await socket.send_str(
                json.dumps(
                    {
                        "type": "error",
                        **reply,
                        "code": refusal.code,
                        "text": refusal.text,
                        "details": refusal.details,
                    }
                )
            )
            return
        await socket.send_str(json.dumps({"type": "done", "version": self.version, **reply, **(done or {})}))

    async def _nothing(self, _: JSON, __: web.WebSocketResponse) -> None:
        return None

    async def _subscribe(self, message: JSON, socket: web.WebSocketResponse) -> JSON:
        topic = message["topic"]
        self.sockets[socket].add(topic)
        if (message.get("epoch"), message.get("version")) != (self.epoch, self.version):
            await socket.send_str(json.dumps(self.whole(topic)))
        return {"type": "subscribed", "topic": topic, "epoch": self.epoch}

    async def _unsubscribe(self, message: JSON, socket: web.WebSocketResponse) -> None:
        self.sockets[socket].discard(message["topic"])

    async def _ping(self, _: JSON, __: web.WebSocketResponse) -> JSON:
        return {"type": "pong", "server_ms": int(time.time() * 1000)}

    async def _probe(self, _: JSON, __: web.WebSocketResponse) -> JSON:
        return {"type": "probe", "sdp": "v=0", "ice_servers": []}

    async def _save(self, message: JSON, _: web.WebSocketResponse) -> None:
        index = next(i for i, step in enumerate(self.case["steps"]) if step["id"] == message["step"])
        self.case["answers"][message["step"]] = message["answer"]
        if message["answer"] is None:
            del self.case["answers"][message["step"]]
        self.case |= {
            "typing": None if message["left"] else message["step"],
            "step": index + (2 if message["left"] else 1),
        }
        await self.tell_case()

    async def _finish(self, _: JSON, __: web.WebSocketResponse) -> None:
        missing = [
            step["id"]
            for step in self.case["steps"]
            if step["required"] and step["id"] not in self.case["answers"]
        ]
        if missing:
            raise RefusedError("guide_incomplete", "Steps are missing.", steps=missing)
        self.case["guide_done"] = True
        await self.tell_case()
        await self.becomes(guide_done=True)

    async def _withdraw(self, _: JSON, __: web.WebSocketResponse) -> None:
        await self.becomes(status="ended", outcome="withdrawn", ended_ms=int(time.time() * 1000))

    async def _start(self, _: JSON, socket: web.WebSocketResponse) -> None:
        await self.party(self.roles[socket], started=True)

    async def _claim(self, message: JSON, _: web.WebSocketResponse) -> None:
        await self.leaves(message["visit"], by=OSEI)
        await self.claimed_by()

    async def _on_call(self, message: JSON, _: web.WebSocketResponse) -> None:
        self.staff["u_osei"]["on_call"] = message["on"]
        await self.push("queue", {"type": "queue.staff", "staff": self.staff["u_osei"]})

    async def _release(self, _: JSON, __: web.WebSocketResponse) -> None:
        self.visit["parties"].pop("provider", None)
        self.visit["parties"]["patient"]["started"] = False
        await self.becomes(status="queued", claimant=None, claimed_ms=None, live_ms=None)

    async def _end(self, message: JSON, _: web.WebSocketResponse) -> None:
        outcome = "by_phone" if message.get("by_phone") else "completed"
        await self.becomes(
            status="ended", outcome=outcome, ended_ms=int(time.time() * 1000), talked_ms=192_000
        )

    async def _reopen(self, _: JSON, __: web.WebSocketResponse) -> None:
        await self.becomes(status="claimed", outcome=None, ended_ms=None, live_ms=None)

    async def _past(self, message: JSON, _: web.WebSocketResponse) -> JSON:
        if self.past_left:
            left = self.past_left.pop()
            return {
                "type": "past",
                "more": left > 0,
                "unread": left,
                "rows": self.past[:1] if left == 0 else [],
            }
        known = (
            [row["visit"] for row in self.past].index(message["before_visit"]) + 1
            if "before_visit" in message
            else 0
        )
        return {"type": "past", "more": len(self.past) > known + 50, "rows": self.past[known : known + 50]}

    async def _history(self, message: JSON, _: web.WebSocketResponse) -> JSON:
        events = [
            {"kind": kind, "at_ms": self.visit["arrived_ms"] + n * 60_000, "by": OSEI, "note": None}
            for n, kind in enumerate(("opened", "claimed", "went_live", "ended"))
        ]
        return {"type": "history", "visit": message["visit"], "events": events, "calls": self.calls}

    async def _hang_up(self, _: JSON, __: web.WebSocketResponse) -> None:
        self.visit["parties"]["patient"] |= {"started": False, "left": True}
        await self.becomes(status="claimed", live_ms=None)

    COMMANDS: ClassVar[dict[str, Command]] = {
        "subscribe": _subscribe,
        "unsubscribe": _unsubscribe,
        "ping": _ping,
        "media.probe": _probe,
        "visit.save": _save,
        "visit.finish": _finish,
        "visit.withdraw": _withdraw,
        "visit.start": _start,
        "visit.claim": _claim,
        "on_call": _on_call,
        "visit.release": _release,
        "visit.end": _end,
        "visit.reopen": _reopen,
        "visit.hang_up": _hang_up,
        "visit.history": _history,
        "sessions.past": _past,
    }
