"""The examples, held to plain arithmetic with literals: this module imports nothing of llm_tco."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def three_ways():
    """Run the first example once."""
    return run("three-ways.toml")


@pytest.fixture(scope="module")
def request_log():
    """Run the second example once."""
    return run("request-log.toml")


def run(name):
    """Run an example as a user does."""
    program = [sys.executable, "-c", "from llm_tco.cli import main; main()"]
    result = subprocess.run([*program, "compare", EXAMPLES / name, "--json"], capture_output=True, check=True)
    return json.loads(result.stdout)


def discount(month):
    """Discount a month at 8 % effective a year."""
    return 1.08 ** (-month / 12)


def test_the_local_option_of_three_ways(three_ways):
    """One workstation, its power and twenty hours a month.

    6,000,000 tokens a month at 120 a second are 13.889 busy hours. The box draws 105 W for
    730 hours and 495 W more while it is busy; a PUE of 1.5 makes 125.2875 kWh of that.
    """
    option = three_ways["options"]["local"]
    kwh = (105 * 730 + 495 * 20_000 * 300 / 120 / 3600) / 1000 * 1.5
    monthly = kwh * 1.0 + 20 * 400

    assert np.isclose(kwh, 125.2875)
    assert option["upfront"] == 4_200 + 13_000 + 3_500 + 1_800 + 900 + 2_500 == 25_900
    assert np.isclose(option["monthly"], monthly)
    assert np.isclose(option["tco"], 25_900 + 36 * monthly)
    assert np.isclose(option["npv_cost"], 25_900 + monthly * sum(discount(month) for month in range(1, 37)))
    assert np.isclose(option["quantities"]["kWh"], 36 * kwh)
    assert option["feasible"]


def test_the_cloud_option_of_three_ways(three_ways):
    """20,000 × (500 × 0.15 + 300 × 0.60) / 1e6 dollars are 36.72 yuan a month: no overhead is counted."""
    option = three_ways["options"]["cloud"]
    monthly = 20_000 * (500 * 0.15 + 300 * 0.60) / 1e6 * 7.2

    assert np.isclose(monthly, 36.72)
    assert np.isclose(option["tco"], 1_321.92)
    assert np.isclose(option["npv_cost"], monthly * sum(discount(month) for month in range(1, 37)))
    assert np.isclose(option["cost_per_request"], monthly / 20_000)
    assert np.isclose(option["cost_per_mtok"], monthly / 16)


def test_the_mixed_option_of_three_ways(three_ways):
    """65 % of the requests are left, four fifths of them local: the fixed costs stay, the cache comes on top."""
    option = three_ways["options"]["mixed"]
    kwh = (105 * 730 + 495 * 20_000 * 0.65 * 0.8 * 300 / 120 / 3600) / 1000 * 1.5
    monthly = kwh + 8_000 + 700 + 36.72 * 0.65 * 0.2

    assert np.isclose(option["monthly"], monthly)
    assert np.isclose(option["tco"], 25_900 + 36 * monthly)
    assert np.isclose(option["categories"]["cache"], 25_200)
    assert np.isclose(option["categories"]["api"], 36 * 36.72 * 0.13)


def test_three_ways_has_a_winner_and_no_break_even_with_the_cloud(three_ways):
    """8,125 yuan a month against 36.72: the API is cheaper in every month and at every volume searched."""
    pairs = {(pair["a"], pair["b"]): pair for pair in three_ways["pairs"]}

    assert three_ways["best"] == "cloud"
    assert three_ways["ranking"] == ["cloud", "local", "mixed"]
    assert pairs["local", "cloud"]["break_even_month"]["state"] == "never"
    assert pairs["local", "cloud"]["break_even_month"]["month"] is None
    assert pairs["local", "cloud"]["break_even_requests_per_month"]["state"] == "never"
    assert pairs["local", "cloud"]["investment"]["irr"]["state"] == "none"


def test_a_second_workstation_makes_the_mix_cheaper_than_local_for_a_while(three_ways):
    """A box carries 730 h × 3,600 s × 120 tokens / 300 / 4.2 = 250,285.7 requests a month.

    From 250,286 on local needs a second one. The mix sends 52 % there and needs it from 481,319 on.
    """
    capacity = 730 * 3600 * 120 / 300 / 4.2
    pairs = {(pair["a"], pair["b"]): pair for pair in three_ways["pairs"]}
    found = pairs["local", "mixed"]["break_even_requests_per_month"]

    assert found["state"] == "several"
    assert found["requests_per_month"] == int(capacity) + 1 == 250_286
    assert [one["from"] for one in found["intervals"][:3]] == [1, 250_286, int(capacity / 0.52) + 1]
    assert found["intervals"][2]["from"] == 481_319


def test_every_price_of_three_ways_has_a_source(three_ways):
    """The server, the throughput and the price say where they stand and when that was checked."""
    kinds = [source["kind"] for source in three_ways["sources"]]

    assert sorted(kinds) == ["price", "server", "throughput"]
    for source in three_ways["sources"]:
        assert source["source"]["title"]
        assert source["source"]["checked"] >= "2026-01-01"
        assert source["origin"].startswith("llm-tco-")


ROWS = [
    (49.2, 24.8, 552), (136.0, 29.3, 552), (252.6, 29.7, 552), (458.8, 29.8, 551), (699.8, 27.5, 551),
    (920.0, 29.2, 551), (1097.6, 20.7, 551), (1334.8, 26.1, 551), (1603.2, 29.7, 551), (1887.9, 31.5, 551),
    (2207.2, 24.0, 551), (2546.2, 26.6, 551), (3006.1, 30.5, 551), (3831.3, 32.9, 551), (5432.8, 27.6, 551),
    (7312.4, 26.2, 551),
]  # fmt: skip


def test_the_request_log_example(request_log):
    """Two busy servers and a spare, 4-year life, energy and pay that rises on anniversaries."""
    prompt = sum(row[0] * row[2] for row in ROWS) / 8_819
    answer = sum(row[1] * row[2] for row in ROWS) / 8_819
    requests = 6_744_486
    busy_hours = requests * (prompt + answer) / 12_954 / 3_600
    servers = -(-(busy_hours / 730 * 4.18 / 0.8) // 1) + 1
    kwh = (servers * 135 * 730 + (2_740 - 135) * busy_hours) / 1_000 * 1.4
    hardware = servers * 609_500 * 0.1389
    pay = sum(60 * 80 * 1.03**year * 12 for year in range(3))
    own = request_log["options"]["own"]

    assert servers == 4
    assert np.isclose(own["upfront"], hardware)
    assert np.isclose(own["quantities"]["kWh"], 36 * kwh)
    assert np.isclose(own["categories"]["residual"], -hardware / 4)
    assert np.isclose(own["tco"], hardware * 3 / 4 + 36 * kwh * 0.0882 + pay)
    assert np.isclose(
        request_log["options"]["mini"]["monthly"], requests * (prompt * 0.15 + answer * 0.60) / 1e6, rtol=1e-12
    )
    assert np.isclose(request_log["options"]["llama"]["monthly"], requests * (prompt + answer) * 0.88 / 1e6)


def test_the_request_log_example_states_the_trace(request_log):
    """The mean lengths are those of the 8,819 requests: 2,048 in, 27.9 out."""
    assert round(sum(row[0] * row[2] for row in ROWS) / 8_819) == 2_048
    assert round(sum(row[1] * row[2] for row in ROWS) / 8_819, 1) == 27.9
    assert request_log["best"] == "mini"


def test_cash_loan_and_lease_by_hand():
    """Two servers of 38,000 USD after 25 % tax: what buying, borrowing and leasing cost, month by month."""
    options = run("buy-or-lease.toml")["options"]
    price, sold, discounted = 76_000 * 7.2, 6_000 * 7.0, np.array([1.07 ** (-month / 12) for month in range(61)])
    yearly, book = [], 1.0
    for year in range(5):
        yearly.append(max(book * 2 / 5, book / (5 - year)))
        book -= yearly[-1]
    shield = np.r_[0.0, np.repeat(yearly, 12) / 12 * 0.25 * price]
    dollar = np.where(np.arange(61) >= 24, 7.0, 7.2)
    buying = np.zeros(61)
    buying[0], buying[60] = price, -sold * 0.75

    owed, borrowed, interest, repaid = 0.8 * 76_000, 0.8 * 76_000, np.zeros(61), np.zeros(61)
    payment = owed * 0.005 / (1 - 1.005**-48)
    for month in range(1, 49):
        interest[month] = owed * 0.005
        repaid[month] = payment - interest[month]
        owed -= repaid[month]
    loan = buying + (interest * 0.75 + repaid) * dollar
    loan[0] -= borrowed * 7.2
    rent = 76_000 * (0.08 / 12) / (1 - (1 + 0.08 / 12) ** -60) / (1 + 0.08 / 12)
    lease = np.where(np.arange(61) < 60, rent, 0.0) * dollar * 0.75

    for name, flows in (("cash", buying - shield), ("loan", loan - shield), ("lease", lease)):
        assert np.isclose(options[name]["npv_cost"], flows @ discounted, rtol=1e-9)
        assert np.allclose(options[name]["cash"], flows, atol=1e-6)


def test_the_rules_of_the_router_example():
    """Shares by task and tokens, by hand: 0.03475 a request by the table of the documents, 0.03325 by their code."""
    options = run("router-rules.toml")["options"]
    requests = 50_000 * 12
    stated = 0.25 * 0.001 + 0.30 * 0.005 + 0.40 * 0.02 + 0.05 * 0.5
    coded = 0.25 * 0.001 + 0.40 * 0.005 + 0.30 * 0.02 + 0.05 * 0.5

    assert np.isclose(options["stated"]["cost_per_request"], stated)
    assert np.isclose(options["coded"]["cost_per_request"], coded)
    right = 0.25 * 0.90 + 0.30 * 0.80 + 0.40 * 0.88 + 0.05 * 0.95
    assert np.isclose(options["stated"]["quantities"]["right answers"], requests * right)
    assert options["stated"]["quantities"]["under-served requests"] == 0
    assert np.isclose(options["coded"]["quantities"]["under-served requests"], requests * 0.10)
    assert np.isclose(options["always-cloud"]["tco"], requests * 0.5)


def test_the_caches_that_lose():
    """A cache of 700 a month saves 76.61; a prefix read by 10 % costs 14.58 more, by 60 % 47.52 less."""
    options = run("cache-that-loses.toml")["options"]
    plain = 50_000 * (2_000 * 0.20 + 300 * 0.80) / 1e6 * 7.2

    def prompt(hit_rate):
        prefix = 1_500 * (hit_rate * 0.02 + (1 - hit_rate) * 0.25)
        return 50_000 * (500 * 0.20 + prefix + 300 * 0.80) / 1e6 * 7.2

    assert np.isclose(options["plain"]["monthly"], plain)
    assert np.isclose(options["semantic"]["monthly"], plain * (1 - 0.35 * 0.95) + 700)
    assert np.isclose(options["prompt-rarely"]["monthly"] - plain, 14.58)
    assert np.isclose(options["prompt-often"]["monthly"] - plain, -47.52)
    assert np.isclose(options["prompt-rarely"]["monthly"], prompt(0.10))
    assert np.isclose(options["prompt-often"]["monthly"], prompt(0.60))
