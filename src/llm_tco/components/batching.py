"""Work that can wait: requests that move from the peak into hours in which servers idle."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from llm_tco._fields import FloatArray, Number, choice, is_a, number
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.loadshape import HourOfWeek, Load, LoadShape, Peak

HOURS_PER_DAY = 24


def deferred(shape: LoadShape, share: Number, *, within: str = "week") -> LoadShape:
    """Flatten a load curve by moving a share of every hour's load into the hours with least load.

    What waits fills the valleys to one level, as water would: no other way to move it leaves
    a lower peak. Nothing is lost.

    Args:
        shape: The load curve. Of one of which only the peak is known, the time without load is filled.
        share: Share of the load that can wait, 0 to 1; one number where hours are known.
        within: For how long it can wait: `"week"`, or `"day"`, to any hour of the same day.

    Raises:
        InvalidValueError: The share holds draws and the hours are known, or the other way round.
    """
    if isinstance(shape, Peak):
        if within != "week":
            raise InvalidValueError("within", "must be 'week' where only the peak of the load is known")
        return Peak(np.maximum((1.0 - np.asarray(share)) * shape.peak_to_mean, 1.0))
    if not isinstance(shape, HourOfWeek):
        raise InvalidValueError("load", f"must be a known load shape, got {shape!r}")
    if np.ndim(share):
        raise InvalidValueError("share", "must be one number where the hours of the load are known, got draws")
    hours = np.asarray(shape.loads)
    blocks = hours.reshape(-1, HOURS_PER_DAY) if within == "day" else hours[None, :]
    filled = _filled(blocks * (1.0 - share), blocks.sum(axis=-1) * share)
    return HourOfWeek(tuple(filled.ravel().tolist()), shape.timezone)


def _filled(loads: FloatArray, waiting: FloatArray) -> FloatArray:
    """Fill the valleys of blocks of hours.

    The level of the water over the k lowest hours alone is (waiting + their sum) / k. With
    fewer or more hours than are under water it is higher, so that the lowest of them is the level.

    Args:
        loads: Shape `(blocks, hours)`.
        waiting: What is filled in, shape `(blocks,)`.
    """
    rising = np.sort(loads, axis=-1)
    levels = (waiting[:, None] + np.cumsum(rising, axis=-1)) / np.arange(1, loads.shape[-1] + 1)
    return np.asarray(np.maximum(loads, levels.min(axis=-1, keepdims=True)))


@attrs.frozen(eq=False)
class Deferral(Composable):
    """A component of whose requests a share can wait for hours with less load.

    What stands behind it sees every request, and a flatter load curve: it needs fewer
    servers, or leaves less unserved, and pays the prices of other hours.

    Attributes:
        inner: What answers.
        share: Share of the requests that can wait, 0 to 1.
        within: For how long: `"week"`, or `"day"`, to any hour of the same day.
    """

    kind: ClassVar[str] = "deferral"

    inner: Component = attrs.field(validator=is_a(Component))
    share: Number = number(ge=0, le=1, kw_only=True)
    within: str = choice("week", "day", default="week")

    @property
    def name(self) -> str:
        """The name of what answers."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Hand on the same requests on a flatter curve."""
        load = demand.load
        if np.any(load.low > 0) or not np.all(np.isinf(load.high)):
            raise InvalidValueError(
                "inner", "sees only a slice of the load curve. Put the deferral in front of the spill-over that cuts it"
            )
        shape = deferred(load.shape, self.share, within=self.within)
        return self.inner.cost(attrs.evolve(demand, load=Load(shape)))
