"""When in a video a set of telemetry belongs."""

from milepost.servers.video.telemetry.clock import Clock

SECOND = 1_000_000


def _times(*sets):
    clock = Clock()
    return [round(clock.time(told, shown, stamp), 3) for told, shown, stamp in sets]


def test_time_stamps_are_followed():
    assert _times((0.0, 0, 5 * SECOND), (0.2, 0, 5 * SECOND), (0.5, 0, None)) == [0, 0.2, 0.5]


def test_without_time_stamps_the_time_of_the_sets_leads_on():
    assert _times((None, 0.0, 0), (None, 0.28, 200_000), (None, 0.4, 400_000)) == [0, 0.2, 0.4]


def test_without_any_time_the_picture_beside_a_set_counts():
    assert _times((None, 0.0, None), (None, 0.28, None)) == [0, 0.28]


def test_a_time_of_day_that_runs_away_is_not_followed():
    assert _times((None, 0.0, 0), (None, 1.0, 30 * SECOND), (None, 2.0, 31 * SECOND)) == [0, 1, 2]


def test_a_time_of_day_that_jumps_does_not_move_what_has_time_stamps():
    assert _times((0.0, 0, 0), (1.0, 1, 900 * SECOND), (2.0, 2, 5 * SECOND)) == [0, 1, 2]
