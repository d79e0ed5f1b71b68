"""Tests the chat while the patient waits, over two workers. The chat of a session is tested in test_clinic_side.py."""

import pytest
from redis.asyncio import Redis

from signalling.topics import chat
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


async def test_a_snapshot_has_the_newest_messages_of_a_long_chat(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chat.SHOWN == 500, "PROTOCOL.md names the number"
    monkeypatch.setattr(chat, "SHOWN", 3)
    async with clinic(valkey) as two:
        provider = await staff(two, OSEI, 1)
        visit, patient = await waiting(two)
        await provider.request("visit.claim", visit=visit)
        for number in range(5):
            await patient.request("chat.send", visit=visit, text=f"Line {number}")
        await provider.request("subscribe", topic=f"chat/{visit}")
        lines = (await provider.expect("chat.snapshot"))["lines"]
        assert [line["text"] for line in lines] == ["Line 2", "Line 3", "Line 4"]
