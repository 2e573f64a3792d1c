"""The budget proposal: its figures are the ledgers', and its text says no more than them."""

from __future__ import annotations

import builtins
import re
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from llm_tco.cli import main
from llm_tco.errors import DoubleCountError, InfeasibleError, InvalidValueError
from llm_tco.report.figures import COSTS, figures, pair
from llm_tco.report.proposal import LOCALES, render
from llm_tco.scenario import load_scenario, read_scenario
from llm_tco.texts import LANGUAGES, Proposal

EXAMPLES = Path(__file__).parent.parent / "examples"
EXAMPLE = EXAMPLES / "proposal.toml"


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def of(scenario, option, instead_of=None, roi_above=None):
    """Read the figures of a scenario."""
    return figures(scenario.compare(), option, instead_of, roi_above=roi_above)


def written(text):
    """Read a scenario from a few lines that follow the terms."""
    terms = 'currency = "CNY"\nstart = 2026-12-01\nmonths = 18\nworkload = { requests_per_month = 1000, input_tokens = 500, output_tokens = 300 }\n'
    return read_scenario(tomllib.loads(terms + text), title="short.toml")


TWO = """
[options.new]
costs = [
  { kind = "one_off", name = "a|b *c*", amount = "1_000 CNY" },
  { kind = "monthly", name = "bill", amount = "10 CNY", category = "api" },
  { kind = "monthly", name = "debt", amount = "1 CNY", hidden = true },
  { kind = "benefit", name = "gain", per_month = "100 CNY", confidence = 0.5 },
]

[options.old]
costs = [{ kind = "monthly", name = "bill", amount = "40 CNY", category = "api" }]
"""


@pytest.fixture(scope="module")
def seed():
    """Read the figures of the seed's proposal once."""
    return of(load_scenario(EXAMPLE), "local", "nothing", 0.5)


def test_the_budget_of_the_seed(seed):
    """60,500 once, 9,420 a month growing by 5 % on anniversaries."""
    assert np.isclose(seed.costs["one_time"].upfront, 25_000 + 3_000 + 5_000 + 22_500 + 5_000)
    assert np.allclose(seed.costs["running"].years, [113_040, 118_692, 124_626.6])
    assert np.isclose(seed.costs["running"].monthly, 184 + 200 + 8_000 + 36 + 1_000)
    assert np.allclose(seed.costs["running"].growth[1:], 0.05)
    assert np.isclose(seed.cost.total, 416_858.6)
    assert np.isclose(seed.benefit.monthly, 32_400)


def test_the_return_of_the_seed(seed):
    """Payback and the first year are its own; three years follow its own growth of costs."""
    case = seed.case
    net = [32_400 - 9_420 * 1.05**year for year in range(3)]
    by_hand = -60_500 + sum(net[(month - 1) // 12] * (1 + 0.08 / 12) ** -month for month in range(1, 37))

    assert np.isclose(case.investment.payback_months, 60_500 / 22_980)
    assert round(case.investment.payback_months, 2) == 2.63
    assert [round(year.roi * 100) for year in case.years] == [356, 802, 1_239]
    assert [year.month for year in case.years] == [12, 24, 36]
    assert np.isclose(case.years[-1].roi, case.investment.roi)
    assert np.isclose(case.investment.npv, by_hand)
    assert round(case.investment.npv) == 658_370
    assert case.investment.irr.status == "unique"


def test_the_return_of_the_seed_with_flat_costs():
    """Without the growth it is 1,267 % over three years, and not the 1,180 % that it prints."""
    document = tomllib.loads(EXAMPLE.read_text("utf-8"))
    for cost in document["options"]["local"]["costs"]:
        cost.pop("growth_per_year", None)

    flat = of(read_scenario(document, title="flat.toml"), "local", "nothing")

    assert round(flat.case.investment.roi * 100) == 1_267
    assert round(flat.case.investment.npv) == 672_833


def test_the_recommendation_names_its_condition(seed):
    """At the share of the benefits that it names, the return is just the threshold."""
    said = seed.case.recommendation
    total = said.benefits_needed * 1_166_400 - 416_858.6

    assert said.state == "recommended"
    assert np.isclose(total / 60_500, 0.5)


@pytest.mark.parametrize(("above", "state"), [(None, "unstated"), (12.0, "recommended"), (12.5, "not_recommended")])
def test_the_threshold_is_an_input(above, state):
    """It decides, and without it nothing is recommended."""
    assert of(load_scenario(EXAMPLE), "local", "nothing", above).case.recommendation.state == state


def test_where_nothing_is_laid_out_there_is_no_return_to_judge():
    """The report then says so instead of dividing by nothing."""
    case = of(written(TWO), "old", "new", 0.5).case

    assert case.recommendation.state == "undefined"
    assert [year.roi for year in case.years] == [None, None]


def test_the_lines_add_up_to_the_totals():
    """Every line is in one table, and the tables sum to the total cost of ownership and the net."""
    scenario = written(TWO)
    found, option = of(scenario, "new", "old"), scenario.compare()["new"]

    assert set(found.lines) == {"one_time", "running", "hidden"} == set(COSTS) - {"financing"}
    for nature, lines in found.lines.items():
        assert np.isclose(sum(line.amount.total for line in lines), found.costs[nature].total)
    assert np.isclose(sum(series.total for series in found.costs.values()), option.tco)
    assert np.isclose(found.cost.total - found.benefit.total, option.net)
    assert np.isclose(sum(line.amount.total for line in found.benefits), 18 * 100 * 0.5)
    assert found.cost.months == (12, 6)
    assert found.costs["running"].growth == (None, None)


PAID = """
[options.new]
costs = [
  { kind = "purchase", quantity = 1, price = "36_000 CNY", life_years = 3, salvage = "6_000 CNY", residual = "salvage" },
  { kind = "monthly", name = "rent", amount = "100 CNY", growth_per_year = 0.1 },
  { kind = "benefit", name = "gain", per_month = "2_000 CNY" },
]
[options.old]
costs = [{ kind = "monthly", name = "bill", amount = "40 CNY" }]
[finance.tax]
rate = 0.25
"""
LOAN = "[finance.loan]\napr = 0.06\nmonths = 24\n"
LEASE = "[finance.lease]\napr = 0.06\nmonths = 24\nbuyout_share = 0.1\n"


@pytest.mark.parametrize("means", [LOAN, LEASE, ""])
def test_what_things_cost_stands_apart_from_what_pays_for_them(means):
    """Loans, leases and tax are a part of their own; investments and running costs are those before it."""
    found, plain = of(written(PAID + means), "new", "old"), of(written(PAID), "new", "old")
    option = written(PAID + means).compare()["new"]
    categories = option.categories()

    assert [line.path for line in found.lines["running"]] == [("rent",)]
    assert found.costs["running"] == plain.costs["running"]
    if means != LEASE:
        assert found.lines["one_time"] == plain.lines["one_time"]
        assert found.costs["one_time"].upfront == 36_000
    assert {line.category for line in found.lines["financing"]} <= {"loan", "interest", "lease", "tax"}
    expected = sum(categories.get(name, 0.0) for name in ("loan", "interest", "lease", "tax"))
    assert np.isclose(found.costs["financing"].total, expected)
    assert np.isclose(sum(series.total for series in found.costs.values()), option.tco)
    parts = [(series.upfront, *series.years) for series in found.costs.values()]
    np.testing.assert_allclose(np.sum(parts, axis=0), (found.cost.upfront, *found.cost.years), atol=1e-9)


def test_the_tables_are_in_the_prices_of_the_totals():
    """On the real basis, lines and parts sum to the totals as well, which are in prices of the day of purchase."""
    real = '\n[finance]\nprice_basis = "real"\ninflation_rate = 0.2\n'
    found = of(written(TWO + real), "new", "old")
    case = found.case

    assert np.isclose(sum(series.total for series in found.costs.values()), found.cost.total)
    for name, lines in found.lines.items():
        assert np.isclose(sum(line.amount.total for line in lines), found.costs[name].total)
    assert np.isclose(sum(line.amount.total for line in found.benefits), found.benefit.total)
    assert np.isclose(case.api[0].total, case.saved.total)


@pytest.mark.parametrize("means", [LOAN, LEASE])
def test_what_the_library_names_is_named_in_chinese(means):
    """Items and categories of loans, leases, sales and tax are translated; the words of the scenario stay."""
    text = render(of(written(PAID + means), "new", "old"), title="t", lang="zh")
    rows = [line for line in text.splitlines() if line.startswith("| ")]

    assert "### 融资与税" in text
    words = "loan|interest|repayment|outstanding|lease|buyout|tax|saved|benefits|purchase|residual|salvage"
    assert [line for line in rows if re.search(rf"\b({words})\b", line)] == []
    assert any(line.startswith("| rent | 其他 |") for line in rows)
    assert ("| 购置 / 未偿余额 | 贷款 |" in text) == (means == LOAN)


def test_the_flows_are_what_the_tables_say():
    """Saved costs and own benefits less own costs and forgone benefits are the cumulative flow."""
    found = of(written(TWO), "new", "old")
    case = found.case
    net = case.saved.total - case.forgone.total - found.cost.total + found.benefit.total

    assert np.isclose(case.years[-1].cumulative, net)
    assert np.isclose(sum(case.investment.flows), net)


def test_what_remains_of_the_api_bill_is_said_where_both_have_one(seed):
    """A quarter of 40 a month remains; the seed's baseline has no bill."""
    old, new = of(written(TWO), "new", "old").case.api

    assert (old.total, new.total) == (18 * 40, 18 * 10)
    assert seed.case.api is None


def test_a_pair_is_found_or_asked_for():
    """Two options need no names, three do, one stands alone."""
    two, three = written(TWO).compare(), load_scenario(EXAMPLES / "three-ways.toml").compare()

    assert pair(two) == pair(two, "new") == pair(two, None, "old") == ("new", "old")
    assert pair(two, "old") == pair(two, None, "new") == ("old", "new")
    assert pair(three, "local", "cloud") == ("local", "cloud")
    with pytest.raises(InvalidValueError, match=r"instead_of: must be named .* local, cloud, mixed"):
        pair(three, "local")
    with pytest.raises(InvalidValueError, match="must be another option"):
        pair(two, "new", "new")


def test_a_single_option_has_costs_and_no_return():
    """There is nothing that it could be held against."""
    scenario = written('[options.only]\ncosts = [{ kind = "monthly", name = "bill", amount = "10 CNY" }]')
    found = of(scenario, *pair(scenario.compare()))

    assert found.case is None
    assert "Return on the investment" not in render(found, title="one")


def test_a_benefit_that_counts_twice_is_refused():
    """An API bill is either a cost of the baseline or a benefit."""
    scenario = written(TWO.replace("confidence = 0.5", 'replaces = "api"'))

    with pytest.raises(DoubleCountError, match="api"):
        of(scenario, "new", "old")


def test_draws_are_refused():
    """A proposal states one figure each."""
    from datetime import date

    from llm_tco import Money, Timeline, Workload, compare
    from llm_tco.components.amounts import Monthly

    workload = Workload(requests_per_month=10.0, input_tokens=1.0, output_tokens=1.0)
    options = {"a": Monthly("a", amount=Money(np.array([1.0, 2.0]), "CNY"))}

    with pytest.raises(InfeasibleError, match="draws"):
        figures(compare(options, workload, Timeline(date(2026, 12, 1), 12), currency="CNY"), "a")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("file", ["proposal.toml", "three-ways.toml"])
def test_both_languages_are_complete(lang, file):
    """Nothing is left to be filled in, and each language keeps to itself."""
    names = ("--option", "local", "--instead-of", "nothing" if file == "proposal.toml" else "cloud")
    result = run("report", EXAMPLES / file, "--lang", lang, *names)

    assert result.exit_code == 0
    assert not re.search(r"\{\{|\{%|\}\}|%\}|None|Undefined|nan\b|\binf\b", result.output)
    if lang == "zh":
        headings = [line for line in result.output.splitlines() if line.startswith(("#", "| ---"))]
        assert not re.search(r"Budget|Benefits|Return|Recommend|Risks|Schedule|Approval", "\n".join(headings))
    elif file == "three-ways.toml":
        without_titles = result.output.replace("成本分析与优化", "")
        assert not re.search(r"[\u4e00-\u9fff]", without_titles)


def test_both_languages_have_the_same_parts():
    """What one template shows, the other shows: blocks and fields."""
    folder = resources.files("llm_tco.report") / "templates"
    english, chinese = ((folder / f"proposal.{lang}.md.j2").read_text("utf-8") for lang in ("en", "zh"))
    fields, blocks = r"\b(?:figures|case|texts|said|one|record)\.[\w.]+", r"block (\w+)"

    assert set(re.findall(fields, english)) == set(re.findall(fields, chinese))
    assert re.findall(blocks, english) == re.findall(blocks, chinese)


def test_the_seed_in_chinese():
    """The report shows the figures by the rules of its locale, with the texts of the file."""
    text = run("report", EXAMPLE).output

    for part in (
        "# 自有推理平台的预算申请",
        "## 一、项目背景与目标",
        "2026年12月1日",
        "| **合计** | | **¥60,500** |",
        "| 运营成本 | ¥0 | ¥113,040 | ¥118,692 | ¥124,627 | ¥356,359 |",
        "| **合计** | ¥60,500 | ¥113,040 | ¥118,692 | ¥124,627 | ¥416,859 |",
        "| 投资回收期 | 2.63 个月 |",
        "¥658,370",
        "1,238.9%",
        "**条件成立,建议批准。**",
        "| 显卡或电源损坏 | 中 | 高 | 延长保修,并留一台备机 |",
        "成本分析与优化, section 10.5.5",
    ):
        assert part in text


def test_a_report_is_written_to_a_file(tmp_path):
    """It is UTF-8 with plain line ends, the same as what is printed."""
    result = run("report", EXAMPLE, "-o", tmp_path / "proposal.md")

    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "proposal.md").read_bytes().decode() == run("report", EXAMPLE).output


def test_every_price_has_its_source():
    """The appendix names record, price, page, day, plugin and authority."""
    text = run("report", EXAMPLES / "three-ways.toml", "--option", "mixed", "--instead-of", "cloud").output
    line = next(line for line in text.splitlines() if "openai/gpt-4o-mini" in line)

    assert "input, per M tokens: $0.15" in line
    assert "output, per M tokens: $0.60" in line
    assert "<https://" in line
    assert "llm-tco-genai-prices" in line
    assert "aggregator" in line


def test_prices_below_a_cent_keep_their_digits():
    """A price of a token is never rounded to two places, and an approximate one is marked."""
    scenario = written("""
[prices.small]
provider = "acme"
model = "tiny"
currency = "USD"
input = { base = "0.0125", tiers = [{ above_tokens = 128_000, price = "0.02501" }] }
output = "0.05"
approximate = true
source = { title = "page", checked = 2026-11-20 }

[fx]
USD = 7.2

[options.api]
costs = [{ kind = "api", price = "small" }]
""")
    text = render(of(scenario, "api"), title="t")

    assert "input, per M tokens: $0.0125; input, per M tokens above 128,000 tokens: $0.02501;" in text
    assert "**approximate**" in text
    assert "November 20, 2026" in text


def test_a_scenario_without_texts_gives_the_figures():
    """Headings without a text are left out, nothing is invented, nothing is recommended."""
    text = render(of(written(TWO), "new", "old"), title="Plain")
    headings = re.findall(r"^## (.*)$", text, re.M)

    assert headings == [
        "1. Budget",
        "2. Benefits",
        "3. Return on the investment",
        "4. Recommendation",
        "Appendix: where the figures come from",
    ]
    assert "No threshold is stated, so that no recommendation is made." in text
    assert "Year 2 (6 months)" in text
    assert "CN¥720 over 18 months, CN¥180 remain (25%)" in text


def test_an_option_that_cannot_be_priced_is_not_recommended():
    """Whatever its return is, the report says first that the comparison is not like for like."""
    scenario = written("""
[prices.half]
provider = "acme"
model = "half"
currency = "CNY"
input = "1"
source = { title = "page", checked = 2026-11-20 }

[options.api]
costs = [{ kind = "api", price = "half" }, { kind = "one_off", name = "setup", amount = "10 CNY" }]

[options.old]
costs = [{ kind = "monthly", name = "bill", amount = "40 CNY" }]
""")
    text = render(of(scenario, "api", "old", 0.1), title="t")

    assert "**Not like for like:** api cannot serve the whole load" in text
    assert "No recommendation: api does not carry the whole load" in text
    assert "acme/half/standard states no price for output tokens" in text


def test_names_are_no_markup():
    """A pipe or a star in the name of a cost breaks no table."""
    text = render(of(written(TWO), "new", "old"), title="a *b*\n# c", texts=Proposal(goals=("*one* |\n two",)))

    assert r"| a\|b \*c\* | other | CN¥1,000 |" in text
    assert text.startswith("# a \\*b\\* \\# c\n")
    assert "\n- *one* | two\n" in text


def test_a_template_can_be_replaced(tmp_path):
    """One's own template sees the same figures and filters."""
    template = tmp_path / "own.md.j2"
    template.write_text("{{ title }}: {{ case.investment.npv | money }}, {{ figures.start | month }}\n", "utf-8")

    result = run("report", EXAMPLE, "--template", template, "--lang", "en")

    assert result.output == "自有推理平台的预算申请: CN¥658,370, Dec 2026\n"


def test_a_template_can_replace_one_block(tmp_path):
    """It extends the library's, whose other parts stay and are numbered anew."""
    template = tmp_path / "own.md.j2"
    template.write_text(
        '{% extends "proposal.en.md.j2" %}\n{% block background %}{% endblock %}\n'
        '{% block plan %}{{ heading("My plan") }}\n{% endblock %}',
        "utf-8",
    )

    text = run("report", EXAMPLE, "--template", template, "--lang", "en").output

    assert "## 1. My plan" in text
    assert "## 2. Budget" in text
    assert "Background" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n{{ figures.nonsense }}", "own.md.j2, line 2: "),
        ("{% if %}", "line 1"),
        ("{{ title | nonsense }}", "nonsense"),
        ("{{ ().__class__.__base__ }}", "unsafe"),
        ("{{ 1 / 0 }}", "division by zero"),
        ('{% include "elsewhere" %}', "elsewhere"),
        ('{% extends "own.md.j2" %}', "leads back to itself"),
        ("{{ 'x' | day }}", "own.md.j2, line 1: "),
        (None, "own.md.j2"),
    ],
)
def test_a_wrong_template_is_a_report(tmp_path, text, message):
    """It names the template and what is wrong with it, without a traceback."""
    template = tmp_path / "own.md.j2"
    if text is not None:
        template.write_text(text, "utf-8")

    result = run("report", EXAMPLE, "--template", template)

    assert result.exit_code == 2
    assert result.output.startswith("template: ")
    assert message in result.output


def test_a_wrong_key_is_one_report_with_its_path(tmp_path):
    """Problems of the texts stand beside all others."""
    file = tmp_path / "wrong.toml"
    text = EXAMPLE.read_text("utf-8").replace("goals = [", "gaols = [").replace('lang = "zh"', 'lang = "fr"')
    file.write_text(text.replace('{ phase = "一", when = ', '{ phase = "一", wen = '), "utf-8")

    result = run("report", file)

    assert result.exit_code == 2
    assert "4 problems" in result.output
    assert "proposal.gaols: is not a field of Proposal; did you mean 'goals'?" in result.output
    assert "proposal.lang: must be one of 'en', 'zh', got 'fr'" in result.output
    assert "proposal.schedule[0].wen: is not a field of ScheduleRow" in result.output
    assert "proposal.schedule[0].when: is missing" in result.output


@pytest.mark.parametrize("flag", ["--option", "--instead-of"])
def test_an_unknown_option_is_a_report(flag):
    """It names the options that there are."""
    result = run("report", EXAMPLE, flag, "lokal")

    assert result.exit_code == 2
    assert "must be one of local, nothing, got 'lokal'; did you mean 'local'?" in result.output


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    """Figures need neither Jinja2 nor Babel; the text needs both."""
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.partition(".")[0] == "jinja2":
            raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    result = run("report", EXAMPLE)

    assert result.exit_code == 1
    assert (
        "jinja2: the extra 'report' of llm-tco is missing. In a clone of its repository: python -m pip install '.[report]'"
        in result.output
    )


def test_a_report_goes_only_where_it_can_be_written(tmp_path):
    """A folder that is missing is a wrong command line."""
    result = run("report", EXAMPLE, "-o", tmp_path / "none" / "proposal.md")

    assert result.exit_code == 2
    assert "cannot be written" in result.output


def test_an_unknown_language_is_refused(seed):
    """The languages of texts are those that there is a locale for."""
    assert tuple(LOCALES) == LANGUAGES
    with pytest.raises(InvalidValueError, match="lang: must be one of 'en', 'zh', got 'fr'"):
        render(seed, title="t", lang="fr")


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["1 EUR = 7.8 CNY", "0.05 CNY from December 1, 2026 on", "80% of the price at 6% a year (nominal",
                "after tax at 25%", "in prices of the day of purchase (real), with inflation of 2%"]),
        ("zh", ["1 EUR = 7.8 CNY", "0.05 CNY(2026年12月1日起)", "贷款占价款 80%,利率 6%(名义年利率", "税率 25%", "年通胀率 2%"]),
    ],
)  # fmt: skip
def test_the_terms_stand_at_the_head(lang, said):
    """Whoever approves a proposal sees the exchange rates, the loan, the tax and the basis of its prices."""
    terms = """
[fx]
EUR = 7.8
JPY = { 2026-12-01 = 0.05 }
[finance]
price_basis = "real"
inflation_rate = 0.02
[finance.loan]
apr = 0.06
months = 24
share = 0.8
[finance.tax]
rate = 0.25
"""
    text = render(of(written(TWO + terms), "new", "old"), title="t", lang=lang)
    head = text.partition("\n## ")[0]

    assert [one for one in said if one not in head] == []


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "12 payments at 8% a year (effective)"), ("zh", "共 12 期,利率 8%(有效年利率)")]
)
def test_a_lease_stands_at_the_head(lang, said):
    """Payments and rate of a lease are terms of the figures as well; without terms nothing is said of any."""
    lease = "\n[finance.lease]\nrate_per_year = 0.08\nmonths = 12\n"

    assert said in render(of(written(TWO + lease), "new", "old"), title="t", lang=lang)
    assert said not in render(of(written(TWO), "new", "old"), title="t", lang=lang)
