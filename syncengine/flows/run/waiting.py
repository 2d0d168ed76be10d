"""How long a pass waits for what is not done yet, what it reports meanwhile, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import USED_UP
from syncengine.ledger import Transaction
from syncengine.model.connection import ConnectionState
from syncengine.model.operation import UNSETTLED, Detail, Operation, OperationState

PAUSES = 3600.0
"""Seconds that a pass spends in pauses which were asked for, all together."""

WORTH_TELLING = 2.0
"""Seconds of waiting about which nothing is said."""

LONGEST_NAP = 5.0

LOOKS = 50
"""Times that progress is looked for before a pass without any gives up."""

BEYOND = 300.0
"""Seconds beyond which the next look for a write is not waited for: a person was asked about it."""

Tell = Callable[[str], None]
"""Told a line for people, while a pass goes on."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Work that is left in a connection, and why it cannot be done now. ``until``: when it may go on (epoch seconds).
    ``asked``: the vendor or our budget asked for the pause. ``work``: what waits."""

    connection: str
    why: str
    until: float
    asked: bool
    work: str


@dataclass(slots=True)
class ProgressDeadline:
    """The time at which a pass gives up, moved on whenever it makes progress: a new event, history entry or settled
    write, or less work left than ever. Retries are no progress. Of the pauses that vendors ask for, the pass waits for
    one without progress, and spends an hour in them at most."""

    engine: Engine
    tell: Tell
    still: float
    end: float = 0.0
    _got_on: float = 0.0
    _looked: float = 0.0
    _seen: tuple[int, ...] = ()
    _least: int = 0
    _excused: bool = False
    _paused: float = 0.0
    _nap: float = 0.1
    _said: dict[str, tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Progress was made: move the deadline on."""
        self._got_on = self._looked = self.engine.clock.now()
        self.end, self._excused, self._nap = self._got_on + self.still, False, 0.1

    def observe_progress(self, tx: Transaction, written: int) -> int:
        """Move the deadline on if there was progress. ``written``: number of writes of this pass that were settled.
        Returns how many links are left to be looked at or read."""
        self._looked = self.engine.clock.now()
        seen = (*tx.newest_ids(), written)
        left = tx.dirty_count(list(self.engine.connectors))
        went_back = self.engine.clock.now() < self._got_on
        if seen != self._seen or left < self._least or went_back:
            self._seen, self._least = seen, left
            self.renew()
        return left

    @property
    def may_wait(self) -> bool:
        """Whether the last look at the progress is so short ago that another one would only cost: it counts all that is
        left."""
        return 0 <= self.engine.clock.now() - self._looked < self.still / LOOKS

    @property
    def over(self) -> bool:
        """Whether there was no progress for too long."""
        return self.engine.clock.now() > self.end

    def wait(self, delays: Sequence[Delay]) -> bool:
        """Sleep a while for the first of these delays; False if waiting is of no use any more."""
        now = self.engine.clock.now()
        first = min(delays, key=lambda delay: delay.until)
        if first.asked and first.until > now and not self._excused:
            self.end, self._excused = max(self.end, first.until + self.still), True
        if max(now, first.until) > self.end or self._paused > PAUSES:
            return False
        for delay in delays:
            self.say(delay.connection, delay.why, delay.until)
        nap = min(max(first.until - now, self._nap), LONGEST_NAP)
        self._nap = min(2 * self._nap, 1.0)
        self._paused += nap * first.asked
        self.engine.heartbeat()
        self.engine.clock.sleep(nap)
        return True

    def say(self, connection: str, why: str, until: float) -> None:
        """Report a longer wait, once: one with an end, or many short ones."""
        now = self.engine.clock.now()
        said, before = self._said.get(connection, ("", 0.0))
        ends = until - now >= WORTH_TELLING
        if not connection or (said == why and (not ends or until < before + 1)):
            return
        if ends or now - self._got_on >= WORTH_TELLING:
            self._said[connection] = (why, until)
            when = f", until {clock_time(self.engine, until)}" if ends else ""
            self.tell(f"waits for {connection}{when}: {why}")

    def goes_on(self, connection: str, resource: str, rows: int, answers: int) -> None:
        """Report how far a long listing has come."""
        self.tell(f"reads {connection} {resource}: {rows:,} rows in {answers:,} answers so far")

    def given_up(self, delays: Sequence[Delay]) -> list[str]:
        """What the pass waits for no longer, one line per connection and reason."""
        groups: dict[tuple[str, str], list[Delay]] = {}
        for delay in delays:
            groups.setdefault((delay.connection, delay.why), []).append(delay)
        now = self.engine.clock.now()
        lines = []
        for (connection, why), group in sorted(groups.items()):
            until = min(delay.until for delay in group)
            when = f", until {clock_time(self.engine, until)}" if until > now else ""
            work = ", ".join(sorted({delay.work for delay in group}))
            lines.append(f"{connection}: {why}{when}; left: {len(group)} × {work}")
        return lines


def clock_time(engine: Engine, at: float) -> str:
    """A time of day in the project's zone, the date too if it is another day."""
    zone = ZoneInfo(engine.project.timezone)
    when = datetime.fromtimestamp(at, zone)
    today = datetime.fromtimestamp(engine.clock.now(), zone).date()
    return when.strftime("%H:%M:%S" if when.date() == today else "%Y-%m-%d %H:%M:%S")


def delays(
    engine: Engine, tx: Transaction, dirty: int, writing: bool, left: Collection[str] = ()
) -> list[Delay]:
    """The delays of work that can still proceed by itself. ``dirty``: links that are left to be looked at or read;
    ``left``: operations that are not to be sent."""
    now, states = engine.clock.now(), {s.name: s for s in tx.connections(engine.connectors)}
    decided = tx.dirty_count([]) if dirty else 0
    found = [Delay("", "decided again", now, False, "rows")] if decided else []
    reads = dirty > decided
    for name, state in states.items():
        open_now = state.blocked_until <= now
        if state.halted or not (writing or open_now):
            continue
        if reads and tx.dirty_count([name]) > decided:
            found.append(_delay(state, now, "tried again", now, "reads"))
    if writing:
        operations = [o for o in tx.select_operations(UNSETTLED) if o.id not in left]
        found += _of_operations(engine, states, operations)
    return found


def _of_operations(
    engine: Engine, states: dict[str, ConnectionState], operations: Sequence[Operation]
) -> Iterator[Delay]:
    now = engine.clock.now()
    for o in operations:
        state = states.get(o.connection)
        if state is None or state.halted:
            continue
        if o.state is OperationState.CLAIMED:
            yield Delay(o.connection, "a write is under way", o.lease_until, False, "writes")
        elif o.detail == Detail.LAST_TRY:
            yield _delay(state, now, Detail.LAST_TRY, o.next_at, "writes")
        elif o.state is OperationState.UNKNOWN:
            if o.next_at < now + BEYOND:
                why = "whether a write took effect is to be read"
                yield _delay(state, now, why, o.next_at, "writes to be proved")
        elif not state.paused and engine.project.connections[o.connection].mode == "write":
            yield _delay(state, now, o.detail or "tried again", o.next_at, "writes")


def _delay(state: ConnectionState, now: float, why: str, at: float, work: str) -> Delay:
    if state.blocked_until > max(now, at):
        return Delay(state.name, state.why or why, state.blocked_until, state.asked, work)
    return Delay(state.name, why, at, why == USED_UP, work)
