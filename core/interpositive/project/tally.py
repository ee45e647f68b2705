"""What an ingest did: counts, and lines about what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST_PROBLEMS = 200


@dataclass
class Tally:
    """What a run did."""

    found: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    measured: int = 0
    open_clips: int = 0  # of the folders, also from earlier runs, that a person has to see to
    vanished: int = 0
    failed_checksums: int = 0
    verified: int = 0
    frames_read: int = 0
    events: int = 0
    events_joined: int = 0
    unlisted_rows: int = 0
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    unreadable_folders: int = 0
    absent_files: int = 0  # in a checksum list but not on disk

    def complain(self, line: str) -> None:
        """Keeps the first lines; counts all."""
        self.problem_count += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(line)

    @property
    def needs_a_person(self) -> int:
        """Clips, folders and lists that are not in order."""
        return self.open_clips + self.unreadable_folders + self.absent_files
