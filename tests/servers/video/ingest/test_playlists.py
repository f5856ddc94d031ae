"""What playlists tell of segments."""

from milepost.servers.video.ingest.playlists import average, peak


def test_the_peak_is_that_of_segments_of_about_the_target_duration():
    # The short one at the end is the heaviest by itself, and does not count alone.
    load = [(4.0, 500_000), (4.0, 1_000_000), (4.0, 250_000), (1.0, 400_000)]
    assert peak(load) == 2_000_000
    assert average(load) == 8 * 2_150_000 // 13 + 1


def test_short_segments_count_together():
    load = [(4.0, 400_000), (1.0, 400_000), (1.0, 400_000)]
    assert peak(load) == 3_200_000


def test_a_single_short_segment_is_its_own_peak():
    assert peak([(0.2, 5_000)]) == average([(0.2, 5_000)]) == 200_000
