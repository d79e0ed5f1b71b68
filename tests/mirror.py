"""Which tests are a source file's own: those at the mirrored path, and those that this list names besides.

`signalling/visit/rules.py` is tested by `tests/signalling/visit/test_rules.py` and `test_rules_*.py` beside it. A
file without one, or with a part that others test better, has a line in `BESIDES`. tests/test_architecture.py checks
the rule; `make mutants` runs a file's own tests, in this order.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VISIT = "signalling/visit/"
PROTOCOL = "signalling/protocol/"
CLINIC = "signalling/test_clinic signalling/test_clinic_side"
RELAYED = "media/test_relay media/test_groups media/test_hostile"

BESIDES: dict[str, str] = {
    "media/forwarding/forwarder": "media/forwarding/test_group_forwarder media/test_relay",
    "media/forwarding/group_forwarder": "media/test_groups",
    "media/party": f"{RELAYED} media/test_continuity",
    "media/peers/raw": RELAYED,
    "media/room": f"{RELAYED} media/test_continuity",
    "media/transport/dtls": "media/transport/test_srtp_and_dtls media/test_fuzz media/test_hostile",
    "media/transport/srtp": "media/transport/test_srtp_and_dtls media/test_relay",
    "media/transport/udp": "media/test_relay media/test_hostile",
    "signalling/clients/client": "signalling/test_clinic",
    f"{PROTOCOL}client_messages": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}reference": f"{PROTOCOL}test_protocol {PROTOCOL}test_typescript",
    f"{PROTOCOL}server_messages": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}shapes": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}typescript": f"{PROTOCOL}test_protocol",
    "signalling/errors": f"{PROTOCOL}test_codec {CLINIC}",
    "signalling/rooms/lease": "signalling/rooms/test_rooms signalling/rooms/test_mute",
    "signalling/rooms/liveness": "signalling/rooms/test_rooms",
    "signalling/rooms/participants": "signalling/rooms/test_guests signalling/rooms/test_rooms",
    "signalling/rooms/ports": "signalling/rooms/test_rooms",
    "signalling/rooms/memberships": "signalling/rooms/test_rooms",
    "signalling/rooms/worker_messages": "signalling/rooms/test_rooms",
    "signalling/service": f"signalling/store/test_mirror signalling/store/test_records {CLINIC}",
    "signalling/sockets/handlers": f"signalling/sockets/test_connection signalling/topics/test_rights {CLINIC}",
    "signalling/sockets/handshake": f"signalling/sockets/test_connection {CLINIC}",
    "signalling/sockets/reader_websocket": "signalling/sockets/test_websocket signalling/sockets/test_connection",
    "signalling/sockets/services": "signalling/sockets/test_connection",
    "signalling/store/audit_reader": "signalling/store/test_audit_log",
    "signalling/store/keys": "docs/test_made",
    "signalling/store/guest_links": "web/pages/patient/test_guest",
    "signalling/store/event_stream": "signalling/store/test_records signalling/store/test_mirror",
    "signalling/store/notices": f"web/test_retention {CLINIC}",
    "signalling/store/one_time": "signalling/test_clinic web/pages/patient/test_guest",
    "signalling/store/resume_tokens": CLINIC,
    "signalling/sweep": f"signalling/sockets/test_presence {CLINIC}",
    "signalling/topics/bell": "signalling/test_clinic_side",
    "signalling/topics/chat": CLINIC,
    "signalling/topics/queue": f"signalling/test_hub signalling/topics/test_rights {CLINIC}",
    "signalling/topics/sessions_list": f"signalling/topics/test_rights {CLINIC}",
    "signalling/topics/topics": f"signalling/topics/test_rights {CLINIC}",
    f"{VISIT}commands": f"{VISIT}test_rules",
    f"{VISIT}effects": f"{VISIT}test_rules {VISIT}test_matrix {VISIT}test_rules_properties",
    f"{VISIT}rules": f"{VISIT}test_matrix {VISIT}test_replay",
    f"{VISIT}setup_guide": f"{VISIT}test_branching",
    "signalling/worker": "signalling/test_hub signalling/sockets/test_presence signalling/sockets/test_connection "
    "signalling/rooms/test_rooms",
}
"""Source files, and the tests of other names that test them."""


def mirrored(source: Path, root: Path = ROOT) -> list[Path]:
    """Return the test files at the mirrored path of `source`; paths are relative to `root`."""
    folder, name = "tests" / source.parent, source.stem
    found = [root / folder / f"test_{name}.py", *sorted((root / folder).glob(f"test_{name}_*.py"))]
    return [path.relative_to(root) for path in found if path.exists()]


def own_tests(source: Path, root: Path = ROOT) -> list[Path]:
    """Return the test files of `source`, the mirrored ones first."""
    besides = [Path("tests") / f"{name}.py" for name in BESIDES.get(str(source.with_suffix("")), "").split()]
    return list(dict.fromkeys([*mirrored(source, root), *besides]))
