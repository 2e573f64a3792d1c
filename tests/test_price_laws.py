"""The laws of prices (45 to 53), also against a reference that counts one token at a time."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.prices import Rate, Tier, Usage, Window
from llm_tco.catalog.records import Period
from llm_tco.catalog.weeks import DAYS
from llm_tco.components.agreement import Commitment, Discounted, DiscountStep, VolumeDiscount
from llm_tco.components.amounts import Monthly
from llm_tco.components.api import ApiUsage
from llm_tco.demand import Demand, Workload
from llm_tco.errors import NotInForceError
from llm_tco.loadshape import HourOfWeek, Load
from llm_tco.money import Money
from llm_tco.testing import laws
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

KINDS = ("input", "cached_input", "output", "reasoning")
NOTHING = Rate(base=Decimal(0))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
PRICES = own.token_prices(windows=True, graduated=True)
FLAT_PRICES = own.token_prices(graduated=True)


@st.composite
def usages(draw, price, most=3_000):
    """Draw what one request uses, every kind of token that a price has among it."""
    input_tokens = draw(st.integers(0, most) | st.integers(0, 25_000))
    cached = draw(st.integers(0, input_tokens))
    written, left = {}, input_tokens - cached
    for ttl in price.cache_write:
        written[ttl] = draw(st.integers(0, left))
        left -= written[ttl]
    output_tokens = draw(st.integers(0, most))
    return Usage(
        input_tokens, output_tokens, cached, written, draw(st.integers(0, output_tokens)), draw(st.integers(0, 5))
    )


def in_window(window, local, holidays=()):
    """Say, day by day, whether a window holds at a time on the wall."""
    for begun in (0, 1):
        day = local.date() - timedelta(days=begun)
        if ("holiday" if day in holidays else DAYS[day.weekday()]) not in window.days and not window.every_day:
            continue
        start, end = (
            datetime.combine(day, datetime.min.time()) + timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))
            for clock in (window.start, window.end)
        )
        if end <= start:
            end += timedelta(days=1)
        if start <= local.replace(tzinfo=None) < end:
            return True
    return False


def reference(price, usage, at):
    """Price a request as a person would who counts every token."""
    stated = {kind: getattr(price, kind) for kind in KINDS}
    for window in price.windows:
        if in_window(window, at.astimezone(ZoneInfo(price.timezone)), price.holidays):
            stated |= {kind: getattr(window, kind) for kind in KINDS if getattr(window, kind) is not None}
    written = [
        rate for ttl in sorted(price.cache_write) for rate in [price.cache_write[ttl]] * usage.cache_write_tokens[ttl]
    ]
    prompt = [stated["cached_input"]] * usage.cached_tokens + written
    prompt += [stated["input"]] * (usage.input_tokens - len(prompt))
    total = Decimal(0)
    for place, rate in enumerate(prompt, start=1):
        reached = place if rate.graduated else usage.input_tokens
        total += [rate.base, *(tier.price for tier in rate.tiers if reached > tier.above_tokens)][-1]
    thoughts = usage.reasoning_tokens if price.reasoning else 0
    for kind, tokens in (("output", usage.output_tokens - thoughts), ("reasoning", thoughts)):
        if tokens:
            tiers = stated[kind].tiers
            one = [stated[kind].base, *(tier.price for tier in tiers if usage.input_tokens > tier.above_tokens)][-1]
            total += one * tokens
    cost = total / 1_000_000 + price.per_request
    return max(cost, price.minimum_per_request) * usage.requests


@given(st.data(), PRICES, MOMENTS)
def test_a_cost_is_what_counting_every_token_gives(data, price, at):
    """Exactly, in windows, tiers and caches of every kind; and as a float to its last digits."""
    usage = data.draw(usages(price))

    exact = price.cost(usage, at, exact=True)

    assert reference(price, usage, at) == exact
    assert float(exact) == pytest.approx(price.cost(usage, at), rel=1e-12)


@given(st.data(), FLAT_PRICES)
def test_nothing_costs_nothing(data, price):
    """Law 45: no request has no cost, and a request without tokens its fee or the least charge."""
    usage = data.draw(usages(price))

    assert price.cost(Usage(usage.input_tokens, usage.output_tokens, requests=0), exact=True) == 0
    assert price.cost(Usage(0, 0), exact=True) == max(price.per_request, price.minimum_per_request)


@given(st.data(), FLAT_PRICES)
def test_more_tokens_never_cost_less(data, price):
    """Law 46, where longer requests are no cheaper by the token."""
    usage = data.draw(usages(price))
    price = attrs.evolve(price, reasoning=None)
    base = price.cost(usage, exact=True)
    fields = {name: getattr(usage, name) for name in ("input_tokens", "output_tokens", "requests")}
    rest = {name: getattr(usage, name) for name in ("cached_tokens", "cache_write_tokens")}

    for name, value in fields.items():
        more = Usage(**{**fields, name: value + data.draw(st.integers(1, 20_000))}, **rest)
        assert price.cost(more, exact=True) >= base


@given(st.data(), FLAT_PRICES)
def test_a_cost_is_the_sum_over_the_kinds_of_token(data, price):
    """Law 46: each kind alone, the others free, adds to the whole."""
    price = attrs.evolve(price, minimum_per_request=0)
    usage = data.draw(usages(price))
    free = attrs.evolve(
        price, **dict.fromkeys(KINDS, NOTHING), cache_write=dict.fromkeys(price.cache_write, NOTHING), per_request=0
    )
    if price.reasoning is None:
        free = attrs.evolve(free, reasoning=None)
    alone = [attrs.evolve(free, **{kind: getattr(price, kind)}) for kind in KINDS if getattr(price, kind)]
    alone += [
        attrs.evolve(free, cache_write={**free.cache_write, ttl: rate}) for ttl, rate in price.cache_write.items()
    ]

    whole = price.cost(usage, exact=True)

    assert whole == sum(one.cost(usage, exact=True) for one in alone) + price.per_request * usage.requests


@given(FLAT_PRICES, st.integers(0, 25_000))
def test_a_graduated_price_rises_by_the_marginal_price(price, tokens):
    """Law 47: one more token costs the price of its own part, so that the cost never jumps."""
    rate = attrs.evolve(price.input, graduated=True)
    price = attrs.evolve(price, input=rate, output=NOTHING, minimum_per_request=0)

    step = price.cost(Usage(tokens + 1, 0), exact=True) - price.cost(Usage(tokens, 0), exact=True)

    marginal = [rate.base, *(tier.price for tier in rate.tiers if tokens >= tier.above_tokens)][-1]
    assert step == marginal / 1_000_000


@given(st.data(), FLAT_PRICES, st.integers(1, 25_000))
def test_splitting_a_tier_at_an_equal_price_changes_nothing(data, price, threshold):
    """Law 48."""
    usage = data.draw(usages(price))
    assume(all(threshold != tier.above_tokens for tier in price.input.tiers))
    equal = [price.input.base, *(tier.price for tier in price.input.tiers if threshold > tier.above_tokens)][-1]
    tiers = sorted((*price.input.tiers, Tier(above_tokens=threshold, price=equal)), key=lambda tier: tier.above_tokens)
    split = attrs.evolve(price, input=attrs.evolve(price.input, tiers=tiers))

    assert split.cost(usage, exact=True) == price.cost(usage, exact=True)


@given(own.token_prices(), st.integers(1, 25_000))
def test_a_token_costs_no_less_and_no_more_than_its_tiers(price, tokens):
    """Law 49."""
    price = attrs.evolve(price, per_request=0, minimum_per_request=0)
    stated = [price.input.base, *(tier.price for tier in price.input.tiers)]

    by_token = price.cost(Usage(tokens, 0), exact=True) / tokens * 1_000_000

    assert min(stated) - Decimal("1e-12") <= by_token <= max(stated) + Decimal("1e-12")


@given(own.token_prices(), st.integers(0, 25_000), st.data())
def test_a_cached_token_moves_from_one_price_to_the_other(price, tokens, data):
    """Law 50: it is billed once, as read instead of as input."""
    price = attrs.evolve(price, minimum_per_request=0)
    cached = data.draw(st.integers(0, tokens))

    saved = price.cost(Usage(tokens, 10), exact=True) - price.cost(Usage(tokens, 10, cached), exact=True)

    read, plain = (
        [rate.base, *(tier.price for tier in rate.tiers if tokens > tier.above_tokens)][-1]
        for rate in (price.cached_input, price.input)
    )
    assert saved == (plain - read) * cached / 1_000_000


@given(st.data(), PRICES, MOMENTS, st.decimals(0, 1, places=3))
def test_a_price_cut_never_raises_a_cost(data, price, at, share):
    """Law 51: for one kind of token, and for all of them as a negotiated discount, which is exact."""
    usage = data.draw(usages(price))
    kind = data.draw(st.sampled_from(["input", "output", "cached_input"]))
    cheaper = attrs.evolve(
        price,
        **{kind: getattr(price, kind).scaled(1 - share)},
        windows=[
            attrs.evolve(window, **{kind: getattr(window, kind) and getattr(window, kind).scaled(1 - share)})
            for window in price.windows
        ],
    )
    full = price.cost(usage, at, exact=True)

    assert cheaper.cost(usage, at, exact=True) <= full
    assert price.discounted(share).cost(usage, at, exact=True) == full * (1 - share)


@given(st.data(), PRICES, MOMENTS)
def test_the_price_of_a_moment_is_the_price_at_that_moment(data, price, at):
    """What `at` gives has no windows, and costs what the price with windows costs then."""
    usage = data.draw(usages(price))
    flat = price.at(at)

    assert flat.windows == ()
    assert flat.cost(usage, exact=True) == price.cost(usage, at, exact=True)


@given(st.data(), PRICES, st.lists(MOMENTS, min_size=1, max_size=8))
def test_many_requests_cost_what_each_costs_alone(data, price, moments):
    """To the last bit, whether their moments differ or not."""
    alone = [data.draw(usages(price)) for _ in moments]
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "requests")
    many = Usage(
        **{name: np.array([getattr(usage, name) for usage in alone]) for name in names},
        cache_write_tokens={
            ttl: np.array([usage.cache_write_tokens[ttl] for usage in alone]) for ttl in price.cache_write
        },
    )
    instants = np.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[us]")

    together = price.cost(many, instants)

    assert together.tolist() == [price.cost(usage, moment) for usage, moment in zip(alone, moments, strict=True)]
    assert price.cost(many, moments[0]).tolist() == [price.cost(usage, moments[0]) for usage in alone]


@given(FLAT_PRICES, MOMENTS, st.timedeltas(timedelta(1), timedelta(4000)))
def test_a_price_is_never_used_outside_its_period(price, start, length):
    """Law 53: neither a day before it begins nor on its end, by the vendor's own days."""
    first, last = start.date(), (start + length).date()
    price = attrs.evolve(price, period=Period(start=first, end=last))
    noon = datetime.combine(first, datetime.min.time(), ZoneInfo(price.timezone)) + timedelta(hours=12)

    assert price.cost(Usage(10, 10), noon) == price.cost(Usage(10, 10))
    for outside in (noon - timedelta(days=1), noon + timedelta(days=(last - first).days)):
        with pytest.raises(NotInForceError):
            price.cost(Usage(10, 10), outside)
        with pytest.raises(NotInForceError):
            price.cost(Usage(10, 10), np.array([outside.astimezone(UTC).replace(tzinfo=None)], dtype="datetime64[s]"))


@given(st.data(), own.token_prices(windows=True), own.workloads(), own.timelines(max_months=30))
def test_a_later_price_changes_no_figure_of_an_earlier_run(data, price, workload, timeline):
    """Law 53: the row that is appended closes the one before it, and last year's run stays as it was."""
    assume(timeline.start.day <= 28)
    change = timeline.month_start(timeline.months) + timedelta(days=data.draw(st.integers(1, 900)))
    before = Catalog([price])
    after = Catalog(
        [
            attrs.evolve(price, period=Period(end=change)),
            attrs.evolve(price, input=Rate(base=Decimal(999)), period=Period(start=change)),
        ]
    )
    demand = workload.on(timeline)
    words = (price.provider, price.model)

    runs = [ApiUsage(catalog.prices(*words)).cost(demand) for catalog in (before, after)]

    assert np.array_equal(runs[0].amounts("USD"), runs[1].amounts("USD"))
    usage, day = Usage(1_000, 100), datetime(change.year, change.month, change.day, 12, tzinfo=UTC) - timedelta(days=2)
    prices = [catalog.price(*words, on=day.date()) for catalog in (before, after)]
    assert prices[0].cost(usage, day) == prices[1].cost(usage, day)


@given(own.token_prices(windows=True), own.hourly_loads(), st.sampled_from(["UTC", "Asia/Shanghai", "Asia/Kolkata"]))
def test_windows_count_by_when_the_load_comes(price, loads, load_timezone):
    """A month's bill is the sum over the hours of a week, each minute at its own price."""
    assume(price.timezone != "America/New_York")  # the others never change their clocks
    workload = Workload(requests_per_month=1_000, input_tokens=900, output_tokens=70, hourly_load=loads)
    workload = attrs.evolve(workload, timezone=load_timezone)

    bill = ApiUsage(price).cost(workload.on(Timeline(date(2026, 3, 1), 2))).amounts("USD")

    monday = datetime(2026, 3, 2, tzinfo=ZoneInfo(load_timezone)).astimezone(UTC)
    minutes = np.datetime64(monday.replace(tzinfo=None), "m") + np.arange(168 * 60)
    costs = price.cost(Usage(900, 70, requests=np.ones(minutes.size)), minutes).reshape(168, 60).mean(axis=1)
    expected = 1_000 * float(np.average(costs, weights=loads))
    assert bill[1] == pytest.approx(expected, rel=1e-9)


@st.composite
def prices_with_holidays(draw):
    """Draw a price with a window by night and one by day, on some days of the week or holidays, and some holidays."""
    kinds = st.lists(st.sampled_from([*DAYS, "holiday"]), min_size=1, unique=True).map(tuple)
    start, end = draw(st.sampled_from([("22:00", "06:30"), ("23:30", "00:00"), ("12:00", "12:00")]))
    night = Window(days=draw(kinds), start=start, end=end, input="3")
    day = Window(days=draw(kinds), start="06:30", end="11:15", input="7", output="2")
    listed = st.dates(date(2026, 9, 28), date(2026, 11, 3))
    return attrs.evolve(
        draw(own.token_prices()),
        windows=(night, day) if end != "12:00" else (night,),
        holidays=draw(st.lists(listed, min_size=1, max_size=8)),
        timezone=draw(st.sampled_from(["UTC", "Asia/Shanghai", "Asia/Kolkata"])),
    )


@given(st.data(), prices_with_holidays(), st.lists(st.integers(0, 45 * 1440), min_size=1, max_size=8))
def test_a_holiday_is_a_day_of_its_own(data, price, minutes):
    """At each minute, alone or with others, a holiday has the windows of holidays and none of its weekday's."""
    moments = [datetime(2026, 9, 25, tzinfo=UTC) + timedelta(minutes=minute) for minute in minutes]
    usage = data.draw(usages(price))
    instants = np.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[s]")

    assert [reference(price, usage, at) for at in moments] == [price.cost(usage, at, exact=True) for at in moments]
    assert price.cost(usage, instants).tolist() == [price.cost(usage, at) for at in moments]


@given(prices_with_holidays(), own.hourly_loads())
def test_a_month_has_the_hours_of_its_own_holidays(price, loads):
    """Each hour of the week costs what it costs on the mean over the days of the month, holidays as such."""
    months = [date(2026, 9, 20), date(2026, 10, 20), date(2026, 11, 20)]

    def bill(loads, timezone):
        workload = Workload(requests_per_month=1_000, input_tokens=900, output_tokens=70, hourly_load=loads)
        return ApiUsage(price).cost(attrs.evolve(workload, timezone=timezone).on(Timeline(months[0], 2))).amounts("USD")

    own_clock = bill(loads, price.timezone)

    for month, (first, end) in enumerate(itertools.pairwise(months), start=1):
        midnight = datetime.combine(first, datetime.min.time(), ZoneInfo(price.timezone)).astimezone(UTC)
        minutes = np.arange((end - first).days * 1440)
        instants = np.datetime64(midnight.replace(tzinfo=None), "m") + minutes
        costs = price.cost(Usage(900, 70, requests=np.ones(minutes.size)), instants)
        hours = (minutes // 60 + first.weekday() * 24) % 168
        means = np.bincount(hours, costs) / np.bincount(hours)
        assert own_clock[month] == pytest.approx(1_000 * float(np.average(means, weights=loads)), rel=1e-9)
    if price.timezone == "Asia/Shanghai":  # eight hours ahead
        assert bill(loads, "UTC") == pytest.approx(bill(np.roll(loads, 8), price.timezone), rel=1e-12)


@given(own.token_prices(windows=True), own.hourly_loads(), st.floats(0.1, 5.0))
def test_the_slices_of_a_load_cost_what_the_whole_costs(price, loads, level):
    """What lies below a level and what lies above it come at different hours, and sum to all of it."""
    workload = Workload(requests_per_month=1_000, input_tokens=900, output_tokens=70, hourly_load=loads)
    whole = workload.on(Timeline(date(2026, 3, 1), 3))
    below, above = whole.cut(np.full(4, level))
    api = ApiUsage(price)

    parts = [api.cost(part).amounts("USD") for part in (below, above)]

    assert np.allclose(sum(parts), api.cost(whole).amounts("USD"), rtol=1e-9, atol=1e-9)
    assert isinstance(below, Demand)
    assert isinstance(Load(HourOfWeek(loads)).shape, HourOfWeek)


MONEY = st.integers(0, 2_000_000).map(lambda cents: Money(Decimal(cents) / 100, "CNY"))
STEPS = st.lists(st.integers(1, 1_000_000), min_size=1, max_size=3, unique=True).flatmap(
    lambda bounds: st.lists(st.floats(0, 1), min_size=len(bounds), max_size=len(bounds)).map(
        lambda shares: list(zip(sorted(bounds), sorted(shares), strict=True))
    )
)


@st.composite
def agreements(draw, inner):
    """Draw an agreement over a component."""
    graduated = draw(st.booleans())
    bound = draw(st.sampled_from([lambda value: value * 1000, lambda value: Money(value, "CNY")]))
    steps = [DiscountStep(bound(above), share) for above, share in draw(STEPS)]
    return draw(
        st.sampled_from(
            [
                Commitment(inner, per_month=draw(MONEY), term_months=draw(st.none() | st.integers(1, 50))),
                Commitment(inner, per_year=draw(MONEY), term_months=draw(st.none() | st.integers(1, 50))),
                VolumeDiscount(inner, steps=steps, graduated=graduated),
                Discounted(inner, draw(st.floats(0, 1))),
            ]
        )
    )


@given(own.components().flatmap(agreements), laws.demands())
def test_every_agreement_keeps_the_laws_of_components(agreement, demand):
    """It stands over any kind of cost, and is one."""
    laws.component(agreement, demand)


@given(own.components().flatmap(agreements).flatmap(agreements), laws.demands())
def test_agreements_stand_over_agreements(agreement, demand):
    """A commitment over a volume discount over anything is a component as well."""
    laws.component(agreement, demand)


@given(own.token_prices("CNY"), own.workloads(), own.timelines(), MONEY, st.none() | st.integers(1, 70))
def test_a_monthly_commitment_costs_the_greater_of_the_two(price, workload, timeline, committed, term):
    """Law 52, month by month, as long as its term."""
    demand = workload.on(timeline)
    usage = ApiUsage(price).cost(demand).amounts("CNY")

    cost = Commitment(ApiUsage(price), per_month=committed, term_months=term).cost(demand).amounts("CNY")

    held = (timeline.index >= 1) & (timeline.index <= (term or timeline.months))
    assert np.allclose(cost, np.where(held, np.maximum(usage, committed.value), usage), rtol=1e-12)


@given(own.token_prices("CNY"), own.workloads(), own.timelines(), MONEY)
def test_a_yearly_commitment_is_made_up_at_the_anniversary(price, workload, timeline, committed):
    """Law 52, year by year; a year that the horizon cuts short counts by its months."""
    demand = workload.on(timeline)
    usage = ApiUsage(price).cost(demand).amounts("CNY")

    cost = Commitment(ApiUsage(price), per_year=committed).cost(demand).amounts("CNY")

    for first in range(1, timeline.months + 1, 12):
        year = slice(first, min(first + 12, timeline.size))
        due = committed.value * (year.stop - first) / 12
        assert cost[year].sum() == pytest.approx(max(usage[year].sum(), due), rel=1e-9)
        assert np.allclose(cost[first : year.stop - 1], usage[first : year.stop - 1])


@given(own.components().flatmap(agreements), own.workloads(), own.timelines(max_months=24), st.floats(1.0, 3.0))
def test_what_is_said_to_rise_never_falls(agreement, workload, timeline, factor):
    """An agreement says that its present value never falls with the volume only where it doesn't."""
    small = agreement.cost(workload.on(timeline))
    large = agreement.cost(attrs.evolve(workload, requests_per_month=workload.requests_per_month * factor).on(timeline))
    assume(small.rising and large.rising)

    for rate in (0.0, 0.01, 0.2):
        factors = (1 + rate) ** -timeline.index
        one, other = (float(np.sum(ledger.amounts("CNY") * factors)) for ledger in (small, large))
        assert other >= one - 1e-9 * (1 + abs(one))


@given(own.components(), st.floats(0, 1))
def test_a_discount_leaves_quantities_and_benefits_alone(component, share):
    """It takes a share off what an invoice says, and off nothing else: no credit of a sale, no benefit, no quantity."""
    demand = Workload(requests_per_month=9_000, input_tokens=500, output_tokens=300).on(Timeline(date(2026, 1, 1), 14))
    full, cut = component.cost(demand), Discounted(component, share).cost(demand)

    for one, other in zip(full.lines, cut.lines, strict=True):
        factor = 1 - share if one.is_money and not one.benefit and not one.is_sale else 1
        assert np.allclose(other.amounts, one.amounts * factor)


@given(STEPS, st.floats(0, 3e6))
def test_a_graduated_discount_is_that_of_each_part(steps, spent):
    """A fixed amount a month, part by part."""
    inner = Monthly("licence", amount=Money(spent, "CNY"))
    discounts = [DiscountStep(Money(above, "CNY"), share) for above, share in steps]
    demand = Workload(requests_per_month=1, input_tokens=1, output_tokens=1).on(Timeline(date(2026, 1, 1), 2))

    cost = VolumeDiscount(inner, steps=discounts, graduated=True).cost(demand).amounts("CNY")[1]

    edges = [0, *(above for above, _ in steps), float("inf")]
    parts = [max(min(spent, high) - low, 0) for low, high in itertools.pairwise(edges)]
    expected = sum(part * (1 - share) for part, share in zip(parts, [0, *(share for _, share in steps)], strict=True))
    assert cost == pytest.approx(expected, rel=1e-9, abs=1e-9)
