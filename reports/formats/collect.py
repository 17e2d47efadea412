"""Taking in what a class hands in: the only thing that the served page writes, and only where it was asked to.

A token stands before everything else. Attempts of one address are limited, whether or not their token was right.
"""

import hmac
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Response, jsonify, request

from harness import language
from harness.errors import EvenbenchError
from harness.language import _
from harness.measure.clock import Stopwatch, timestamp
from harness.records.bundles import LARGEST, handed_in, keep, unpack
from harness.records.merge import merge

ATTEMPTS, WINDOW_S = 120, 60.0
"""So many attempts of one address in so many seconds: a whole class can stand behind one."""
MOST_ADDRESSES = 10_000
MOST_STUDIES = 1_000
"""Handed in, in one folder: a class is smaller, and a flood is not."""


class Collector:
    """Takes studies in for one results folder."""

    def __init__(self, results: Path, token: str, clock: Callable[[], float] | None = None) -> None:
        self.results = results
        self.token = token
        self.clock = clock or Stopwatch().seconds
        self._attempts: dict[str, deque[float]] = {}
        self._lock = Lock()

    def view(self) -> tuple[Response, int]:
        """Answer a request that hands a study in."""
        if self._is_too_often(request.remote_addr or ""):
            return _refused(_("Too many attempts from this address: wait a minute."), 429)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _refused(_("The token is not the one of this class."), 401)
        if (request.content_length or 0) > LARGEST:
            return _refused(_("That is larger than a study can be."), 413)
        request.max_content_length = LARGEST
        if len(handed_in(self.results)) >= MOST_STUDIES:
            return _refused(_("This folder has taken in as many studies as it may."), 409)
        try:
            folder, was_there = keep(unpack(request.get_data(cache=False)), self.results)
        except EvenbenchError as error:
            return _refused(language.said(error), 400)
        return jsonify({"study": folder.name, "was_there": was_there}), 200 if was_there else 201

    def _is_too_often(self, address: str) -> bool:
        now = self.clock()
        with self._lock:
            if len(self._attempts) > MOST_ADDRESSES:
                self._attempts.clear()
            seen = self._attempts.setdefault(address, deque())
            while seen and seen[0] < now - WINDOW_S:
                seen.popleft()
            seen.append(now)
            if len(seen) > ATTEMPTS:
                seen.popleft()
                return True
            return False


def _refused(sentence: str, code: int) -> tuple[Any, int]:
    return jsonify({"error": sentence}), code


def whole_class(results: Path, page: Callable[[Path], str]) -> str:
    """Return the page of all that was handed in, merged as `evenbench merge` does it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "class")
        merge(folder, handed_in(results), created_at=timestamp())
        return page(folder)
