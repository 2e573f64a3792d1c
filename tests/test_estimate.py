"""What a group of GPUs delivers, estimated: laws, states and published figures."""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco import Fleet, Timeline, Workload, load_catalog
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Model, Throughput
from llm_tco.catalog.records import Source
from llm_tco.errors import InfeasibleError, InvalidValueError, UnknownRecordError
from llm_tco.serving.efficiency import EFFICIENCIES, efficiency_of, engine_class_of, hardware_class_of
from llm_tco.serving.estimate import PARALLEL, Group, estimate_throughput, kv_precision_of, latency, rates
from llm_tco.serving.memory import UnknownFigureError
from llm_tco.serving.operating import between, measured_at, throughput_at
from llm_tco.serving.roofline import TERMS

SOURCE = Source(title="made for a test", checked=date(2026, 11, 1))
ROOT = Path(__file__).parents[1]
CATALOG = load_catalog()
LLAMA_8B, MOE = CATALOG.model("llama-3.1-8b"), CATALOG.model("qwen3-30b-a3b")
H100, L40S = CATALOG.gpu("h100-80gb-sxm"), CATALOG.gpu("l40s")

engines = st.sampled_from(["single_stream", "batched"])
formats = st.sampled_from(["q4_k_m", "f16", "fp8", "nvfp4", "int4"])
prompts, answers = st.integers(0, 8_000), st.integers(1, 4_000)


@st.composite
def cards(draw):
    """Draw cards of 1 TB, on which every drawn model fits."""
    bf16 = draw(st.floats(10e12, 3e15))
    wide = draw(st.booleans())
    return Gpu(
        key="drawn", name=draw(st.sampled_from(["GeForce drawn", "Drawn"])), vendor="Maker", memory_bytes=1e12,
        memory_bandwidth_bytes_per_s=draw(st.floats(1e11, 8e12)), tdp_w=400, bf16_flops_per_s=bf16,
        fp8_flops_per_s=2 * bf16 if wide else None, fp4_flops_per_s=4 * bf16 if wide else None,
        interconnect=draw(st.sampled_from(["NVLink", "PCIe 4.0 x16"])),
        interconnect_bytes_per_s=draw(st.none() | st.floats(3e10, 2e12)), source=SOURCE,
    )  # fmt: skip


@st.composite
def models(draw):
    """Draw dense models and mixtures of experts with every field stated."""
    parameters, layers = draw(st.floats(4e9, 400e9)), draw(st.integers(8, 120))
    experts = draw(st.none() | st.integers(2, 256))
    return Model(
        key="drawn", name="Drawn", parameters=parameters, layers=layers,
        active_parameters=None if experts is None else parameters * (0.3 + 0.7 / experts),
        hidden_size=draw(st.integers(512, 4096)), attention_heads=draw(st.integers(8, 128)),
        kv_heads=draw(st.integers(1, 8)), head_dim=draw(st.sampled_from([64, 128])),
        vocabulary=draw(st.integers(1_000, 150_000)), tied_embeddings=draw(st.booleans()),
        experts=experts, experts_per_token=None if experts is None else 1,
        sliding_window_tokens=(window := draw(st.none() | st.integers(1, 8192))),
        sliding_layers=None if window is None else draw(st.integers(1, layers)), source=SOURCE,
    )  # fmt: skip


def slower(one, other):
    """Say whether the first rate is at most the second, up to rounding."""
    return np.all(one <= other * (1 + 1e-9))


@given(cards(), models(), formats, engines, st.integers(1, 8), prompts, answers, st.floats(1, 10))
def test_a_better_card_is_never_slower(card, model, form, engine, gpus, prompt, answer, factor):
    """More bandwidth, more compute or a faster link never lowers a rate."""
    names = ("memory_bandwidth_bytes_per_s", "bf16_flops_per_s", "fp8_flops_per_s", "interconnect_bytes_per_s")
    base = rates(card, model, form, engine=engine, gpus=gpus, input_tokens=prompt, output_tokens=answer, concurrency=8)
    for name in names:
        value = getattr(card, name)
        if value is None:
            continue
        # Bandwidth decides about the class as well: it is held, so that only the card gets better.
        better = attrs.evolve(card, **{name: value * factor})
        now = rates(
            better, model, form, engine=engine, gpus=gpus, input_tokens=prompt, output_tokens=answer, concurrency=8,
            efficiency=efficiency_of(engine, card),
        )  # fmt: skip
        assert slower(base.generated_per_s, now.generated_per_s)


@given(
    cards(), models(), formats, engines, st.sampled_from(PARALLEL), st.integers(1, 8), prompts, prompts, answers,
    st.integers(1, 500),
)  # fmt: skip
def test_a_longer_prompt_is_never_faster(card, model, form, engine, parallel, gpus, one, other, answer, at_once):
    """More prompt tokens never raise what is generated, and in one arrangement of cards never shorten the wait."""
    lengths = np.array(sorted((one, other)))
    found = rates(
        card, model, form, engine=engine, gpus=gpus, input_tokens=lengths, output_tokens=answer, concurrency=at_once,
        parallel=parallel,
    )  # fmt: skip

    assert slower(found.generated_per_s[1], found.generated_per_s[0])
    # The arrangement that generates faster may be another one for a longer prompt, with a shorter wait.
    assert parallel == "faster" or slower(found.ttft_s[0], found.ttft_s[1])


@given(cards(), models(), formats, st.sampled_from(PARALLEL), st.integers(1, 8), prompts, answers)
def test_a_larger_batch_delivers_more_and_makes_each_wait(card, model, form, parallel, gpus, prompt, answer):
    """With more requests at once a group generates more, and a token takes its user longer."""
    at_once = np.arange(1, 600, 7)
    found = rates(
        card, model, form, engine="batched", gpus=gpus, input_tokens=prompt, output_tokens=answer,
        concurrency=at_once, parallel=parallel,
    )  # fmt: skip
    enough = found.batch == at_once

    assert slower(found.tpot_s[:-1], found.tpot_s[1:])
    assert slower(found.generated_per_s[:-1], found.generated_per_s[1:])
    assert np.allclose((found.generated_per_s * found.tpot_s)[enough], at_once[enough])


@given(cards(), models(), formats, st.integers(2, 8), prompts, answers, st.integers(1, 500))
def test_the_faster_way_to_share_is_taken(card, model, form, gpus, prompt, answer, at_once):
    """Without a named parallelism the estimate is the larger of the two."""
    each = {
        parallel: rates(
            card, model, form, engine="batched", gpus=gpus, input_tokens=prompt, output_tokens=answer,
            concurrency=at_once, parallel=parallel,
        ).generated_per_s
        for parallel in PARALLEL
    }  # fmt: skip

    assert each["faster"] == pytest.approx(max(each["tensor"], each["pipeline"]))


@given(cards(), models(), st.integers(1, 8), prompts, answers)
def test_an_estimate_is_the_sum_of_its_terms(card, model, gpus, prompt, answer):
    """Prompt and generation keep a replica busy for what their rates say, in any mixture."""
    found = rates(card, model, "fp8", engine="batched", gpus=gpus, input_tokens=prompt, output_tokens=answer)
    record = estimate_throughput(
        card, model, "fp8", engine="batched", gpus=gpus, input_tokens=prompt, output_tokens=answer
    )

    assert found.seconds.step.shape[-1] == len(TERMS)
    assert np.all(found.seconds.step >= 0)
    assert record.generated_per_s(prompt, answer) == pytest.approx(float(found.generated_per_s[0]))
    assert record.busy_seconds(np.array([73.0]), np.array([1.0]))[0] == pytest.approx(
        73 / record.input_tokens_per_s + 1 / record.output_tokens_per_s
    )


@given(cards(), models(), formats, engines, prompts, answers)
def test_the_band_holds_the_estimate(card, model, form, engine, prompt, answer):
    """An estimate says that it is one, and its band lies around it within a factor of 2.5."""
    record = estimate_throughput(card, model, form, engine=engine, input_tokens=prompt, output_tokens=answer)

    assert record.estimate
    assert record.approximate
    assert record.low.output_tokens_per_s < record.output_tokens_per_s < record.high.output_tokens_per_s
    assert record.low.input_tokens_per_s < record.input_tokens_per_s < record.high.input_tokens_per_s
    assert record.high_ratio / record.low_ratio <= 2.5
    assert record.low.low_ratio == record.low.high_ratio == 1


@given(models(), st.integers(1, 200))
def test_a_mixture_of_experts_reads_no_more_than_all_its_weights(model, at_once):
    """Resting experts are not read: a step reads at most as much as that of a dense model of the same size."""
    dense = attrs.evolve(model, active_parameters=None, experts=None, experts_per_token=None)
    times = [
        rates(H100_LARGE, one, "f16", engine="batched", input_tokens=100, output_tokens=100, concurrency=at_once)
        .seconds.step[..., TERMS.index("weights")]
        for one in (model, dense)
    ]  # fmt: skip

    assert slower(times[0], times[1])


H100_LARGE = attrs.evolve(H100, memory_bytes=2e12)


@given(
    st.lists(st.tuples(cards(), models(), formats, engines, st.integers(1, 8)), min_size=2, max_size=6),
    prompts,
    answers,
)
def test_a_thousand_candidates_are_so_many_single_ones(candidates, prompt, answer):
    """Each entry of a batch of candidates equals its own run."""
    gpu, model, form, engine, gpus = (list(column) for column in zip(*candidates, strict=True))
    lengths = np.array([[prompt], [prompt + 1]])
    together = rates(gpu, model, form, engine=engine, gpus=gpus, input_tokens=lengths, output_tokens=answer)

    assert together.generated_per_s.shape == (2, len(candidates))
    for place, one in enumerate(candidates):
        alone = rates(one[0], one[1], one[2], engine=one[3], gpus=one[4], input_tokens=prompt, output_tokens=answer)
        for name in ("generated_per_s", "input_tokens_per_s", "output_tokens_per_s", "ttft_s", "tpot_s", "batch"):
            assert getattr(together, name)[0, place] == pytest.approx(float(getattr(alone, name)[0]), rel=1e-12)


@given(st.floats(0.001, 0.5), st.integers(1, 4_000), st.integers(1, 2_000))
def test_the_largest_batch_keeps_the_target_and_the_next_does_not(tpot, prompt, answer):
    """The batch that is given keeps the latency; one more request breaks it, or does not fit."""
    group = Group.of(H100, LLAMA_8B, "fp8", engine="vllm")
    batch = float(group.largest_batch(prompt, answer, tpot_s=tpot)[0])
    most = float(group.rates(prompt, answer).batch[0])

    assert 0 <= batch <= most
    if batch:
        assert group.rates(prompt, answer, batch).tpot_s[0] <= tpot
    assert batch == most or group.rates(prompt, answer, batch + 1).tpot_s[0] > tpot


def test_a_latency_that_no_batch_meets_is_none():
    """A target below the time of one token is met by no batch."""
    group = Group.of(H100, CATALOG.model("llama-3.1-70b"), "fp8", engine="vllm", gpus=2)

    assert group.largest_batch(1_000, 100, tpot_s=1e-3)[0] == 0
    assert group.largest_batch(1_000, 100, ttft_s=1e-6)[0] == 0
    assert group.largest_batch(1_000, 100)[0] == group.rates(1_000, 100).batch[0]


def test_what_does_not_fit_says_by_how_much():
    """A model that is too large is a state of a batch of candidates, and an error of one."""
    big = CATALOG.model("llama-3.1-405b")
    found = rates([H100, H100], [LLAMA_8B, big], "fp8", engine="vllm", input_tokens=1_000, output_tokens=100)

    assert found.fits.tolist() == [True, False]
    assert found.generated_per_s[1] == found.batch[1] == 0
    assert found.room_bytes[1] < 0
    with pytest.raises(InfeasibleError, match="does not fit on 1 × h100-80gb-sxm: 329.2 GB are missing"):
        estimate_throughput(H100, big, "fp8", engine="vllm", input_tokens=1_000, output_tokens=100)
    with pytest.raises(InfeasibleError, match="at most 8192 tokens, and a request has 9000"):
        estimate_throughput(
            H100, CATALOG.model("llama-3-8b"), "fp8", engine="vllm", input_tokens=8_000, output_tokens=1_000
        )
    with pytest.raises(InfeasibleError, match="requests at once do not fit on 1 × h100-80gb-sxm: at most"):
        latency(H100, LLAMA_8B, "f16", engine="vllm", input_tokens=8_000, output_tokens=1_000, concurrency=1_000)


def test_a_latency_is_that_of_the_rates():
    """Both questions about an operating point have one answer."""
    seen = latency(H100, LLAMA_8B, "fp8", engine="vllm", input_tokens=2_000, output_tokens=500, concurrency=32)
    found = rates(H100, LLAMA_8B, "fp8", engine="vllm", input_tokens=2_000, output_tokens=500, concurrency=32)

    assert (seen.ttft_s, seen.tpot_s) == (found.ttft_s[0], found.tpot_s[0])
    assert found.generated_per_s[0] * seen.tpot_s == pytest.approx(32)


def test_unknown_figures_are_errors():
    """Nothing is estimated from a record that leaves out what is needed."""
    mute = attrs.evolve(L40S, bf16_flops_per_s=None, fp8_flops_per_s=None)
    with pytest.raises(UnknownFigureError, match="'l40s' does not state bf16_flops_per_s"):
        estimate_throughput(mute, LLAMA_8B, "fp8", engine="vllm", input_tokens=100, output_tokens=100)
    with pytest.raises(UnknownFigureError, match="experts"):
        estimate_throughput(
            L40S, attrs.evolve(MOE, experts=None, experts_per_token=None), "fp8", engine="vllm",
            input_tokens=100, output_tokens=100,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("llama.cpp (May 2024)", "single_stream"),
        ("LM Studio 0.3", "single_stream"),
        ("MLX 0.20", "single_stream"),
        ("TensorRT LLM 1.0", "batched"),
        ("vLLM 0.10.1", "batched"),
        ("batched", "batched"),
    ],
)
def test_an_engine_belongs_to_a_class(engine, kind):
    """An engine's name and version, as people write them, give its class."""
    assert engine_class_of(engine) == kind


def test_unknown_classes_are_errors():
    """An engine without a class, and a class without measurements, are refused."""
    mac = CATALOG.gpu("m2-ultra-76-core")
    with pytest.raises(UnknownRecordError, match="serves one request at a time or batches"):
        engine_class_of("own engine")
    with pytest.raises(UnknownRecordError, match="batched on unified"):
        efficiency_of("vllm", mac)
    with pytest.raises(InvalidValueError, match="parallel"):
        Group.of(L40S, LLAMA_8B, "fp8", engine="vllm", gpus=2, parallel="data")
    with pytest.raises(InvalidValueError, match="equally many"):
        Group.of([L40S, H100], [LLAMA_8B], "fp8", engine="vllm")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("rtx-5090", "gddr"),
        ("rtx-pro-6000-server", "gddr"),
        ("l40s", "gddr"),
        ("a40", "gddr"),
        ("rx-7900-xtx", "gddr"),
        ("v100-32gb-sxm2", "hbm"),
        ("a100-40gb-pcie", "hbm"),
        ("gb200", "hbm"),
        ("mi300x", "hbm"),
        ("m4-max-40-core", "unified"),
    ],
)
def test_memory_gives_the_class_of_hardware(key, kind):
    """Cards are told apart by their kind of memory."""
    assert hardware_class_of(CATALOG.gpu(key)) == kind


def test_a_cache_in_eight_bits_comes_with_its_checkpoints():
    """Only TensorRT-LLM with FP8 and FP4 weights keeps its cache in 8 bits unasked."""
    assert kv_precision_of("tensorrt-llm 1.0", "fp8") == "fp8"
    assert kv_precision_of("tensorrt-llm 1.0", "bf16") == kv_precision_of("vllm", "fp8") == "f16"


def test_constants_are_shares_of_their_class():
    """Every class of engine has constants, and no share is above its peak."""
    assert {engine for engine, _ in EFFICIENCIES} == {"single_stream", "batched"}
    assert all(one.low_ratio < 1 < one.high_ratio <= 2.5 * one.low_ratio for one in EFFICIENCIES.values())


def test_a_fleet_takes_an_estimate_and_says_so():
    """Workloads of 73 to 1 and of 1 to 1 are sized from one record, and the plan names the estimate."""
    record = estimate_throughput(L40S, LLAMA_8B, "fp8", engine="vllm", input_tokens=2_048, output_tokens=28)
    server = Server(key="box", name="Box", gpu="l40s", source=SOURCE)
    fleet = Fleet(server=server, throughput=record)
    timeline = Timeline(start=date(2026, 12, 1), months=1)
    code, chat = (
        fleet.size(Workload(requests_per_month=1e6, input_tokens=prompt, output_tokens=answer).on(timeline))
        for prompt, answer in ((2_048, 28), (1_038, 1_038))
    )

    assert [state.kind for state in fleet.states()] == ["estimate"]
    assert code.busy_hours[1] == pytest.approx(
        1e6 * (2_048 / record.input_tokens_per_s + 28 / record.output_tokens_per_s) / 3600
    )
    assert chat.busy_hours[1] > code.busy_hours[1]


@pytest.mark.parametrize(
    ("at_once", "measured", "joules"), [(8, 1_069.569, 0.4548), (64, 5_147.153, 0.1186), (256, 9_009.612, 0.0766)]
)
def test_published_points_of_one_machine_are_in_the_band(at_once, measured, joules):
    """ML.ENERGY's Llama 3.1 8B on an H100 lies in the band; joules a token follow from its watts."""
    group = Group.of(H100, LLAMA_8B, "bf16", engine="vllm")
    found = group.rates(150, 380, at_once)
    watts = joules * measured

    assert found.low_ratio[0] <= measured / found.generated_per_s[0] <= found.high_ratio[0]
    assert watts / found.generated_per_s[0] == pytest.approx(joules, rel=0.6)


def measurement(prompt, answer, rate, at_once=None):
    """Make a measurement of Llama 3.1 8B on an H100."""
    return Throughput(
        gpu=H100.key, model=LLAMA_8B.key, quantisation="FP8", engine=f"vllm 1, {prompt}/{answer}/{at_once}",
        output_tokens_per_s=rate, input_length=prompt, output_length=answer, concurrency=at_once,
        authority="measured", source=SOURCE,
    )  # fmt: skip


def asked(records, prompt, answer, **options):
    """Ask for the throughput of that combination at a point."""
    return throughput_at(
        records, H100, LLAMA_8B, "fp8", engine="vllm", input_tokens=prompt, output_tokens=answer, **options
    )


def test_a_measurement_beats_an_estimate():
    """At a measured point the measurement comes back; far from every one, the estimate."""
    known = [measurement(1_000, 1_000, 9_000.0), measurement(128, 2_048, 15_000.0)]

    assert asked(known, 1_000, 1_000) is known[0]
    assert asked(known, 20_000, 100).conditions == asked([], 20_000, 100).conditions
    assert "corrected by 1 measurements" in asked(known[:1], 1_100, 900).conditions
    assert asked(known, 1_100, 900).estimate


@given(st.floats(5e3, 3e4), st.floats(5e3, 3e4), st.integers(300, 3_000), st.integers(300, 3_000))
def test_corrections_lie_between_those_of_the_measurements(one, other, prompt, answer):
    """What measurements say of the estimate is carried to a near point, and never beyond either of them."""
    known = [measurement(1_000, 1_000, one), measurement(1_000, 900, other)]
    plain = asked([], prompt, answer).generated_per_s(prompt, answer)
    corrected = asked(known, prompt, answer).generated_per_s(prompt, answer)
    factors = [
        record.output_tokens_per_s / asked([], *lengths).generated_per_s(*lengths)
        for record, lengths in zip(known, ((1_000, 1_000), (1_000, 900)), strict=True)
    ]

    if (prompt, answer) not in ((1_000, 1_000), (1_000, 900)):
        assert min(factors) * (1 - 1e-9) <= corrected / plain <= max(factors) * (1 + 1e-9)


@given(st.lists(st.floats(1, 1e5), min_size=2, max_size=6), st.floats(1, 64))
def test_rates_between_points_are_monotone(measured, at_once):
    """Between two operating points a rate lies between theirs, and at a point it is the measured one."""
    points = 2.0 ** np.arange(len(measured))
    upper = min(int(np.searchsorted(points, at_once)), len(points) - 1)
    lower = max(upper - 1, 0) if at_once < points[-1] else upper
    found = between(points, np.array(measured), at_once)

    assert min(measured[lower], measured[upper]) * (1 - 1e-9) <= found
    assert found <= max(measured[lower], measured[upper]) * (1 + 1e-9)
    assert between(points, np.array(measured), points[0]) == pytest.approx(measured[0])


def test_concurrency_lies_between_measured_ones():
    """A concurrency between two measured ones is interpolated; one beyond them is not extrapolated."""
    known = [measurement(150, 380, 1_070.0, 8), measurement(150, 380, 9_010.0, 256)]
    middle = asked(known, 150, 380, concurrency=64).generated_per_s(150, 380)

    assert 1_070 < middle < 9_010
    assert "corrected" not in asked(known, 150, 380, concurrency=512).conditions


def test_only_measurements_of_the_combination_count():
    """Estimates, claims, other engines and records without an operating point are left out."""
    good = measurement(1_000, 1_000, 9_000.0)
    others = [
        attrs.evolve(good, estimate=True),
        attrs.evolve(good, authority="claim"),
        attrs.evolve(good, engine="sglang"),
        attrs.evolve(good, input_length=None),
        attrs.evolve(good, gpus=2),
        attrs.evolve(good, quantisation="something else"),
    ]

    assert measured_at([*others, good], H100.key, LLAMA_8B.key, "fp8", engine="vLLM") == (good,)
    with pytest.raises(InvalidValueError, match="reach"):
        asked([good], 10, 10, reach=0.5)


def test_the_page_of_errors_is_current():
    """The tables of the page are what the measurements and the constants give today, and meet the bars it names."""
    spec = importlib.util.spec_from_file_location("estimate_errors", ROOT / "docs" / "estimate_errors.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    rows = script.read_rows()
    first = np.array([row.source == script.FILES[0] for row in rows])
    errors = script.Sample.of(rows).errors(EFFICIENCIES)[first]

    assert script.is_current(script.PAGE.read_text(encoding="utf-8"))
    assert first.sum() == 222
    assert np.median(np.abs(np.expm1(errors))) < 0.2
    assert np.mean(np.abs(errors) <= script.WITHIN) >= 0.9
