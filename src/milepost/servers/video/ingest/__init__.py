"""The ingest: from a video file to the files by which it is played.

``make_files`` does all of it within a job. Nothing here imports FFmpeg's libraries or pictures before
that, so that a server without the extra ``video`` can say by ``problems`` what is missing.
"""

from milepost.servers.video.ingest.containers import HEAD, container_of
from milepost.servers.video.ingest.ffmpeg import find_ffmpeg, problems
from milepost.servers.video.ingest.limits import Limits
from milepost.servers.video.ingest.making import DONE, make_files

__all__ = ["DONE", "HEAD", "Limits", "container_of", "find_ffmpeg", "make_files", "problems"]
