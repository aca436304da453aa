"""A planner whose picture is changed, hardly to be seen, so that its plan becomes unlikely."""

from __future__ import annotations

from emma_planner.models.transformers_model import TransformersModel
from emma_planner.models.written_plan import attacked
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import Plan, PlannerInput


class AttackedPlanner:
    """Plans, attacks its own plan, and plans again; the second plan is what counts.

    :param owner: the model of the planner
    :param kind: ``fgsm`` or ``pgd``
    :param size_px: largest change of a pixel, of 255
    """

    def __init__(
        self, planner: Planner, owner: TransformersModel, kind: str, size_px: float
    ) -> None:
        self._planner = planner
        self._owner = owner
        self._kind = kind
        self._size_px = size_px

    @property
    def name(self) -> str:
        """The planner's."""
        return self._planner.name

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        """Plan from the attacked picture."""
        clean = self._planner.plan(planner_input, time_limit_s)
        if not clean.replies:
            return clean
        front = planner_input.frames[:1]
        rgb = attacked(
            self._owner,
            front,
            clean,
            planner_input.earlier,
            kind=self._kind,
            size_px=self._size_px,
        )
        return self._planner.plan(planner_input.with_front(rgb), time_limit_s)
