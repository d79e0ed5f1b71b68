"""Defines the setup guide of the page tests, which has a step of every kind."""

from typing import Any

JSON = dict[str, Any]
STEPS: list[JSON] = [
    {
        "id": "how-bad",
        "kind": "choice",
        "title": "How are you right now?",
        "options": ["I can go about my day", "I cannot get up"],
    },
    {"id": "pregnant", "kind": "yes_no", "title": "Are you pregnant, or could you be?"},
    {"id": "allergies", "kind": "text", "title": "Allergies", "help": "Medicines, foods, latex."},
    {"id": "since", "kind": "date", "title": "When did it begin?", "required": False},
    {
        "id": "consent",
        "kind": "consent",
        "title": "Consent to a video visit",
        "text": "I ask for a video visit.\n\nNothing is recorded.",
    },
    {"id": "devices", "kind": "device_check", "title": "Camera, microphone and sound", "required": False},
]
for _step in STEPS:
    for _key, _value in {"help": "", "required": True, "options": [], "text": ""}.items():
        _step.setdefault(_key, _value)
