"""Tables of notebooks: all text in them is text."""

import re

from lightning_tf.html_table import html_card, html_table

STRANGE = "<script>alert('x')</script> & $x$ *b* a_b_c\n\nend"


def test_a_table_is_one_line_in_which_nothing_is_markup():
    table = html_table(["name", STRANGE], [[STRANGE, "1"]])
    assert "\n" not in table
    assert "<script" not in table
    assert not set("$*_") & set(table)
    assert table.count("&lt;script&gt;") == 2
    assert re.findall(r"</?(\w+)", table.split("<tbody>")[1]).count("td") == 4


def test_numbers_stand_right_and_nothing_has_a_colour():
    table = html_table(["name", "value"], [["loss", "0.1"]])
    assert '<td style="text-align:right">0.1</td>' in table
    assert "color" not in table
    assert "background" not in table


def test_a_card_leaves_out_what_is_empty():
    card = html_card("<b>", [["data", "digits"], ["seed", ""]])
    assert card.startswith("<div><strong>&lt;b&gt;</strong>")
    assert "digits" in card
    assert "seed" not in card
