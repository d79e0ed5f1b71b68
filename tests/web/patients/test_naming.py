"""Tests which texts contain the id or the email address of an erased record."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from signalling.service import new_id
from signalling.visit.record import PatientInformation, Status, Visit
from web.patients.naming import Names

PATIENT = PatientInformation(
    name="Ana Ruiz",
    birth_date="1990-04-02",
    phone="+15125550142",
    email="Ana+1@example.org",
    state="TX",
    reason="Rash",
    language="es",
)


def names_of(*ids: str, patient: PatientInformation = PATIENT) -> Names:
    """Return what finds visits with these ids, all of one patient."""
    visits = [
        Visit(
            id=id_,
            organisation="demo",
            version=1,
            status=Status.ENDED,
            patient=patient,
            guide_version=1,
            steps=1,
            arrived_ms=1,
        )
        for id_ in ids
    ]
    return Names(visits, [])


def test_each_of_many_ids_is_found_in_other_data_and_no_other_id() -> None:
    ids, others = [new_id("v") for _ in range(600)], [new_id("v") for _ in range(600)]
    names = names_of(*ids)
    for found, wanted in ((ids, True), (others, False)):
        for id_ in found:
            for text in (id_, f"/demo/staff/visits/{id_}/emergency", f"patient:{id_}", id_.upper()):
                assert names.in_text(text.encode()) is wanted, text
                packed: dict[str, Any] = {"a": [1, {text: None}], "b": b"x"}
                assert names.in_packed(msgspec.msgpack.encode(packed)) is wanted, text


@pytest.mark.parametrize("ids", [("v_1",), ("v_1", "v_12"), ("v_1.", "v_1*"), ("v", "v_", "v_a")])
def test_short_and_odd_ids_are_found_as_they_are(ids: tuple[str, ...]) -> None:
    names = names_of(*ids)
    assert all(names.in_text(f"({id_})".encode()) for id_ in ids)
    assert not names.in_text(b"w_9 x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("To: ana+1@example.org", True),
        ("=0Aana+1@example.org=0A", True),
        ("joana+1@example.org", False),
        ("ana+1@example.organic", False),
        ("ana+1@example.org.uk", False),
        ("ana 1@example.org", False),
    ],
)
def test_an_address_is_found_as_a_whole(text: str, found: bool) -> None:
    assert names_of("v_none").in_text(text.encode()) is found


def test_an_address_is_found_in_the_form_that_mails_have_too() -> None:
    names = names_of("v_none", patient=replace(PATIENT, email="ana@bücher.example"))
    for text, found in (
        ("To: ana@xn--bcher-kva.example", True),
        ("ana@bücher.example", True),
        ("joana@xn--bcher-kva.example", False),
    ):
        assert names.in_text(text.encode()) is found
        assert names.in_packed(msgspec.msgpack.encode({"to": text})) is found


def test_no_record_has_no_names() -> None:
    assert not Names([], []).in_text(b"anything")
