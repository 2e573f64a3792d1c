"""The two source documents, figure by figure: each comes out of the library as these literals say."""

from __future__ import annotations

import functools
import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_tco import Benefit, OneOff, Timeline, Workload, compare, load_scenario
from llm_tco.cli import main
from llm_tco.errors import DoubleCountError

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "examples" / "seeds"
FILES = sorted(path.stem for path in SEEDS.glob("*.toml"))


@functools.cache
def document(name):
    """Run an example as a user does, and read what it prints."""
    outcome = CliRunner().invoke(main, ["compare", str(SEEDS / f"{name}.toml"), "--json"])
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


def investment(name, option):
    """Read the case of an option against changing nothing."""
    [pair] = [pair for pair in document(name)["pairs"] if {pair["a"], pair["b"]} == {option, "nothing"}]
    assert pair["investment"]["option"] == option
    return pair["investment"]


@pytest.fixture(scope="module")
def audit():
    """Import the program that writes the audit's page, as the documentation does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        return importlib.import_module("audit.page")


@pytest.fixture(scope="module")
def rows(audit):
    """Compute every row of the audit once."""
    return {row.key: row for row in audit.rows()}


def shown(figures, digits=0):
    """Round figures to the digits that a document prints."""
    return [round(value, digits) for value in figures.values]


@pytest.mark.parametrize("name", FILES)
def test_every_option_of_every_example_carries_its_load(name):
    """No example shows a figure of an option that would not work."""
    options = document(name)["options"]

    assert options
    assert all(option["feasible"] for option in options.values())


@pytest.mark.parametrize("name", ["small", "medium", "enterprise"])
def test_own_hardware_over_three_years(name):
    """460,460 for every team size with each input once; depreciation on top makes the document's 485,460."""
    local = document(name)["options"]["local"]

    assert round(local["tco"], 2) == 460_460.00
    assert local["upfront"] == 25_000 + 2_500 + 15_000
    assert round(local["monthly"], 2) == 144 + 160 + 8_800 + 500 + 6 + 2_000
    assert round(local["tco"] + local["depreciation"], 2) == 485_460.00


@pytest.mark.parametrize(
    ("name", "running"), [("small", 109_321.92), ("medium", 114_609.60), ("enterprise", 141_048.00)]
)
def test_the_api_over_three_years(name, running):
    """The bill and 3,000 of overhead a month; the 20,000 of integration are in the total."""
    cloud = document(name)["options"]["cloud"]

    assert round(cloud["natures"]["running"], 2) == running
    assert round(cloud["tco"], 2) == running + 20_000


def test_the_rows_on_total_cost(rows):
    """The page shows the three totals by the document's code, without its double count, and complete."""
    local, cloud = rows["local-total"], rows["cloud-total"]

    assert shown(local.own) == [485_460, 485_460, 485_460, 460_460]
    assert shown(local.library) == [506_486, 507_971, 515_396]
    assert shown(cloud.own) == [109_322, 114_610, 141_048]
    assert shown(cloud.library) == [129_322, 134_610, 161_048]


def test_the_complete_total_follows_from_its_parts():
    """60,400 once; 12,266 a month and the energy of 105 W and 495 W more for 13.9 hours, times 1.5."""
    kwh = (105 * 730 + 495 * 20_000 * 300 / 120 / 3_600) / 1_000 * 1.5
    complete = document("small")["options"]["complete"]

    assert complete["upfront"] == 25_900 + 19_500 + 15_000
    assert round(complete["tco"], 4) == round(60_400 + 36 * (12_266 + kwh), 4)


@pytest.mark.parametrize("name", ["medium", "enterprise"])
@pytest.mark.parametrize("option", ["local", "complete"])
def test_break_even_is_never_reached_in_time(name, option):
    """The document says month 14 and month 5."""
    pairs = {(pair["a"], pair["b"]): pair for pair in document(name)["pairs"]}

    assert pairs[option, "cloud"]["break_even_month"]["state"] == "never"


def test_break_even_volume_is_beyond_one_machine(rows):
    """Own hardware is cheaper from 8.8 million requests a month on, nine machines; the document says 30,000."""
    capacity = 720 * 3_600 * 120 / 300
    requests, one_machine = rows["break-even-volume"].own.values

    assert one_machine == pytest.approx(capacity) == pytest.approx(1_036_800)
    assert requests == 8_841_530
    assert own_hardware(requests, capacity) < api(requests)
    assert own_hardware(requests - 1, capacity) > api(requests - 1)


def own_hardware(requests, capacity):
    """Add up so many machines by hand: each 25,000 and 144 a month, and what they share."""
    machines = -(-requests // capacity)
    volume = max(requests * 50 / 1e6 - 200, 0) * 1.2
    return machines * (25_000 + 36 * 144) + 17_500 + 36 * (11_466 + volume)


def api(requests):
    """Add up the API by hand."""
    return 20_000 + 36 * (3_000 + requests * 0.001836)


def test_a_hidden_default_and_an_ignored_input(rows):
    """200 W all the time are 144 a month, and 800 of hosting are 28,800 in three years."""
    assert shown(rows["power-lookup"].own) == [144]
    assert shown(rows["power-lookup"].library, 2) == [125.29]
    assert shown(rows["hosting"].library) == [28_800]


def test_a_million_tokens_of_the_api_cost_what_its_total_says(rows):
    """2.295 for the bill, 189.795 with the overhead, 224.52 with the integration as well."""
    assert shown(rows["cloud-per-mtok"].own, 3) == [2.295, 189.795]
    assert shown(rows["cloud-per-mtok"].library, 2) == [224.52]


def test_the_sums_of_the_bills_of_materials(rows):
    """Three lists and the person-days sum to what the document prints."""
    assert shown(rows["hardware-lists"].own) == [25_900, 132_000, 609_500]
    assert shown(rows["deployment"].own) == [22_500]


def test_the_electricity_of_a_year_at_30_percent(rows):
    """253.5 W are 2,221 kWh, 3,331 with a PUE of 1.5; the document prints 1,472 and 2,208."""
    options = document("power")["options"]

    assert round(options["computers"]["quantities"]["kWh"]) == 2_221
    assert round(options["facility"]["quantities"]["kWh"]) == 3_331
    assert round(options["facility"]["tco"]) == 3_331
    assert shown(rows["power"].own) == [2_221, 3_331, 3_331]
    assert round(rows["power"].library.values[0], 1) == 253.5


def test_electricity_as_a_share_of_the_hardware(rows):
    """12.9 %, where the document prints 3.4 % and 8.8 %."""
    assert shown(rows["power-share"].own, 3) == [0.129]


def test_the_labour_of_operations(rows):
    """12,600 to 22,000 a month and 34.7 hours, by the rows of the document's table."""
    low, high, hours = rows["ops"].own.values
    options = document("ops")["options"]

    assert round(low, 2) == round(options["low"]["monthly"], 2) == 12_600
    assert round(high, 2) == round(options["high"]["monthly"], 2) == 22_000
    assert round(hours, 1) == 34.7


def test_labour_is_many_times_depreciation(rows):
    """18 to 29 times for the workstation and 3.5 times and more for the A100, not 30 % to 60 %."""
    low, high, a100, _ = rows["labour-share"].own.values

    assert (round(low), round(high)) == (18, 29)
    assert round(a100, 1) == 3.5


def test_the_cache(rows):
    """1,925.0 a month, 275 % and 10.9 days; the document prints 2,012.5, 287 % and 10.5."""
    options = document("cache")["options"]
    saved, ratio, days = rows["cache"].own.values

    assert options["plain"]["monthly"] == 7_500
    assert round(options["cached"]["monthly"], 2) == 4_875 + 700
    assert round(saved, 1) == 1_925.0
    assert round(ratio, 2) == 2.75
    assert round(days, 1) == 10.9


def test_the_cache_loses_money_at_the_price_of_the_cheap_api(rows):
    """35 % of 91.80 a month are 32.13, and the cache costs 700."""
    assert round(rows["cache"].library.values[1], 2) == 32.13 - 700
    assert round(rows["cache"].library.values[2]) == 82


def test_the_router_gives_a_cost_where_the_document_stops():
    """0.4 × 0.001 + 0.4 × 0.005 + 0.15 × 0.02 + 0.05 × 0.5 = 0.0304 for a request."""
    assert round(document("router")["options"]["routed"]["cost_per_request"], 6) == 0.0304


def test_the_return_on_investment():
    """30,400 a month: payback 2.63 months, 1,268 %, 890,119 at 8 % nominal, 4,670 % effective."""
    case = investment("roi", "platform")

    assert case["flows"] == pytest.approx([-80_000, *[30_400] * 36])
    assert round(case["payback_months"], 2) == 2.63
    assert round(case["roi"] * 100) == 1_268
    assert round(case["npv"]) == 890_119
    assert round(case["irr"]["rate"] * 100) == 4_670


def test_the_rows_on_return(rows):
    """Gross 35,400 and net 30,400, 356 % after a year, 456 % nominal, 631 % at 60 %, 12.7 net a yuan."""
    assert shown(rows["roi-net"].own) == [35_400, 30_400]
    assert shown(rows["roi-payback"].own, 2) == [2.63]
    assert shown(rows["roi"].own, 2) == [3.56, 12.68]
    assert shown(rows["roi-npv"].own) == [890_119]
    assert shown(rows["roi-irr"].own, 2) == [4.56]
    assert shown(rows["roi-irr"].library, 2) == [46.70]
    assert shown(rows["roi-cautious"].own, 2) == [6.31]
    assert shown(rows["roi-per-yuan"].own, 1) == [12.7]


def test_the_cost_of_the_budget():
    """60,500 up front, 113,040 in the first year, 5 % more in each that follows: 416,859."""
    growing = document("budget")["options"]["growing"]

    assert growing["upfront"] == 60_500
    assert [round(year) for year in growing["years"]["cash"]] == [60_500, 113_040, 118_692, 124_627]
    assert round(growing["tco"]) == 416_859


@pytest.mark.parametrize(("option", "percent", "npv"), [("flat", 1_267, 672_833), ("growing", 1_239, 658_370)])
def test_the_return_of_the_budget(option, percent, npv):
    """Payback after 2.63 months, whether costs grow or not; the document prints 1,180 % and 512,000."""
    case = investment("budget", option)

    assert case["flows"][1] == pytest.approx(22_980)
    assert round(case["payback_months"], 2) == 2.63
    assert round(case["roi"] * 100) == percent
    assert round(case["npv"]) == npv


def test_the_rows_on_the_budget(rows):
    """The page shows the same, and 356 % after a year."""
    assert shown(rows["budget-total"].own) == [60_500, 416_859]
    assert shown(rows["budget-years"].own) == [113_040, 118_692, 124_627]
    assert shown(rows["budget-payback"].own, 2) == [2.63]
    assert shown(rows["budget-roi"].own, 2) == [3.56, 12.67, 12.39]
    assert shown(rows["budget-npv"].own) == [672_833, 658_370]


def test_benefits_of_the_budget_are_weighted_once():
    """32,400 a month, as printed: the confidence beside them is in the amounts already."""
    assert document("budget")["options"]["flat"]["natures"]["benefit"] == pytest.approx(-36 * 32_400)


@pytest.mark.parametrize(("name", "option"), [("roi", "platform"), ("budget", "growing")])
def test_a_replaced_api_bill_is_not_counted_twice(name, option):
    """Against an option that pays the bill itself, the benefit of not paying it is refused."""
    scenario = load_scenario(SEEDS / f"{name}.toml")
    stay = load_scenario(SEEDS / "gpt4.toml").options["api"]
    workload = Workload(requests_per_month=15_000, input_tokens=500, output_tokens=500)
    options = {"platform": scenario.options[option], "stay": stay}
    comparison = compare(options, workload, Timeline(scenario.start, 36), currency="CNY", fx={"USD": 7.2})

    with pytest.raises(DoubleCountError, match="API bill"):
        comparison.investment("platform", instead_of="stay")


def test_the_api_bill_of_500000_tokens_a_day(rows):
    """1,080, 2,160 or 3,240 a month by the mix; the document says more than 3,000."""
    assert shown(rows["gpt4"].own, 2) == [1_080, 2_160, 3_240]
    assert round(document("gpt4")["options"]["api"]["monthly"], 2) == 2_160


def test_the_consumer_machine(rows):
    """4,000 a year and 1,095 kWh leave 0.18 for a kWh of the printed 4,200; at 0.60 it is 4,657."""
    box = document("consumer-box")["options"]["box"]

    assert round(box["cost_per_year"], 2) == 4_657
    assert round(box["quantities"]["kWh"] / 3, 6) == 1_095
    assert shown(rows["consumer-box"].own, 2) == [4_000, 1_095, 0.18]


def test_the_team_of_30_developers(rows):
    """378,000 a year become 128,000, which is 66.1 % less."""
    options = document("developers")["options"]
    before, after, share = rows["developers"].own.values

    assert round(options["cloud"]["cost_per_year"], 2) == round(before, 2) == 378_000
    assert round(options["local"]["cost_per_year"], 2) == round(after, 2) == 128_000
    assert round(share, 3) == 0.661


def test_the_low_power_mode(rows):
    """52.9 % less, 1,314 kWh a year."""
    share, kwh = rows["idle-mode"].own.values

    assert round(share, 3) == -0.529
    assert round(kwh, 6) == 1_314


def test_the_minutes_of_waiting(rows):
    """45 minutes at 300 or 150 ms are 9,000 or 18,000 calls that block."""
    assert shown(rows["waiting"].own) == [9_000, 18_000]


def test_the_size_of_an_8b_model(rows):
    """32 GB with 32 bits, 16 GB with 16, 4 GB with 4."""
    assert shown(rows["model-size"].own) == [32, 16, 4]


@pytest.mark.parametrize(
    "key", ["hidden-share", "enterprise-saving", "enterprise-capacity", "rtx-4090-speed", "rtx-4070-ti-speed"]
)
def test_a_claim_without_inputs_stands_beside_a_figure(rows, key):
    """The page says that no inputs are stated, and what the library gives under stated assumptions."""
    assert str(rows[key].own) == "no inputs are stated"
    assert rows[key].library.values


def test_the_figures_beside_the_claims(rows):
    """Each follows from assumptions that its scenario file states."""
    seats, waiting = 20 * 12_000 * 3, 30 * 22 * 12 * 500
    box = 150_000 + 0.450 * 1.5 * 730 * 36
    labour = 22_500 + 36 * 8_800
    invoices = 30 * 12_000 + 12 * 2_160 + 65_000

    assert rows["enterprise-saving"].library.values == pytest.approx([1 - box / seats, 1 - (box + labour) / seats])
    assert rows["hidden-share"].library.values == pytest.approx(
        [hours * waiting / (invoices + hours * waiting) for hours in (45 / 60, 1 / 60)]
    )


def test_the_page_holds_every_row(audit, rows, tmp_path):
    """Building it again changes nothing, and no cell breaks its table."""
    page = tmp_path / "audit.md"
    audit.main(page)
    text = page.read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    audit.main(page)

    assert page.read_text("utf-8") == text
    assert len(rows) == len(audit.rows())
    assert len(lines) == len(rows) + 2 * len({row.section for row in rows.values()})
    assert all(line.count("|") == 6 for line in lines)
    assert all(f"| {row.item} |" in text for row in rows.values())


def test_every_example_is_read_by_the_audit(audit):
    """No scenario file beside it is left unused."""
    used = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "audit").glob("*.py"))

    assert all(f'"{name}"' in used for name in FILES)
    assert importlib.import_module("audit.reading").SEEDS == SEEDS


def test_a_benefit_and_an_outlay_give_what_the_document_calculates():
    """The same case without a file: 80,000, and 35,400 − 5,000 a month."""
    platform = OneOff("investment", amount="80_000 CNY") + Benefit("net", per_month="30_400 CNY")
    workload = Workload(requests_per_month=0, input_tokens=0, output_tokens=0)
    options = {"platform": platform, "nothing": OneOff("no change", amount="0 CNY")}
    rate = (1 + 0.08 / 12) ** 12 - 1
    timeline = Timeline(load_scenario(SEEDS / "roi.toml").start, 36)
    case = compare(options, workload, timeline, currency="CNY", discount_rate=rate).investment(
        "platform", instead_of="nothing"
    )

    assert round(case.npv) == 890_119
