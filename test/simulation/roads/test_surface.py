"""Where there is road."""

import numpy as np
import pytest
from simulation.drives_by_hand import CAR
from simulation.roads_by_hand import junction, straight

from emma_planner.planning.types import Pose
from emma_planner.simulation.roads.road_graph import RoadGraph
from emma_planner.simulation.roads.surface import EDGE_TOLERANCE_M, RoadSurface, footprint

ROAD = RoadSurface(RoadGraph(straight('a', 'b', (0.0, 0.0), 100.0, lanes=2)))


@pytest.mark.parametrize(
    ('y', 'on'),
    [
        (0.0, True),
        (1.75 + EDGE_TOLERANCE_M - 0.01, True),
        (1.75 + EDGE_TOLERANCE_M + 0.01, False),
        (-5.2, True),
        (-5.6, False),
    ],
)
def test_a_point_is_on_the_road_up_to_its_edge(y, on):
    assert ROAD.on_road(np.array([[50.0, y]])) is on


def test_one_corner_beside_the_road_is_off_it():
    assert ROAD.on_road(np.array([[50.0, 0.0], [55.0, 1.0]]))
    assert not ROAD.on_road(np.array([[50.0, 0.0], [55.0, 3.0]]))


def test_the_inside_of_a_junction_is_road():
    surface = RoadSurface(junction())
    assert surface.on_road(np.array([[70.0, 0.0], [63.0, 4.0]]))
    assert not surface.on_road(np.array([[100.0, 20.0]]))


def test_the_footprint_reaches_from_bumper_to_bumper():
    corners = footprint(Pose(10.0, 5.0, np.pi / 2), CAR)
    assert corners[:, 1].max() == pytest.approx(5.0 + CAR.front_overhang_m)
    assert corners[:, 1].min() == pytest.approx(5.0 - CAR.rear_overhang_m)
    assert np.ptp(corners[:, 0]) == pytest.approx(CAR.width_m)
    assert corners[0, 0] < corners[1, 0]  # front left is left of front right


def test_the_lane_is_the_nearest_of_the_same_direction():
    both = straight('a', 'b', (0.0, 0.0), 100.0) + straight(
        'b', 'a', (100.0, 3.5), 100.0, yaw_rad=np.pi
    )
    surface = RoadSurface(RoadGraph(both))
    lane, s, offset, on = surface.lane_at(Pose(40.0, 0.5, 0.05))
    assert (lane.id, on) == ('a~b~0', True)
    assert (s, offset) == pytest.approx((40.0, 0.5))
    lane, _, offset, on = surface.lane_at(Pose(40.0, 3.5, 0.0))
    assert (lane.id, on) == ('a~b~0', False)  # in the oncoming lane
    assert offset == pytest.approx(3.5)
