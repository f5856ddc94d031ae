"""Telemetry of videos: where the camera was, and what it saw.

For an ingest, in an instance (needs the extra ``video``)::

    from milepost.servers.video.telemetry.ingest import find, read, write

    find(source) -> KlvStream | None           is there telemetry in the video?
    read(source, beside, workspace=...) -> Telemetry | None
    write(found, folder, segments) -> Summary  start, end, extent, warnings

``read`` goes through a video once. What it finds goes to a file of samples at once, so that hours of telemetry
need no more memory than minutes; ``Telemetry`` has a JSON form, as the result of a step must. ``write``
goes through that file once.

In the folder of a layer ``write`` leaves

* ``telemetry/index.m3u8`` with a ``.vtt`` for each segment of the video. A cue is what a player of ArcGIS reads:
  ``{"source": "EsriVideoServer", "data": [{"tagId": 10000, "value": [{"tagId", "name", "value"}, ...]}]}``;
* ``telemetry.json``, a ``Track``; ``telemetry.geojson`` with the same to look at; ``telemetry.csv`` with all samples;
* ``coverage.json``: ``area``, ``sensorPoints``, ``telemetry``.

For a server, without any extra::

    track = load(folder / "telemetry.json")    keep it: a Track is immutable
    part_of_coverage(coverage, type)           coverage?type=area|sensorPoints|telemetry
    seen(track, geometry, (start, end))        query: the stretches of the video that show a geometry
    corners_at(track, times)                   frameset: the corners of frames, interpolated
    track.at(seconds)                          where the camera is at a time

Times in a video are seconds since its first picture, times of day milliseconds since the epoch, places degrees (WGS 84)
and metres. Heights are what the telemetry tells, above the ellipsoid or the sea.
"""

from milepost.servers.video.telemetry.answers import Interval, corners_at, part_of_coverage, seen
from milepost.servers.video.telemetry.track import Place, Track, load

__all__ = ["Interval", "Place", "Track", "corners_at", "load", "part_of_coverage", "seen"]
