"""Every class of infraction is found, once, and a drive ends when it should."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulation.drives_by_hand import CAR, LANE, actor, light, observation, scenario

from emma_planner.simulation.drive import End, InfractionKind
from emma_planner.simulation.observation import ActorKind, LightState, Observation
from emma_planner.simulation.scoring.infractions import InfractionMonitor

FRONT = CAR.front_overhang_m
OFF_ROAD = replace(LANE, on_road=False)


def _monitor(**changes) -> InfractionMonitor:
    return InfractionMonitor(scenario(**changes), CAR)


def _kinds(*observations: Observation, **changes) -> list[InfractionKind]:
    monitor = _monitor(**changes)
    found = [new for now in observations for new in monitor.observe(now)]
    assert tuple(found) == monitor.infractions
    return [new.kind for new in found]


def _contact(time_s: float, s_m: float, name: str = 'other', **changes) -> Observation:
    other = actor(s_m + FRONT + 2.25, name=name, kind=changes.pop('kind', ActorKind.VEHICLE))
    return observation(time_s, s_m, actors=[other], contacts=[name], **changes)


def test_clean_drive_has_no_infraction_and_no_end():
    monitor = _monitor()
    for step in range(100):
        assert monitor.observe(observation(0.1 * step, 0.5 * step)) == ()
    assert monitor.infractions == ()
    assert monitor.end is None


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        (ActorKind.PEDESTRIAN, InfractionKind.COLLISION_PEDESTRIAN),
        (ActorKind.CYCLIST, InfractionKind.COLLISION_PEDESTRIAN),
        (ActorKind.VEHICLE, InfractionKind.COLLISION_VEHICLE),
        (ActorKind.CONE, InfractionKind.COLLISION_STATIC),
        (ActorKind.BARRIER, InfractionKind.COLLISION_STATIC),
        (ActorKind.WARNING, InfractionKind.COLLISION_STATIC),
    ],
)
def test_collision_has_the_class_of_what_was_hit(kind, expected):
    assert _kinds(observation(), _contact(0.1, 0.5, kind=kind)) == [expected]


def test_kerb_is_a_static_collision():
    assert _kinds(observation(), observation(0.1, contacts=['ground'])) == [
        InfractionKind.COLLISION_STATIC
    ]


def test_infraction_says_when_where_and_with_whom():
    monitor = _monitor()
    monitor.observe(observation(3.0, 40.0))
    (found,) = monitor.observe(_contact(3.1, 40.5, name='car-7', d_m=0.2))
    assert found.time_s == pytest.approx(0.1)
    assert (found.route_s_m, found.x_m, found.y_m, found.actor) == (40.5, 40.5, 0.2, 'car-7')
    assert found.detail == 'collision with vehicle: vehicle car-7 at 5.0 m/s'
    assert found.at_fault
    assert not found.ego_stood


def test_lasting_contact_counts_once():
    assert len(_kinds(*[_contact(0.1 * step, 0.0) for step in range(100)])) == 1


def test_same_actor_counts_again_after_five_seconds_and_five_metres():
    first = _contact(0.0, 0.0)
    assert len(_kinds(first, _contact(5.0, 30.0))) == 1
    assert len(_kinds(first, _contact(5.1, 5.0))) == 1
    assert len(_kinds(first, _contact(5.1, 5.1))) == 2


def test_other_actor_counts_beyond_five_metres_of_the_last_of_its_kind():
    first = _contact(0.0, 0.0, 'one')
    assert len(_kinds(first, _contact(0.1, 5.0, 'two'))) == 1
    second = _contact(0.1, 5.1, 'two')
    assert len(_kinds(first, second)) == 2
    assert len(_kinds(first, second, _contact(0.2, 10.0, 'three'))) == 2


def test_other_kind_counts_at_the_same_place():
    kinds = _kinds(_contact(0.0, 0.0, 'car'), _contact(0.1, 0.0, 'cone', kind=ActorKind.CONE))
    assert kinds == [InfractionKind.COLLISION_VEHICLE, InfractionKind.COLLISION_STATIC]


def test_two_contacts_in_one_step_are_both_judged():
    others = [actor(6.0, name='car'), actor(2.0, 1.0, name='man', kind=ActorKind.PEDESTRIAN)]
    now = observation(0.1, actors=others, contacts=['car', 'man'])
    assert set(_kinds(observation(), now)) == {
        InfractionKind.COLLISION_VEHICLE,
        InfractionKind.COLLISION_PEDESTRIAN,
    }


def test_speed_before_the_impact_decides_whether_the_ego_stood():
    monitor = _monitor()
    monitor.observe(observation(0.0, 0.0, speed_mps=8.0))
    (found,) = monitor.observe(_contact(0.1, 0.5, speed_mps=0.0))
    assert found.at_fault
    assert not found.ego_stood
    monitor = _monitor()
    monitor.observe(observation(0.0, 0.0, speed_mps=0.0))
    (found,) = monitor.observe(_contact(0.1, 0.5, speed_mps=2.0))
    assert not found.at_fault
    assert found.ego_stood


def test_speed_of_the_other_before_the_impact_decides_too():
    monitor = _monitor()
    chaser = actor(-CAR.rear_overhang_m - 2.5, speed_mps=9.0)
    monitor.observe(observation(0.0, 0.0, actors=[chaser]))
    stopped = replace(chaser, speed_mps=0.0)
    (found,) = monitor.observe(observation(0.1, 0.3, actors=[stopped], contacts=['other']))
    assert not found.at_fault


def test_contact_while_standing_does_not_hide_one_while_moving():
    monitor = _monitor()
    monitor.observe(observation(0.0, speed_mps=0.0))
    assert monitor.observe(_contact(0.1, 0.0, speed_mps=3.0))[0].ego_stood
    (moving,) = monitor.observe(_contact(0.2, 0.2, speed_mps=3.0))
    assert not moving.ego_stood
    assert monitor.observe(_contact(0.3, 0.3, speed_mps=0.0)) == ()
    assert monitor.observe(_contact(0.4, 0.3, speed_mps=0.0)) == ()


def test_actor_that_left_the_horizon_is_remembered():
    seen = observation(0.0, actors=[actor(6.0, name='car')])
    assert _kinds(seen, observation(0.1, contacts=['car'])) == [InfractionKind.COLLISION_VEHICLE]


def test_contact_with_an_unknown_actor_is_an_error():
    with pytest.raises(ValueError, match="contact with 'ghost', which is none of the actors"):
        _monitor().observe(observation(contacts=['ghost']))


def _past_the_line(state: LightState, state_after: LightState | None = None) -> list[Observation]:
    line = 50.0
    return [
        observation(0.0, line - FRONT - 0.3, lights=[light(line, state)]),
        observation(0.1, line - FRONT + 0.2, lights=[light(line, state_after or state)]),
        observation(0.2, line - FRONT + 0.7, lights=[light(line, state_after or state)]),
    ]


def test_front_over_the_line_of_a_red_light_is_an_infraction():
    assert _kinds(*_past_the_line(LightState.RED)) == [InfractionKind.RED_LIGHT]


@pytest.mark.parametrize('state', [LightState.YELLOW, LightState.GREEN])
def test_yellow_and_green_may_be_crossed(state):
    assert _kinds(*_past_the_line(state)) == []


def test_light_that_turns_red_after_the_line_is_no_infraction():
    assert _kinds(*_past_the_line(LightState.YELLOW, LightState.RED)) == []


def test_standing_at_the_line_or_starting_beyond_it_is_no_infraction():
    red = [light(50.0, LightState.RED)]
    assert _kinds(*[observation(0.1 * k, 50.0 - FRONT - 0.1, lights=red) for k in range(9)]) == []
    assert _kinds(*[observation(0.1 * k, 50.0 + k, lights=red) for k in range(9)]) == []


def test_front_that_stops_on_the_line_has_crossed_it():
    red = [light(50.0, LightState.RED)]
    steps = [observation(0.1 * k, 50.0 - FRONT - 1.0 + k, lights=red) for k in range(2)]
    assert len(_kinds(*steps)) == 1


def test_red_light_counts_once_per_light():
    red = [light(50.0, LightState.RED, 'one'), light(60.0, LightState.RED, 'two')]
    there = [observation(0.1 * k, 40.0 + k, lights=red) for k in range(30)]
    again = [observation(3.0 + 0.1 * k, 40.0 + k, lights=red) for k in range(30)]
    assert len(_kinds(*there)) == 2
    assert len(_kinds(*there, *again)) == 2


def test_each_excursion_off_the_road_is_one_event():
    lanes = [LANE, OFF_ROAD, OFF_ROAD, LANE, OFF_ROAD, LANE]
    steps = [observation(0.1 * k, 1.0 * k, lane=lane) for k, lane in enumerate(lanes)]
    assert _kinds(*steps) == [InfractionKind.OFF_ROAD] * 2
    assert _kinds(observation(lane=OFF_ROAD)) == [InfractionKind.OFF_ROAD]


def test_arriving_ends_the_drive_without_an_infraction():
    monitor = _monitor(time_limit_s=1.0)
    monitor.observe(observation())
    assert monitor.observe(observation(1.0, arrived=True)) == ()
    assert monitor.end is End.ARRIVED


@pytest.mark.parametrize('side', [1.0, -1.0])
def test_more_than_thirty_metres_beside_the_route_ends_the_drive(side):
    monitor = _monitor()
    assert monitor.observe(observation(d_m=30.0 * side)) == ()
    assert monitor.end is None
    (found,) = monitor.observe(observation(0.1, d_m=30.1 * side))
    assert found.kind is InfractionKind.DEVIATION
    assert monitor.end is End.DEVIATED


def test_passing_the_destination_beside_it_ends_the_drive_and_is_no_arrival():
    monitor = _monitor()
    length_m = observation().truth.route.length_m
    assert monitor.observe(observation(d_m=2.6, s_m=length_m - 0.3)) == ()
    assert monitor.end is None
    (found,) = monitor.observe(observation(0.1, d_m=2.6, s_m=length_m))
    assert (found.kind, monitor.end) == (InfractionKind.DEVIATION, End.DEVIATED)
    assert found.detail == 'passed the destination 2.6 m beside it'


def test_standing_for_three_minutes_ends_the_drive():
    monitor = _monitor()
    assert monitor.observe(observation(0.0, speed_mps=5.0)) == ()
    assert monitor.observe(observation(179.9, speed_mps=0.09)) == ()
    (found,) = monitor.observe(observation(180.0, speed_mps=0.09))
    assert (found.kind, monitor.end) == (InfractionKind.BLOCKED, End.BLOCKED)


def test_a_moment_of_motion_starts_the_three_minutes_anew():
    monitor = _monitor(time_limit_s=1000.0)
    for time_s, speed in ((0.0, 0.0), (100.0, 0.1), (279.9, 0.0)):
        assert monitor.observe(observation(time_s, speed_mps=speed)) == ()
    assert monitor.observe(observation(280.0, speed_mps=0.0))[0].kind is InfractionKind.BLOCKED


def test_time_limit_of_the_scenario_ends_the_drive():
    monitor = _monitor(time_limit_s=20.0)
    monitor.observe(observation(7.0))
    assert monitor.observe(observation(26.9)) == ()
    (found,) = monitor.observe(observation(27.0))
    assert (found.kind, monitor.end) == (InfractionKind.TIMEOUT, End.TIMEOUT)
    assert found.time_s == 20.0


def test_time_that_stands_still_is_an_error():
    monitor = _monitor()
    monitor.observe(observation(1.0))
    with pytest.raises(ValueError, match='need a stamp after 2000000000 ns, got 2000000000 ns'):
        monitor.observe(observation(1.0))


def test_observing_after_the_end_is_an_error():
    monitor = _monitor()
    monitor.observe(observation(arrived=True))
    with pytest.raises(ValueError, match=r'the drive is over \(arrived\)'):
        monitor.observe(observation(0.1))
