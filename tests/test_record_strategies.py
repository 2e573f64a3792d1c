"""The records of catalogs: they survive files, refuse what is not theirs, and change nothing behind one's back."""

from __future__ import annotations

import copy
from datetime import date

import attrs
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.checks import check_records, leaves
from llm_tco.catalog.plugins import HOOKS
from llm_tco.catalog.reading import read_toml, record_converter, records_of
from llm_tco.catalog.records import SET_BY_LIBRARY, Origin
from llm_tco.catalog.writing import write_records
from llm_tco.errors import InvalidValueError, LlmTcoError, ProblemsError
from llm_tco.structure import new_converter, structure
from llm_tco.testing import records as own

each_kind = pytest.mark.parametrize("kind", own.KINDS, ids=lambda kind: kind.kind)
AUTOMATIC = SET_BY_LIBRARY
"""Fields that nobody states: the loader does."""


def test_every_kind_of_record_has_a_strategy():
    """A kind that a hook may return can be drawn."""
    assert set(own.KINDS) == set(HOOKS.values())


def default_of(field):
    """Give the value that a field has where nothing is stated."""
    return field.default.factory() if isinstance(field.default, attrs.Factory) else field.default


@each_kind
def test_every_field_is_drawn(kind):
    """No field of a record is left out of the laws: each takes another value than its default at times."""
    missing = {name: default_of(field) for name, field in attrs.fields_dict(kind).items() if name not in AUTOMATIC}

    @settings(max_examples=200, phases=[Phase.generate], database=None)
    @given(record=own.KINDS[kind]())
    def draw(record):
        for name in [name for name, default in missing.items() if getattr(record, name) != default]:
            del missing[name]

    draw()

    assert missing == {}


@given(record=own.records(), today=st.just(date(2031, 1, 1)))
def test_what_is_drawn_passes_every_check(record, today):
    """The strategies draw what a good plugin may bring."""
    assert check_records([record], today=today) == []


@given(record=own.records())
def test_a_record_survives_its_way_through_plain_data(record):
    """Law 80: structure after unstructure is the identity, for every kind."""
    plain = new_converter().unstructure(record)
    plain.pop("origin")

    assert structure(plain, type(record), title="record", converter=record_converter()) == record


@given(rows=st.data())
def test_records_survive_their_way_through_a_file(rows):
    """Law 80: what is written as TOML is read as it was, texts in any script included."""
    kind = rows.draw(st.sampled_from(list(own.KINDS)))
    records = tuple(rows.draw(st.lists(own.KINDS[kind](), max_size=3)))

    text = write_records(records, table="rows")

    assert records_of(read_toml(text), kind, table="rows", title="file") == records


@given(record=own.records(), word=own.keys())
def test_an_unknown_key_is_refused(record, word):
    """Law 80: a misspelt field is never dropped, and the report names it."""
    assume(word not in attrs.fields_dict(type(record)))
    plain = {**new_converter().unstructure(record), word: 1}
    plain.pop("origin")

    with pytest.raises(ProblemsError) as error:
        structure(plain, type(record), title="record", converter=record_converter())

    (problem,) = error.value.problems
    assert problem.startswith(f"{word}: is not a field of {type(record).__name__}")


@given(record=own.records())
def test_figures_of_records_are_finite_and_never_a_negative_zero(record):
    """Law 81: finite input gives no NaN, no infinity and no negative zero."""
    numbers = [value for _, value, _ in leaves(record) if isinstance(value, (int, float))]

    assert np.isfinite(numbers).all()
    assert not any(number == 0 and np.signbit(number) for number in numbers)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), "3", True, 10**400], ids=repr)
@given(record=own.records())
def test_what_is_no_number_is_refused_at_the_door(record, wrong):
    """Law 81: no number of a record takes NaN, infinity, a text, a truth value or more than a float holds."""
    names = [name for name in attrs.fields_dict(type(record)) if type(getattr(record, name)) is float]
    for name in names:
        with pytest.raises(InvalidValueError) as error:
            attrs.evolve(record, **{name: wrong})

        assert error.value.field == name


def outcome(catalog, record, on):
    """Look a record up, and give what is found or what is said."""
    words = dict(zip(("provider", "model", "variant", "region"), record.identity, strict=False))
    try:
        if record.kind == "price":
            return catalog.price(**words, on=on)
        if record.kind == "throughput":
            return catalog.throughput(*record.identity[:3], engine=record.engine, gpus=record.gpus)
        if not hasattr(catalog, record.kind):
            return catalog.record(type(record), *record.identity, on=on)
        return getattr(catalog, record.kind)(record.key, on=on)
    except LlmTcoError as error:
        return str(error)


@st.composite
def rivals(draw):
    """Draw records of one kind and key that several plugins bring."""
    kind = draw(st.sampled_from(list(own.KINDS)))
    first = draw(own.KINDS[kind]())
    names = ("provider", "model", "variant", "region", "key", "gpu", "quantisation", "engine", "gpus")
    names += ("benchmark", "use")
    words = {name: getattr(first, name) for name in names if hasattr(first, name)}
    if kind.kind in ("server", "task_need"):
        words = {"key": first.key}
    others = [attrs.evolve(draw(own.KINDS[kind]()), **words) for _ in range(draw(st.integers(0, 2)))]
    rows = [first, *others, *([first] * draw(st.integers(0, 1)))]
    return [attrs.evolve(row, origin=Origin(plugin=f"plugin-{place}", version="1")) for place, row in enumerate(rows)]


@given(rows=rivals(), on=own.days(), data=st.data())
def test_the_order_of_loading_changes_nothing(rows, on, data):
    """Law 83: whoever comes first, the same record is found, down to its origin, or the same is said."""
    shuffled = data.draw(st.permutations(rows))

    found, other = (outcome(Catalog(order), rows[0], on) for order in (rows, shuffled))

    assert found == other
    assert getattr(found, "origin", None) == getattr(other, "origin", None)


@given(rows=rivals(), on=own.days())
def test_looking_up_and_checking_change_no_record(rows, on):
    """Law 82: records and the list that holds them are left as they were."""
    texts, held = [repr(row) for row in rows], list(rows)

    outcome(Catalog(rows), rows[0], on)
    check_records(rows)
    write_records(rows, table="rows")

    assert [repr(row) for row in rows] == texts
    assert rows == held


@given(record=own.records())
def test_reading_changes_no_document(record):
    """Law 82: plain data are left as they were."""
    plain = new_converter().unstructure(record)
    plain.pop("origin")
    before = copy.deepcopy(plain)

    structure(plain, type(record), title="record", converter=record_converter())

    assert plain == before
