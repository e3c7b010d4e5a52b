"""The README's tables that are made from the code, so that they cannot drift from it.

`python -m deployments.tables` writes them anew between their markers in README.md.
"""

from __future__ import annotations

from pathlib import Path

from tasks.core.decide import TABLE
from tasks.core.state import Standing
from tasks.core.times import Times

README = Path(__file__).parents[1] / "README.md"


def decisions() -> str:
    """One line a row of the decision table; the first that fits wins."""
    lines = ["| # | holder | and | then | level |", "|---|---|---|---|---|"]
    for number, row in enumerate(TABLE, 1):
        standings = "any" if len(row.holder) == len(Standing) else ", ".join(sorted(row.holder))
        guard = row.guard.__name__.replace("_", " ")
        whom = " (other node)" if row.to_other else ""
        lines.append(f"| {number} | {standings} | {guard} | {row.kind}{whom} | {row.level} |")
    return "\n".join(lines)


def times() -> str:
    """Every time of the site file with its default."""
    lines = ["| field under `times` | default | what |", "|---|---|---|"]
    for name, field in Times.model_fields.items():
        lines.append(f"| `{name}` | {field.default:g} | {field.description} |")
    lines.append(f"| (margin M, computed) | {Times().margin_seconds:g} | {margin_sentence()} |")
    return "\n".join(lines)


def margin_sentence() -> str:
    """The first sentence of the margin's promise."""
    text = str(Times.margin_seconds.__doc__)
    return text.removeprefix("M: ").rstrip(".")


def renew(text: str) -> str:
    """README text with each table between its markers made anew."""
    for name, table in {"decisions": decisions(), "times": times()}.items():
        begin, end = f"<!-- table {name} -->\n", f"<!-- end {name} -->"
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(renew(README.read_text()))
