"""Lists which tests belong to a source file: those at the mirrored path, and those that this list names in addition.

`signalling/visit/rules.py` is tested by `tests/signalling/visit/test_rules.py` and `test_rules_*.py` beside it. Some
files have no such test, or other tests are better for a part of them. Such a file has a line in `BESIDES`, or
its folder (room) has a line in `ROOMS`. tests/test_architecture.py checks that each file has a test.
`make mutants` runs the tests at the mirrored path first.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VISIT = "signalling/visit/"
PROTOCOL = "signalling/protocol/"
CLINIC = "signalling/test_clinic signalling/test_clinic_side"
FORWARDING = "media/forwarding/"
MENDING = f"{FORWARDING}test_mending {FORWARDING}test_mending_groups"
RELAYED = "media/test_relay media/test_groups media/test_hostile"

BESIDES: dict[str, str] = {
    "media/events": "media/test_party media/test_relay",
    "media/forwarding/control_forwarder": f"{FORWARDING}test_forwarder_control {MENDING}",
    "media/forwarding/endpoint": f"{FORWARDING}test_forwarder {FORWARDING}test_forwarder_control"
    f" {FORWARDING}test_group_forwarder {MENDING} {FORWARDING}test_redundant_sound",
    "media/forwarding/forwarder": f"{FORWARDING}test_group_forwarder {MENDING}"
    f" {FORWARDING}test_redundant_sound media/test_relay media/test_spoofed",
    "media/forwarding/group_forwarder": "media/test_groups",
    "media/forwarding/layers": f"{FORWARDING}test_subscriptions",
    "media/forwarding/picture_pause": "media/test_pictures",
    "media/forwarding/streams": f"{FORWARDING}test_redundant_sound {MENDING}"
    f" {FORWARDING}test_group_forwarder {FORWARDING}test_forwarder",
    "media/party": f"{RELAYED} media/test_continuity",
    "media/peers/raw": RELAYED,
    "media/room": f"{RELAYED} media/test_relay_apart media/test_continuity media/test_group_changes media/test_party",
    "media/transport/dtls": "media/transport/test_srtp_and_dtls media/test_fuzz media/test_hostile",
    "media/transport/srtp": "media/transport/test_srtp_and_dtls media/test_relay",
    "media/transport/udp": "media/test_relay media/test_hostile",
    "signalling/clients/client": "signalling/test_clinic",
    f"{PROTOCOL}call_shapes": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}client_messages": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}errors": f"{PROTOCOL}test_protocol",
    f"{PROTOCOL}reference": f"{PROTOCOL}test_protocol {PROTOCOL}test_typescript {PROTOCOL}test_asyncapi",
    f"{PROTOCOL}server_messages": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}shapes": f"{PROTOCOL}test_codec {PROTOCOL}test_protocol",
    f"{PROTOCOL}typescript": f"{PROTOCOL}test_protocol",
    "signalling/store/turns": "signalling/test_service signalling/test_service_apart",
    f"{VISIT}triage": f"{VISIT}test_urgency {VISIT}test_waiting_area",
    f"{VISIT}queue_state": f"{VISIT}test_queue_watch",
    "signalling/errors": f"{PROTOCOL}test_codec {CLINIC}",
    "signalling/rooms/lease": "signalling/rooms/test_rooms signalling/rooms/test_mute",
    "signalling/rooms/liveness": "signalling/rooms/test_rooms",
    "signalling/rooms/participants": "signalling/rooms/test_guests signalling/rooms/test_rooms"
    " signalling/rooms/test_rooms_apart signalling/rooms/test_rooms_following",
    "signalling/rooms/rooms": "signalling/rooms/test_guests signalling/rooms/test_mute",
    "signalling/rooms/ports": "signalling/rooms/test_rooms",
    "signalling/rooms/memberships": "signalling/rooms/test_rooms",
    "signalling/rooms/worker_messages": "signalling/rooms/test_rooms",
    "signalling/service": f"signalling/store/test_mirror signalling/store/test_records {CLINIC}",
    "signalling/sockets/handlers": "signalling/sockets/test_connection signalling/topics/test_rights"
    f" signalling/test_repeated {CLINIC}",
    "signalling/sockets/handshake": f"signalling/sockets/test_connection {CLINIC}",
    "signalling/sockets/reader_websocket": "signalling/sockets/test_websocket signalling/sockets/test_connection",
    "signalling/sockets/frame_limits": "signalling/sockets/test_reader_websocket",
    "signalling/sockets/open_socket": "signalling/sockets/test_reader_websocket",
    "signalling/sockets/websocket": "signalling/sockets/test_reader_websocket",
    "signalling/sockets/services": "signalling/sockets/test_connection",
    "signalling/store/audit_reader": "signalling/store/test_audit_log",
    "signalling/store/guarded": "signalling/store/test_packing signalling/store/test_visit_erasure",
    "signalling/store/keys": "docs/test_made",
    "signalling/store/guest_links": "web/pages/patient/test_guest",
    "signalling/store/event_stream": "signalling/store/test_records signalling/store/test_mirror",
    "signalling/store/records": "signalling/store/test_packing",
    "signalling/store/notices": f"web/test_retention {CLINIC}",
    "signalling/store/one_time": "signalling/test_clinic web/pages/patient/test_guest",
    "signalling/store/resume_tokens": CLINIC,
    "signalling/sweep": f"signalling/sockets/test_presence {CLINIC}",
    "signalling/topics/bell": "signalling/test_clinic_side",
    "signalling/topics/chat": CLINIC,
    "signalling/topics/queue": f"signalling/test_hub signalling/topics/test_rights {CLINIC}",
    "signalling/topics/sessions_list": f"signalling/topics/test_rights {CLINIC}",
    "signalling/topics/topics": f"signalling/topics/test_bell signalling/topics/test_rights {CLINIC}",
    f"{VISIT}commands": f"{VISIT}test_rules",
    f"{VISIT}effects": f"{VISIT}test_rules {VISIT}test_matrix {VISIT}test_rules_properties",
    f"{VISIT}open_visits": f"{VISIT}test_queue_watch {VISIT}test_waiting_area",
    f"{VISIT}relations": f"{VISIT}test_rules {VISIT}test_matrix {VISIT}test_effects",
    f"{VISIT}rules": f"{VISIT}test_matrix {VISIT}test_replay",
    f"{VISIT}survey": f"{VISIT}test_after_visit",
    f"{VISIT}setup_guide": f"{VISIT}test_branching",
    "signalling/worker": "signalling/test_hub signalling/sockets/test_presence signalling/sockets/test_connection "
    "signalling/rooms/test_rooms",
}
"""Source file -> the tests for it that are not at its mirrored path. Their paths are relative to tests/."""

CONFORMANCE = "web/peers/conformance/"
PAGES = "web/pages/"
PEERS = "web/peers/"

BESIDES |= {
    # Files that contain only words, tables or types. They are tested together with the code that uses them.
    "web/errors": "web/test_app",
    "web/keys": "web/test_app",
    "web/appointments/week": f"{PAGES}appointments/test_booking",
    "web/appointments/ics": "web/appointments/test_appointment web/appointments/test_letters",
    "web/appointments/feeds": f"{PAGES}appointments/test_feed web/identity/test_throttle",
    "web/appointments/appointment": "web/appointments/test_desk web/appointments/test_book",
    "web/appointments/links": f"{PAGES}appointments/test_visit web/identity/test_throttle",
    "web/channels/messages": "web/channels/test_texts",
    "web/channels/devices": "web/channels/test_push",
    "web/channels/push_messages": "web/channels/test_push",
    "web/channels/staff": "web/channels/test_escalation",
    "web/channels/send_text": "web/channels/test_texts",
    "web/channels/text_service": "web/channels/test_texts",
    "web/channels/setup": "web/channels/test_patient",
    "web/mail/visits": "web/mail/test_mail_queue",
    "web/reports/words": "web/reports/test_reports",
    f"{PEERS}report/words": f"{PEERS}report/test_writing",
    # Files that are tested together, over HTTP or from the command line.
    "web/commands/backups": "web/backups/test_backups",
    "web/commands/rotation": "web/server/test_key_rotation",
    "web/commands/options": "web/commands/test_main",
    "web/commands/upgrade": "faults/test_upgrade web/commands/test_main",
    "web/commands/patients": "web/test_retention",
    "web/commands/roles": "web/commands/test_organisations",
    "web/identity/invitations": f"{PAGES}setup/test_people web/identity/test_throttle",
    "web/identity/second_factor": f"{PAGES}staff/test_two_factor",
    "web/identity/visitors": "web/identity/test_sessions web/test_pages",
    "web/intake/availability": "web/test_pages",
    "web/intake/information_form": "web/test_pages web/requests/test_unicode",
    "web/intake/patient_links": "web/api/test_visits web/identity/test_throttle",
    "web/languages/messages": "web/languages/test_i18n",
    "web/mail/carriers": "web/mail/test_mail_queue",
    "web/mail/outbox": "web/mail/test_mail_queue web/test_retention",
    "web/metrics/counts": "web/metrics/test_scrape",
    "web/organisations/by_path": "web/test_organisations_apart",
    "web/organisations/documents": "web/test_organisations_apart",
    "web/organisations/facilities": f"{PAGES}facility/test_kiosk {PAGES}setup/test_programs",
    "web/organisations/demo_texts": f"{PAGES}setup/test_translations",
    "web/organisations/guide_versions": f"{PAGES}setup/test_guide",
    "web/organisations/logos": f"{PAGES}setup/test_logo",
    "web/organisations/starter": "web/commands/test_organisations",
    "web/reports/chart": "web/reports/test_figures",
    "web/reports/table": "web/reports/test_figures",
    "web/requests/fields": "web/requests/test_forms",
    # Pages that are tested together: in one test, a person goes through all states of a page.
    f"{PAGES}api_reference": "web/api/test_in_a_browser",
    f"{PAGES}setup/translations_form": f"{PAGES}setup/test_translations",
    f"{PAGES}appointments/routes": "web/test_routes",
    f"{PAGES}appointments/staff": f"{PAGES}appointments/test_booking_pages web/appointments/test_desk",
    f"{PAGES}appointments/week": f"{PAGES}appointments/test_booking_pages",
    f"{PAGES}errors": "web/test_app",
    f"{PAGES}patient/contact": "web/channels/test_texts web/test_routes",
    f"{PAGES}patient/entry_links": "web/api/test_in_a_browser web/api/test_visits",
    f"{PAGES}qr": f"{PAGES}staff/test_two_factor_in_a_browser",
    f"{PAGES}rendering": "web/test_app",
    f"{PAGES}setup/calendar_form": f"web/organisations/test_settings {PAGES}setup/test_frame",
    f"{PAGES}setup/facilities": f"{PAGES}setup/test_programs {PAGES}facility/test_kiosk",
    f"{PAGES}downloads": f"{PAGES}setup/test_patients web/reports/test_reports",
    f"{PAGES}setup/emergency": f"{PAGES}staff/test_emergency",
    f"{PAGES}setup/guide_form": f"{PAGES}setup/test_guide web/organisations/test_settings",
    f"{PAGES}setup/overview": f"{PAGES}setup/test_frame",
    f"{PAGES}setup/policy_form": f"{PAGES}setup/test_frame web/organisations/test_settings",
    f"{PAGES}setup/routes": "web/test_routes",
    f"{PAGES}setup/texts": "web/channels/test_texts",
    f"{PAGES}setup/unreached": "web/pages/setup/test_mail web/channels/test_texts",
    f"{PAGES}staff/case": f"{PAGES}staff/test_emergency {PAGES}staff/test_emergency_attacked",
    f"{PAGES}staff/frame": "web/test_pages",
    f"{PAGES}staff/password": "web/identity/test_passwords",
    f"{PAGES}staff/reports": "web/reports/test_reports",
    f"{PAGES}staff/sign_in_code": f"{PAGES}staff/test_two_factor",
    # Parts of the load tester. A run of the load tester is tested as a whole, on a real site and relay.
    f"{PEERS}cli/examples": f"{PEERS}cli/test_scenario",
    f"{PEERS}cli/playing": f"{PEERS}cli/test_playing {PEERS}cli/test_command",
    f"{PEERS}report/moment": f"{PEERS}cli/test_outputs",
    f"{PEERS}toml_tables": f"{PEERS}network/test_reading {PEERS}cli/test_scenario",
    f"{PEERS}people/answers": f"{PEERS}run/test_plan",
    f"{PEERS}people/entry": f"{PEERS}people/test_people {PEERS}people/test_wire",
    f"{PEERS}people/person": f"{PEERS}people/test_people",
    f"{PEERS}people/room": f"{PEERS}people/test_people",
    f"{PEERS}report/compare_page": f"{PEERS}report/test_comparing",
    f"{PEERS}report/notes": f"{PEERS}report/test_figures",
    f"{PEERS}report/page": f"{PEERS}report/test_writing",
    f"{PEERS}report/plots": f"{PEERS}report/test_figures",
    f"{PEERS}report/units": f"{PEERS}report/test_figures",
    f"{PEERS}media/calls": f"{PEERS}run/test_calls docs/test_load_tester media/peers/test_raw_caller",
    f"{PEERS}run/driver": f"{PEERS}run/test_calls {PEERS}cli/test_command",
    f"{PEERS}run/floor": f"{PEERS}cli/test_command",
    f"{PEERS}run/load": f"{PEERS}cli/test_command",
    f"{PEERS}run/machines": f"{PEERS}cli/test_command",
    f"{PEERS}run/presence": f"{PEERS}cli/test_command",
    f"{PEERS}run/tasks": f"{PEERS}cli/test_command",
    "web/server/handover": "web/server/test_master faults/test_upgrade",
    "web/server/listeners": "web/server/test_processes web/commands/test_main web/server/test_systemd",
    "web/server/open_telemetry": "web/server/test_tracing signalling/test_tracing",
    "web/server/store_contents": "web/commands/test_bad_input web/server/test_data_key",
    "web/server/subprocesses": "web/server/test_processes web/server/test_master",
}

ROOMS: dict[str, str] = {
    "web/api": "web/api/test_visits web/api/test_openapi web/programs/test_webhooks web/test_routes",
    "web/audit": "web/audit/test_noting web/commands/test_audit",
    "web/doctor": "web/doctor/test_checks",
    "web/backups": "web/backups/test_backups",
    "web/emergency": "web/pages/staff/test_emergency",
    "web/patients": "web/test_retention web/pages/setup/test_patients",
    "web/config": "web/config/test_config web/config/test_environment web/config/test_secrets",
    "web/peers/conformance": f"{CONFORMANCE}test_server {CONFORMANCE}test_endpoint",
    "web/peers/distributed": f"{PEERS}distributed/test_joining {PEERS}distributed/test_coordinator",
    "web/peers/examples": "docs/test_load_tester",
    "web/peers/media": f"{PEERS}people/test_people",
    "web/programs": "web/programs/test_webhooks web/programs/test_scopes web/api/test_visits",
}
"""Folder (room) whose files work only together -> tests for each of its files.

They are used for a file that has no test at the mirrored path.
"""


def mirrored(source: Path, root: Path = ROOT) -> list[Path]:
    """Return the test files at the mirrored path of `source`; empty if there are none. Paths are relative to `root`."""
    folder, name = "tests" / source.parent, source.stem
    found = [root / folder / f"test_{name}.py", *sorted((root / folder).glob(f"test_{name}_*.py"))]
    return [path.relative_to(root) for path in found if path.exists()]


def own_tests(source: Path, root: Path = ROOT) -> list[Path]:
    """Return all test files of `source`, those at the mirrored path first. Paths are relative to `root`."""
    found = mirrored(source, root)
    besides = BESIDES.get(str(source.with_suffix("")), "" if found else ROOMS.get(str(source.parent), ""))
    return list(dict.fromkeys([*found, *(Path("tests") / f"{name}.py" for name in besides.split())]))
