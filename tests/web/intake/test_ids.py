"""Tests that the same secret always gives the same id, and that the id reveals nothing about the secret."""

from web.intake.ids import derived_id


def test_an_id_is_the_same_for_the_same_parts_and_reveals_none() -> None:
    made = derived_id("v", "demo", "secret")
    assert made == "v_x8Z2H7QzC6s_UfFo"
    assert "secret" not in made
    assert derived_id("a", "demo", "secret")[2:] == made[2:]
