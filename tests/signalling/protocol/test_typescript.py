"""Tests that the types for the browser's scripts match the messages."""

from typing import Annotated

import msgspec

from signalling.protocol import reference, typescript
from signalling.protocol.reference import client_types, server_types
from signalling.protocol.typescript import declarations
from tests.signalling.protocol.write_reference import DECLARATIONS


def test_the_types_for_the_scripts_are_those_of_the_messages() -> None:
    assert DECLARATIONS.read_text("utf-8") == declarations(), "the types have changed: run `make protocol`"


def test_every_message_has_a_type_and_fixed_values_are_listed() -> None:
    found = declarations()
    for name, kind in (*client_types().items(), *server_types().items()):
        assert f'  interface {kind.__name__} {{\n    type: "{name}";\n' in found
    assert '    status: "queued" | "claimed" | "live" | "ended";\n' in found
    assert "    reason?: string | null;\n" in found  # `?`: a client may leave the field `reason` out
    assert "    [topic: `visit/${string}`]: VisitState;\n" in found


def test_a_list_whose_entries_have_a_description_is_described_as_a_list_of_their_type() -> None:
    described = list[Annotated[str, msgspec.Meta(description="a tag")]]
    shape = msgspec.inspect.type_info(described)
    assert typescript._type(shape) == "string[]"
    assert reference._words(shape) == "list of text"
