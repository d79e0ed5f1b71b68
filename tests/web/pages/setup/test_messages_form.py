"""Tests the set-up of the messages that a clinic sends automatically."""

import pytest

from tests.web.pages.setup.desk import desk
from tests.web.site import Site
from web.keys import ORGANISATIONS
from web.organisations.settings import WaitingMessage


async def test_f19_messages_are_saved_by_time_and_an_empty_row_is_ignored(site: Site) -> None:
    admin = await desk(site)
    saved = await admin.change("policy", after__0="20", say__0="Still with us?", after__3="5", say__3="Hello")
    assert saved.status == 303
    found = await site.app[ORGANISATIONS].get("demo")
    assert found is not None
    assert found.messages == (
        WaitingMessage(after_min=5, text="Hello"),
        WaitingMessage(after_min=20, text="Still with us?"),
    )
    fields = dict(await admin.fields("policy"))
    assert [fields[name] for name in ("after-0", "say-0", "after-1", "after-2")] == ["5", "Hello", "20", ""]


@pytest.mark.parametrize(
    ("after", "say", "words"),
    [
        ("0", "Hello", "Write a whole number from 1 to 600."),
        ("5.5", "Hello", "Write a whole number from 1 to 600."),
        ("", "Hello", "Write a whole number from 1 to 600."),
        ("5", "", "Write the message."),
        ("5", "x" * 501, "at most 500 characters"),
        ("9", "Hello", "Another message has this time already."),
    ],
)
async def test_f19_a_wrong_message_is_named_at_its_field_and_kept(
    site: Site, after: str, say: str, words: str
) -> None:
    admin = await desk(site)
    answer = await admin.change("policy", after__0="9", say__0="First", after__1=after, say__1=say)
    text = await answer.text()
    assert answer.status == 422
    assert words in text
    kept = dict(await admin.fields("policy", text))
    assert (kept["after-1"], kept["say-0"]) == (after, "First")
