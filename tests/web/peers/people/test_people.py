"""Tests the scripting API on a real site and relay: a scripted visit, what people observe, and deliberate faults."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from tests.signalling.waits import until
from tests.web.conftest import OpenSite
from tests.web.site import LIND, OSEI, Site
from web.organisations import demo
from web.peers.errors import EntryError, RefusedError, VisitEndedError
from web.peers.media.flow import Flow
from web.peers.media.light import LightMedia
from web.peers.media.media import Proxied, Sources
from web.peers.media.real import tracks
from web.peers.network.network import Network, Way
from web.peers.people import people
from web.peers.people.people import Patient, Provider, Room

OnCall = Callable[..., Awaitable[Provider]]


@pytest.fixture
def url(site: Site) -> str:
    return str(site.server.make_url("/demo"))


@pytest.fixture
async def on_call(site: Site, url: str) -> AsyncIterator[OnCall]:
    """A function that signs a provider in and turns On-Call on: `await on_call(email, media="light")`."""
    async with AsyncExitStack() as stack:

        async def enter(email: str = OSEI, **how: Any) -> Provider:
            password = demo.password(site.settings, email)
            provider = await stack.enter_async_context(Provider(url, email, password, **how))
            await provider.sign_in()
            await provider.on_call()
            return provider

        yield enter


async def call(patient: Patient, provider: Provider) -> tuple[Room, Room]:
    """Make the provider claim the patient's visit; return (the patient's room, the provider's room).

    Neither side has pressed Start Session.
    """
    theirs, ours = await asyncio.gather(provider.claim(patient.room.visit), patient.pulled_in())
    return ours, theirs


async def live(ours: Room, theirs: Room) -> None:
    await asyncio.gather(ours.start(), theirs.start())
    await asyncio.gather(ours.live(), theirs.live())


async def test_a_visit_is_scripted_step_by_step(url: str, on_call: OnCall) -> None:
    provider = await on_call()
    async with Patient(url, number=7) as patient:
        visit = await patient.meet_now(reason="A rash")
        await provider.until(lambda: visit in provider.rows, "the row")
        assert provider.rows[visit]["name"] == "Synthetic Patient 7"
        assert provider.rows[visit]["reason"] == "A rash"
        await patient.fill_in({"allergies": "Penicillin"}, drafts=2)
        theirs = await provider.claim_next()
        await provider.until(lambda: bool(theirs.case.get("guide_done")), "the finished guide")
        assert theirs.case["answers"]["allergies"] == "Penicillin"
        room = await patient.pulled_in()
        assert patient.waited_s > 0
        await live(room, theirs)
        await theirs.say("Good morning")
        assert await room.talk(0.05) == 0.05
        await theirs.end()
        assert await room.ended() == "completed"
        assert patient.seen.refusals == []


async def test_a_lost_claim_names_the_winner_to_the_other_provider(url: str, on_call: OnCall) -> None:
    one, two = await on_call(OSEI), await on_call(LIND)
    async with Patient(url) as patient:
        visit = await patient.meet_now()
        found = await asyncio.gather(one.claim(visit), two.claim(visit), return_exceptions=True)
        refused = [problem for problem in found if isinstance(problem, RefusedError)]
        assert [problem.code for problem in refused] == ["already_claimed"]
        assert refused[0].details["by"]["name"] in ("Dr Maya Osei", "Dr Jonas Lind")
        assert one.seen.refusals + two.seen.refusals == ["already_claimed"]


async def test_a_patient_who_closes_the_page_leaves_the_queue(url: str, on_call: OnCall) -> None:
    provider = await on_call()
    async with Patient(url) as patient:
        visit = await patient.meet_now()
        await provider.until(lambda: visit in provider.rows, "the row")
    await provider.until(lambda: visit not in provider.rows, "the row to go")


async def test_a_declined_patient_receives_the_end_of_the_visit(
    site: Site, url: str, on_call: OnCall
) -> None:
    admin = await on_call("admin@riverside.example")
    async with Patient(url) as patient:
        visit = await patient.meet_now()
        await admin.request("visit.decline", visit=visit, reason="Please call 911.")
        with pytest.raises(VisitEndedError, match="declined"):
            await patient.pulled_in()


async def test_a_wrong_password_is_one_sentence(url: str) -> None:
    async with Provider(url, OSEI, "wrong-password") as provider:
        with pytest.raises(EntryError, match="do not belong together") as refused:
            await provider.sign_in()
        assert "wrong-password" not in str(refused.value)


async def test_information_that_the_form_refuses_names_the_fields(url: str) -> None:
    async with Patient(url) as patient:
        with pytest.raises(RefusedError, match="phone"):
            await patient.meet_now(phone="12")


async def test_a_driver_that_opens_too_many_visits_learns_which_setting_allows_them(
    open_site: OpenSite,
) -> None:
    site = await open_site(limits={"visits_per_address": 1})
    at = str(site.server.make_url("/demo"))
    async with Patient(at) as first, Patient(at) as second:
        await first.meet_now()
        with pytest.raises(RefusedError, match=r"limits.visits_per_address = 0") as refused:
            await second.meet_now()
    assert refused.value.code == "too_many"


async def test_a_patient_who_reloads_is_where_they_were(url: str, on_call: OnCall) -> None:
    provider = await on_call()
    async with Patient(url) as patient:
        await patient.meet_now()
        await patient.reload()
        assert (patient.seen.returned, patient.seen.resumed) == (1, 0)
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)


async def test_a_patient_whose_page_does_not_load_again_tries_until_it_does(
    url: str, on_call: OnCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_answer(path: str) -> None:
        raise EntryError(path)

    provider = await on_call()
    async with Patient(url) as patient:
        await patient.meet_now()
        with monkeypatch.context() as away:
            away.setattr(patient.browser, "get", no_answer)
            with pytest.raises(EntryError):
                await patient.reload()
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)
        assert (patient.seen.returned, patient.seen.resumed) == (1, 0)


async def test_a_patient_who_vanishes_comes_back_as_the_same_connection(url: str, on_call: OnCall) -> None:
    provider = await on_call()
    async with Patient(url) as patient:
        await patient.meet_now()
        connection = patient.client and patient.client.welcome["connection"]
        patient.vanish()
        await patient.until(lambda: patient.seen.resumed == 1, "the patient to come back")
        assert patient.client is not None
        assert patient.client.welcome["connection"] == connection
        ours, _ = await call(patient, provider)
        assert ours.status == "claimed"


async def test_a_patient_whose_token_is_refused_begins_a_new_connection_with_the_same_topics(
    url: str, on_call: OnCall
) -> None:
    provider = await on_call()
    async with Patient(url) as patient:
        visit = await patient.meet_now()
        patient._resume = "r_of_nobody"
        patient.vanish()
        await patient.until(lambda: patient.seen.returned == 1, "the patient to come back")
        assert (patient.seen.resumed, patient.seen.refusals) == (0, [])
        await provider.claim(visit)
        assert (await patient.pulled_in()).status == "claimed"


async def test_a_request_during_a_lost_socket_is_sent_after_reconnecting(url: str, on_call: OnCall) -> None:
    provider = await on_call()
    async with Patient(url) as patient:
        visit = await patient.meet_now()
        provider.vanish()
        await provider.claim(visit)
        assert (await patient.pulled_in()).status == "claimed"


async def test_a_slow_reader_receives_nothing_while_the_others_do(url: str, on_call: OnCall) -> None:
    slow, quick = await on_call(OSEI), await on_call(LIND)
    slow.slow_reader()
    async with Patient(url) as patient:
        visit = await patient.meet_now()
        await quick.until(lambda: visit in quick.rows, "the row")
        assert visit not in slow.rows
        slow.vanish()
        await slow.until(lambda: visit in slow.rows, "the row, after coming back")


async def test_light_media_crosses_once_both_have_pressed_and_not_before(url: str, on_call: OnCall) -> None:
    provider = await on_call(media="light")
    async with Patient(url, media="light") as patient:
        await patient.meet_now()
        ours, theirs = await call(patient, provider)
        ours.early_media()  # a deliberate fault; the relay must not forward this media
        await ours.start()
        await asyncio.sleep(0.15)
        assert (ours.flow.packets, theirs.flow.packets) == (0, 0)
        await theirs.start()
        await asyncio.gather(ours.first_frame(), theirs.first_frame())
        await until(lambda: min(ours.flow.packets, theirs.flow.packets) > 20)
        await theirs.end()
        assert await ours.ended() == "completed"


async def test_a_call_goes_on_after_one_side_reloads(url: str, on_call: OnCall) -> None:
    provider = await on_call(media="light")
    async with Patient(url, media="light") as patient:
        await patient.meet_now()
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)
        await theirs.first_frame()
        await patient.reload()
        packets = theirs.flow.packets
        await until(lambda: theirs.flow.packets > packets + 20)
        before = ours.flow.packets
        await until(lambda: ours.flow.packets > before + 20)


async def test_a_network_loses_its_share_of_a_persons_packets_and_the_call_continues(
    url: str, on_call: OnCall
) -> None:
    provider = await on_call(media="light")
    way = Way(loss=0.1, delay_ms=10)
    async with Patient(url, media=Sources("light", network=Network(seed=4, up=way, down=way))) as patient:
        await patient.meet_now()
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)
        await asyncio.gather(ours.first_frame(), theirs.first_frame())
        assert isinstance(ours.media, Proxied)
        link = ours.media.proxy
        assert link is not None
        await until(lambda: link.lost + link.passed > 400)
        assert 0.05 < link.lost / (link.lost + link.passed) < 0.2


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """The path of a film of less than a second, with a bright picture."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame(160, 120, "yuv420p")
            for plane, level in zip(frame.planes, (180 + number, 128, 128), strict=True):
                plane.update(bytes([level]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


async def test_real_media_is_seen_and_heard_from_generated_and_recorded_sources(
    url: str, on_call: OnCall, film: Path
) -> None:
    provider = await on_call(media=Sources("real", file=film))
    async with Patient(url, media="real") as patient:
        await patient.meet_now()
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)
        await asyncio.gather(ours.first_frame(), theirs.first_frame())
        await until(lambda: ours.flow.pictures > 5 and theirs.flow.pictures > 20 and theirs.flow.sound > 1)


@pytest.mark.parametrize("kind", ["light", "real"])
async def test_r31_media_goes_on_after_a_fresh_offer_and_the_gap_is_counted(
    url: str, on_call: OnCall, kind: str
) -> None:
    provider = await on_call(media=kind)
    async with Patient(url, media=kind) as patient:
        await patient.meet_now()
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)
        await asyncio.gather(ours.first_frame(), theirs.first_frame())
        for person in (patient, provider):
            # Another join replaces the person's media connection: after its answer, the server sends a new
            # offer.
            await person.request("media.join", visit=ours.visit)
            seen = [room.flow.packets + 20 * room.flow.pictures for room in (ours, theirs)]
            heard = [room.flow.sound for room in (ours, theirs)]
            for room, before, sound in zip((ours, theirs), seen, heard, strict=True):
                await until(partial(_saw_more, room.flow, before + 60))
                if kind == "real":
                    await until(partial(_heard_more, room.flow, sound))
        assert (patient.seen.problems, provider.seen.problems) == ([], [])


def _saw_more(flow: Flow, than: int) -> bool:
    return flow.packets + 20 * flow.pictures > than


def _heard_more(flow: Flow, than: float) -> bool:
    return flow.sound > than


async def test_r31_a_film_goes_on_after_its_end_at_its_own_pace(film: Path) -> None:
    picture, sound = tracks(film)
    assert picture is not None
    assert sound is None
    began, times = time.monotonic(), list[int]()
    for _ in range(15):  # the film has only 12 frames, so it begins again; 15 frames take a second
        frame = await picture.recv()
        times.append(frame.pts or 0)
    assert time.monotonic() - began > 0.8
    assert times == sorted(set(times))
    steps = {after - before for before, after in itertools.pairwise(times)}
    assert len(steps) == 1, "the second time follows the first without a gap"
    picture.stop()


def test_r31_silence_until_the_end_of_a_call_is_a_freeze() -> None:
    flow = Flow()
    flow.over(100.0)
    # A call without any frame has no freeze: freezes are counted from the first frame on.
    assert flow.freezes == 0
    flow.add(100.0)
    flow.over(100.4)
    assert flow.freezes == 0
    flow.over(107.0)
    assert (flow.freezes, flow.longest_gap_s) == (1, 7.0)


async def test_r31_a_person_who_comes_back_as_another_connection_keeps_one_call(
    url: str, on_call: OnCall
) -> None:
    provider = await on_call(media="light")
    async with Patient(url, media="light") as patient:
        await patient.meet_now()
        ours, theirs = await call(patient, provider)
        await live(ours, theirs)
        await asyncio.gather(ours.first_frame(), theirs.first_frame())
        before, media = ours.flow.packets, ours.media
        patient._resume = "r_of_nobody"
        patient.vanish()
        await patient.until(lambda: patient.seen.returned == 1, "the patient to come back")
        await until(lambda: ours.media is not media and ours.flow.packets > before + 30)
        assert isinstance(media, LightMedia)
        assert media._speaker is None, "the old call's socket is closed"
        packets = theirs.flow.packets
        await until(lambda: theirs.flow.packets > packets + 30)


async def test_the_time_limit_of_claim_next_does_not_begin_again_after_a_lost_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, limits = 100.0, list[float | None]()

    class Second(Provider):
        """A provider whose colleague claims each patient first, 4 s after this provider has begun to wait."""

        async def until(
            self, condition: Callable[[], bool], what: str, timeout_s: float | None = None
        ) -> None:
            nonlocal now_s
            limits.append(timeout_s)
            if len(limits) == 3:
                raise TimeoutError(f"{what}: not within {timeout_s} s")
            now_s += 4
            visit = f"v_{len(limits)}"
            self.rows[visit] = {"number": 1, "arrived_ms": 1, "visit": visit}

        async def claim(self, visit: str) -> Room:
            raise RefusedError("already_claimed", visit)

    monkeypatch.setattr(people, "time", SimpleNamespace(monotonic=lambda: now_s))
    second = Second("http://127.0.0.1:1/demo", "ana@clinic.example", "a password")
    with pytest.raises(TimeoutError, match="not within 10 s"):
        await second.claim_next(10)
    assert limits == [10, 6, 2]
