"""Limits of the forms' fields, said by the run that breaks one, before it does anything.

They are no part of the schema: Prefect's form (3.8.8) leaves a minimum or a length out when it
checks a field, and shows nothing when the server then refuses the run. Who pressed Submit would
wait for nothing.
"""

from __future__ import annotations

from pydantic import AfterValidator


def within(least: float, most: float, unit: str) -> AfterValidator:
    """A number from `least` to `most`."""

    def check(value: float) -> float:
        if not least <= value <= most:
            raise ValueError(f"must be from {least:g} to {most:g} {unit}, not {value:g}")
        return value

    return AfterValidator(check)


def long(least: int, most: int) -> AfterValidator:
    """A text of `least` to `most` characters; spaces around it are taken off."""

    def check(value: str) -> str:
        value = value.strip()
        if not least <= len(value) <= most:
            raise ValueError(f"must have {least} to {most} characters, not {len(value)}")
        return value

    return AfterValidator(check)
