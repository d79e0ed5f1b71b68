"""Tests how strangers' text is normalized: by the Unicode standard, and never slowly."""

import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from web.requests.unicode import MARKS, normalized

ALTERNATING = "\u0301\u0323"


@given(st.text(max_size=MARKS))
def test_a_text_is_normalized_as_unicode_has_it(text: str) -> None:
    assert normalized("NFC", text) == unicodedata.normalize("NFC", text)
    assert normalized("NFKC", text) == unicodedata.normalize("NFKC", text)


def test_f_a_text_of_combining_marks_takes_no_longer_than_any_other() -> None:
    text = "a" + ALTERNATING * 16_000
    took = []
    for _ in range(3):
        began = time.thread_time()
        assert len(normalized("NFC", text)) <= 1 + MARKS
        took.append(time.thread_time() - began)
    assert min(took) < 0.3  # an algorithm that sorts all combining marks would need 0.7 s


def test_marks_of_real_languages_stay() -> None:
    vietnamese, zalgo = "Nguye\u0302\u0303n", "Z" + "\u0301" * 40
    assert normalized("NFC", vietnamese) == "Nguyễn"
    # Of the 40 marks, `MARKS` (30) characters stay: Ź, which includes the first mark, and 29 further marks.
    assert len(normalized("NFC", zalgo)) == MARKS
