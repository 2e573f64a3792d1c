"""What `llm-tco size` and `llm-tco choose` say, and that it is what the fleets do."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from llm_tco import Fleet, Power, Route, Router, SemanticCache, Timeline, Workload, compare, load_catalog, load_scenario
from llm_tco.analysis.sizing import fleet_sizes, next_steps, replica_state
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.needs import MemoryClaim, ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.records import Source
from llm_tco.choices import load_choice, read_choice
from llm_tco.cli import main
from llm_tco.components.amounts import Monthly
from llm_tco.errors import InvalidValueError, ProblemsError
from llm_tco.lock import content_hash, stale
from llm_tco.report.sizing import render_choices, render_sizes
from llm_tco.serving.estimate import latency
from llm_tco.serving.memory import weights_bytes
from llm_tco.testing import strategies as own

ROOT = Path(__file__).parents[1]
SIZE, CHOOSE = ROOT / "examples" / "size.toml", ROOT / "examples" / "choose" / "team.toml"
CATALOG = load_catalog()
SOURCE = Source(title="made for a test", checked=date(2026, 11, 1))
MONTHS = Timeline(date(2026, 12, 1), 12)
LLAMA = Throughput(
    gpu="h100-80gb-sxm", gpus=2, model="llama-3.3-70b", quantisation="fp8", engine="vllm", output_tokens_per_s=4_000,
    source=SOURCE,
)  # fmt: skip


def run(*arguments):
    """Run a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def document(*arguments):
    """Run a command that prints JSON."""
    return json.loads(run(*arguments, "--json").output)


def fleet(**changes):
    """Make servers of two H100."""
    return Fleet(**{"server": CATALOG.server("dual-h100-server"), "throughput": LLAMA} | changes)


def sizes(*fleets, workload=None, timeline=MONTHS):
    """Size fleets, each as an option of its own."""
    load = workload or Workload(requests_per_month=1e6, input_tokens=1_000, output_tokens=500)
    options = {f"option {place}": Power(one, price_per_kwh="0.1 USD", pue=1.5) for place, one in enumerate(fleets)}
    return fleet_sizes(compare(options, load, timeline, currency="USD"), CATALOG)


def test_the_example_is_sized():
    """Demand doubles each year: one fleet grows with it, the fixed one leaves half of it unserved, and the status is 3."""
    result = run("size", SIZE)
    growing, fixed = document("size", SIZE)["fleets"]

    assert result.exit_code == 3
    assert "what the fleets need" in result.output
    assert growing["servers"]["first"] == 8
    assert growing["servers"]["last"] == growing["servers"]["peak"] == 53
    assert growing["carries"]
    assert growing["unserved_share"] == 0
    assert not fixed["carries"]
    assert fixed["unserved_share"] == pytest.approx(0.4978, abs=1e-4)
    assert fixed["next_steps"] == [{"requests_per_month": 35_362_369, "servers": None}]
    assert [step["servers"] for step in growing["next_steps"]] == [54, 55, 56]


def test_figures_by_month_are_those_of_the_fleet():
    """What is printed is what the costs were computed from."""
    growing = document("size", SIZE)["fleets"][0]
    scenario = load_scenario(SIZE)
    one = scenario.options["growing"].parts[0].fleet
    plan = one.size(scenario.workload.on(Timeline(scenario.start, scenario.months)))

    assert growing["servers"]["by_month"] == plan.active[1:].tolist()
    assert growing["replicas"] == plan.replicas[1:].tolist()
    assert growing["utilisation"]["by_month"] == pytest.approx(plan.utilisation[1:].tolist())
    assert growing["peak_utilisation"] == pytest.approx(plan.peak_utilisation[1:].max())


@settings(deadline=None)
@given(own.fleets(), own.workloads())
def test_power_is_that_of_the_bill_without_the_facility(one, workload):
    """Energy at the servers times the overhead is the energy that is paid for."""
    (size,) = sizes(one, workload=workload)
    bill = Power(one, price_per_kwh="0.1 USD", pue=1.5).cost(workload.on(MONTHS))
    kwh = next(line for line in bill.lines if line.unit == "kWh").amounts

    assert np.allclose(size.kwh * 1.5, np.broadcast_to(kwh, MONTHS.size)[1:])
    assert size.peak_kw >= size.kwh.max() / 744 * (1 - 1e-9)


@settings(deadline=None)
@given(own.fleets(), own.workloads())
def test_a_step_is_the_first_request_that_needs_more(one, workload):
    """With one request less a month the fleet is as it was; at the step it has a server more, or is full."""
    demand = workload.on(MONTHS)
    steps = next_steps(one, demand)
    now = float(np.max(demand.requests))
    assume(steps and steps[-1].requests_per_month < 1e12)

    def at(requests):
        return one.size(demand.scaled(requests / now))

    volumes = [step.requests_per_month for step in steps]
    assert volumes == sorted(volumes)
    for step in steps:
        before, there = at(step.requests_per_month - 1.0), at(float(step.requests_per_month))
        if step.servers is None:
            assert there.unserved.any()
            assert not before.unserved.any()
        else:
            assert there.active.max() >= step.servers - 1e-9
            assert before.active.max() < step.servers or one.fractional


@settings(deadline=None)
@given(own.fleets(), st.floats(0.0, 0.9), st.floats(0.1, 1.0), st.integers(1, 1_000_000))
def test_steps_behind_caches_and_routers_are_those_of_the_users(one, hits, share, requests):
    """A fleet that gets half of the requests needs its next server at twice the volume."""
    load = Workload(requests_per_month=requests, input_tokens=1_000, output_tokens=500, growth_per_year=0.3)
    power = Power(one, price_per_kwh="0.1 USD", pue=1.5)
    behind = SemanticCache(
        Router({"own": Route(power, share=share), "rest": Route(Monthly("api", amount="1 USD"), share=1.0 - share)}),
        hit_rate=hits,
    )
    (size,) = fleet_sizes(compare({"mixed": behind}, load, MONTHS, currency="USD"), CATALOG)
    part = (1 - hits) * share

    alone = next_steps(one, load.on(MONTHS).scaled(part))

    assert [step.servers for step in size.steps] == [step.servers for step in alone][: len(size.steps)]
    for step, bare in zip(size.steps, alone, strict=False):
        assert step.requests_per_month == pytest.approx(bare.requests_per_month / part, rel=1e-9, abs=2 / part)


def test_fleets_that_are_filled_in_turn_say_when_each_is_full():
    """The workstations are full at 1.92 requests a second, and the large server at 5.05 more, times the mean over the peak."""
    large, small, _ = document("size", ROOT / "examples" / "server-types.toml")["fleets"]
    week = load_scenario(ROOT / "examples" / "server-types.toml").workload.hourly_load
    peak_to_mean = max(week) / (sum(week) / len(week))
    first, second = 2 * 0.8 / (500 / 6_000 + 300 / 400), 2 * 0.8 / (500 / 30_000 + 300 / 1_000)

    for fleet_, rate in ((small, first), (large, first + second)):
        (step,) = fleet_["next_steps"]
        assert step == {
            "requests_per_month": pytest.approx(rate * 730 * 3600 / peak_to_mean, abs=2),
            "servers": None,
        }


def test_the_steps_of_the_first_page_are_found():
    """The workstation of the tour takes 250,285 requests a month, and the 250,286th needs a second one."""
    box = document("size", ROOT / "examples" / "three-ways.toml")["fleets"][0]

    assert [step["requests_per_month"] for step in box["next_steps"]] == [250_286, 500_572, 750_858]
    assert [step["servers"] for step in box["next_steps"]] == [2, 3, 4]


def test_memory_and_latency_are_those_of_the_operating_point():
    """With eight requests at once, memory and times are those of eight requests."""
    (size,) = sizes(fleet(slots=8))
    (model,) = size.models
    seen = latency(
        CATALOG.gpu("h100-80gb-sxm"), CATALOG.model("llama-3.3-70b"), "fp8", engine="vllm", gpus=2,
        input_tokens=1_000, output_tokens=500, concurrency=8,
    )  # fmt: skip

    assert (model.state, model.batch) == ("fits", 8)
    assert model.weights_bytes == weights_bytes(CATALOG.model("llama-3.3-70b"), "fp8")
    assert model.cache_bytes == 8 * 1_500 * 2 * 80 * 8 * 128 * 2
    assert model.left_bytes == pytest.approx(
        2 * (CATALOG.gpu("h100-80gb-sxm").memory_bytes * 0.95 - 1e9) - model.weights_bytes - model.cache_bytes
    )
    assert (model.ttft_s, model.tpot_s) == (seen.ttft_s, seen.tpot_s)


@pytest.mark.parametrize(
    ("changes", "state", "note"),
    [
        ({"gpus": 1, "quantisation": "f16"}, "does not fit", "GB are missing for one request"),
        ({"gpus": 1, "quantisation": "f16", "engine": ""}, "does not fit", "GB are missing"),
        ({"concurrency": 2_000}, "does not fit", "of the 2,000 requests at once fit"),
        ({"model": "llama-2-7b"}, "fits", ""),
        ({"engine": ""}, "fits", "no latency: the throughput names no engine"),
        ({"engine": "own engine"}, "unknown", "no class of engine 'own engine'"),
        ({"model": "nobody's"}, "unknown", "nobody's"),
        ({"gpu": "no-card", "engine": ""}, "unknown", "no-card"),
        ({"quantisation": "q99"}, "unknown", "no quantisation 'q99'"),
    ],
)
def test_a_state_says_why(changes, state, note):
    """What does not fit says by how much, and what is not known says what is missing."""
    demand = Workload(requests_per_month=1e6, input_tokens=1_000, output_tokens=500).on(MONTHS)
    found = replica_state(attrs.evolve(LLAMA, **changes), demand, CATALOG)

    assert found.state == state
    assert note in found.note


def test_a_request_longer_than_the_model_does_not_fit():
    """A prompt beyond the context is not cut."""
    demand = Workload(requests_per_month=1, input_tokens=5_000, output_tokens=10).on(MONTHS)
    found = replica_state(attrs.evolve(LLAMA, model="llama-2-7b"), demand, CATALOG)

    assert (found.state, found.note) == ("does not fit", "a request of 5,010 tokens is longer than the 4,096 it takes")


def test_a_model_that_does_not_fit_is_no(tmp_path):
    """The status is 3 where every request is served and the model does not fit."""
    text = SIZE.read_text("utf-8").replace(
        'quantisation = "fp8"\n', 'quantisation = "f32"\noutput_tokens_per_s = 9e3\n'
    )
    text = text.replace("gpus = 2", 'gpus = 2\nsource = { title = "made for a test", checked = 2026-11-01 }')
    file = tmp_path / "unfit.toml"
    file.write_text(text.partition("[options.fixed]")[0], "utf-8")
    result = run("size", file)

    assert result.exit_code == 3
    assert "does not fit;" in " ".join(result.output.split())
    assert document("size", file)["fleets"][0]["unserved_share"] == 0


def test_a_server_without_watts_has_no_power():
    """Unknown power is named, and is not zero."""
    dark = attrs.evolve(CATALOG.server("dual-h100-server"), idle_w=None, peak_w=None)
    load = Workload(requests_per_month=1e6, input_tokens=1_000, output_tokens=500)
    bill = Power(fleet(server=dark), price_per_kwh="0.1 USD", pue=1.5, idle_w=1, peak_w=2)
    (size,) = fleet_sizes(compare({"a": bill}, load, MONTHS, currency="USD"), CATALOG)

    assert (size.kwh, size.peak_kw) == (None, None)
    assert size.power_note.startswith("idle_w: is missing; the server 'dual-h100-server' does not state it")


def test_each_model_of_a_shared_fleet_is_listed(tmp_path):
    """A fleet that serves several models says of each how it stands."""
    text = SIZE.read_text("utf-8").partition("[options.growing]")[0].replace("[workload]\n", "")
    load = "requests_per_month = 20_000_000\ninput_tokens = 1_000\noutput_tokens = 1_000\n"
    assert load in text
    text = text.replace(load + "growth_per_year = 1.0\npeak_to_mean = 3.0\n", "")
    text = text.replace('throughput = "llama"', 'throughput = { big = "llama", small = "llama" }')
    text += """
[workload]
requests_per_month = 1_000_000
parts.big = { share = 0.5, input_tokens = 1_000, output_tokens = 500 }
parts.small = { share = 0.5, input_tokens = 100, output_tokens = 50 }

[options.own]
kind = "power"
fleet = "h100"
price_per_kwh = "0.1 USD"
pue = 1.2
"""
    file = tmp_path / "shared.toml"
    file.write_text(text, "utf-8")
    (one,) = document("size", file)["fleets"]

    assert [model["tag"] for model in one["models"]] == ["big", "small"]
    assert one["models"][0]["ttft_s"] > one["models"][1]["ttft_s"]
    assert "(small)" in run("size", file).output


def test_an_option_without_a_fleet_has_nothing_to_size():
    """An API needs no servers."""
    text = run("size", ROOT / "examples" / "seeds" / "gpt4.toml")

    assert text.exit_code == 0
    assert text.output.strip() == "No option has a fleet: nothing to size."
    assert document("size", ROOT / "examples" / "seeds" / "gpt4.toml")["fleets"] == []


def test_draws_are_refused():
    """A sizing is read from one workload."""
    drawn = Workload(requests_per_month=np.array([1e5, 1e6]), input_tokens=100, output_tokens=100)

    with pytest.raises(InvalidValueError, match="workload: holds draws"):
        sizes(fleet(), workload=drawn)


def test_no_requests_need_no_steps():
    """A fleet that nobody asks has no next step, and a spare of it is not busy."""
    demand = Workload(requests_per_month=0, input_tokens=100, output_tokens=100).on(MONTHS)

    assert next_steps(fleet(), demand) == ()
    assert replica_state(LLAMA, demand, CATALOG).note == "it gets no requests"


def test_the_example_is_chosen_from():
    """The article's tasks get the article's models on its workstation, and the assistant what its targets ask for."""
    result = run("choose", CHOOSE)
    found = {row["task"]: row for row in document("choose", CHOOSE)["tasks"]}
    best = {name: (row["best"]["model"], row["best"]["hardware"]) for name, row in found.items()}

    assert result.exit_code == 0
    assert best | {"assistant": None} == {
        "labels": ("qwen2.5-1.5b", "workstation"),
        "code": ("qwen2.5-14b", "workstation"),
        "mails": ("qwen2.5-7b", "workstation"),
        "documents": ("qwen2.5-32b", "workstation"),
        "assistant": None,
    }
    assert best["assistant"][0] == "llama-3.1-8b"
    assert "Refused" in result.output
    combinations = {len(row["offers"]) + len(row["refused"]) for row in found.values()}
    assert combinations == {3 * 9 * 8}
    assert all(sum(row["reasons"].values()) == len(row["refused"]) for row in found.values())


def test_the_document_is_what_the_library_gives():
    """Offers in the file's document are those of the question."""
    (first, *_) = load_choice(CHOOSE).choose()
    row = document("choose", CHOOSE)["tasks"][0]

    assert [offer["cost_per_month"] for offer in row["offers"]] == [offer.cost_per_month for offer in first.offers]
    assert [offer["basis"] for offer in row["offers"]] == [offer.basis for offer in first.offers]
    assert row["reasons"] == first.reasons


def stated(**changes):
    """State a question as plain data."""
    return {
        "on": date(2026, 11, 23),
        "currency": "USD",
        "engines": {"vllm": ["f16"]},
        "models": ["llama-3.1-8b"],
        "hardware": {"card": {"gpu": "h100-80gb-sxm"}},
        "tasks": {
            "chat": {"requests_per_month": 1e6, "input_tokens": 100, "output_tokens": 100, "least_parameters": 7e9}
        },
        **changes,
    }


def test_a_task_that_nothing_meets_is_no(tmp_path):
    """The status is 3, and the table says none."""
    file = tmp_path / "no.toml"
    file.write_text(CHOOSE.read_text("utf-8").replace("tpot_s = 0.05\n", "tpot_s = 0.000001\n"), "utf-8")
    result = run("choose", file)

    assert result.exit_code == 3
    assert "no batch meets it" in " ".join(result.output.split())
    assert [row["best"] for row in document("choose", file)["tasks"] if row["task"] == "assistant"] == [None]


def test_what_a_file_leaves_out():
    """Every model of the catalog is tried, and cards by powers of two up to eight or to those of a server."""
    question = read_choice(stated(models=[]), title="t", catalog=CATALOG)
    server = {"server": "dual-h100-server", "life_years": 4, "price_per_kwh": "0.1 USD", "pue": 1.2}
    own_ = read_choice(stated(hardware={"own": server}, fx={"CNY": 0.14}), title="t", catalog=CATALOG)

    assert {one.model.key for one in question.candidates} == {
        model.key for model in CATALOG.records if model.kind == "model"
    }
    assert {one.gpus for one in question.candidates} == {1, 2, 4, 8}
    assert {one.gpus for one in own_.candidates} == {1, 2}
    assert own_.choose()[0].best.servers == 1


def test_what_a_task_states_beats_what_is_known_of_its_kind():
    """A file may ask for more than the table, and allow other formats."""
    chat = stated()["tasks"]["chat"]
    kind = {**chat, "need": "代码生成"}
    del kind["least_parameters"]
    both = {"plain": kind, "own": {**kind, "least_parameters": 3e9}, "formats": {**kind, "quantisations": ["f16"]}}
    plain, more, formats = read_choice(
        stated(tasks=both, ignore_quantisation_loss=True), title="t", catalog=CATALOG
    ).tasks

    assert (plain.minimum_score, plain.quantisations) == (5, ("q5_k_m", "q8_0"))
    assert (more.minimum_score, more.least_parameters) == (None, 3e9)
    assert (formats.minimum_score, formats.quantisations) == (5, ("f16",))
    assert plain.ignore_quantisation_loss


OWN = {
    "sources": {"mine": {"title": "own", "checked": date(2026, 11, 1)}},
    "losses": [{"quantisation": "Q4_K_M", "loss": 0.5, "source": "mine"}],
    "scores": [
        {"model": "qwen2.5-7b", "benchmark": "Grade of 成本分析与优化", "score": 6, "best": 7, "source": "mine"}
    ],
    "needs": [{"key": "Code Generation", "benchmark": "X", "minimum_score": 3, "source": "mine"}],
}


def test_rows_of_a_file_are_the_users():
    """What the file states beats what a plugin does and says so, and its source may be named once."""
    found = read_choice(stated(**OWN), title="own.toml", catalog=CATALOG).catalog
    loss = found.record(QuantisationLoss, "q4_k_m", "", "")
    score = found.record(ModelScore, "qwen2.5-7b", "grade of 成本分析与优化")
    need = found.record(TaskNeed, "code generation")

    assert (loss.loss, score.score, need.minimum_score) == (0.5, 6, 3)
    assert {(row.authority, str(row.origin)) for row in (loss, score, need)} == {("user", "own.toml")}
    assert CATALOG.record(QuantisationLoss, "q4_k_m", "", "").loss == 0.02
    assert [str(row.origin.plugin) for row in found.superseded(loss)] == ["llm-tco-reference"]


def test_a_row_of_a_file_is_stated_once_and_has_no_other_origin():
    """Two rows of the same words, and an origin, are reported together with what else is wrong."""
    loss = {"quantisation": "fp8", "loss": 0.1, "source": "mine"}
    wrong = {**OWN, "losses": [loss, {**loss, "quantisation": "FP8", "loss": 0.2, "origin": {"plugin": "p"}}]}

    with pytest.raises(ProblemsError) as error:
        read_choice(stated(**wrong, models=["none"]), title="own.toml", catalog=CATALOG)

    origin, twice, model = error.value.problems
    assert origin == "losses[1].origin: is not a field that a file can set: the origin is own.toml itself"
    assert twice == "quantisation_loss fp8 is stated twice for … to …. Keep one row of the two."
    assert model.startswith("models[0]: no model 'none'")


def test_what_choices_need_is_listed_and_grows_stale_like_all_records():
    """They are counted by kind, have an origin and a hash, and are listed when their source was read long ago."""
    kinds = (MemoryClaim, ModelScore, QuantisationLoss, TaskNeed)
    records = [record for kind in kinds for record in CATALOG.all(kind)]
    old = stale(CATALOG.records, older_than_days=90, today=date(2036, 1, 1))
    text = run("plugins").output

    assert f"{len(CATALOG.all(ModelScore))} model_scores," in text
    assert f"{len(CATALOG.all(QuantisationLoss))} quantisation_losses," in text
    assert {record.origin.plugin for record in records} == {"llm-tco-reference"}
    assert {record.kind for record in records} <= {record.kind for record in old}
    assert len({content_hash(record) for record in records}) == len(records)
    assert run("check", "llm-tco-reference").exit_code == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"models": ["lama-3.1-8b"]}, "models[0]: no model 'lama-3.1-8b'"),
        ({"engines": {"vlm": ["f16"]}}, "engines.vlm: no class of engine 'vlm'"),
        ({"engines": {"vllm": ["f17"]}}, "engines.vllm: no quantisation 'f17'"),
        ({"engines": {}}, "engines: must hold at least one"),
        ({"hardware": {"a": {"gpu": "h101"}}}, "hardware.a: no gpu 'h101'"),
        ({"hardware": {"a": {}}}, "hardware.a.gpu: is missing; name an accelerator to rent, or a server to buy"),
        ({"hardware": {"a": {"gpu": "l40s", "pue": 2}}}, "hardware.a.pue: has no meaning without a server"),
        ({"tables": ["llm_tco_reference"]}, "tables: is not a field of a file for llm-tco choose"),
        ({"currency": "dollars"}, "currency: must be a currency code"),
        ({"tasks": {"chat": {"tokens": 1}}}, "tasks.chat.tokens: is not a field of a task"),
        ({"taks": {}}, "taks: is not a field of a file for llm-tco choose; did you mean 'tasks'"),
    ],
)
def test_mistakes_of_a_file_are_named(changes, problem):
    """Each mistake is reported at its place."""
    with pytest.raises(ProblemsError) as error:
        read_choice(stated(**changes), title="t", catalog=CATALOG)

    assert any(line.startswith(problem) for line in error.value.problems), error.value.problems


def test_all_mistakes_come_in_one_report(tmp_path):
    """Unknown names of hardware, models and tasks are reported together, with status 2."""
    file = tmp_path / "wrong.toml"
    text = CHOOSE.read_text("utf-8").replace('"qwen2.5-0.5b"', '"qwen0"').replace('"code generation"', '"coding"')
    file.write_text(text.replace('server = "rtx-4090-workstation"', 'server = "no-box"'), "utf-8")
    result = run("choose", file)

    assert result.exit_code == 2
    assert "3 problems" in result.output
    assert all(word in result.output for word in ("qwen0", "coding", "no-box"))
    assert run("choose", tmp_path / "absent.toml").exit_code == 2


def test_tasks_are_added_up_and_do_not_share():
    """The line below the offers holds the sum of what each task alone costs, and says that it is each alone."""
    tasks = document("choose", CHOOSE)["tasks"]
    together = sum(task["offers"][0]["cost_per_month"] for task in tasks)
    said = " ".join(run("choose", CHOOSE).output.split())

    assert f"cost {together:,.0f} CNY a month together." in said
    assert "Each task has machines of its own" in said


def test_tasks_that_take_more_servers_than_there_are_are_named(tmp_path):
    """One workstation is enough for each task alone, and not for five at once."""
    file = tmp_path / "team.toml"
    box = 'server = "rtx-4090-workstation"\n'
    file.write_text(CHOOSE.read_text("utf-8").replace(box, f"{box}at_hand = 1\n"), "utf-8")
    notes = document("choose", file)["notes"]
    taken = sum(task["offers"][0]["hardware"] == "workstation" for task in document("choose", file)["tasks"])

    assert taken > 1
    assert notes[1] == f"The cheapest of each take {taken} servers of 'workstation' together, more than the 1 at hand."
    assert len(document("choose", CHOOSE)["notes"]) == 1


def test_tables_can_be_drawn_for_any_answer():
    """A task without offers and a fleet with limits are laid out as well."""
    nothing = read_choice(
        stated(tasks={"chat": {**stated()["tasks"]["chat"], "least_parameters": 1e15}}), title="t"
    ).choose()

    assert render_choices("t", nothing)
    assert render_sizes("t", sizes(fleet(), fleet(name="other", count=1)))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_figure_is_broken_over_two_lines(width):
    """On a narrow terminal columns are left out, and figures and names of cards stay whole."""
    scenario, team = load_scenario(ROOT / "examples" / "server-types.toml"), load_choice(CHOOSE)
    shown = Console(width=width, file=io.StringIO())
    shown.print(render_sizes("t", fleet_sizes(scenario.compare(), CATALOG)))
    shown.print(render_choices("t", team.choose()))
    text = shown.file.getvalue()

    assert max(map(cell_len, text.splitlines())) <= width
    for whole in ("6,459,480", "9,361,564", "22.1%", "peak 80.0%", "18,343", "8 (11)", "h100-80gb-sxm", "qwen2.5-14b"):
        assert whole in text


TWICE_FILLED = (ROOT / "tests" / "reference" / "filled-twice.toml").read_text("utf-8")


@pytest.mark.parametrize("peak", [3, 7, 10])
def test_a_fleet_that_spills_over_leaves_nothing_unserved(tmp_path, peak):
    """Two fleets that are filled to the last request carry what compare says they carry, with the replicas there are."""
    week = [1.0 + hour % 7 / 10 if hour % 24 not in range(9, 18) else peak for hour in range(168)]
    file = tmp_path / "spill.toml"
    file.write_text(TWICE_FILLED.replace("LOAD", str(week)), "utf-8")
    option = load_scenario(file).compare()["mixed"]
    result = document("size", file)

    assert option.feasible
    assert run("size", file).exit_code == 0
    assert result["carries"]
    for one in result["fleets"]:
        assert not any(one["unserved"])
        assert set(one["replicas"]) == {1.0}


def test_a_fleet_without_overflow_still_says_what_it_leaves(tmp_path):
    """Only rounding errors are dropped: what a full fleet leaves unserved alone is that of its option, month by month."""
    (one,) = sizes(fleet(count=1), workload=Workload(requests_per_month=1e8, input_tokens=1_000, output_tokens=500))

    assert one.unserved_share > 0.1
    assert not one.carries


def test_the_replicas_are_those_that_the_load_needs():
    """A fixed fleet of 12 servers may need more replicas than it holds, and the column says so."""
    result = run("size", SIZE)
    fixed = document("size", SIZE)["fleets"][1]

    assert max(fixed["replicas"]) > fixed["servers"]["peak"]
    assert "replicas needed" in " ".join(result.output.split()) or "replicas" not in result.output


def test_prompts_that_no_rate_counts_are_said_of_the_size():
    """A fleet that reads long prompts for nothing has a note beside its servers."""
    rate = attrs.evolve(LLAMA, input_tokens_per_s=None, output_tokens_per_s=900, input_length=100, output_length=500)
    (size,) = sizes(fleet(throughput=rate))

    assert "was measured at 100 prompt tokens for 500 generated" in " ".join(size.notes)


def test_the_file_of_another_command_is_named_in_one_line(tmp_path):
    """A choice given to compare, a scenario given to choose, and a frontier given to size each name their command."""
    frontier = ROOT / "examples" / "frontier" / "three-models.toml"
    for command, file, said in (
        ("compare", CHOOSE, "is a file for llm-tco choose"),
        ("route", CHOOSE, "is a file for llm-tco choose"),
        ("choose", SIZE, "is a file for llm-tco compare"),
        ("choose", frontier, "is a file for llm-tco route"),
        ("size", frontier, "is a file for llm-tco route"),
    ):
        result = run(command, file)

        assert result.exit_code == 2
        assert said in result.output
        assert "1 problem\n" in result.output


def test_documents_of_sizes_and_choices_have_a_version():
    """A program sees by `format` whether it can read them."""
    assert document("size", SIZE)["format"] == 1
    assert document("choose", CHOOSE)["format"] == 1
