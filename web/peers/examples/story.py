"""Plays a visit in plain asyncio: a patient meets a provider, and both see each other. Run it: `python story.py`.

`light` media is real ICE, DTLS and SRTP with made-up contents. In the two constructors below, `media="real"` sends VP8
and Opus, and `media="none"` sends nothing.
"""

import asyncio
import os

from greenroom import Patient, Provider

URL = os.environ["GREENROOM_URL"]
EMAIL, PASSWORD = os.environ["GREENROOM_EMAIL"], os.environ["GREENROOM_PASSWORD"]


async def story() -> None:
    """Play a visit from Meet Now to the end of the call."""
    async with (
        Provider(URL, EMAIL, PASSWORD, media="light") as provider,
        Patient(URL, media="light") as patient,
    ):
        await provider.sign_in()
        await provider.on_call()

        visit = await patient.meet_now(reason="A rash, for three days")
        claiming = asyncio.create_task(provider.claim(visit))
        await patient.fill_in(over_s=0.5)
        room = await patient.pulled_in()
        theirs = await claiming
        print(f"pulled in after {patient.waited_s:.3f} s")  # noqa: T201

        assert room.flow.packets == 0, "nothing crosses before both have pressed Start Session"
        await room.start()
        await theirs.start()
        await room.live()
        print(f"first picture {1000 * await room.first_frame():.0f} ms after the second Start Session")  # noqa: T201

        await room.talk(2.0)
        assert room.flow.freezes == 0
        await theirs.end()
        assert await room.ended() == "completed"


if __name__ == "__main__":
    asyncio.run(story())
