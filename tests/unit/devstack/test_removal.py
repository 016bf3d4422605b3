"""What is removed from files that are kept."""

from __future__ import annotations

from textwrap import dedent

import pytest

from devstack.removal import python_files, text_files
from devstack.removal.gone import Removed
from devstack.removal.python_files import UncuttableError

REMOVED = Removed(frozenset({"include.domains.shop"}), frozenset({"shop_report"}), frozenset({"docs/shop.md"}))


def cut(text: str, *, tests: bool = True) -> str:
    """Return the remaining Python code."""
    return python_files.cut(dedent(text), REMOVED, tests=tests)


def test_a_table_row_is_removed_with_its_key() -> None:
    assert cut('RUNS = {\n    "kept": 1,\n    "shop_report": 2,  # why\n}\n') == 'RUNS = {\n    "kept": 1,\n}\n'
    assert cut('CHAIN = ("kept", "shop_report")\n') == 'CHAIN = ("kept",)\n'
    assert cut('NAMES: list[str] = ["shop_report"]\n') == "NAMES: list[str] = []\n"


def test_a_test_of_removed_code_is_removed_with_its_helpers() -> None:
    text = """\
    from include.domains.shop import sell
    from include.core import cache

    PRICE = 3
    OTHER = 4


    def helper():
        return PRICE


    def test_sell():
        assert sell() == helper()


    def test_cache():
        assert cache.size() == OTHER
    """
    remaining = cut(text)
    assert "helper" not in remaining
    assert "PRICE" not in remaining
    assert "sell" not in remaining
    assert "def test_cache():\n    assert cache.size() == OTHER\n" in remaining


def test_a_single_parametrize_case_is_removed() -> None:
    text = '@pytest.mark.parametrize("dag_id", ["kept", "shop_report"])\ndef test_it(dag_id):\n    pass\n'
    assert cut(text) == text.replace(', "shop_report"', "")


def test_code_that_uses_removed_code_is_named() -> None:
    text = "from include.domains.shop import sell\n\n\ndef main():\n    sell()\n"
    with pytest.raises(UncuttableError, match="main uses sell, which is removed"):
        cut(text, tests=False)


@pytest.mark.parametrize(
    ("suffix", "text", "remaining"),
    [
        (".env", "A=1\nB=shop_report\n", "A=1\n"),
        (".yaml", "a:\n  shop_report:\n    x: 1\n  kept: 2\n", "a:\n  kept: 2\n"),
        (".yaml", "sets:\n  - name: x\n    queue: shop_report\n    size: 1\nkept: 2\n", "kept: 2\n"),
        (".yaml", "list:\n  - shop_report\n  - kept\n", "list:\n  - kept\n"),
        (".md", "# T\n\n- one\n- `shop_report`\n  of two lines\n", "# T\n\n- one\n"),
        (".md", "# T\n\nKept.\n\n## Shop\n\nRun `shop_report`.\n\nMore of it.\n\n## Other\n\nText.\n",
         "# T\n\nKept.\n\n## Other\n\nText.\n"),
        (".md", "# T\n\n| a |\n|---|\n| [x](docs/shop.md) |\n| b |\n", "# T\n\n| a |\n|---|\n| b |\n"),
    ],
)  # fmt: skip
def test_configuration_and_documentation_are_cut(suffix: str, text: str, remaining: str) -> None:
    assert text_files.cut(text, suffix, REMOVED) == remaining


def test_what_the_documentation_shows_as_an_example_stays() -> None:
    text = "make new-dag NAME=shop writes dags/shop_report.py and docs/shop.md\n"
    assert text_files.cut(text, "", REMOVED) == ""
    assert text_files.cut(text, "", REMOVED.without({"shop"})) == text


def test_a_part_of_a_word_is_not_a_name() -> None:
    assert not REMOVED.is_named_in("my_shop_report-2")
    assert REMOVED.is_named_in("dags/shop_report.py")
