"""Every kind of cost: the shared laws for all, and the arithmetic of each."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import given

from llm_tco.analysis.compare import compare
from llm_tco.components.amounts import Monthly, OneOff, Periodic
from llm_tco.components.benefit import Benefit, HoursSaved, ProductivityGain
from llm_tco.components.capital import Purchase
from llm_tco.components.facility import Hosting, Network, Storage
from llm_tco.components.kinds import llm_tco_components
from llm_tco.components.labour import Crew, Project, Task
from llm_tco.components.rental import Rental, Subscription
from llm_tco.components.risk import CapitalCharge, ExpansionDelay, ExpectedLoss, Waiting
from llm_tco.components.tax import ValueAddedTax
from llm_tco.demand import Workload
from llm_tco.errors import DoubleCountError, InvalidValueError
from llm_tco.testing import laws, mixes
from llm_tco.testing import strategies as own
from llm_tco.timeline import Timeline

TIMELINE = Timeline(date(2026, 12, 1), 36)
TEAM = Workload(requests_per_month=20_000, input_tokens=500, output_tokens=300)


@given(own.components(), laws.demands())
def test_every_kind_keeps_the_laws(component, demand):
    """One shared check, which any third party's component can use, holds for all of them."""
    laws.component(component, demand)


def test_every_kind_of_single_cost_is_drawn():
    """The shared check leaves no kind out but the combinators, which have laws of their own."""
    combinators = {"stack", "scaled", "delayed", "limited", "escalated", "router", "semantic_cache"}
    combinators |= {"commitment", "discounted", "volume_discount"}
    drawn = {name for module in (own, mixes) for name, value in vars(module).items() if isinstance(value, type)}

    assert {kind.__name__ for kind in llm_tco_components() if kind.kind not in combinators} <= drawn


def box(**changes):
    """Make a fleet whose servers each carry 10,000 requests a month."""
    server = own.Server(
        key="box", name="Box", idle_w=100, peak_w=500, source=own.SOURCE,
        parts=(own.Part(name="all", price=own.Money.parse("36000 CNY")),),
    )  # fmt: skip
    rate = own.Throughput(gpu="g", model="m", quantisation="q", requests_per_s=10_000 / 2_628_000, source=own.SOURCE)
    return own.Fleet(**{"server": server, "throughput": rate, **changes})


def money(component, workload=TEAM, timeline=TIMELINE, unit="CNY"):
    """Give the amounts of a component by month."""
    return component.cost(workload.on(timeline)).amounts(unit)


def test_a_project_is_the_sum_of_its_tasks():
    """The seeds' deployment: 15 person-days at 1,500 are 22,500."""
    days = {"hardware": 2, "containers": 3, "tuning": 2, "monitoring": 3, "hardening": 3, "training": 2}
    tasks = [Task(name=name, days=count, rate_per_day="1500 CNY") for name, count in days.items()]

    ledger = Project("deployment", tasks=tuple(tasks)).cost(TEAM.on(TIMELINE))

    assert ledger.amounts("CNY")[0] == 22_500
    assert [line.name for line in ledger.lines][:2] == ["deployment.hardware", "deployment.containers"]


def test_a_crew_is_whole_and_grows_with_the_servers():
    """Law 43: five servers at two a person are three people; the linear figure is never above it."""
    workload = attrs.evolve(TEAM, requests_per_month=50_000)
    crew = Crew("ops", fleet=box(), servers_per_person=2, cost_per_month="10000 CNY")

    assert money(crew, workload)[1] == 30_000
    assert money(attrs.evolve(crew, fractional=True), workload)[1] == 25_000


def test_hosting_rents_the_units_of_owned_servers():
    """Two servers of 4 U at 1,000 a unit, and a managed service."""
    hosting = Hosting(box(), rack_units=4, price_per_rack_unit="1000 CNY", managed_service="2000 CNY")

    assert money(hosting)[1] == 2 * 4 * 1_000 + 2_000


def test_a_network_charges_what_is_above_its_allowance():
    """20,000 requests of 20 MB are 400 GB: 200 of them included, 200 at 1.2."""
    network = Network(base_per_month="160 CNY", kb_per_request=20_000, included_gb=200, price_per_gb="1.2 CNY")

    assert money(network)[1] == 160 + 200 * 1.2
    assert money(network, attrs.evolve(TEAM, requests_per_month=1_000))[1] == 160


def test_bandwidth_and_addresses_are_paid_by_their_number():
    """50 Mbit/s at 100 and two addresses at 75."""
    network = Network(mbps=50, price_per_mbps="100 CNY", ip_addresses=2, price_per_ip_address="75 CNY")

    assert money(network)[1] == 5_150


def test_a_backup_costs_by_its_size():
    """The seeds' 40 GB at 0.15."""
    assert money(Storage("backup", gb=40, price_per_gb="0.15 CNY"))[1] == 6


def test_a_quarterly_audit_is_paid_when_it_is_due():
    """Twelve times in three years, at the end of each quarter."""
    amounts = money(Periodic("audit", amount="3000 CNY", every_months=3, category="security"))

    assert np.flatnonzero(amounts).tolist() == list(range(3, 37, 3))
    assert amounts.sum() == 36_000


def test_seats_by_the_year_are_paid_in_advance_and_expensed_by_the_month():
    """Three payments of 30 seats, and equal expenses in 36 months."""
    seats = Subscription("assistant", seats=30, price_per_seat="12000 CNY", per="year")
    ledger = seats.cost(TEAM.on(TIMELINE))

    assert np.flatnonzero(ledger.amounts("CNY")).tolist() == [0, 12, 24]
    assert np.allclose(ledger.amounts("CNY", basis="accrual")[1:], 30_000)
    assert ledger.amounts("seat-months")[1] == 30


def test_a_rental_pays_for_what_is_on():
    """Two servers for 730 hours at 10; in half of the hours it takes four of them."""
    assert money(Rental(box(), price_per_hour="10 CNY"))[1] == 2 * 730 * 10
    half = box(hours_per_month=365)
    assert money(Rental(half, price_per_hour="10 CNY"))[1] == 4 * 365 * 10


def test_reserved_servers_are_paid_for_whole_terms():
    """One reserved for terms of 24 months within 36: the last 12 are paid at the horizon."""
    rental = Rental(box(), price_per_hour="10 CNY", reserved=1, reserved_price_per_hour="6 CNY", term_months=24)
    ledger = rental.cost(TEAM.on(TIMELINE))
    reserved = ledger.where(lambda line: line.path[-1] == "reserved").amounts("CNY")

    assert reserved[1] == 730 * 6
    assert np.isclose(reserved.sum(), 48 * 730 * 6)
    assert ledger.amounts("CNY")[1] == 730 * 6 + 730 * 10


def test_interruptions_lengthen_what_is_on_demand():
    """Where a fifth of the work is undone, a quarter more hours are paid."""
    assert money(Rental(box(), price_per_hour="10 CNY", rework_share=0.2))[1] == 2 * 730 * 10 * 1.25


def test_waiting_counts_people_or_requests():
    """30 people for 45 minutes on 21 days, or 20,000 requests that each block for 0.2 s."""
    people = Waiting(rate_per_hour="100 CNY", people=30, minutes_per_day=45, days_per_month=21)
    calls = Waiting(rate_per_hour="100 CNY", seconds_per_request=0.2)

    assert money(people)[1] == 30 * 0.75 * 21 * 100
    assert money(people, unit="h")[1] == 472.5
    assert np.isclose(money(calls)[1], 20_000 * 0.2 / 3600 * 100)


def test_an_expected_loss_is_events_times_loss():
    """A leak with 2 % a year and 600,000, or 4 outages of 3 hours at 1,000."""
    assert np.isclose(money(ExpectedLoss("leak", events_per_year=0.02, loss_per_event="600000 CNY"))[1], 1_000)
    outage = ExpectedLoss("outage", events_per_year=4, hours_per_event=3, loss_per_hour="1000 CNY")
    assert np.isclose(money(outage)[1], 1_000)


def test_a_late_server_costs_what_its_absence_loses():
    """One server is added in month 2; it is two months late at 5,000."""
    growing = attrs.evolve(TEAM, growth_per_year=0.1)

    amounts = money(ExpansionDelay(box(), months=2, loss_per_month="5000 CNY"), growing, Timeline(date(2026, 1, 1), 12))

    assert np.flatnonzero(amounts).tolist() == [2]
    assert amounts[2] == 10_000


def test_capital_is_charged_on_what_is_not_written_off():
    """36,000 over 36 months at 12.68 % a year, 1 % a month: 360, 350, … and a caution."""
    charged = CapitalCharge(Purchase(box(), life_years=3), rate_per_year=1.01**12 - 1)
    small = attrs.evolve(TEAM, requests_per_month=5_000)
    ledger = charged.cost(small.on(TIMELINE))

    charge = ledger.where(lambda line: line.category == "capital").amounts("CNY")

    assert np.allclose(charge[1:4], [360, 350, 340])
    assert {state.kind for state in ledger.states} == {"caution"}


@pytest.mark.parametrize(
    ("included", "recoverable", "net", "vat"),
    [(True, 0, 1_000, 130), (True, 1, 1_000, 0), (False, 0, 1_130, 146.9), (False, 0.5, 1_130, 73.45)],
)
def test_value_added_tax_is_split_off(included, recoverable, net, vat):
    """1,130 with 13 % inside are 1,000 and 130; what is recovered is no cost."""
    taxed = ValueAddedTax(Monthly("x", amount="1130 CNY"), rate=0.13, included=included, recoverable_share=recoverable)
    ledger = taxed.cost(TEAM.on(TIMELINE))

    tax = ledger.where(lambda line: line.category == "vat").amounts("CNY")
    assert np.isclose(ledger.amounts("CNY")[1] - tax[1], net)
    assert np.isclose(tax[1], vat)


def test_saved_hours_are_worth_what_they_cost():
    """24 hours a month at 500 and 85 % are 10,200."""
    assert np.isclose(
        money(HoursSaved("code", hours_per_month=24, rate_per_hour="500 CNY", confidence=0.85))[1], -10_200
    )


@pytest.mark.parametrize(
    ("before", "after", "better", "expected"),
    [(5.2, 4.1, "lower", 1.1 / 5.2), (0.89, 0.92, "higher", 0.03 / 0.89), (0.76, 0.82, "higher", 0.06 / 0.76)],
)
def test_a_metric_becomes_money_by_stated_assumptions(before, after, better, expected):
    """The seeds' cycle time, acceptance and tests, on a base of 300,000 of which a tenth is realised."""
    gain = ProductivityGain(
        "metric", before=before, after=after, better=better, base_per_month="300000 CNY", realised_share=0.1
    )

    assert np.isclose(money(gain)[1], -300_000 * 0.1 * expected)


def test_a_bill_that_is_replaced_does_not_count_twice():
    """Against the API itself the saved bill is refused; against doing nothing it counts."""
    bill = Monthly("azure", amount="15000 CNY", category="api")
    local = Monthly("own", amount="5000 CNY") + Benefit("bill replaced", per_month="15000 CNY", replaces="api")
    nothing = Monthly("nothing", amount="0 CNY")
    result = compare({"local": local, "api": bill, "nothing": nothing}, TEAM, TIMELINE, currency="CNY")

    with pytest.raises(DoubleCountError, match="local.bill replaced is a benefit that stands for 'api' cost"):
        result.investment("local", instead_of="api")
    assert np.isclose(sum(result.investment("local", instead_of="nothing").flows), 36 * 10_000)


def example():
    """Compare an option with hidden costs to one without."""
    plain = Monthly("licences", amount="1000 CNY")
    rich = Monthly("licences", amount="1100 CNY") + Waiting(rate_per_hour="100 CNY", seconds_per_request=0.306)
    assets = Purchase(box(), life_years=5) + OneOff("setup", amount="5000 CNY")
    return compare({"plain": plain, "rich": rich, "assets": assets}, TEAM, TIMELINE, currency="CNY")


def test_the_share_of_hidden_cost_in_an_increment_is_read():
    """270 more a month, of which 170 are waiting: 63 %."""
    assert np.isclose(example().hidden_share("rich", instead_of="plain"), 170 / 270)
    assert example().hidden_share("plain", instead_of="rich") is None


def test_costs_are_read_by_nature_and_by_year():
    """What is paid once, running and hidden sums to the net; years sum to the total."""
    result = example()

    for option in result.options.values():
        assert np.isclose(sum(option.natures().values()), option.net)
        assert np.isclose(option.years().sum(), option.tco)
        assert option.years().shape == (4,)
    assert set(result["rich"].natures()) == {"running", "hidden"}


def test_depreciation_and_annualised_cost_are_read_from_the_accrual_basis():
    """72,000 over five years: 43,200 in three, and 14,400 a year beside a third of the set-up."""
    option = example()["assets"]

    assert np.isclose(option.depreciation, 43_200)
    assert np.isclose(option.cost_per_year, (43_200 + 5_000) / 3)


def test_a_saving_is_money_and_a_share():
    """Against the runner-up: 36 × 270 of 36 × 1,270."""
    result = example()
    money, share = result.saving("plain", instead_of="rich")

    assert (result.best, result.runner_up) == ("plain", "rich")
    assert np.isclose(money, 36 * 270)
    assert np.isclose(share, 270 / 1_270)


def test_a_total_is_allocated_to_teams():
    """Shares sum to the whole."""
    shared = example()["plain"].shared({"search": 0.25, "support": 0.75})

    assert shared == {"search": 9_000, "support": 27_000}
    with pytest.raises(InvalidValueError, match="must sum to 1"):
        example()["plain"].shared({"search": 0.5})


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Project("p", tasks=()), "tasks: must hold at least one task"),
        (lambda: Periodic("a", amount="1 CNY", every_months=0), "every_months: must be at least 1, got 0"),
        (lambda: Network(price_per_gb="1 CNY"), "price_per_gb: and kb_per_request must be given together"),
        (lambda: Network(mbps=5), "price_per_mbps: and mbps must be given together"),
        (lambda: Network(included_gb=5), "included_gb: means nothing without price_per_gb"),
        (lambda: Rental(box(), price_per_hour="1 CNY", reserved=1), "reserved_price_per_hour: and reserved"),
        (lambda: Rental(box(), price_per_hour="1 CNY", rework_share=1), "rework_share: must be at most 0.99, got 1"),
        (lambda: Waiting(rate_per_hour="1 CNY"), "people: must be given with minutes_per_day"),
        (lambda: Waiting(rate_per_hour="1 CNY", people=1), "people: must be given with minutes_per_day"),
        (lambda: ExpectedLoss("x", events_per_year=1), "loss_per_event: must be given, or hours_per_event"),
        (
            lambda: ProductivityGain("x", before=1, after=2, better="lower", base_per_month="1 CNY", realised_share=1),
            "after: must be no worse than before (1.0), got 2.0",
        ),
        (lambda: Subscription("x", seats=-1, price_per_seat="1 CNY"), "seats: must be at least 0, got -1"),
        (lambda: Crew("x", fleet=box(), servers_per_person=0, cost_per_month="1 CNY"), "servers_per_person: must be"),
    ],
)
def test_a_wrong_cost_is_refused_by_name(make, problem):
    """Each error says which field and why."""
    with pytest.raises(InvalidValueError) as error:
        make()

    assert str(error.value).startswith(problem)
