"""Tests that the types for the browser's scripts match the messages."""

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
    assert "    reason?: string | null;\n" in found  # a client may leave this field out
    assert "    [topic: `visit/${string}`]: VisitState;\n" in found
