"""The records of the files that people sent to make layers of."""

import msgspec

from milepost.security import Database
from milepost.servers.video.records import Upload


class UploadRecords:
    """What is known of the uploads of a site, in the file of its videos."""

    def __init__(self, database: Database):
        """In a database that has a table of ``uploads``; whoever opened it closes it."""
        self._database = database

    def put(self, upload: Upload) -> None:
        """Take note of an upload, or of what has changed about it."""
        with self._database.change() as connection:
            connection.execute(
                "INSERT INTO uploads (id, owner, record) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (upload.id, upload.owner, msgspec.json.encode(upload)),
            )

    def get(self, upload_id: str) -> Upload | None:
        """What is known of an upload, or None."""
        rows = self._database.read("SELECT record FROM uploads WHERE id = ?", upload_id)
        return msgspec.json.decode(rows[0][0], type=Upload) if rows else None

    def of(self, owner: str = "") -> list[Upload]:
        """The uploads of somebody, or of everybody, newest first."""
        rows = self._database.read(
            "SELECT record FROM uploads WHERE ? = '' OR owner = ? ORDER BY number DESC", owner, owner
        )
        return [msgspec.json.decode(row[0], type=Upload) for row in rows]

    def remove(self, upload_id: str) -> None:
        """Forget an upload; there need not be one."""
        with self._database.change() as connection:
            connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
