"""How fast candidates are sized.

    python benchmarks/sizing.py

One option is a card, a model, a format and an engine at one operating point. A thousand of them are one call,
and the ratio says what broadcasting gains over a thousand calls. A fleet is sized for 36 months of a growing
load, with and without a target for waits or an availability, and with as many servers as month 1 needs. Absolute
times differ between machines.
"""

from __future__ import annotations

import datetime
import itertools
import statistics
import time

import numpy as np

from llm_tco import Fleet, Timeline, Workload, load_catalog
from llm_tco.serving.candidates import Hardware, Task, candidates_of
from llm_tco.serving.estimate import Group, estimate_throughput, rates
from llm_tco.serving.memory import fit
from llm_tco.serving.queueing import WaitTarget
from llm_tco.serving.reliability import Reliability
from llm_tco.serving.selection import choose

CARDS = ("h100-80gb-sxm", "h200-141gb-sxm", "b200-sxm", "a100-80gb-sxm", "l40s", "rtx-4090", "rtx-pro-6000-server")
MODELS = (
    "llama-3.1-8b", "llama-3.3-70b", "llama-3.1-405b", "qwen2.5-7b", "qwen2.5-14b", "qwen2.5-32b", "qwen2.5-72b",
    "qwen3-30b-a3b", "qwen3-235b-a22b", "mixtral-8x7b", "gpt-oss-120b", "deepseek-v3",
)  # fmt: skip
FORMATS = ("f16", "fp8", "int4")
COUNTS = (1, 2, 4, 8)
MONTHS = Timeline(datetime.date(2026, 12, 1), 36)
SLOTS = 32
TARGETS = {
    "no target": {},
    "mean wait 0.5 s": {"wait": WaitTarget(max_wait_s=0.5)},
    "95 % within 0.5 s": {"wait": WaitTarget(max_wait_s=0.5, percentile=0.95)},
    "99.9 % at once": {"wait": WaitTarget(max_wait_s=0, percentile=0.999)},
    "99.9 % available": {"reliability": Reliability(failures_per_year=0.73, repair_hours=120, availability=0.999)},
}


def call(function, runs: int = 15) -> float:
    """Give the median time of a call. [s]"""
    function()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def fleets(catalog) -> None:
    """Size fleets of one server and of thousands."""
    server, throughput = catalog.server("rtx-4090-workstation"), catalog.throughput("rtx-4090", "qwen2.5-7b", "q4_k_m")
    lengths = {"input_tokens": 500, "output_tokens": 300, "peak_to_mean": 3, "growth_per_year": 0.5}
    print("one fleet over 36 months, at 32 slots a server     slots in month 1   sized      fixed count")
    for (label, target), requests in itertools.product(TARGETS.items(), (1e5, 3e6, 6e8)):
        load = Workload(requests_per_month=requests, **lengths)
        words = {"server": server, "throughput": throughput, "slots": SLOTS, **target}

        def sized(words=words, load=load):
            return Fleet(**words).size(load.on(MONTHS))

        count = int(sized().active[1])

        def fixed(words=words, load=load, count=count):
            return Fleet(**words, count=count).size(load.on(MONTHS))

        times = f"{call(sized) * 1e3:6.2f} ms {call(fixed) * 1e3:12.2f} ms"
        print(f"  {label:20} {requests:15,.0f} requests {count * SLOTS:12,} {times}")


def main() -> None:
    """Measure and print."""
    catalog = load_catalog()
    fleets(catalog)
    gpus = {key: catalog.gpu(key) for key in CARDS}
    models = {key: catalog.model(key) for key in MODELS}
    combinations = list(itertools.product(gpus.values(), models.values(), FORMATS, COUNTS))[:1_000]
    card, model, form, count = (list(column) for column in zip(*combinations, strict=True))
    chat = {"input_tokens": 1_500, "output_tokens": 400}

    def alone():
        return estimate_throughput(card[0], model[0], "fp8", engine="vllm", **chat)

    def together():
        return rates(card, model, form, engine="vllm", gpus=count, **chat)

    def with_batches():
        group = Group.of(card, model, form, engine="vllm", gpus=count)
        return group.largest_batch(1_500, 400, tpot_s=0.05)

    def memory():
        return fit(models["llama-3.3-70b"], "fp8", card, gpus=np.array(count), context_tokens=1_900)

    machines = [Hardware(name=key, gpu=gpu, gpus=COUNTS, price_per_gpu_hour="2 USD") for key, gpu in gpus.items()]
    candidates = candidates_of(machines, models.values(), {"vllm": FORMATS})[:1_000]
    load = {"requests_per_month": 1e7, "input_tokens": 1_500, "output_tokens": 400}
    tasks = [Task(name="chat", **load, least_parameters=7e9, tpot_s=0.05)]
    given = {"currency": "USD", "on": datetime.date(2026, 11, 23), "catalog": catalog}

    def chosen():
        return choose(tasks, candidates, **given)

    found = together()
    one = call(alone)
    print(f"one option                              {one * 1e3:8.2f} ms")
    for label, function in (
        ("estimated", together),
        ("largest batch within 50 ms", with_batches),
        ("memory", memory),
        ("chosen from, within 50 ms", chosen),
    ):
        seconds = call(function, 5)
        print(
            f"{len(combinations)} combinations, {label:26s} {seconds * 1e3:8.1f} ms, {one * 1e3 / seconds:6.0f} × one by one"
        )
    print(f"{int(found.fits.sum())} of them fit")


if __name__ == "__main__":
    main()
