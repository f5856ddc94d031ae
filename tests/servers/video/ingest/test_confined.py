"""The process that looks into a file from anywhere: what it may not do, whatever makes it try."""

import errno
import json
import subprocess
import sys

from milepost.servers.video.ingest import reading

MISLED = """
import importlib.util, os, resource, sys

def read(path, demuxer, **limits):
    told = {"cpu": resource.getrlimit(resource.RLIMIT_CPU)}
    for name in (path, path + ".new"):
        file = os.open(name, os.O_WRONLY | os.O_CREAT)
        try:
            os.write(file, b"x")
        except OSError as error:
            told[name] = error.errno
    try:
        bytearray(5 << 30)
    except MemoryError:
        told["memory"] = "refused"
    return told

about = importlib.util.spec_from_file_location("reading", sys.argv.pop(1))
reader = importlib.util.module_from_spec(about)
about.loader.exec_module(reader)
reader.read = read
reader.main()
"""
"""Runs the reader as a file would that has taken it over."""


def test_it_writes_nothing_and_takes_no_more_than_its_share(tmp_path, clip):
    sent = tmp_path / "sent.ts"
    sent.write_bytes(clip.read_bytes())
    arguments = [reading.__file__, str(sent), "mpegts", "8192", "35600000", "64"]
    done = subprocess.run([sys.executable, "-P", "-c", MISLED, *arguments], capture_output=True)
    told = json.loads(done.stdout)
    assert told == {
        "cpu": [reading.CPU_SECONDS, reading.CPU_SECONDS],
        str(sent): errno.EFBIG,
        f"{sent}.new": errno.EFBIG,
        "memory": "refused",
    }
    assert sent.read_bytes() == clip.read_bytes()
    assert not (tmp_path / "sent.ts.new").stat().st_size
