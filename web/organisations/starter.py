"""Makes the first settings of a new organisation: office hours and a short setup guide, to be changed in the set-up.

Texts are in English, because they become the organisation's own texts.
"""

from signalling.visit.setup_guide import Guide, Kind, Step
from web.organisations.settings import Organisation

CONSENT = """\
I ask for a video visit with a clinician of {name}.

I understand that a video visit has limits: the clinician cannot examine me as in a room, and may ask me to come in or \
to go to an emergency department. The connection may fail; then I am called on the number that I gave.

Nobody sees or hears me before I press Start Session, and nothing is recorded. In an emergency I call the emergency \
number."""

OFFICE = (("09:00", "17:00"),)


def basic_steps(consent: str) -> tuple[Step, ...]:
    """Return the steps with which the first setup guide of every new organisation ends.

    `consent`: the text that the patient signs.
    """
    return (
        Step(
            id="allergies",
            kind=Kind.TEXT,
            title="Allergies and medicines",
            help="What you cannot take, and what you take now. Write “none” if there are none.",
        ),
        Step(
            id="consent",
            kind=Kind.CONSENT,
            title="Consent to a video visit",
            help="Please read it, and sign with your name.",
            text=consent,
        ),
        Step(
            id="devices",
            kind=Kind.DEVICE_CHECK,
            title="Camera, microphone and sound",
            help="You can be seen without a camera or a microphone too: the clinician is told.",
            required=False,
        ),
    )


def organisation(slug: str, name: str, timezone: str, country: str = "US") -> Organisation:
    """Return a new organisation with this id, name, time zone and country; it is not validated."""
    return Organisation(
        id=slug,
        name=name,
        timezone=timezone,
        country=country,
        hours=(OFFICE,) * 5 + ((),) * 2,
        guide=Guide(version=1, steps=basic_steps(CONSENT.format(name=name))),
    )
