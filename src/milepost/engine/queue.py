"""Who is next: jobs that wait for an instance of one service. Pure, no I/O."""

from collections import OrderedDict, deque


class Queue:
    """Jobs by priority; within one priority the owners take turns, each with their oldest job."""

    def __init__(self) -> None:
        self._levels: dict[int, OrderedDict[str, deque[str]]] = {}
        self._places: dict[str, tuple[int, str]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._places

    def jobs(self) -> list[str]:
        """The ids of all that wait."""
        return list(self._places)

    def push(self, job_id: str, owner: str, priority: int, *, front: bool = False) -> None:
        """Let a job wait. ``front`` puts it before its owner's other jobs: it has waited once already."""
        if job_id in self._places:
            return
        self._places[job_id] = (priority, owner)
        waiting = self._levels.setdefault(priority, OrderedDict()).setdefault(owner, deque())
        if front:
            waiting.appendleft(job_id)
        else:
            waiting.append(job_id)

    def pop(self) -> str | None:
        """Take the next job, or None when nobody waits."""
        if not self._levels:
            return None
        priority = max(self._levels)
        owners = self._levels[priority]
        owner, waiting = next(iter(owners.items()))
        job_id = waiting.popleft()
        del self._places[job_id]
        owners.move_to_end(owner)
        self._tidy(priority, owner)
        return job_id

    def remove(self, job_id: str) -> bool:
        """Take a job out of its turn; False when it does not wait."""
        place = self._places.pop(job_id, None)
        if place is None:
            return False
        priority, owner = place
        self._levels[priority][owner].remove(job_id)
        self._tidy(priority, owner)
        return True

    def _tidy(self, priority: int, owner: str) -> None:
        owners = self._levels[priority]
        if not owners[owner]:
            del owners[owner]
        if not owners:
            del self._levels[priority]
