"""Where finished folders of files lie: in a folder of the site, or in an object storage that speaks S3.

Whoever has made a folder puts it there as a whole, under a name of its own::

    storage = open_storage("s3://videos/site", data_folder())
    storage.put(run.workspace / "layer", "5c1e...", run.check)

A folder is there once ``put`` has returned, and ``delete`` may be called at any time, also of one that is
only half there. Files are read in ranges, so that nobody needs the whole of a large one::

    about = await storage.look("5c1e...", "hd/0001.m4s")
    async for piece in storage.read("5c1e...", "hd/0001.m4s", 0, about.size):
        ...

What cannot be done is a ``StorageError``, whose text names neither the place nor what opens it.
"""

from milepost.storage.local import LocalStorage
from milepost.storage.opening import open_storage, read_place
from milepost.storage.protocol import Entry, Storage, StorageError, Tick

__all__ = ["Entry", "LocalStorage", "Storage", "StorageError", "Tick", "open_storage", "read_place"]
