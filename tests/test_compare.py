"""Comparisons: every reading, states that cannot win, and draws that equal scalar runs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import attrs
import numpy as np
import pytest

from llm_tco import (
    ApiUsage,
    Benefit,
    Composable,
    Delayed,
    Fleet,
    Labour,
    Ledger,
    Limited,
    Money,
    Monthly,
    OneOff,
    Power,
    Purchase,
    Route,
    Router,
    SemanticCache,
    Timeline,
    Workload,
    compare,
)
from llm_tco.catalog.hardware import Part, Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import Rate, TokenPrice
from llm_tco.errors import (
    InfeasibleError,
    InvalidValueError,
    MismatchError,
    MissingRateError,
    OverflowedError,
    SharedFleetError,
)
from llm_tco.testing import strategies as own

TIMELINE = Timeline(date(2026, 12, 1), 36)
TEAM = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300, peak_to_mean=4.2)
PRICE = TokenPrice(
    provider="openai", model="gpt-4o-mini", currency="USD", source=own.SOURCE,
    input=Rate(base=Decimal("0.15")), output=Rate(base=Decimal("0.60")),
)  # fmt: skip


def box(**changes):
    """Make the seeds' workstation."""
    server = Server(
        key="box", name="Box", gpu="rtx-4090", idle_w=105, peak_w=600, source=own.SOURCE,
        parts=(Part(name="all", price=Money.parse("25900 CNY")),),
    )  # fmt: skip
    rate = Throughput(gpu="rtx-4090", model="m", quantisation="q", output_tokens_per_s=120, source=own.SOURCE)
    return Fleet(**{"server": server, "throughput": rate, **changes})


def options(fleet=None, *, kwh="1.0 CNY", pay="400 CNY", hit_rate=0.35, pue=1.5, share=0.8, salvage="900 CNY"):
    """Make the three ways of the first page."""
    fleet = fleet or box()
    local = (
        Purchase(fleet, life_years=3, salvage=salvage, residual="book")
        + Power(fleet, price_per_kwh=kwh, pue=pue)
        + Labour("ops", hours_per_month=20, rate_per_hour=pay, raise_per_year=0.03)
    )
    cloud = ApiUsage(PRICE)
    routes = {"easy": Route(local, share=share), "hard": Route(cloud, share=1 - share)}
    return {
        "local": local,
        "cloud": cloud,
        "mixed": SemanticCache(Router(routes), hit_rate=hit_rate, upkeep_per_month="700 CNY"),
    }


def run(chosen=None, workload=TEAM, **changes):
    """Compare on the terms of the first page."""
    terms = {"currency": "CNY", "fx": {"USD": 7.2}, "discount_rate": 0.08, **changes}
    return compare(chosen or options(), workload, TIMELINE, **terms)


def test_the_readings_of_an_option_hang_together():
    """Up front and monthly make the total; categories make it too; per-request figures divide by the users' demand."""
    for option in run().options.values():
        assert np.isclose(option.upfront + option.monthly * 36, option.tco, rtol=1e-12)
        assert np.isclose(sum(option.categories().values()), option.tco, rtol=1e-12)
        factors = 1.08 ** (-np.arange(37) / 12)
        assert np.isclose(option.npv_cost, (option.cash * factors).sum(), rtol=1e-12)
        assert np.isclose(option.cost_per_request, option.npv_cost / (20_000 * factors[1:].sum()), rtol=1e-12)
        assert np.isclose(option.cost_per_mtok * 800 / 1e6, option.cost_per_request, rtol=1e-12)


def test_the_best_option_is_the_cheapest_that_carries_the_load():
    """Ranked by present value."""
    result = run()

    assert result.best == "cloud"
    assert result.ranking == ("cloud", "local", "mixed")


def test_an_infeasible_option_cannot_win():
    """A server that is too small is cheap and out of the question."""
    small = Purchase(box(count=1), life_years=3)
    busy = attrs.evolve(TEAM, requests_per_month=2_000_000)

    result = run({"small": small, "dear": Monthly("x", amount="1_000_000 CNY")}, busy)

    assert not result["small"].feasible
    assert result.best == "dear"
    assert (result["small"].unserved[1:] > 0).all()


def test_an_unpriced_option_cannot_win():
    """What has no price is not free."""
    result = run({"unknown": ApiUsage(attrs.evolve(PRICE, output=None)), "dear": Monthly("x", amount="1000000 CNY")})

    assert result["unknown"].tco < result["dear"].tco
    assert result.best == "dear"


def test_nothing_feasible_has_no_winner():
    """None is an answer."""
    result = run({"unknown": ApiUsage(attrs.evolve(PRICE, output=None))})

    assert result.best is None
    assert result.ranking == ()


def test_an_empty_demand_has_no_cost_per_request():
    """Nothing divided by nothing is not a number: the figure is absent, the totals stand."""
    result = run(workload=attrs.evolve(TEAM, requests_per_month=0))

    assert result["cloud"].tco == 0
    assert result["cloud"].cost_per_request is None
    assert result["cloud"].cost_per_mtok is None
    assert result["local"].tco > 0


def test_requests_without_tokens_cost_by_the_request_only():
    """A cost per million tokens needs tokens."""
    result = run(workload=Workload(requests_per_month=10, input_tokens=0, output_tokens=0))

    assert result["local"].cost_per_request > 0
    assert result["local"].cost_per_mtok is None


def test_a_missing_exchange_rate_names_the_pair():
    """Currencies are never mixed silently."""
    with pytest.raises(MissingRateError, match="no exchange rate from USD to CNY: USD is not among the rates given"):
        run(fx={})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"currency": "yuan"}, "must be a currency code of three capital letters"),
        ({"fx": {"USD": 0}}, "rates.USD: must be more than 0, got 0"),
        ({"fx": {"USD": float("nan")}}, "rates.USD: must be finite"),
        ({"fx": {"CNY": 2, "USD": 7}}, "rates.CNY: is the base and must be 1, got 2"),
        ({"discount_rate": -1}, "discount_rate: must be more than -1, got -1"),
        ({"lens": "narrow"}, "lens: must be one of 'full', 'marginal', got 'narrow'"),
        ({"chosen": {}}, ""),
    ],
)
def test_wrong_terms_are_refused(changes, problem):
    """Each wrong term is named."""
    if "chosen" in changes:
        with pytest.raises(InvalidValueError, match="must hold at least one option"):
            compare({}, TEAM, TIMELINE, currency="CNY")
        return
    with pytest.raises(InvalidValueError) as error:
        run(**changes)

    assert problem in str(error.value)


def test_a_total_beyond_floats_is_an_error():
    """An infinity is never a figure."""
    huge = Monthly("a", amount="9e307 CNY") + Monthly("b", amount="9e307 CNY")

    with pytest.raises(OverflowedError, match="too large for a float"):
        run({"huge": huge + Monthly("c", amount="9e307 CNY")})


def test_an_unknown_option_is_named_with_its_neighbours():
    """A typing error is met with a suggestion."""
    with pytest.raises(InvalidValueError, match="did you mean 'local'"):
        run()["locl"]


def test_benefits_stay_outside_the_total_and_inside_the_net():
    """The total cost of ownership counts costs; the investment case counts benefits too."""
    helped = options()["local"] + Benefit("hours saved", per_month="12000 CNY", confidence=0.85)
    result = run({"helped": helped, "plain": options()["local"]})

    assert result["helped"].tco == result["plain"].tco
    assert np.isclose(result["helped"].net, result["plain"].tco - 36 * 10_200)
    assert np.isclose(sum(result.investment("helped", instead_of="plain").flows), 36 * 10_200)


def test_the_seeds_business_case():
    """80,000 up front, 5,000 a month, benefits of 35,400: payback after 2.63 months, ROI 1,268 % in 3 years."""
    benefits = [("code", 12_000, 0.85), ("support", 8_000, 0.9), ("api", 15_000, 1.0), ("safety", 5_000, 0.6)]
    project = OneOff("investment", amount="80000 CNY") + Monthly("opex", amount="5000 CNY")
    for name, value, confidence in benefits:
        project = project + Benefit(name, per_month=f"{value} CNY", confidence=confidence)
    nothing = Monthly("nothing", amount="0 CNY")

    case = run({"project": project, "nothing": nothing}, discount_rate=(1 + 0.08 / 12) ** 12 - 1).investment(
        "project", instead_of="nothing"
    )

    assert round(case.payback_months, 2) == 2.63
    assert round(case.roi * 100) == 1_268
    assert round(case.npv) == 890_119
    assert case.irr.status == "unique"
    assert round(case.irr.rate * 100, -1) == 4_670


def test_an_investment_says_whether_it_has_a_rate():
    """None, one or several rates are three answers."""
    nothing = Monthly("nothing", amount="0 CNY")
    flip = OneOff("a", amount="100 CNY") + OneOff("b", amount="132 CNY", month=24)
    gain = Benefit("gain", per_month="230 CNY")
    several = run({"x": flip + Limited(gain, first=12, last=12), "nothing": nothing}).investment(
        "x", instead_of="nothing"
    )
    none = run({"x": flip, "nothing": nothing}).investment("x", instead_of="nothing")

    assert several.irr.status == "several"
    assert np.allclose(several.irr.rates, [0.1, 0.2])
    assert none.irr.status == "none"
    assert none.irr.rates == ()
    assert none.payback_months is None


def test_the_marginal_lens_leaves_sunk_costs_out_of_every_option():
    """What is paid already does not speak for either side."""
    owned = {name: box(name=name) for name in ("one",)}
    local = Purchase(owned["one"], life_years=5, owned=1) + Monthly("rent", amount="10 CNY")

    assert run({"local": local})["local"].tco == 25_900 + 360
    assert run({"local": local}, lens="marginal")["local"].tco == 360


def test_a_residual_is_a_line_of_its_own():
    """What is credited at the horizon is shown with the result."""
    kept = Purchase(box(), life_years=5, residual="book")
    option = run({"kept": kept})["kept"]

    assert np.isclose(option.categories()["residual"], -25_900 * 24 / 60)
    assert np.isclose(option.tco, 25_900 * 36 / 60)


def test_every_record_that_was_used_is_in_the_result():
    """The server, the throughput and the price come with their sources."""
    assert sorted(record.kind for record in run().records) == ["price", "server", "throughput"]


DRAWS = {
    "kwh": lambda rng, n: Money(rng.uniform(0.3, 1.5, n), "CNY"),
    "pay": lambda rng, n: Money(rng.uniform(200, 500, n), "CNY"),
    "salvage": lambda rng, n: Money(rng.uniform(0, 9_000, n), "CNY"),
    "hit_rate": lambda rng, n: rng.uniform(0, 0.9, n),
    "pue": lambda rng, n: rng.uniform(1, 2, n),
}


def row(value, place):
    """Take one draw."""
    if isinstance(value, Money):
        return Money(float(value.amount[place]), value.currency)
    return float(value[place])


def test_a_row_of_a_batch_equals_the_scalar_run_bit_for_bit():
    """Law 73: one broadcast evaluation of many draws gives what each gives alone."""
    rng = np.random.default_rng(7)
    n = 37
    draws = {name: make(rng, n) for name, make in DRAWS.items()}
    load = {
        "requests_per_month": rng.uniform(1e3, 3e6, n),
        "input_tokens": rng.uniform(10, 9_000, n),
        "output_tokens": rng.uniform(1, 900, n),
        "growth_per_year": rng.uniform(-0.3, 0.9, n),
        "peak_to_mean": rng.uniform(1, 9, n),
        "cacheable_share": rng.uniform(0, 1, n),
    }
    usd = rng.uniform(6, 8, n)
    rate = rng.uniform(0, 0.3, n)
    utilisation = rng.uniform(0.2, 1, n)

    def evaluate(pick):
        fleet = box(planning_utilisation=pick(utilisation))
        chosen = options(fleet, **{name: pick(value) for name, value in draws.items()})
        workload = Workload(**{name: pick(value) for name, value in load.items()})
        return run(chosen, workload, fx={"USD": pick(usd)}, discount_rate=pick(rate))

    batch = evaluate(lambda value: value)

    for place in range(n):
        scalar = evaluate(lambda value, place=place: row(value, place))
        for name in batch:
            for reading in ("upfront", "monthly", "tco", "net", "npv_cost", "cost_per_request", "cost_per_mtok"):
                assert getattr(batch[name], reading)[place] == getattr(scalar[name], reading), (name, reading)
            assert np.array_equal(batch[name].cash[place], scalar[name].cash)
            assert np.array_equal(batch[name].accrual[place], scalar[name].accrual)


def test_break_even_of_draws_is_refused():
    """A break-even is a property of one scenario."""
    result = run(options(pue=np.array([1.0, 1.5])))

    with pytest.raises(InfeasibleError, match="ask for it draw by draw"):
        result.break_even("local", "cloud")
    with pytest.raises(InfeasibleError, match="ask draw by draw"):
        result.investment("local", instead_of="cloud")


def test_months_that_nobody_answers_are_unserved():
    """A component that is limited or delayed serves its span; another one may serve the rest."""
    api = ApiUsage(PRICE)
    first, later = Limited(api, last=12), Delayed(api, 12)

    result = run({"first": first, "later": later, "both": first + later, "api": api})

    assert [result[name].feasible for name in ("first", "later", "both", "api")] == [False, False, True, True]
    assert np.flatnonzero(result["first"].unserved).tolist() == list(range(13, 37))
    assert np.flatnonzero(result["later"].unserved).tolist() == list(range(1, 13))
    assert np.isclose(result["both"].tco, result["api"].tco)


def test_what_answers_no_requests_says_nothing_about_them():
    """A flat fee for everything is an option."""
    assert run({"flat": Limited(Monthly("all in", amount="1 CNY"), last=3)})["flat"].feasible


def test_a_fleet_behind_two_branches_of_nested_routers_is_an_error():
    """Whatever the routes are called, one fleet is asked once."""
    fleet = box()
    one, other = Purchase(fleet, life_years=3), Purchase(fleet, life_years=3)
    nested = Router(
        {
            "a": Route(Router({"b": Route(one, share=1)}), share=0.5),
            "b": Route(Router({"a": Route(other, share=1)}), share=0.5),
        }
    )

    with pytest.raises(SharedFleetError, match="two different demands"):
        run({"nested": nested})


def test_tokens_that_do_not_occur_need_no_price():
    """A route without requests, a perfect cache and a kind of weight 0 leave nothing unpriced."""
    unpriced = ApiUsage(attrs.evolve(PRICE, output=None))
    no_output = Workload(requests_per_month=1, lengths=[[5, 0, 1], [5, 5, 0]])
    routes = {"all": Route(ApiUsage(PRICE), share=1), "none": Route(unpriced, share=0)}

    result = run({"routed": Router(routes), "cached": SemanticCache(unpriced, hit_rate=1)})

    assert result["routed"].feasible
    assert result["cached"].feasible
    assert run({"api": unpriced}, no_output)["api"].feasible


def test_servers_that_are_owned_are_sunk_whenever_they_are_first_needed():
    """Three servers that are there already cost nothing more within their life, and are resold like any others."""
    growing = attrs.evolve(TEAM, requests_per_month=250_000, growth_per_year=0.4)
    owned = Purchase(box(), life_years=5, owned=3)

    option = run({"owned": owned}, growing, lens="marginal")["owned"]

    assert option.tco == 0
    assert run({"owned": owned}, growing)["owned"].tco > 25_900


def test_nothing_laid_out_is_never_paid_back():
    """Where the dearer option costs nothing more at first, there is no payback to speak of."""
    nothing, rent = Monthly("nothing", amount="0 CNY"), Monthly("rent", amount="10 CNY")
    result = run({"rent": rent, "nothing": nothing})

    assert result.investment("nothing", instead_of="rent").payback_months is None
    assert result.investment("rent", instead_of="nothing").payback_months is None


SINGLE_DRAWS = {
    "price": lambda draw: {"purchase": {"price": Money(draw * 1e4, "CNY")}},
    "salvage": lambda draw: {"purchase": {"salvage": Money(draw * 1e3, "CNY"), "residual": "salvage"}},
    "book": lambda draw: {"purchase": {"salvage": Money(draw * 1e3, "CNY"), "residual": "book"}},
    "kwh": lambda draw: {"power": {"price_per_kwh": Money(draw, "CNY")}},
    "pue": lambda draw: {"power": {"pue": 1 + draw}},
    "hours": lambda draw: {"labour": {"hours_per_month": 20 * draw}},
    "pay": lambda draw: {"labour": {"rate_per_hour": Money(400 * draw, "CNY")}},
    "rise": lambda draw: {"labour": {"raise_per_year": draw / 10}},
    "planning": lambda draw: {"fleet": {"planning_utilisation": draw / 4}},
    "hours on": lambda draw: {"fleet": {"hours_per_month": 200 * draw}},
    "requests": lambda draw: {"workload": {"requests_per_month": 1e5 * draw}},
    "input": lambda draw: {"workload": {"input_tokens": 100 * draw}},
    "growth": lambda draw: {"workload": {"growth_per_year": draw / 5}},
    "peak": lambda draw: {"workload": {"peak_to_mean": 1 + draw}},
    "fx": lambda draw: {"terms": {"fx": {"USD": 5 + draw}}},
    "rate": lambda draw: {"terms": {"discount_rate": draw / 10}},
    "hit rate": lambda draw: {"cache": {"hit_rate": draw / 4}},
    "precision": lambda draw: {"cache": {"hit_rate": 0.5, "precision": draw / 4}},
    "share": lambda draw: {"share": {"share": draw / 4}},
}


def evaluate_single(changes):
    """Compare three options with changes to one of their inputs."""
    fleet = box(**changes.get("fleet", {}))
    local = (
        Purchase(fleet, life_years=4, **{"salvage": "10 CNY", "residual": "book", **changes.get("purchase", {})})
        + Power(fleet, **{"price_per_kwh": "1 CNY", "pue": 1.5, **changes.get("power", {})})
        + Labour("ops", **{"hours_per_month": 20, "rate_per_hour": "400 CNY", **changes.get("labour", {})})
    )
    share = changes.get("share", {}).get("share", 0.8)
    routes = {"easy": Route(local, share=share), "hard": Route(ApiUsage(PRICE), share=1 - share)}
    mixed = SemanticCache(Router(routes), **{"hit_rate": 0.35, **changes.get("cache", {})})
    load = {
        "requests_per_month": 3e5,
        "input_tokens": 500,
        "output_tokens": 300,
        "peak_to_mean": 2,
        **changes.get("workload", {}),
    }
    return run({"local": local, "cloud": ApiUsage(PRICE), "mixed": mixed}, Workload(**load), **changes.get("terms", {}))


@pytest.mark.parametrize("name", SINGLE_DRAWS)
@pytest.mark.parametrize("shape", [(3,), (1,), (2, 3)])
def test_draws_of_one_input_alone_equal_scalar_runs(name, shape):
    """Law 73, one input at a time and in any leading shape: bit for bit."""
    draws = np.linspace(0.5, 3.5, int(np.prod(shape))).reshape(shape)
    batch = evaluate_single(SINGLE_DRAWS[name](draws))

    for place in np.ndindex(shape):
        scalar = evaluate_single(SINGLE_DRAWS[name](float(draws[place])))
        for option in batch:
            for reading in ("tco", "npv_cost", "cost_per_request"):
                many = np.broadcast_to(getattr(batch[option], reading), shape)
                assert many[place] == getattr(scalar[option], reading), (option, reading)


def test_options_without_draws_have_a_break_even_beside_others_that_hold_some():
    """Only those that hold draws are refused."""
    result = run(options(hit_rate=np.array([0.1, 0.2, 0.3])))

    assert result.break_even("local", "cloud").by_month.state == "never"
    with pytest.raises(InfeasibleError, match="draw by draw"):
        result.break_even("local", "mixed")


def test_a_draw_without_demand_has_no_cost_per_request():
    """The other draws keep theirs."""
    result = run(workload=attrs.evolve(TEAM, requests_per_month=np.array([0.0, 20_000.0])))

    assert np.isnan(result["cloud"].cost_per_request[0])
    assert result["cloud"].cost_per_request[1] == run()["cloud"].cost_per_request


def test_what_is_no_component_is_refused_at_the_door():
    """A name, a number or a price is no component."""
    with pytest.raises(InvalidValueError, match=r"options.a: must be a component, got 5"):
        run({"a": 5})
    with pytest.raises(InvalidValueError, match="target: must be a Component, got 'cloud'"):
        Route("cloud", share=1)
    with pytest.raises(InvalidValueError, match="fleet: must be a Fleet, got 'box'"):
        Purchase("box", life_years=3)
    with pytest.raises(InvalidValueError, match="price: must be a TokenPrice"):
        ApiUsage("gpt")
    with pytest.raises(InvalidValueError, match="volumes: must be a lowest"):
        run(volumes=(100, 1))


@attrs.frozen(eq=False)
class Careless(Composable):
    """A third party's component that returns what it should not."""

    amounts: np.ndarray
    name: str = "careless"

    def cost(self, demand):
        """Return the amounts as they are."""
        return Ledger(timeline=demand.timeline, lines=(self.line("other", "CNY", self.amounts),))


@pytest.mark.parametrize(
    ("amounts", "error", "problem"),
    [
        (np.ones(1), MismatchError, "careless: must hold 37 amounts"),
        (np.ones(36), MismatchError, "got an array of shape"),
        (np.full(37, np.nan), OverflowedError, "careless is not a finite number"),
    ],
)
def test_a_careless_component_is_named(amounts, error, problem):
    """What a line holds is checked once, before it is read."""
    with pytest.raises(error, match=problem):
        run({"x": Careless(amounts)})


@attrs.frozen(eq=False)
class Forgetful(Composable):
    """A cost whose author forgot to return its ledger."""

    name: str = "forgetful"

    def cost(self, demand):
        """Return nothing."""


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda a: compare([a], TEAM, TIMELINE, currency="CNY"), "options: must hold at least one option by its name"),
        (lambda a: compare({"a": a}, TIMELINE, TEAM, currency="CNY"), "workload: must be a Workload, got Timeline"),
        (lambda a: compare({"a": a}, TEAM, TEAM, currency="CNY"), "timeline: must be a Timeline, got Workload"),
        (lambda _: compare({"a": Forgetful()}, TEAM, TIMELINE, currency="CNY"), "cost of 'forgetful' must be a Ledger"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(call, problem):
    """A caller who mixes arguments up reads which one it was."""
    with pytest.raises((InvalidValueError, MismatchError)) as error:
        call(Monthly("rent", amount="1 CNY"))

    assert problem in str(error.value)
