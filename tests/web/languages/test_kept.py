"""Tests that content which many visitors share is made once for equal arguments, in each language."""

from web.languages import i18n
from web.languages.kept import kept


def test_a_result_is_made_once_for_equal_arguments_in_each_language() -> None:
    made: list[str] = []

    @kept(8)
    def words(names: list[str], *, year: int) -> str:
        made.append(i18n.current())
        return f"{i18n.current()} {names} {year}"

    for code in ("en", "es", "en"):
        with i18n.using(code):
            assert words(["a"], year=1) == f"{code} ['a'] 1"
    assert made == ["en", "es"]
    assert words(["a"], year=2) == "en ['a'] 2"
    assert words(["b"], year=1) == "en ['b'] 1"
    assert len(made) == 4


def test_the_oldest_result_makes_room_for_a_new_one() -> None:
    made: list[int] = []

    @kept(2)
    def double(number: int) -> int:
        made.append(number)
        return 2 * number

    assert [double(number) for number in (1, 2, 3, 2, 1)] == [2, 4, 6, 4, 2]
    assert made == [1, 2, 3, 1]
