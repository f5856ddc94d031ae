"""A synthetic camera flight: a video whose pixels and ST 0601 telemetry agree.

An aircraft circles over a picture of the ground (a map sheet, or one drawn here) and looks at a
point of it. Every frame is the true perspective of that picture, and the telemetry describes the very camera that
saw it, so that a footprint drawn on the picture shows what the video shows. Nothing of it was recorded
by a real aircraft, and the telemetry says so: its mission is named ``Synthetic``.

It needs the extra ``video``. The clip has H.264, AAC and KLV in MPEG-TS; it carries the items of the ST 0902
minimum set but is no conformant STANAG 4609 file: there are no ST 0604 time stamps in the picture,
and the sound is AAC.
"""

from milepost.servers.video.flight.camera import Flight, Moment
from milepost.servers.video.flight.clip import Carriage, make_clip
from milepost.servers.video.flight.ground import Ground, draw_ground
from milepost.servers.video.flight.sets import Corners

__all__ = ["Carriage", "Corners", "Flight", "Ground", "Moment", "draw_ground", "make_clip"]
