"""Choosing a model and a machine: laws, reasons of refusal, and the picks of the seeds' tables."""

from __future__ import annotations

import itertools
import types
from datetime import date
from itertools import pairwise

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_tco import load_catalog
from llm_tco.catalog.catalog import Catalog, PluginReport
from llm_tco.catalog.hardware import GpuPrice
from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.catalog.models import QualityScore, Throughput
from llm_tco.catalog.needs import MemoryClaim, ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.plugins import collect
from llm_tco.catalog.records import AUTHORITIES, Origin, Period, Source
from llm_tco.errors import ConflictingRecordsError, InvalidValueError, MissingRateError, UnknownRecordError
from llm_tco.money import Money
from llm_tco.serving.candidates import Hardware, Task, candidates_of
from llm_tco.serving.estimate import estimate_throughput, latency
from llm_tco.serving.memory import weights_bytes
from llm_tco.serving.operating import measured_at, throughput_at
from llm_tco.serving.quality import Grades
from llm_tco.serving.selection import REASONS, Offer, choose

SOURCE = Source(title="made for a test", checked=date(2026, 11, 1))
DAY = date(2026, 11, 23)
CATALOG = load_catalog()
CLAIMS = CATALOG.all(MemoryClaim)
LLAMAS = [CATALOG.model(key) for key in ("llama-3.1-8b", "llama-3-8b", "llama-3.1-70b")]
H100, L40S, RTX_4090 = (CATALOG.gpu(key) for key in ("h100-80gb-sxm", "l40s", "rtx-4090"))
ENGINES = {"vllm": ["f16", "int8"], "llama.cpp": ["q4_k_m", "f16"]}


def rented(gpu, price="2 USD", **changes):
    """Make rented cards."""
    return Hardware(**{"name": f"rented {gpu.key}", "gpu": gpu, "gpus": (1, 2), "price_per_gpu_hour": price} | changes)


def task(**changes):
    """Make a task that any of the models meets."""
    load = {"requests_per_month": 1e6, "input_tokens": 1_000, "output_tokens": 200, "least_parameters": 1e9}
    return Task(**{"name": "task", **load, **changes})


def ask(*tasks, candidates=None, currency="USD", fx=None, records=()):
    """Ask for a choice."""
    given_ = candidates or candidates_of([rented(H100), rented(L40S, "1 USD")], LLAMAS, ENGINES)
    return choose(tasks, given_, currency=currency, fx=fx, on=DAY, catalog=Catalog(records))


def refusals(choice):
    """Give the kind of reason of each candidate that was refused, by its names."""
    return {refusal.candidate.words: refusal.kind for refusal in choice.refused}


def costs(choice):
    """Give the cost of each candidate that was taken, by its names."""
    return {offer.candidate.words: offer.cost_per_month for offer in choice.offers}


@st.composite
def tasks(draw):
    """Draw tasks, some with a latency target or a score."""
    latency_ = draw(
        st.sampled_from([{}, {"tpot_s": draw(st.floats(0.005, 0.2))}, {"ttft_s": draw(st.floats(0.02, 2))}])
    )
    quality = {"least_parameters": draw(st.floats(1e9, 100e9))}
    if draw(st.booleans()):
        quality = {"benchmark": "HumanEval", "minimum_score": draw(st.floats(0, 1)), "least_parameters": None}
    return task(
        requests_per_month=draw(st.floats(1, 1e9)), input_tokens=draw(st.integers(0, 6_000)),
        output_tokens=draw(st.integers(1, 2_000)), peak_to_mean=draw(st.floats(1, 10)),
        planning_utilisation=draw(st.floats(0.1, 1)), ignore_quantisation_loss=draw(st.booleans()), **quality, **latency_,
    )  # fmt: skip


@given(tasks())
def test_every_candidate_is_offered_or_refused_for_a_reason(one):
    """Nothing disappears: each combination is there once, and what is refused says why."""
    candidates = candidates_of([rented(H100), rented(L40S, "1 USD")], LLAMAS, ENGINES)
    (choice,) = ask(one, candidates=candidates)
    answered = [offer.candidate.words for offer in choice.offers] + [
        refusal.candidate.words for refusal in choice.refused
    ]

    assert sorted(answered) == sorted(candidate.words for candidate in candidates)
    assert all(refusal.kind in REASONS and refusal.reason for refusal in choice.refused)
    assert sum(choice.reasons.values()) == len(choice.refused)


@given(tasks())
def test_every_offer_meets_what_is_asked_for(one):
    """Quality, memory, latency and load are kept, and the cheapest comes first."""
    (choice,) = ask(one)

    for offer in choice.offers:
        assert offer.memory_left_bytes > 0
        assert offer.batch >= 1
        assert offer.ttft_s <= (one.ttft_s or float("inf"))
        assert offer.tpot_s <= (one.tpot_s or float("inf"))
        assert offer.score is None or offer.score >= one.minimum_score
        assert offer.candidate.model.parameters >= (one.least_parameters or 0)
        assert offer.utilisation * one.peak_to_mean <= one.planning_utilisation * (1 + 1e-9)
        assert offer.servers_at_low >= offer.servers
    assert all(a.cost_per_month <= b.cost_per_month for a, b in pairwise(choice.offers))


@given(tasks(), st.randoms())
def test_candidates_come_in_any_order_and_tasks_do_not_touch(one, random):
    """The offers depend on neither the order of the candidates nor on the other tasks."""
    candidates = list(candidates_of([rented(H100), rented(L40S, "1 USD")], LLAMAS, ENGINES))
    shuffled = random.sample(candidates, len(candidates))
    (alone,) = ask(one, candidates=candidates)
    *_, beside = ask(task(tpot_s=0.03), task(input_tokens=10), one, candidates=shuffled)

    assert beside.offers == alone.offers
    assert refusals(beside) == refusals(alone)


@given(tasks(), st.floats(1.0, 5.0))
def test_more_requests_and_higher_rents_never_cost_less(one, factor):
    """Cost rises with the load, is proportional to the rent, and neither changes who meets the task."""
    more = attrs.evolve(one, requests_per_month=one.requests_per_month * factor)
    dearer = candidates_of([rented(H100, "6 USD"), rented(L40S, "3 USD")], LLAMAS, ENGINES)
    before, after = map(costs, ask(one, more))
    thrice = costs(ask(one, candidates=dearer)[0])

    assert before.keys() == after.keys() == thrice.keys()
    assert all(after[words] >= before[words] for words in before)
    assert thrice == pytest.approx({words: 3 * cost for words, cost in before.items()})


@given(tasks(), st.floats(0.1, 1.0))
def test_stricter_targets_never_help(one, factor):
    """A tighter latency, or a higher score, leaves fewer offers, and none of them is cheaper."""
    limits = {name: getattr(one, name) * factor for name in ("ttft_s", "tpot_s") if getattr(one, name)}
    quality = {
        name: getattr(one, name) / factor for name in ("minimum_score", "least_parameters") if getattr(one, name)
    }
    before, tighter, better = map(costs, ask(one, attrs.evolve(one, **limits), attrs.evolve(one, **quality)))

    assert better.items() <= before.items()
    assert tighter.keys() <= before.keys()
    assert all(tighter[words] >= before[words] for words in tighter)


@given(st.integers(1, 3_000), st.integers(1, 1_000), st.floats(0.02, 0.2), st.floats(1e4, 1e8))
def test_an_offer_is_what_one_combination_alone_gives(prompt, answer, tpot, requests):
    """Broadcasting changes nothing: rate, latency and servers are those of the single estimate."""
    (choice,) = ask(task(input_tokens=prompt, output_tokens=answer, tpot_s=tpot, requests_per_month=requests))
    assume(choice.best)
    offer = choice.best
    one = offer.candidate
    words = (one.hardware.gpu, one.model, one.quantisation)
    point = {"engine": one.engine, "gpus": one.gpus, "input_tokens": prompt, "output_tokens": answer}
    alone = estimate_throughput(*words, **point, concurrency=offer.batch)
    replicas = requests * answer / float(alone.generated_per_s(prompt, answer)) / (730 * 3_600)

    assert offer.generated_per_s == pytest.approx(float(alone.generated_per_s(prompt, answer)))
    assert offer.tpot_s == pytest.approx(latency(*words, **point, concurrency=offer.batch).tpot_s)
    assert offer.utilisation * offer.servers / one.gpus == pytest.approx(replicas)
    assert offer.servers == offer.replicas * one.gpus
    assert offer.replicas - 1 < max(replicas, 1e-9) * (1 + 1e-9)
    assert offer.cost_per_month == pytest.approx(offer.servers * 730 * float(one.hardware.price_per_gpu_hour.value))


def test_a_replica_of_two_cards_of_one_server_takes_whole_servers():
    """Servers of four cards hold two replicas of two, and one replica of eight spans two of them."""
    eight = rented(H100, gpus=(2, 8), gpus_per_server=4)
    busy = task(requests_per_month=3e8)
    (choice,) = ask(busy, candidates=candidates_of([eight], LLAMAS[:1], {"vllm": ["f16"]}))
    by_gpus = {offer.candidate.gpus: offer for offer in choice.offers}

    assert by_gpus[2].servers == -(-by_gpus[2].replicas // 2)
    assert by_gpus[8].servers == by_gpus[8].replicas * 2
    assert by_gpus[2].cost_per_month == pytest.approx(by_gpus[2].servers * 4 * 2 * 730)


def test_a_server_of_ones_own_costs_its_life_and_its_energy():
    """25,900 CNY over three years, and the straight line from 105 to 600 W at a PUE of 1.5."""
    server = CATALOG.server("rtx-4090-workstation")
    bought = Hardware(name="box", gpu=RTX_4090, server=server, life_years=3, price_per_kwh="1 CNY", pue=1.5)
    there = attrs.evolve(bought, name="there", life_years=None, owned=True)
    candidates = candidates_of([bought, there], LLAMAS[:1], {"llama.cpp": ["q4_k_m"]})
    (choice,) = ask(task(requests_per_month=20_000), candidates=candidates, currency="CNY")
    cost, used = costs(choice), choice.best.utilisation
    energy = (105 + (600 - 105) * used) / 1_000 * 730 * 1.5

    assert cost["llama-3.1-8b", "q4_k_m", "there", 1, "llama.cpp"] == pytest.approx(energy)
    assert cost["llama-3.1-8b", "q4_k_m", "box", 1, "llama.cpp"] == pytest.approx(25_900 / 36 + energy)


def test_a_model_that_does_not_fit_says_by_how_much():
    """70 billion 16-bit weights miss on one H100 what memory leaves of them."""
    candidates = candidates_of([rented(H100, gpus=(1,))], LLAMAS[2:], {"vllm": ["f16"]})
    (choice,) = ask(task(), candidates=candidates)
    (refusal,) = choice.refused
    short = (weights_bytes(LLAMAS[2], "f16") + 1_200 * 2 * 80 * 8 * 128 * 2 - (H100.memory_bytes * 0.95 - 1e9)) / 1e9

    assert choice.best is None
    assert (refusal.kind, refusal.reason) == (
        "memory",
        f"does not fit on 1 × h100-80gb-sxm: {short:.1f} GB are missing",
    )


def test_a_latency_that_no_batch_meets_says_what_one_request_has():
    """One request alone is the fastest there is."""
    candidates = candidates_of([rented(L40S, gpus=(1,))], LLAMAS[:1], {"vllm": ["f16"]})
    (choice,) = ask(task(tpot_s=0.001, ttft_s=0.001), candidates=candidates)
    alone = latency(L40S, LLAMAS[0], "f16", engine="vllm", input_tokens=1_000, output_tokens=200, concurrency=1)
    said = (
        f"no batch meets it: one request alone has TTFT {alone.ttft_s:.3g} s, and 0.001 s is asked for "
        f"and TPOT {alone.tpot_s:.3g} s, and 0.001 s is asked for"
    )

    assert [(refusal.kind, refusal.reason) for refusal in choice.refused] == [("latency", said)]


def refused(*, hardware=None, model=None, engines=None, records=(), currency="USD", fx=None, **asked):
    """Give the kind and the reason for which the only candidate is refused."""
    machine = hardware or rented(H100, gpus=(1,))
    candidates = candidates_of([machine], [model or LLAMAS[0]], engines or {"vllm": ["f16"]})
    (choice,) = ask(task(**asked), candidates=candidates, records=records, currency=currency, fx=fx)
    (refusal,) = choice.refused
    return refusal.kind, refusal.reason


def test_a_figure_that_is_left_out_is_a_reason_and_no_error():
    """A card without a peak, a model without a shape, a class without measurements: each is named."""
    blank = attrs.evolve(H100, bf16_flops_per_s=None, fp32_flops_per_s=None)
    shapeless = attrs.evolve(LLAMAS[0], layers=None, kv_heads=None)
    mac = next(gpu for gpu in CATALOG.records if gpu.kind == "gpu" and gpu.vendor == "Apple")

    assert refused(hardware=rented(blank, gpus=(1,)))[0] == "figure"
    assert "does not state bf16_flops_per_s" in refused(hardware=rented(blank, gpus=(1,)))[1]
    assert refused(model=shapeless)[0] == "figure"
    assert "'llama-3.1-8b' does not state layers" in refused(model=shapeless)[1]
    assert refused(hardware=rented(mac, gpus=(1,)))[0] == "figure"
    assert "batched on unified" in refused(hardware=rented(mac, gpus=(1,)))[1]


def test_one_lacking_record_does_not_harm_the_others():
    """A card without a figure is refused, and the rest is chosen from."""
    blank = attrs.evolve(L40S, key="blank", bf16_flops_per_s=None, fp32_flops_per_s=None)
    (alone,) = ask(task(), candidates=candidates_of([rented(H100)], LLAMAS, ENGINES))
    (choice,) = ask(task(), candidates=candidates_of([rented(blank), rented(H100)], LLAMAS, ENGINES))

    assert choice.offers == alone.offers
    assert choice.reasons["figure"] == 3 * 2 * 4


def test_unknown_quality_is_refused_and_is_not_zero():
    """A model without a score does not pass a bar of zero, and a format without a loss does not pass as free."""
    mmlu = {"benchmark": "MMLU (5-shot)", "least_parameters": None}
    qwen = CATALOG.model("qwen2.5-7b")

    assert refused(model=qwen, minimum_score=0.0, **mmlu) == (
        "quality unknown", "nobody states the 'MMLU (5-shot)' of qwen2.5-7b; none is stated at all",
    )  # fmt: skip
    assert refused(benchmark="MMLU", minimum_score=0.0)[1].endswith("did you mean 'MMLU (5-shot)'?")
    kind, reason = refused(engines={"vllm": ["fp8"]}, minimum_score=0.0, **mmlu)
    assert kind == "quality unknown"
    assert reason.startswith("nobody states what fp8 costs llama-3.1-8b in 'MMLU (5-shot)'; state a loss, or ignore it")


def test_a_score_counts_after_what_the_format_costs():
    """0.694 less 2 % is 0.680: enough for 0.68, and not for 0.681."""
    loss = QuantisationLoss(quantisation="FP8", loss=0.02, source=SOURCE)
    asked = {"benchmark": "mmlu (5-shot)", "least_parameters": None, "engines": {"vllm": ["fp8"]}}
    fp8 = candidates_of([rented(H100)], LLAMAS[:1], {"vllm": ["fp8"]})
    (enough,) = ask(task(benchmark="MMLU (5-shot)", minimum_score=0.68), candidates=fp8, records=(loss,))
    (blind,) = ask(task(benchmark="MMLU (5-shot)", minimum_score=0.694, ignore_quantisation_loss=True), candidates=fp8)

    assert enough.best.score == pytest.approx(0.694 * 0.98)
    assert blind.best.score == pytest.approx(0.694)
    assert refused(records=(loss,), minimum_score=0.681, **asked) == (
        "quality", "mmlu (5-shot) 0.6801 after 2.00% for fp8; at least 0.681 is asked for",
    )  # fmt: skip


def test_other_reasons_are_named():
    """Too few parameters, a format that is not allowed, a short context, too few servers."""
    assert refused(least_parameters=70e9)[1] == "8 billion parameters; at least 70 billion are asked for"
    assert refused(quantisations=("Q8_0", "fp16"), engines={"vllm": ["fp8"]}) == (
        "quantisation", "fp8 is not among the formats of the task: q8_0, f16",
    )  # fmt: skip
    assert refused(model=LLAMAS[1], input_tokens=9_000) == ("context", "llama-3-8b takes 8,192 tokens, not 9,200")
    kind, reason = refused(hardware=rented(H100, gpus=(1,), at_hand=2), requests_per_month=1e9)
    assert kind == "at hand"
    assert reason.endswith("servers are needed, and 2 are at hand")


def test_what_has_no_price_is_unpriced():
    """No rental price, no watts, no electricity price: refused with what is missing, and never free."""
    unknown = attrs.evolve(H100, prices=())
    server = CATALOG.server("rtx-4070-ti-box")
    box = Hardware(name="box", gpu=CATALOG.gpu("rtx-4070-ti"), server=server)
    q4 = {"llama.cpp": ["q4_k_m"]}

    kind, reason = refused(hardware=rented(unknown, None, gpus=(1,)))
    assert kind == "unpriced"
    assert "no rental price of h100-80gb-sxm by 2026-11-23: none is recorded" in reason
    assert refused(hardware=box, engines=q4, requests_per_month=1_000) == (
        "unpriced",
        "box has no price: price_per_kwh, pue, idle_w of the server rtx-4070-ti-box, "
        "peak_w of the server rtx-4070-ti-box, life_years is not stated",
    )


def test_a_rent_of_the_catalog_is_that_of_the_day():
    """The latest rental price by the day counts, in its own currency at the given rate."""
    old = GpuPrice(basis="rental", price="4 USD", per="card hour", on=date(2025, 1, 1), source=SOURCE)
    new = attrs.evolve(old, price=Money.parse("3 USD"), on=date(2026, 1, 1))
    later = attrs.evolve(old, price=Money.parse("1 USD"), on=date(2027, 1, 1))
    card = attrs.evolve(H100, prices=(old, later, new))
    candidates = candidates_of([rented(card, None, gpus=(1,))], LLAMAS[:1], {"vllm": ["f16"]})
    (choice,) = ask(task(requests_per_month=1), candidates=candidates, currency="CNY", fx={"USD": 7.0})

    assert choice.best.cost_per_month == pytest.approx(3 * 7 * 730)
    with pytest.raises(MissingRateError, match="no exchange rate from USD to CNY"):
        ask(task(), candidates=candidates, currency="CNY")


def test_measurements_beat_estimates_where_there_are_some():
    """At a measured point the measurement counts, near it it corrects, and far from it the estimate stands."""
    card = rented(CATALOG.gpu("h200-141gb-sxm"), gpus=(1,))
    candidates = candidates_of([card], LLAMAS[:1], {"tensorrt-llm": ["fp8"]})
    lengths = [(1_000, 1_000), (1_200, 900), (30_000, 10)]
    asked = [task(input_tokens=prompt, output_tokens=answer) for prompt, answer in lengths]
    found = ask(*asked, candidates=candidates, records=CATALOG.all(Throughput))

    assert [choice.best.basis for choice in found] == ["measured", "corrected", "estimate"]
    assert found[0].best.generated_per_s == 17_744
    assert [choice.best.basis for choice in ask(*asked, candidates=candidates)] == ["estimate"] * 3


def test_a_latency_target_asks_measurements_of_its_batch():
    """With a limit, measurements at so many requests at once count, and saturated ones do not."""
    row = Throughput(
        gpu=H100.key, model=LLAMAS[0].key, quantisation="f16", engine="vllm 0.10", output_tokens_per_s=100.0,
        input_length=1_000, output_length=200, source=SOURCE, authority="measured",
    )  # fmt: skip
    at_once = [
        attrs.evolve(row, concurrency=count, output_tokens_per_s=rate) for count, rate in ((1, 60.0), (1_024, 500.0))
    ]
    candidates = candidates_of([rented(H100, gpus=(1,))], LLAMAS[:1], {"vllm": ["f16"]})
    limited = task(tpot_s=0.03)
    (saturated,) = ask(limited, candidates=candidates, records=(row,))
    (stepped,) = ask(limited, candidates=candidates, records=at_once)

    assert (saturated.best.basis, stepped.best.basis) == ("estimate", "corrected")
    assert 60 < stepped.best.generated_per_s < 500 < saturated.best.generated_per_s


@pytest.mark.parametrize(
    ("gpu", "model", "form", "engine", "gpus", "point"),
    [
        ("h200-141gb-sxm", "llama-3.1-8b", "fp8", "tensorrt-llm", 1, (1_000, 1_000, None)),
        ("h100-80gb-sxm", "llama-3.3-70b", "fp8", "tensorrt-llm", 2, (5_000, 500, None)),
        ("b200-sxm", "qwen3-30b-a3b", "nvfp4", "tensorrt-llm", 1, (2_048, 2_048, None)),
        ("rtx-4090", "llama-3-8b", "q4_k_m", "llama.cpp", 1, (1_024, 1_024, 1)),
        ("a100-80gb-pcie", "llama-3-70b", "q4_k_m", "llama.cpp", 1, (0, 1_024, 1)),
    ],
)
def test_the_catalogs_measurements_are_found_at_their_points(gpu, model, form, engine, gpus, point):
    """The records state their operating points, so that a measurement is found at and near them."""
    prompt, answer, at_once = point
    records = CATALOG.all(Throughput)
    known = measured_at(records, gpu, model, form, engine=engine, gpus=gpus)
    words = {"engine": engine, "gpus": gpus}
    asked = (records, CATALOG.gpu(gpu), CATALOG.model(model), form)
    here = throughput_at(*asked, **words, input_tokens=prompt, output_tokens=answer, concurrency=at_once)
    near = throughput_at(*asked, **words, input_tokens=prompt * 1.1, output_tokens=answer * 1.1, concurrency=at_once)

    assert here in known
    assert not here.estimate
    assert near.estimate
    assert "corrected by" in near.conditions


def need_of(name):
    """Give what a kind of task asks for."""
    return CATALOG.record(TaskNeed, name, on=DAY)


def test_the_seeds_task_table_gives_the_seeds_picks():
    """On the article's workstation each of its tasks gets the model that its code recommends, in a format it names."""
    server = CATALOG.server("rtx-4090-workstation")
    box = Hardware(name="box", gpu=RTX_4090, server=server, life_years=3, price_per_kwh="1 CNY", pue=1.5)
    qwen = [CATALOG.model(f"qwen2.5-{size}") for size in ("0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b")]
    candidates = candidates_of([box], qwen, {"llama.cpp": ["q3_k_s", "q4_0", "q4_k_m", "q5_k_m", "q8_0", "f16"]})
    complexity = {
        "qwen2.5-1.5b": "文本分类 情感分析 关键词提取 意图识别",
        "qwen2.5-7b": "摘要生成 翻译 邮件撰写 文案改写 通用对话",
        "qwen2.5-14b": "代码生成 数据分析 推理问答 创意写作",
        "qwen2.5-32b": "长文档问答 多轮对话agent",
    }
    expected = {name: model for model, names in complexity.items() for name in names.split()} | {
        "RAG 检索": "qwen2.5-7b"
    }
    asked = [
        task(name=name, requests_per_month=20_000, input_tokens=500, output_tokens=300, least_parameters=None,
             benchmark=need.benchmark, minimum_score=need.minimum_score, quantisations=need.quantisations)
        for name, need in ((name, need_of(name)) for name in expected)
    ]  # fmt: skip
    found = {
        choice.task.name: choice.best.candidate
        for choice in ask(*asked, candidates=candidates, records=CATALOG.records, currency="CNY")
    }

    assert {name: one.model.key for name, one in found.items()} == expected
    assert found["文本分类"].quantisation in ("q4_0", "q3_k_s")
    assert found["代码生成"].quantisation in ("q5_k_m", "q8_0")
    assert (
        found["通用对话"].quantisation == found["RAG 检索"].quantisation == found["邮件撰写"].quantisation == "q4_k_m"
    )


def test_the_seeds_maths_pick_does_not_fit_on_the_seeds_workstation():
    """The article asks for 32B in Q8_0 or FP16; its own 24 GB hold neither, and one card of 80 GB holds Q8_0."""
    need = need_of("复杂数学推理")
    machines = [rented(RTX_4090, gpus=(1,)), rented(H100, gpus=(1,))]
    candidates = candidates_of(machines, [CATALOG.model("qwen2.5-32b")], {"llama.cpp": need.quantisations})
    asked = task(
        least_parameters=None, benchmark=need.benchmark, minimum_score=need.minimum_score, requests_per_month=100
    )
    (choice,) = ask(asked, candidates=candidates, records=CATALOG.records)

    assert choice.best.candidate.words == ("qwen2.5-32b", "q8_0", "rented h100-80gb-sxm", 1, "llama.cpp")
    assert {kind for words, kind in refusals(choice).items() if words[2] == "rented rtx-4090"} == {"memory"}


@pytest.mark.parametrize(
    ("gpu", "gpus", "formats"),
    [("rtx-3070", 1, ["q8_0", "q4_k_m"]), ("rtx-4080", 1, ["f16", "q8_0"]), ("a100-80gb-pcie", 2, ["f16", "q8_0"])],
)
def test_the_seeds_memory_matrix_gives_the_seeds_models(gpu, gpus, formats):
    """On the memory that the matrix names, its model fits and is the one that its use asks for."""
    card = CATALOG.gpu(gpu)
    claim = next(row for row in CLAIMS if abs(row.memory_bytes / (card.memory_bytes * gpus) - 1) < 0.1)
    matrix = [CATALOG.model(row.model) for row in CLAIMS]
    need = need_of(claim.use)
    asked = task(least_parameters=need.least_parameters, input_tokens=500, output_tokens=300, requests_per_month=1_000)
    own = Hardware(name="own", gpu=card, gpus=(gpus,), price_per_gpu_hour="1 USD", at_hand=gpus)
    (choice,) = ask(asked, candidates=candidates_of([own], matrix, {"llama.cpp": formats}))

    assert claim.gpus == gpus
    assert choice.best.candidate.model.key == claim.model


def loss_row(loss, **fields):
    """State what Q8_0 costs."""
    return QuantisationLoss(**{"quantisation": "q8_0", "loss": loss, "source": SOURCE, **fields})


def score_row(score, **fields):
    """State what a model reached."""
    return ModelScore(**{"model": "bare", "benchmark": "X", "score": score, "source": SOURCE, **fields})


def bare(**fields):
    """Make a model whose own record states no score."""
    return attrs.evolve(LLAMAS[0], **{"key": "bare", "quality": (), **fields})


def test_the_record_that_says_most_counts():
    """A loss of this model and benchmark beats one of the format alone, and the user's beats a claim."""
    model, other = LLAMAS[0], LLAMAS[1]
    rows = (
        loss_row(0.01, authority="claim"), loss_row(0.02, model=model.key),
        loss_row(0.03, model=model.key, benchmark="A"), loss_row(0.005, authority="user"),
    )  # fmt: skip
    grades = Grades(Catalog(rows), DAY)

    assert grades.loss(model, "Q8_0", "a") == 0.03
    assert grades.loss(model, "q8_0", "B") == 0.02
    assert grades.loss(other, "q8_0", "B") == 0.005
    assert grades.loss(other, "q4_0", "B") is None
    assert grades.loss(other, "bf16", "B") == 0.0


@given(st.permutations([(0.03, 1, 1), (0.02, 1, 0), (0.01, 0, 1), (0.0, 0, 0)]), st.integers(1, 4))
def test_a_loss_is_that_of_the_most_special_record_there_is(rows, count):
    """Whatever records there are, in whatever order: model and benchmark, model, benchmark, format alone."""
    held = rows[:count]
    records = [loss_row(loss, model="bare" if model else "", benchmark="X" if own else "") for loss, model, own in held]

    assert Grades(Catalog(records), DAY).loss(bare(), "q8_0", "x") == max(loss for loss, *_ in held)


@given(st.permutations([(0.1, "user"), (0.2, "vendor"), (0.3, "measured"), (0.4, "claim")]), st.integers(0, 4),
       st.sampled_from(["vendor", "measured", "claim"]))  # fmt: skip
def test_a_score_of_higher_authority_than_the_models_record_wins(rows, count, authority):
    """The model's own score counts like its record, and goes before others of equal authority."""
    own = bare(quality=(QualityScore(benchmark="x", score=0.9, source=SOURCE),), authority=authority)
    held = rows[:count]
    better = [
        (AUTHORITIES.index(who), score) for score, who in held if AUTHORITIES.index(who) < AUTHORITIES.index(authority)
    ]
    grades = Grades(Catalog([score_row(score, authority=who) for score, who in held]), DAY)

    assert grades.score(own, "X") == (min(better)[1] if better else 0.9)


def test_a_score_of_the_models_own_record_comes_first():
    """Records of scores add, change none of equal authority, and their conflicts harm no model that needs none."""
    rivals = [score_row(score, model="own", authority="aggregator") for score in (0.1, 0.2)]
    own = bare(key="own", quality=(QualityScore(benchmark="x", score=0.9, source=SOURCE),))
    grades = Grades(Catalog([*rivals, score_row(0.4), score_row(0.3, authority="claim")]), DAY)

    assert grades.score(own, "X") == 0.9
    assert grades.score(bare(), "x") == 0.4
    assert grades.score(bare(), "Y") is None
    assert grades.benchmarks(own) == ("x", "X")
    assert grades.benchmarks(bare()) == ("X",)


def test_the_users_score_wins_in_any_spelling():
    """A row of one's own beats a plugin's, whatever its capitals and whichever is asked for."""
    for theirs, mine, asked in itertools.product(("MMLU (5-shot)", "mmlu (5-shot)"), repeat=3):
        rows = [score_row(0.4, benchmark=theirs), score_row(0.6, benchmark=mine, authority="user")]

        assert Grades(Catalog(rows), DAY).score(bare(), asked) == 0.6


@pytest.mark.parametrize("rows", [
    [score_row(0.4), score_row(0.3)],
    [score_row(0.4, best=10, authority="claim"), score_row(0.4, authority="claim")],
    [score_row(0.9), score_row(0.9), loss_row(0.1), loss_row(0.2)],
])  # fmt: skip
def test_plugins_that_disagree_are_a_conflict_and_no_choice(rows):
    """Scores and losses of equal authority that differ are raised with both plugins, and preferring one settles it."""
    brought = [attrs.evolve(row, origin=Origin(plugin=f"p{place}")) for place, row in enumerate(rows)]
    candidates = candidates_of([rented(H100)], [bare()], {"llama.cpp": ["q8_0"]})
    asked = task(benchmark="X", minimum_score=0.1, least_parameters=None, ignore_quantisation_loss=True)
    words = {"currency": "USD", "on": DAY}

    with pytest.raises(ConflictingRecordsError, match=r"(?s)equal authority.*rank plugins by prefer="):
        choose([asked], candidates, **words, catalog=Catalog(brought))
    (choice,) = choose([asked], candidates, **words, catalog=Catalog(brought, prefer=[f"p{len(rows) - 1}", "p0"]))
    assert choice.best.score == pytest.approx(rows[-1].score if len(rows) == 2 else 0.9 * 0.8)


def test_a_score_of_another_time_is_unknown():
    """What does not hold on the day is refused with the periods, and a loss of the day stands in for a special one."""
    past = Period(end=date(2026, 1, 1))
    asked = {"benchmark": "X", "minimum_score": 0.0, "least_parameters": None}
    kind, reason = refused(model=bare(), records=(score_row(0.4, period=past),), **asked)
    grades = Grades(Catalog([loss_row(0.3, model="bare", period=past), loss_row(0.1)]), DAY)

    assert kind == "quality unknown"
    assert "in force on 2026-11-23: known periods are … to 2026-01-01" in reason
    assert grades.loss(bare(), "q8_0", "X") == 0.1


def test_any_plugin_brings_what_a_choice_needs():
    """Hooks of an own plugin are called, its records are checked and stamped, and a task of its kind is chosen for."""
    public = attrs.evolve(SOURCE, url="https://acme.example/scores")
    need = TaskNeed(key="triage", benchmark="X", minimum_score=0.5, source=public)
    module = types.ModuleType("acme")
    module.llm_tco_task_needs = hookimpl(lambda: [need], specname="llm_tco_task_needs")
    module.llm_tco_model_scores = hookimpl(lambda: [score_row(0.6, source=public)], specname="llm_tco_model_scores")
    module.llm_tco_quantisation_losses = hookimpl(
        lambda: [loss_row(0.1, source=public), loss_row(-0.9, quantisation="fp8", source=public)],
        specname="llm_tco_quantisation_losses",
    )
    loaded = collect(module, PluginReport(name="acme", distribution="llm-tco-acme", version="1", status="ok"))
    found = Catalog(loaded.records).record(TaskNeed, "Triage")
    asked = task(benchmark=found.benchmark, minimum_score=found.minimum_score, least_parameters=None)
    candidates = candidates_of([rented(H100, gpus=(1,))], [bare()], {"llama.cpp": ["q8_0"]})
    (choice,) = ask(asked, candidates=candidates, records=loaded.records)

    assert loaded.report.records == (("model_score", 1), ("quantisation_loss", 1), ("task_need", 1))
    assert "quantisation_loss fp8, loss is not plausible: -0.9" in str(loaded.problems[0])
    assert found.origin == Origin(plugin="llm-tco-acme", version="1")
    assert choice.best.score == pytest.approx(0.54)


def test_another_name_of_a_format_is_the_same_record():
    """Two plugins that call a format differently speak of one thing."""
    rows = [QuantisationLoss(quantisation=name, loss=0.1, source=SOURCE) for name in ("AWQ", "gptq", "int4")]

    assert {row.identity for row in rows} == {("int4", "", "")}
    assert TaskNeed(key="a", least_parameters=1e9, quantisations=("FP16", "awq"), source=SOURCE).quantisations == (
        "f16", "int4",
    )  # fmt: skip
    assert Grades(Catalog(rows), DAY).loss(bare(), "w4a16", "X") == 0.1


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: task(least_parameters=None), "minimum_score: is missing; state benchmark and minimum_score, or least"),
        (lambda: task(benchmark="A"), "minimum_score: and benchmark are stated together or not at all"),
        (lambda: TaskNeed(key="a", source=SOURCE), "minimum_score: is missing"),
        (lambda: ModelScore(model="a", benchmark="b", score=2, source=SOURCE), "score: must be at most 1, the best"),
        (lambda: loss_row(0.1, quantisation=8), "quantisation: must be a text, got 8"),
        (lambda: rented(H100, life_years=3), "life_years: has no meaning without a server"),
        (lambda: rented(H100, owned=True), "owned: has no meaning without a server"),
        (lambda: rented(H100, gpus=()), "gpus: must list whole numbers of at least 1, got []"),
        (lambda: rented(RTX_4090, server=CATALOG.server("rtx-4090-workstation")), "price_per_gpu_hour: is a rent"),
        (lambda: rented(H100, server=CATALOG.server("rtx-4090-workstation")), "server: holds 'rtx-4090', not 'h100"),
        (lambda: Hardware(name="two", gpu=H100, server=CATALOG.server("dual-h100-server")), "gpus_per_server: must be the 2"),
        (lambda: choose([], [], currency="USD", on=DAY), "tasks: must hold at least one"),
        (lambda: choose([task()], [], currency="USD", on=DAY), "candidates: must hold at least one"),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused(make, problem):
    """Each mistake is named."""
    with pytest.raises(InvalidValueError) as error:
        make()

    assert str(error.value).startswith(problem)


def test_a_task_that_nobody_knows_is_named():
    """The nearest name is said, and the plugin that brings some where there is none."""
    with pytest.raises(UnknownRecordError, match="no task_need 'code generator'; did you mean 'code generation'"):
        need_of("code generator")
    with pytest.raises(UnknownRecordError, match="no plugin brings any. Install one, such as llm-tco-reference"):
        Catalog().record(TaskNeed, "code generation")


@pytest.mark.parametrize("name", ["code generation", "Code_Generation", "代码生成"])
def test_a_task_is_found_by_any_of_its_names(name):
    """A key, another spelling and another language mean the same record."""
    assert need_of(name).key == "code generation"


def test_ties_are_decided_by_load_and_then_by_name():
    """At equal cost the less busy machine comes first, and names decide between twins."""
    twin = attrs.evolve(LLAMAS[0], key="a-twin")
    candidates = candidates_of([rented(H100, gpus=(1,))], [LLAMAS[2], LLAMAS[0], twin], {"vllm": ["int8"]})
    (choice,) = ask(task(requests_per_month=1_000), candidates=candidates)

    assert [offer.candidate.model.key for offer in choice.offers] == ["a-twin", "llama-3.1-8b", "llama-3.1-70b"]
    assert len({offer.cost_per_month for offer in choice.offers}) == 1
    assert isinstance(choice.best, Offer)
