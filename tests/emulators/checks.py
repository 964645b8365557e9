"""Comparisons that are printed one by one and counted, whether they hold or not."""

import sys
from datetime import datetime, timezone


def parse_time(text):
    """An aware datetime in UTC from RFC 3339; None stays None."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment.astimezone(timezone.utc)


class Checks:
    """`passed` and `failed` count comparisons; a note counts as neither."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, what, holds, expected, got):
        """`holds` is the comparison's outcome; the rest is for the person who reads the log."""
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok    ' if holds else 'FAILED'}  {what}: expected {expected}, got {got}", flush=True)
        return holds

    def equal(self, what, expected, got):
        return self.that(what, expected == got, expected, got)

    def near(self, what, expected, got, tolerance):
        """Both numbers, at most `tolerance` apart; null is near nothing."""
        holds = isinstance(got, (int, float)) and abs(got - expected) <= tolerance
        return self.that(what, holds, f"{expected} ± {tolerance}", got)

    def between(self, what, low, high, got):
        holds = isinstance(got, (int, float)) and low <= got <= high
        return self.that(what, holds, f"{low} to {high}", got)

    def moment(self, what, expected, got, tolerance_seconds):
        """RFC 3339 texts of the same moment, within a tolerance in seconds."""
        holds = got is not None and \
            abs((parse_time(got) - parse_time(expected)).total_seconds()) <= tolerance_seconds
        return self.that(what, holds, expected, got)

    def contains(self, what, words, text):
        """Every one of `words` is in `text`, whatever the case."""
        text = str(text)
        missing = [w for w in words if w.lower() not in text.lower()]
        return self.that(what, not missing, f"text with {words}", repr(text))

    def error(self, what):
        """Something that was to be compared and could not be."""
        self.failed += 1
        print(f"FAILED  {what}", flush=True)

    def note(self, what):
        print(f"note    {what}", flush=True)

    def finish(self):
        """Print the last line and return the exit status: 1 as well when nothing was compared."""
        if not self.passed and not self.failed:
            self.error("nothing was compared")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.stdout.flush()
        return 1 if self.failed else 0
