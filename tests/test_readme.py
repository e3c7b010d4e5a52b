"""The README's tables are those of the code, and what it links to exists."""

from __future__ import annotations

import re

from deployments.tables import README, renew


def test_the_tables_are_those_of_the_code() -> None:
    text = README.read_text()
    assert renew(text) == text, "run: python -m deployments.tables"
    assert text.count("<!-- table ") == 2


def test_what_the_readme_links_to_exists() -> None:
    places = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert places
    missing = [place for place in places if not (README.parent / place).exists()]
    assert missing == []
