"""Pictures as Vega-Lite specifications, and their files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from llm_tco.analysis.frontier import Frontier, frontier_rows
from llm_tco.errors import InvalidValueError, missing_extra

_Places = npt.NDArray[np.float64]
"""Places in the picture, shape `(n, 2)`. [pixels]"""
SUFFIXES: Final = (".json", ".svg", ".png", ".html")
"""What a chart can be written as."""

_SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v5.json"
_VERSION: Final = "5.17"
"""Version of Vega-Lite that draws, the same everywhere, so that a picture does not change with a package."""
_WIDTH, _HEIGHT = 640, 400
_FONT: Final = 12
_SPOT: Final = 30
"""How many places of a line the mark of a point weighs as much as, where a label would cover it."""
_LETTER: Final = 0.56
"""Width of a letter over the size of the font, as a mean of sans-serif fonts."""
_SERIES: Final[Mapping[str, tuple[str, str, list[int]]]] = {
    "random": ("at random", "#6b6b6b", [2, 3]),
    "threshold": ("by the score", "#0072B2", []),
    "hull": ("best mixes of all", "#B04A00", [7, 3]),
}
"""Name, colour and dashes of each line: a blue, a dark orange and a grey, which differ in
lightness as well; dashes tell them apart without colours."""
_POINTS: Final = {"model": ("#000000", "circle"), "oracle": ("#007a5a", "diamond")}
_SCALES: Final = ((0.1, 1, "a request"), (1e-4, 1_000, "1,000 requests"), (0.0, 1_000_000, "a million requests"))


def frontier_chart(frontier: Frontier, *, title: str = "") -> dict[str, Any]:
    """Draw cost against quality: the models, the random line, the thresholds, the hull and the oracle.

    Args:
        frontier: The frontier.
        title: A title; a general one without it.

    Returns:
        A Vega-Lite specification with its data, the same for the same frontier.
    """
    rows = frontier_rows(frontier)
    corners = {series: _corners(rows, series) for series in ("random", "hull")}
    if corners["random"] == corners["hull"]:
        rows = [row for row in rows if row["series"] != "hull"]  # one line need not be drawn twice
    dearest = max(row["cost_per_request"] for row in rows)
    factor, unit = scale_of(dearest)
    marks = [_Mark(row["series"], _name(row), row["cost_per_request"] * factor, row["quality"]) for row in rows]
    frame = _Frame.around(marks)
    queries, score = len(frontier.outcomes), frontier.score
    subtitle = f"{queries:,} {'query' if queries == 1 else 'queries'}; {frontier.weak} or {frontier.strong} at random"
    subtitle += "" if score is None else f", or by the score '{score}'"
    right = bool(np.isin(frontier.outcomes.quality, (0, 1)).all())
    values = [{**attrs.asdict(one), "place": place} for place, one in enumerate(marks)]
    labels = [attrs.asdict(label) for label in _labels(marks, frame)]
    lines = [series for series in _SERIES if any(one.series == series for one in marks)]
    return {
        "$schema": _SCHEMA,
        "title": {
            "text": title or "What routing costs and gives",
            "subtitle": subtitle,
            "anchor": "start",
            "offset": 12,
        },
        "width": _WIDTH,
        "height": _HEIGHT,
        "datasets": {"frontier": values, "labels": labels},
        "layer": [
            *(_line(series, frame, frontier.outcomes.currency, unit, right) for series in lines),
            *(_point(series) for series in _POINTS),
            _text(),
        ],
        "config": {
            "font": "sans-serif",
            "background": "white",
            "view": {"stroke": None},
            "axis": {"labelFontSize": _FONT - 1, "titleFontSize": _FONT, "titleFontWeight": "normal",
                     "gridColor": "#ececec", "domainColor": "#888888", "tickColor": "#888888"},
            "title": {"fontSize": 16, "subtitleFontSize": _FONT, "subtitleColor": "#555555"},
        },
    }  # fmt: skip


@attrs.frozen
class _Mark:
    series: str
    name: str
    cost: float
    quality: float


def scale_of(cost_per_request: float) -> tuple[int, str]:
    """Say for how many requests such a cost is best stated, and what they are called."""
    return next((factor, unit) for least, factor, unit in _SCALES if cost_per_request >= least)


def _corners(rows: Sequence[Mapping[str, Any]], series: str) -> set[tuple[float, float]]:
    return {(row["cost_per_request"], row["quality"]) for row in rows if row["series"] == series}


def _name(row: Mapping[str, Any]) -> str:
    return str(row["name"]).removeprefix("always ") if row["series"] in _POINTS else str(row["name"])


@attrs.frozen
class _Frame:
    """The part of the plane that is shown."""

    cost: tuple[float, float]
    quality: tuple[float, float]

    @classmethod
    def around(cls, marks: Sequence[_Mark]) -> _Frame:
        cost, quality = (np.array([getattr(one, name) for one in marks]) for name in ("cost", "quality"))
        # Where all costs are nearly one, the axis shows that, and no rounding errors.
        spans = [max(float(np.ptp(cost)), 0.25 * float(cost.max()) or 1.0), max(float(np.ptp(quality)), 0.25)]
        low = max(0.0, float(quality.min()) - 0.08 * spans[1])
        right = float(cost.max()) + 0.06 * spans[0]
        left = float(cost.min()) - 0.06 * spans[0]
        # Costs begin at 0 where that costs no more than a quarter of the width.
        left = 0.0 if float(cost.min()) < right / 4 else left
        return cls((left, right), (low, float(quality.max()) + 0.08 * spans[1]))

    def pixels(self, cost: float, quality: float) -> tuple[float, float]:
        x = (cost - self.cost[0]) / (self.cost[1] - self.cost[0]) * _WIDTH
        return x, (self.quality[1] - quality) / (self.quality[1] - self.quality[0]) * _HEIGHT


def _line(series: str, frame: _Frame, currency: str, unit: str, right: bool) -> dict[str, Any]:
    _, colour, dashes = _SERIES[series]
    ylabel = "Quality: share of right answers" if right else "Quality: mean score"
    # Above all right answers there is room for a label, and no quality.
    within = {"labelExpr": "datum.value > 1.0001 ? '' : datum.label"}
    percent = {"format": ".0%", **within} if right else within
    return {
        "data": {"name": "frontier"},
        "transform": [{"filter": f"datum.series === '{series}'"}],
        "mark": {"type": "line", "color": colour, "strokeWidth": 2, "strokeDash": dashes},
        "encoding": {
            "x": {"field": "cost", "type": "quantitative", "title": f"Cost of {unit} [{currency}]",
                  "axis": {"tickCount": 8},
                  "scale": {"domain": list(frame.cost), "nice": False, "zero": False}},
            "y": {"field": "quality", "type": "quantitative", "title": ylabel, "axis": percent,
                  "scale": {"domain": list(frame.quality), "nice": False, "zero": False}},
            "order": {"field": "place", "type": "quantitative"},
        },
    }  # fmt: skip


def _point(series: str) -> dict[str, Any]:
    colour, shape = _POINTS[series]
    return {
        "data": {"name": "frontier"},
        "transform": [{"filter": f"datum.series === '{series}'"}],
        "mark": {"type": "point", "filled": True, "opacity": 1, "size": 90, "color": colour, "shape": shape},
        "encoding": {
            "x": {"field": "cost", "type": "quantitative"},
            "y": {"field": "quality", "type": "quantitative"},
            "tooltip": [{"field": "name"}, {"field": "cost", "format": ".4~g"}, {"field": "quality", "format": ".2%"}],
        },
    }


def _text() -> dict[str, Any]:
    return {
        "data": {"name": "labels"},
        "mark": {"type": "text", "fontSize": _FONT, "baseline": "middle", "align": "left"},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "scale": None},
            "y": {"field": "y", "type": "quantitative", "scale": None},
            "text": {"field": "text"},
            "color": {"field": "color", "type": "nominal", "scale": None},
        },
    }


@attrs.frozen
class _Label:
    """A text in the picture: its left end and its middle, in pixels from the upper left corner."""

    text: str
    x: float
    y: float
    color: str

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.x, self.y - _FONT * 0.65, self.x + len(self.text) * _FONT * _LETTER, self.y + _FONT * 0.65


def _labels(marks: Sequence[_Mark], frame: _Frame) -> list[_Label]:
    """Place each label where it covers least and is nearest to what it names: points first, then lines."""
    lines = {series: _drawn(marks, frame, series) for series in _SERIES}
    points = [(one, frame.pixels(one.cost, one.quality)) for one in marks if one.series in _POINTS]
    spots = np.repeat(np.array([place for _, place in points]), _SPOT, axis=0)
    every = np.concatenate([spots, *lines.values()])
    placed: list[_Label] = []
    for one, (x, y) in points:
        own, colour = np.array([[x, y]]), _POINTS[one.series][0]
        placed.append(_best(list(_beside(one.name, x, y, colour)), placed, every, own, every[:0]))
    for series, (name, colour, _) in _SERIES.items():
        line = lines[series]
        if len(line):
            # From the middle of the line outwards.
            middle = len(line) // 2
            places = line[sorted(range(0, len(line), 3), key=lambda place: abs(place - middle))]
            options = [label for x, y in places.tolist() for label in _beside(name, x, y, colour)]
            others = np.concatenate([spots, *(other for key, other in lines.items() if key != series)])
            placed.append(_best(options, placed, every, line, others))
    return placed


def _drawn(marks: Sequence[_Mark], frame: _Frame, series: str) -> _Places:
    """Give places every few pixels along a line."""
    corners = np.array([frame.pixels(one.cost, one.quality) for one in marks if one.series == series])
    if len(corners) < 2:
        return np.zeros((0, 2))
    steps = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    grid = np.arange(0.0, along[-1] + 2.0, 4.0)
    return np.stack([np.interp(grid, along, corners[:, axis]) for axis in (0, 1)], axis=1)


def _beside(name: str, x: float, y: float, colour: str) -> Iterator[_Label]:
    width = len(name) * _FONT * _LETTER
    for left, down in ((10, 0), (-width - 10, 0), (-width / 2, -15), (-width / 2, 15), (8, -13), (8, 13),
                       (-width - 8, -13), (-width - 8, 13)):  # fmt: skip
        yield _Label(name, round(x + left, 1), round(y + down, 1), colour)


def _best(options: Sequence[_Label], placed: Sequence[_Label], every: _Places, own: _Places, others: _Places) -> _Label:
    """Take the first of the labels that cover least, and that nobody takes for the label of something else.

    Args:
        options: The labels.
        placed: Labels that stand already.
        every: Places that are drawn on, shape `(n, 2)`.
        own: Places of what the label names.
        others: Places of what it does not.
    """

    def badness(label: _Label) -> float:
        left, top, right, bottom = label.box
        shared = sum(
            max(0.0, min(right, other[2]) - max(left, other[0])) * max(0.0, min(bottom, other[3]) - max(top, other[1]))
            for other in (one.box for one in placed)
        )
        outside = max(0.0, -left) + max(0.0, right - _WIDTH) + max(0.0, -top) + max(0.0, bottom - _HEIGHT)
        near = float(_gaps(label, own).min())
        nearer = max(0.0, near + _FONT - float(_gaps(label, others).min(initial=np.inf)))
        covered = int((_gaps(label, every) == 0).sum())
        return 4.0 * covered + shared + 10.0 * outside + 2.0 * nearer + 0.5 * near

    # Where two places are as good, the one that was named first.
    order = {id(label): place for place, label in enumerate(options)}
    return min(options, key=lambda label: badness(label) + _FONT * order[id(label)] / len(options))


def _gaps(label: _Label, places: _Places) -> _Places:
    """Give the distance in pixels of each place from the box of a label, 0 inside, shape `(n,)`."""
    left, top, right, bottom = label.box
    x, y = places.T
    across, down = np.maximum(left - x, x - right), np.maximum(top - y, y - bottom)
    return np.asarray(np.hypot(np.maximum(across, 0.0), np.maximum(down, 0.0)))


def write_chart(chart: Mapping[str, Any], path: str | Path) -> None:
    """Write a chart as what the end of its file name says: `.json`, `.svg`, `.png` or `.html`.

    Raises:
        InvalidValueError: The name ends in none of these.
        ModuleNotFoundError: What draws is not installed; `.json` needs nothing.
    """
    file = Path(path)
    data = rendered(chart, file.suffix.lower())
    file.write_bytes(data)


def rendered(chart: Mapping[str, Any], suffix: str) -> bytes:
    """Give the bytes of a file with a chart; see `write_chart`."""
    if suffix not in SUFFIXES:
        raise InvalidValueError("chart", f"must be a file that ends in {', '.join(SUFFIXES)}, got {suffix!r}")
    if suffix == ".json":
        return (json.dumps(chart, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"a chart as {suffix} needs vl-convert-python, and one as .json nothing more: {missing_extra('charts')}",
            name="vl_convert",
        ) from None
    spec = dict(chart)
    if suffix == ".png":
        return bytes(vl_convert.vegalite_to_png(spec, vl_version=_VERSION, scale=2))
    if suffix == ".svg":
        return str(vl_convert.vegalite_to_svg(spec, vl_version=_VERSION)).encode()
    return str(vl_convert.vegalite_to_html(spec, vl_version=_VERSION, bundle=True)).encode()
