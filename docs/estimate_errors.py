"""Judge the estimates of throughput by public measurements, and fit their constants.

    python docs/estimate_errors.py          prints the fitted constants and rewrites the tables of the page
    python docs/estimate_errors.py --check  fails where the tables of the page are not current

It needs `llm-tco`, `llm-tco-accelerators` and `llm-tco-reference`, and the measurements in `tests/reference`.
"""

from __future__ import annotations

import csv
import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco import load_catalog
from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model
from llm_tco.serving.efficiency import EFFICIENCIES, Efficiency, engine_class_of, hardware_class_of
from llm_tco.serving.estimate import PARALLEL, Group, kv_precision_of
from llm_tco.serving.quantisation import Quantisation, quantisation_of
from llm_tco.serving.roofline import TERMS, Columns, Shares

FloatArray = npt.NDArray[np.float64]
Table = Mapping[tuple[str, str], Efficiency]

DOCS = Path(__file__).parent
ROWS = DOCS.parent / "tests" / "reference"
PAGE = DOCS / "explanation" / "estimates.md"
FILES = ("throughput_rows.csv", "throughput_rows_more.csv")
UNSEEN = ("throughput_rows_unseen.csv",)
"""Measurements that no constant was fitted to."""
WITHIN = np.log(1.5)

GPUS = {"H100": "h100-80gb-sxm", "H200": "h200-141gb-sxm"}
"""Cards that the measurements name more shortly than the catalog."""


@attrs.frozen(kw_only=True)
class Row:
    """A measurement.

    Attributes:
        source: File that holds it.
        gpu: The card.
        gpus: How many.
        model: The model.
        form: Quantisation.
        engine: Engine and version.
        kind: Class of the engine.
        input_tokens: Prompt tokens of a request.
        output_tokens: Generated tokens of a request.
        concurrency: Requests at once; NaN where it was saturated.
        prompt_only: Whether the rate is that of reading prompts.
        parallel: How the GPUs shared the model, where the source says so.
        measured: Tokens a second.
    """

    source: str
    gpu: Gpu
    gpus: int
    model: Model
    form: Quantisation
    engine: str
    kind: str
    input_tokens: float
    output_tokens: float
    concurrency: float
    prompt_only: bool
    parallel: str
    measured: float

    @property
    def classes(self) -> tuple[str, str]:
        """The key of its constants."""
        return self.kind, hardware_class_of(self.gpu)


def form_of(name: str) -> Quantisation:
    """Read a quantisation, or bits per weight such as `EXL2 4.0 bpw`."""
    bits = re.search(r"([\d.]+) bpw", name)
    return Quantisation(name=name, bits_per_weight=float(bits[1]), source=name) if bits else quantisation_of(name)


@functools.cache
def read_rows(files: tuple[str, ...] = FILES) -> tuple[Row, ...]:
    """Read the measurements of some files."""
    catalog = load_catalog()
    rows = []
    for name in files:
        for line in csv.DictReader((ROWS / name).read_text(encoding="utf-8").splitlines()):
            lengths = re.match(r"(\d+) in / (\d+) out", line["workload"])
            alone = re.match(r"(tg|pp)(\d+)", line["workload"])
            reads = alone is not None and alone[1] == "pp"
            tokens = float(alone[2]) if alone else 0.0
            engine = "tensorrt-llm" if line["engine"].startswith("TensorRT") else line["engine"]
            rows.append(
                Row(
                    source=name,
                    gpu=catalog.gpu(GPUS.get(line["gpu"], line["gpu"])),
                    gpus=int(line["n_gpus"]),
                    model=catalog.model(line["model"]),
                    form=form_of(line["quantisation"]),
                    engine=line["engine"],
                    kind=engine_class_of(engine),
                    input_tokens=float(lengths[1]) if lengths else (tokens if reads else 0.0),
                    output_tokens=float(lengths[2]) if lengths else (1.0 if reads else tokens),
                    concurrency=np.nan if line["concurrency"] == "saturated" else float(line["concurrency"]),
                    prompt_only=reads,
                    parallel=line.get("parallel") or "faster",
                    measured=float(line["tokens_per_s_total" if reads else "tokens_per_s_output"]),
                )
            )
    return tuple(rows)


@attrs.frozen(eq=False)
class Sample:
    """Measurements with the columns that estimates need, read once."""

    rows: tuple[Row, ...]
    columns: Columns
    gpus: FloatArray
    inputs: FloatArray
    outputs: FloatArray
    concurrency: FloatArray
    prompt_only: npt.NDArray[np.bool_]
    measured: FloatArray

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Sample:
        """Read the columns of rows."""

        def column(name: str) -> FloatArray:
            return np.array([getattr(row, name) for row in rows], float)

        return cls(
            tuple(rows),
            Columns.of(
                [row.gpu for row in rows],
                [row.model for row in rows],
                [row.form for row in rows],
                [kv_precision_of(row.engine, row.form) for row in rows],
            ),
            column("gpus"),
            column("input_tokens"),
            column("output_tokens"),
            column("concurrency"),
            column("prompt_only") > 0,
            column("measured"),
        )

    def part(self, chosen: npt.NDArray[np.bool_]) -> Sample:
        """Take some of the rows."""
        columns = Columns(*(getattr(self.columns, field.name)[chosen] for field in attrs.fields(Columns)))
        kept = [row for row, take in zip(self.rows, chosen, strict=True) if take]
        fields = ("gpus", "inputs", "outputs", "concurrency", "prompt_only", "measured")
        return Sample(tuple(kept), columns, *(getattr(self, name)[chosen] for name in fields))

    def terms(self, table: Table) -> tuple[FloatArray, FloatArray]:
        """Give the estimated seconds of a token by term, and the stages of the pipeline."""
        shares = Shares.of([table[row.classes] for row in self.rows])
        terms, stages = np.zeros((len(self.rows), len(TERMS))), np.ones(len(self.rows))
        for parallel in PARALLEL:
            mine = np.array([row.parallel == parallel for row in self.rows])
            group = Group(self.columns, shares, self.gpus, (), (), (), parallel)
            _, allowed = group.limits(self.inputs + self.outputs)
            wanted = np.where(np.isnan(self.concurrency), np.inf, self.concurrency)
            batch = np.maximum(np.minimum(allowed, wanted), 1.0)
            busy = group.busy(batch, self.inputs, self.outputs)
            alone = busy.prompt / np.maximum(self.inputs, 1.0)[:, None]
            found = np.where(self.prompt_only[:, None], alone, busy.per_token(batch, self.outputs))
            terms, stages = np.where(mine[:, None], found, terms), np.where(mine, busy.stages, stages)
        return terms, stages

    def errors(self, table: Table) -> FloatArray:
        """Give the logarithm of estimated over measured rates."""
        return np.asarray(-np.log(self.terms(table)[0].sum(-1)) - np.log(self.measured))


# Each constant: the term of a step that it scales, whether a larger one is slower, and which rows it touches.
Mask = Callable[[Columns], npt.NDArray[np.bool_]]
SCALED: dict[str, tuple[tuple[str, ...], int, Mask]] = {
    "weights_share": (("weights",), -1, lambda c: c.packed == 0),
    "packed_share": (("weights",), -1, lambda c: c.packed > 0),
    "kv_share": (("kv",), -1, lambda c: c.packed >= 0),
    "compute_share": (("compute",), -1, lambda c: c.fp4 == 0),
    "fp4_share": (("compute",), -1, lambda c: c.fp4 > 0),
    "moe_ratio": (("compute",), -1, lambda c: c.moe),
    "layer_s": (("layers",), 1, lambda c: c.packed >= 0),
    "moe_layer_s": (("routing",), 1, lambda c: c.packed >= 0),
    "sequence_s": (("sequences",), 1, lambda c: c.packed >= 0),
    "reduce_s": (("latency",), 1, lambda c: c.packed >= 0),
    "link_share": (("link",), -1, lambda c: c.pcie == 0),
    "pcie_share": (("link",), -1, lambda c: c.pcie > 0),
}
ALL = tuple(EFFICIENCIES)
BATCHED = (("batched", "hbm"), ("batched", "gddr"))
GDDR, HBM, UNIFIED = (("single_stream", name) for name in ("gddr", "hbm", "unified"))

Constant = tuple[tuple[tuple[str, str], ...], tuple[str, ...], float]
CONSTANTS: tuple[Constant, ...] = (
    *(((key,), (field,), start)
      for key in (GDDR, HBM, UNIFIED)
      for field, start in (("weights_share", 0.8), ("packed_share", 0.7), ("kv_share", 0.4))),
    ((GDDR, HBM, UNIFIED), ("layer_s",), 1e-4),
    ((GDDR, HBM, UNIFIED), ("moe_layer_s",), 4e-5),
    ((GDDR, HBM, UNIFIED), ("moe_ratio",), 0.6),
    ((GDDR, HBM), ("compute_share",), 0.7),
    ((UNIFIED,), ("compute_share",), 0.6),
    (BATCHED, ("weights_share", "packed_share", "kv_share"), 0.8),
    ((BATCHED[0],), ("compute_share",), 0.6),
    ((BATCHED[0],), ("fp4_share",), 0.4),
    ((BATCHED[1],), ("compute_share", "fp4_share"), 0.6),
    (BATCHED, ("moe_ratio",), 0.5),
    (BATCHED, ("layer_s",), 7e-5),
    (BATCHED, ("moe_layer_s",), 1e-4),
    (BATCHED, ("sequence_s",), 8e-6),
    (BATCHED, ("reduce_s",), 2e-5),
    (BATCHED, ("link_share",), 0.6),
    (BATCHED, ("pcie_share",), 0.4),
    (BATCHED, ("bubble",), 0.05),
)  # fmt: skip
"""What is fitted: the classes and fields that one constant fills, and where the search starts.

The start is also what a constant stays near where the measurements say nothing about it: a deviation by
a factor of e weighs as much as `PRIOR` measurements.
"""
CAP, PRIOR, SCALE, ROUNDS = 0.95, 1.0, 0.1, 12


def jacobian(sample: Sample, table: Table) -> tuple[FloatArray, FloatArray]:
    """Give errors, and how they move with the logarithm of each constant."""
    terms, stages = sample.terms(table)
    total = terms.sum(-1)
    share = terms / total[:, None]
    attention = share[:, TERMS.index("attention")]
    own = np.array([ALL.index(row.classes) for row in sample.rows])
    columns = np.zeros((len(sample.rows), len(CONSTANTS)))
    for place, (keys, fields, _) in enumerate(CONSTANTS):
        mine = np.isin(own, [ALL.index(key) for key in keys])
        for field in fields:
            if field == "bubble":
                lost = table[keys[0]].bubble * (stages - 1)
                columns[:, place] -= mine * lost / (1 + lost)
                continue
            names, sign, mask = SCALED[field]
            for name in names:
                columns[:, place] -= sign * mine * mask(sample.columns) * share[:, TERMS.index(name)]
            if field == "compute_share":
                columns[:, place] += mine * attention
    return np.asarray(-np.log(total) - np.log(sample.measured)), columns


def fill(values: FloatArray) -> Table:
    """Put values into the table of constants."""
    table = dict(EFFICIENCIES)
    for value, (keys, fields, _) in zip(values, CONSTANTS, strict=True):
        for key in keys:
            table[key] = attrs.evolve(table[key], **{field: float(value) for field in fields})
    return table


def fit(sample: Sample, start: FloatArray | None = None) -> FloatArray:
    """Fit the constants by robust least squares on the logarithm of the rates.

    Rows of one engine, card and model weigh together as the root of their number, so that a long table of
    one machine does not outvote the others. Errors beyond `SCALE` count by their size, not by their square
    (pseudo-Huber), in reweighted Gauss-Newton steps.
    """
    families = [(row.engine, row.gpu.key, row.model.key) for row in sample.rows]
    counts = {family: families.count(family) for family in set(families)}
    even = np.array([counts[family] ** -0.5 for family in families])
    first = np.log([constant[2] for constant in CONSTANTS])
    is_share = np.array([constant[1][0].endswith("share") for constant in CONSTANTS])
    x = first.copy() if start is None else np.log(start)
    for _ in range(ROUNDS if start is None else ROUNDS // 2):
        errors, columns = jacobian(sample, fill(np.exp(x)))
        weight = even / np.sqrt(1 + (errors / SCALE) ** 2)
        normal = columns.T @ (weight[:, None] * columns) + PRIOR * SCALE**2 * 4 * np.eye(len(x))
        pull = columns.T @ (weight * errors) + PRIOR * SCALE**2 * 4 * (x - first)
        x = x - np.clip(np.linalg.solve(normal, pull), -0.5, 0.5)
        x = np.where(is_share, np.minimum(x, np.log(CAP)), x)
    return np.exp(x)


def leave_out(sample: Sample, fitted: FloatArray, key: Callable[[Row], str]) -> FloatArray:
    """Give the errors of each row when all rows of its kind were left out of the fit."""
    names = np.array([key(row) for row in sample.rows])
    errors = np.zeros(len(names))
    for name in sorted(set(names)):
        mine = names == name
        errors[mine] = sample.part(mine).errors(fill(fit(sample.part(~mine), fitted)))
    return errors


def engine_of(row: Row) -> str:
    """Give the engine without its version."""
    return row.engine.split()[0]


def group_of(row: Row) -> str:
    """Give the class under which a row is reported."""
    if row.model.experts is not None:
        return "mixture of experts"
    if row.gpus > 1:
        return "several GPUs"
    return "single stream" if row.kind == "single_stream" else "batched, one GPU"


GROUPS = ("single stream", "batched, one GPU", "several GPUs", "mixture of experts")
HEAD = """| | rows | median error | within 1.5 | in the band | band, high to low | card left out: median | within 1.5 | \
engine left out: median | within 1.5 |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def percent(value: float) -> str:
    """Write a share."""
    return f"{value * 100:.0f} %"


def spread(errors: FloatArray) -> tuple[str, str]:
    """Write the median absolute relative error, and the share within a factor of 1.5."""
    return f"{np.median(np.abs(np.expm1(errors))) * 100:.1f} %", percent(float(np.mean(np.abs(errors) <= WITHIN)))


def table(
    rows: Sequence[Row], own: FloatArray, card: FloatArray, engine: FloatArray, labels: Mapping[str, object]
) -> str:
    """Write a table of errors; each label stands before the rows that it names."""
    low = np.array([EFFICIENCIES[row.classes].low_ratio for row in rows])
    high = np.array([EFFICIENCIES[row.classes].high_ratio for row in rows])
    inside = (np.exp(-own) >= low) & (np.exp(-own) <= high)
    lines = [HEAD]
    for label, mask in labels.items():
        chosen = np.asarray(mask, bool)
        cells = [
            label,
            str(int(chosen.sum())),
            *spread(own[chosen]),
            percent(float(inside[chosen].mean())),
            f"{np.median((high / low)[chosen]):.2f}",
            *spread(card[chosen]),
            *spread(engine[chosen]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def error_tables(sample: Sample, fitted: FloatArray) -> dict[str, str]:
    """Write the tables of errors by class, for the two files, and by engine."""
    own = sample.errors(EFFICIENCIES)
    card, engine = (leave_out(sample, fitted, key) for key in (lambda row: row.gpu.key, engine_of))
    rows = sample.rows
    tables = {}
    for name, files in (("first", FILES[:1]), ("all", FILES)):
        kept = [row.source in files for row in rows]
        labels: dict[str, object] = {
            group: [keep and group_of(row) == group for keep, row in zip(kept, rows, strict=True)] for group in GROUPS
        }
        tables[name] = table(rows, own, card, engine, {**labels, "together": kept})
    by_engine = {name: [engine_of(row) == name for row in rows] for name in sorted({engine_of(row) for row in rows})}
    tables["engines"] = table(rows, own, card, engine, by_engine)
    worst = np.argsort(-np.abs(own))[:8]
    lines = ["| measurement | measured | estimated over measured |", "| --- | ---: | ---: |"]
    for place in worst:
        row = rows[place]
        what = f"{row.gpus} × {row.gpu.key}, {row.model.key} {row.form.name}, {row.input_tokens:g} in / {row.output_tokens:g} out"
        at_once = "" if np.isnan(row.concurrency) else f", {row.concurrency:g} at once"
        lines.append(f"| {what}{at_once}, {row.engine} | {row.measured:,.0f} | {np.exp(own[place]):.2f} |")
    tables["worst"] = "\n".join(lines)
    return tables


def unseen_table() -> str:
    """Write the errors of measurements that no constant was fitted to, by engine, maker of the card and kind of model."""
    rows = read_rows(UNSEEN)
    errors = Sample.of(rows).errors(EFFICIENCIES)
    low, high = (
        np.array([getattr(EFFICIENCIES[row.classes], end) for row in rows]) for end in ("low_ratio", "high_ratio")
    )
    inside = (np.exp(-errors) >= low) & (np.exp(-errors) <= high)
    lines = [
        "| | rows | estimated over measured, median | median error | within 1.5 | in the band |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]

    def kind_of(row: Row) -> str:
        model = (
            "dense"
            if row.model.experts is None
            else "DeepSeek"
            if row.model.key.startswith("deepseek")
            else "other experts"
        )
        return f"{engine_of(row)} on {row.gpu.vendor}, {model}"

    kinds = np.array([kind_of(row) for row in rows])
    for kind in sorted(set(kinds)):
        mine = kinds == kind
        ratio = f"{np.exp(np.median(errors[mine])):.2f}"
        cells = [kind, str(int(mine.sum())), ratio, *spread(errors[mine]), percent(float(inside[mine].mean()))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


MEANING = {
    "weights_share": "memory bandwidth, weights",
    "packed_share": "memory bandwidth, packed weights",
    "kv_share": "memory bandwidth, cache",
    "compute_share": "compute",
    "fp4_share": "compute, FP4",
    "moe_ratio": "compute in a mixture of experts, factor",
    "layer_s": "a layer [µs]",
    "moe_layer_s": "routing of a layer [µs]",
    "sequence_s": "a sequence [µs]",
    "reduce_s": "an exchange [µs]",
    "link_share": "NVLink",
    "pcie_share": "PCIe",
    "bubble": "loss of a pipeline by stage",
    "low_ratio": "band, low",
    "high_ratio": "band, high",
}


def constants_table() -> str:
    """Write the constants that are in use."""
    head = " | ".join(f"{one.replace('_', ' ')}, {other}" for one, other in ALL)
    lines = [f"| | {head} |", f"| --- | {' | '.join('---:' for _ in ALL)} |"]
    for field, meaning in MEANING.items():
        scale = 1e6 if field.endswith("_s") else 1.0
        lines.append(f"| {meaning} | {' | '.join(f'{getattr(EFFICIENCIES[key], field) * scale:.3g}' for key in ALL)} |")
    return "\n".join(lines)


def energy_table() -> str:
    """Write how four published points of one machine come out, with their joules a token."""
    catalog = load_catalog()
    group = Group.of(catalog.gpu("h100-80gb-sxm"), catalog.model("llama-3.1-8b"), "bf16", engine="vllm")
    points = ((8, 1069.569, 486.438), (64, 5147.153, 610.348), (256, 9009.612, 690.508), (512, 9805.588, 688.298))
    lines = [
        "| requests at once | measured [1/s] | estimated [1/s] | watts | J a token, measured | at the estimated rate |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for at_once, measured, watts in points:
        estimated = float(group.rates(150, 380, at_once).generated_per_s[0])
        lines.append(
            f"| {at_once} | {measured:,.0f} | {estimated:,.0f} | {watts:.0f} | {watts / measured:.4f} "
            f"| {watts / estimated:.4f} |"
        )
    return "\n".join(lines)


CLAIMS = (
    ("gpt-oss-120b", "mxfp4", "a100-80gb-sxm", 2, 220),
    ("llama-3.3-70b", "int4", "a100-80gb-sxm", 1, 190),
)
"""What Pan et al. (arXiv 2509.18101v3, Table III) state for open models; format and requests at once are not stated."""


def claims_table() -> str:
    """Write what two published capacities would need."""
    catalog = load_catalog()
    lines = [
        "| | stated [1/s] | one request [1/s] | saturated [1/s] | requests at once that give the stated rate |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for model, form, card, gpus, stated in CLAIMS:
        group = Group.of(catalog.gpu(card), catalog.model(model), form, engine="batched", gpus=gpus)
        at_once = np.arange(1, 257)
        rates = group.rates(1000, 2000, at_once).generated_per_s
        full = float(group.rates(1000, 2000).generated_per_s[0])
        lines.append(
            f"| {model} {form}, {gpus} × {card} | {stated} | {rates[0]:,.0f} | {full:,.0f} "
            f"| {at_once[np.argmin(np.abs(rates - stated))]} |"
        )
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """Write every table of the page."""
    sample = Sample.of(read_rows())
    return {
        **error_tables(sample, fit(sample)),
        "unseen": unseen_table(),
        "constants": constants_table(),
        "energy": energy_table(),
        "claims": claims_table(),
    }


def filled(page: str, written: Mapping[str, str]) -> str:
    """Put tables between their markers."""
    for name, text in written.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        page = re.sub(f"{begin}.*?{end}", lambda _, a=begin, b=end, t=text: f"{a}\n\n{t}\n\n{b}", page, flags=re.DOTALL)
    return page


def numbers(page: str) -> list[float]:
    """List the numbers of a page, which are compared instead of its text: their last digit may differ by machine."""
    return [float(word.replace(",", "")) for word in re.findall(r"\d[\d,]*\.?\d*", page)]


def is_current(page: str) -> bool:
    """Say whether the tables of a page are those that would be written now."""
    now = filled(page, tables())
    old, new = numbers(page), numbers(now)
    return len(old) == len(new) and bool(np.allclose(old, new, rtol=0.01, atol=1.01))


def main() -> None:
    """Print the fitted constants and rewrite the page, or check it."""
    page = PAGE.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        sys.exit(0 if is_current(page) else f"{PAGE} is not current: run python docs/estimate_errors.py")
    for value, (keys, fields, _) in zip(fit(Sample.of(read_rows())), CONSTANTS, strict=True):
        places = ", ".join(" on ".join(key) for key in keys)
        used = getattr(EFFICIENCIES[keys[0]], fields[0])
        print(f"{' = '.join(fields):45s} fitted {value:.4g}, in use {used:.4g}   ({places})")
    PAGE.write_text(filled(page, tables()), encoding="utf-8")


if __name__ == "__main__":
    main()
