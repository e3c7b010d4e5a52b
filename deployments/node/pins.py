"""Pins: snapshots that retention must keep, for some time or until the pin is removed."""

from __future__ import annotations

from .durable import sync_folder
from .shelf import Shelf, read_applied, snapshot_ids

DAY_SECONDS = 86400.0
PIN_DAYS = 30


def pin(shelf: Shelf, name: str, snapshot: str, until: float | None) -> None:
    """Keep a snapshot until that time (Unix seconds), or for ever; the name says why."""
    file = shelf.pins / name
    beside = shelf.pins / f".{name}.new"
    beside.write_text(f"{snapshot}\n" + (f"{until:.0f}\n" if until is not None else ""))
    beside.rename(file)
    sync_folder(shelf.pins)


def pinned_ids(shelf: Shelf, now: float) -> set[str]:
    """What must be kept: pins that have not run out, what was applied last and is being applied."""
    kept = set()
    for entry in read_applied(shelf).values():
        kept.update([str(entry.get("snapshot")), *entry.get("taking", [])])
    for file in shelf.pins.iterdir():
        if file.name.startswith("."):
            continue
        words = file.read_text().split()
        if len(words) > 1 and float(words[1]) < now:
            continue
        kept.update(words[:1])
    return kept & set(snapshot_ids(shelf))


def drop_old_pins(shelf: Shelf, now: float) -> None:
    """Remove pins that ran out, and what a crash left beside one."""
    for file in list(shelf.pins.iterdir()):
        words = file.read_text().split()
        if file.name.startswith(".") or not words or (len(words) > 1 and float(words[1]) < now):
            file.unlink()
