"""Tests the chat while the patient waits, over two workers. The chat of a session is tested in test_clinic_side.py."""

from redis.asyncio import Redis

from tests.signalling.clinic import clinic
from tests.signalling.test_clinic_side import LIN, OSEI, refused, staff, waiting


async def test_f19_a_waiting_patient_answers_staff_who_read_it_and_reply(valkey: Redis) -> None:
    async with clinic(valkey, answers_waiting=True) as two:
        provider, colleague = await staff(two, OSEI, 1), await staff(two, LIN, 0)
        visit, patient = await waiting(two)
        await patient.request("subscribe", topic=f"chat/{visit}")
        assert await refused(patient, "chat.send", visit=visit, text="Hello?") == "wrong_status"
        await provider.request("chat.send", visit=visit, text="Do you have a fever?")
        await patient.request("chat.send", visit=visit, text="Yes, since Monday")
        row = await colleague.expect("queue.row", lambda m: m["row"]["answered_ms"] is not None)
        assert row["row"]["visit"] == visit, "all staff see that there is an answer"
        item = (await provider.expect("bell.item"))["item"]
        assert (item["kind"], item["visit"], item["note"]) == ("answered", visit, None)
        for number in range(4):
            await patient.request("chat.send", visit=visit, text=f"More {number}")
        assert await refused(patient, "chat.send", visit=visit, text="Too much") == "limit_reached"
        await colleague.request("chat.send", visit=visit, text="Thank you")
        await provider.expect("queue.row", lambda m: m["row"]["answered_ms"] is None)
        await patient.request("chat.send", visit=visit, text="Thanks")
        assert (await colleague.expect("bell.item"))["item"]["kind"] == "answered"
        await provider.request("visit.claim", visit=visit)
        await provider.request("subscribe", topic=f"chat/{visit}")
        lines = (await provider.expect("chat.snapshot"))["lines"]
        assert [line["party"] for line in lines] == ["staff", *["patient"] * 5, "staff", "patient"]
