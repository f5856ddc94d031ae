"""The numbers by which programs can tell what an ingest said.

Those of the steps are documented with the job resource of video servers; those from 9000 on are of this
server. A step that fails says so with its own number and ``FAILED``: 9159 is a transcoding that failed.
"""

from typing import Final

STARTING: Final = 117
PROBING_VIDEO: Final = 154
PROBING_AUDIO: Final = 155
PROBING_KLV: Final = 156
STREAM_INFO: Final = 157
VIDEO_INFO: Final = 158
TRANSCODING: Final = 159
TELEMETRY: Final = 160
HLS: Final = 161
POSTER: Final = 174
PREVIEWS: Final = 182
ABR: Final = 162
REMOVING: Final = 163
CREATED: Final = 205
SAVING: Final = 206
COMPLETE: Final = 118

FAILED: Final = 9000
RESOLUTION_LEFT_OUT: Final = 9001
"""A resolution that was asked for is above that of the source, or the same as another one."""
AUDIO_LEFT_OUT: Final = 9002
"""Sound, or a part of it, or other programs of the source."""
GPU_GIVEN_UP: Final = 9003
"""The graphics processor failed in the middle of the work, which the CPU then did."""
SOURCE_DAMAGED: Final = 9004
TELEMETRY_DOUBTFUL: Final = 9005
"""What is wrong with the telemetry, though it can be read."""
FRAME_RATE_CHANGED: Final = 9006
CLOCK_JUMPS: Final = 9007
"""The clock of the source jumps: what was not recorded in between is left out."""
RANGE_REDUCED: Final = 9008
"""The source has a high dynamic range, and the layer the standard one."""
