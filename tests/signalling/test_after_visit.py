"""Tests tags and the survey over two workers: who sees them, who finds a visit by its tags, and that
only one answer counts.
"""

from typing import Any

from redis.asyncio import Redis

from signalling.visit.record import Role, Visit
from tests.signalling.clinic import ORG, clinic
from tests.signalling.test_clinic_side import HALE, LIN, OSEI, refused, staff, waiting


async def test_staff_find_a_visit_by_its_tags_and_its_patient_and_colleagues_never_see_them(
    valkey: Redis,
) -> None:
    async with clinic(valkey, tags=("Follow-up", "Billing")) as two:
        admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
        colleague = await staff(two, LIN, 0)
        visit, patient = await waiting(two)
        await provider.request("visit.claim", visit=visit)
        await provider.request("subscribe", topic=f"visit/{visit}")
        await provider.request("visit.tag", visit=visit, tags=["Follow-up"])
        await provider.expect("visit.state", lambda m: m["visit"]["tags"] == ["Follow-up"])
        assert await refused(colleague, "visit.tag", visit=visit, tags=[]) == "not_allowed"
        assert await refused(patient, "visit.tag", visit=visit, tags=[]) == "not_allowed"
        await provider.request("visit.end", visit=visit)
        for worker in two.workers:
            await worker.service.visit_now(ORG, visit)
        assert (await admin.request("sessions.past", tag="Billing"))["rows"] == []
        await admin.request("visit.tag", visit=visit, tags=["Billing"])
        over = await provider.expect("visit.state", lambda m: m["visit"]["tags"] == ["Billing"])
        assert over["visit"]["status"] == "ended"
        for client, found in ((admin, [["Billing"]]), (provider, [["Billing"]]), (colleague, [])):
            rows = (await client.request("sessions.past", tag="Billing"))["rows"]
            assert [row["tags"] for row in rows] == found
            assert (await client.request("sessions.past", tag="Follow-up"))["rows"] == []
        (row,) = (await colleague.request("sessions.past"))["rows"]
        assert (row["visit"], row["tags"]) == (visit, [])
        ended = await patient.expect("visit.state", lambda m: m["visit"]["status"] == "ended")
        assert ended["visit"]["tags"] == []
        events = (await provider.request("visit.history", visit=visit))["events"]
        assert [e["note"] for e in events if e["kind"] == "tagged"] == ["Follow-up", "Billing"]
        events = (await colleague.request("visit.history", visit=visit))["events"]
        assert [e["note"] for e in events if e["kind"] == "tagged"] == [None, None]


async def test_a_patient_answers_the_survey_once_after_the_visit(valkey: Redis) -> None:
    async with clinic(valkey, survey=True) as two:
        provider = await staff(two, OSEI, 1)
        visit, patient = await waiting(two)
        answer: dict[str, Any] = {"visit": visit, "choice": 2, "text": "Kind people"}
        assert await refused(patient, "visit.survey", **answer) == "wrong_status"
        await provider.request("visit.claim", visit=visit)
        await provider.request("visit.end", visit=visit)
        assert await refused(patient, "visit.survey", **{**answer, "choice": 6}) == "bad_message"
        assert await refused(patient, "visit.survey", **{**answer, "text": "x" * 1001}) == "bad_message"
        assert await refused(provider, "visit.survey", **answer) == "not_allowed"
        await patient.request("visit.survey", **answer)
        await patient.expect("visit.state", lambda m: m["visit"]["surveyed"])
        await patient.request("visit.survey", **answer)
        assert await refused(patient, "visit.survey", **{**answer, "choice": 5}) == "limit_reached"
        kept, _ = await two.workers[0].service.store.load(ORG, Visit, visit)
        assert kept is not None
        assert kept.survey is not None
        assert (kept.survey.choice, kept.survey.text) == (2, "Kind people")
