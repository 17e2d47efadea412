"""What a choice consists of: who was judged, by what, how likely the best, what decided it, what would change it."""

from typing import Literal

from msgspec import Struct

from harness.language import noop
from reports.choose.draws import DRAWS, SEED
from reports.choose.known import Reading
from reports.choose.messages import Messages
from reports.choose.needs import Needs

SURE = 0.95
"""The probability of being the best from which somebody is called the winner."""
NOT_MEASURED = (
    noop("books and courses"),
    noop("documentation in the students' language"),
    noop("community"),
    noop("what colleagues know"),
    noop("job market"),
)
"""What people expect of a choice, and no harness can measure."""
SAME_SCORE = 1e-9
"""Scores of one draw that differ by less are equal, and share being the best."""


Verdict = Literal["winner", "tie", "only one", "none"]


class Scored(Struct, frozen=True, kw_only=True):
    """A candidate, judged."""

    label: str
    backend: str
    mode: str
    profile: str
    stands_for_backend: bool
    """It is compared; else another mode or profile of its backend has a higher expected score."""
    score: float
    """Expected, from 0 to 1."""
    score_low: float
    score_high: float
    """The middle 95 % of the draws."""
    probability_best: float | None
    """Share of the draws in which it has the highest score; null for one that does not stand for its backend, and
    where no other backend is left, so that nothing was compared."""
    values: dict[str, float]
    """Expected value by criterion."""
    raw: dict[str, float | None]
    """What people read, by criterion: the number, or its geometric mean over the tasks where it was measured."""
    readings: dict[str, dict[str, Reading]]
    """What all of it comes from."""
    remarks: tuple[tuple[str, str, str], ...]
    """Criterion, task and reason where a number is missing or failed; a task of no name is the whole."""
    builds: tuple[str, ...]
    """The releases of the framework that were measured, in full: `torch 2.13.0+cpu`."""
    one_process: tuple[str, ...]
    """Criteria with a number of one process alone."""


class Used(Struct, frozen=True, kw_only=True):
    """A criterion that entered."""

    name: str
    weight: float
    share: float
    """Of the sum of the weights that entered."""
    tasks: tuple[str, ...]
    """The cells that entered, of tasks that have a weight."""


class Pair(Struct, frozen=True, kw_only=True):
    """Two candidates beside each other."""

    a: str
    b: str
    probability_a_better: float
    tie: bool
    """Neither is better with a probability of `SURE`."""
    meet_on_a_task: bool = True
    """A task was measured for both; else nothing compares them by the criteria of tasks."""


class Deciding(Struct, frozen=True, kw_only=True):
    """The measurement known of both that speaks most for the leader against the runner-up."""

    criterion: str
    leader: float | None
    """Its number as people read it, over the tables in which both were measured."""
    runner_up: float | None
    margin: float
    """The leader's expected score less the runner-up's."""
    adds: float
    """What this criterion adds to it."""
    changes_the_order: bool
    """Put equal for both, the runner-up would be at least as good."""


class Move(Struct, frozen=True, kw_only=True):
    """A change of one weight that changes the leader."""

    criterion: str
    weight: float
    then: float
    """Where both are equal; beyond it, `winner` leads."""
    share: float
    share_then: float
    winner: str


class Without(Struct, frozen=True, kw_only=True):
    """What comes out where one task is left out."""

    task: str
    verdict: Verdict
    leader: str | None
    tied: tuple[str, ...]
    probability_best: float | None
    """Of the leader."""
    changes: bool
    """Another one leads, or a tie becomes a winner, or a winner a tie."""


class Otherwise(Struct, frozen=True, kw_only=True):
    """What comes out under a plausible alternative: without one criterion, or with another build installed."""

    criterion: str = ""
    """That which is left out; empty for another build."""
    build: str = ""
    install_bytes: int = 0
    """Of that build."""
    verdict: Verdict
    leader: str | None
    tied: tuple[str, ...]
    probability_best: float | None
    """Of the leader."""
    changes: bool
    """Another one is the best, or a tie becomes a best one, or a best one a tie."""


class Choice(Struct, frozen=True, kw_only=True):
    """The decision, with all that it rests on."""

    study: str
    needs: Needs
    verdict: Verdict
    leader: str | None
    tied: tuple[str, ...]
    candidates: tuple[Scored, ...]
    """Best first."""
    excluded: tuple[tuple[str, str], ...]
    criteria: tuple[Used, ...]
    dropped: tuple[str, ...]
    """Criteria with a weight that tell nobody apart; their weight does not count."""
    why_dropped: dict[str, str]
    """The reason of each of them."""
    tasks: tuple[str, ...]
    """The names of the cells: a task, and what tells it from other cells of it."""
    tasks_left_out: tuple[str, ...]
    """Tasks of the study to which the needs give no weight."""
    pairs: tuple[Pair, ...]
    deciding: Deciding | None
    moves: tuple[Move, ...]
    """The smallest first."""
    without: tuple[Without, ...] = ()
    """Each task with a weight, left out in turn, where there are several."""
    otherwise: tuple[Otherwise, ...] = ()
    """Each criterion with a weight left out in turn, where there are several, and each other build that is known."""
    messages: Messages = Messages()
    not_measured: tuple[str, ...] = NOT_MEASURED
    draws: int = DRAWS
    seed: int = SEED

    def hangs_on(self) -> tuple[Otherwise, ...]:
        """Return the alternatives under which the answer is another one."""
        return tuple(one for one in self.otherwise if one.changes)

    def best(self) -> tuple[Scored, ...]:
        """Return the candidates that stand for their backends, best first."""
        return tuple(item for item in self.candidates if item.stands_for_backend)
