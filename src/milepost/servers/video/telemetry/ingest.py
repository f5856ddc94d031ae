"""What an ingest asks of telemetry."""

from milepost.servers.video.telemetry.demuxing import find
from milepost.servers.video.telemetry.reading import read
from milepost.servers.video.telemetry.samples import KlvStream, Telemetry
from milepost.servers.video.telemetry.sides import SideFileError
from milepost.servers.video.telemetry.writing import Summary, write

__all__ = ["KlvStream", "SideFileError", "Summary", "Telemetry", "find", "read", "write"]
