"""Limits of a form's fields are said by the run: the form itself would swallow them."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import Flow
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema

from flows.accept import accept
from flows.pause import pause
from flows.recovery import failback, switchover
from tests.deployed import flows_by_name

# Of these Prefect's form knows nothing, and its server refuses the run without a word to the page.
SWALLOWED = {
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
}

BROKEN: list[tuple[Flow[..., Any], dict[str, Any], str]] = [
    (
        switchover,
        {"drain_seconds": 0},
        "drain_seconds: Value error, must be from 1 to 600 s, not 0",
    ),
    (failback, {"drain_seconds": 601}, "must be from 1 to 600 s, not 601"),
    (pause, {"reason": " no "}, "reason: Value error, must have 3 to 500 characters, not 2"),
    (
        pause,
        {"reason": "a disk", "hours": 0},
        "hours: Value error, must be from 0.1 to 168 h, not 0",
    ),
    (pause, {"reason": "a disk", "hours": float("nan")}, "not nan"),
    (pause, {"reason": "a disk", "by": "x" * 61}, "must have 0 to 60 characters, not 61"),
    (accept, {"snapshot": "x", "reason": ""}, "must have 3 to 1000 characters, not 0"),
]


@pytest.mark.parametrize(
    ("flow", "given", "said"), [pytest.param(*one, id=one[2][-40:]) for one in BROKEN]
)
def test_a_value_beyond_its_limit_is_refused_in_words(
    flow: Flow[..., Any], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterTypeError, match=said):
        flow.validate_parameters({"site_file": "site.yaml", **given})


def test_a_reason_is_kept_without_the_spaces_around_it() -> None:
    told = pause.validate_parameters({"reason": " a new disk \n", "site_file": "site.yaml"})
    assert told["reason"] == "a new disk"


@pytest.mark.parametrize("name", flows_by_name())
def test_no_form_has_a_limit_that_it_would_swallow(name: str) -> None:
    properties = parameter_schema(flows_by_name()[name].fn).properties
    limits = {key: SWALLOWED & set(one) for key, one in properties.items()}
    assert not any(limits.values()), limits
