"""Following a directory of journal files, each host by itself.

One reader over the files of several hosts passes for ever what comes late from one of them: an entry older than the
last one read. So as soon as there is a second host each gets a follower of its own, which sees its entries only.
A directory of one host is read by one plain follower. Knows followers; must not know pipes or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from systemd._reader import _Reader

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import SECOND, Usec
from watcher.core.rule import WatchedJob
from watcher.journal.census import Census, hosts_in
from watcher.journal.clocks import Now
from watcher.journal.follow import Follower
from watcher.journal.gone import Gone
from watcher.journal.hold import LOOK_EVERY, OutgrownError
from watcher.journal.host import Host
from watcher.journal.hostless import Hostless
from watcher.journal.landing import MAX_AGE, last_consumed
from watcher.journal.opening import JournalError, MakeReader, open_journal, trouble_with
from watcher.journal.position import Position, PositionError, since_cursor
from watcher.journal.reading import Reading
from watcher.journal.sheaf import Sheaf
from watcher.journal.source import Source
from watcher.journal.spread import Place, Spread
from watcher.journal.stand import Left

MOST_HOSTS = 32
"""Each host's reader opens every file of the directory, and the places of all go through the pipe with each batch.

A line of the pipe holds 16 MiB: so many places of at most 300 KiB fit well.
"""
LONGEST_STEP = Usec(3 * SECOND)
"""A step that takes longer goes out with what it has, before the reader seems to hang."""


class Hosts:
    """Reads one directory on and on, a batch at each step; from outside it is like a `Follower`.

    A step takes batches of whoever has come least far until nobody is behind, or as much as a `Sheaf` holds: it is one
    reading in the order of time, so that no verdict depends on who was read first. A host that is seen for the first
    time is read from the instant on at which this state began to read, MAX_AGE at most.
    """

    def __init__(
        self,
        source: Source,
        jobs: Sequence[WatchedJob],
        *,
        position: str | None,
        clock: Callable[[], int],
        now: Callable[[], Now] | None = None,
        make: MakeReader = _Reader,
        heartbeat: str | None = None,
    ) -> None:
        """Raises the scanner's error for a pattern that can't be used."""
        self._source = source
        self._clock = clock
        self._now = now
        self._make = make
        self._follow = partial(Follower, jobs=jobs, clock=clock, heartbeat=heartbeat)
        self._census = Census(source)
        self._hostless = Hostless(source)
        self._ring: list[Host] = []
        self._gone = Gone()
        self._gaps: list[Gap] = []
        self._looked_at: int | None = None
        self._has_moved = False
        self._unread = ""
        self._alone: Follower | None = None
        self._take_up(position)

    def _take_up(self, text: str | None) -> None:
        try:
            spread = None if text is None else Spread.from_text(text)
        except PositionError:
            spread = None
        if spread is None or len(spread.places) == 1:
            self._began = _began(text, Usec(self._clock())) if spread is None else spread.began
            self._follow_alone(text if spread is None else spread.places[0].position)
            return
        self._began = spread.began
        self._gone = Gone(spread.places)
        for place in spread.places:
            if not place.is_gone:
                self._add(place.host, place.position)

    def _follow_alone(self, position: str | None) -> None:
        self._alone = self._follow(
            self._source, position=position, now=self._now, make=self._make, fits=_is_of_one_host, began=self._began
        )

    # ------------------------------------------------------------------------------------------------- outside

    @property
    def breadth(self) -> int:
        """How many read side by side."""
        return max(len(self._ring), 1)

    @property
    def step_since_entry(self) -> int:
        """As of a `Follower`; of several hosts nobody's clock is taken for ours."""
        return 0 if self._alone is None else self._alone.step_since_entry

    @property
    def cursor(self) -> str:
        """As of a `Follower`."""
        return "" if self._alone is None else self._alone.cursor

    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when the journal changes."""
        return tuple(descriptor for follower in self._followers() for descriptor in follower.descriptors())

    def close(self) -> None:
        """Lets the journal go; the next step opens it again where it was."""
        self._census.close()
        for follower in self._followers():
            follower.close()

    def reopen(self, make: MakeReader) -> None:
        """Go on at the same place with readers of another make."""
        self._make = make
        for follower in self._followers():
            follower.reopen(make)

    def step(self) -> Reading:
        """Reads on to the end of a batch.

        Raises JournalError: not now; nothing is lost, try again after a while.
        """
        if self._alone is not None:
            try:
                return self._alone.step()
            except OutgrownError:
                self._spread(self._alone)
        self._look_around()
        return self._turn()

    def _followers(self) -> Iterator[Follower]:
        if self._alone is not None:
            yield self._alone
        for host in self._ring:
            yield host.follower

    # ------------------------------------------------------------------------------------------------ the hosts

    def _spread(self, alone: Follower) -> None:
        """From one to several: each goes on where it was read among the others."""
        left = alone.left()
        self._gaps += left.gaps
        shares = {host: self._share(host, left) for host in sorted(self._census.hosts())}
        self._alone, self._has_moved = None, True
        for host, position in shares.items():
            if len(self._ring) < MOST_HOSTS:
                self._add(host, position)
            elif position:
                self._gone.keep(host, Position.from_text(position))

    def _share(self, host: str, left: Left) -> str | None:
        if left.is_lost:
            return ""  # which is no position either: its follower deals with that
        if left.position is None:
            return None
        source = replace(self._source, host=host)
        reader = open_journal(source)
        try:
            known = last_consumed(reader, left.position)
        except OSError as error:
            raise trouble_with(source, error) from error
        finally:
            reader.close()
        if known is not None:
            return known.to_text()
        # a place that is no entry's is an instant before which nothing was to be read
        return self._newcomer(self._began if left.position.lasts else left.position.at)

    def _newcomer(self, since: Usec) -> str:
        oldest = Usec(self._clock() - MAX_AGE)
        return Position(cursor=since_cursor(max(self._began, since, oldest))).to_text()

    def _add(self, host: str, position: str | None) -> None:
        follower = self._follow(
            replace(self._source, host=host),
            position=position,
            make=self._make,
            fits=lambda reader: host in hosts_in(reader),
            absent=partial(self._census.absent, host),
        )
        self._ring.append(Host(host, follower, position, began=self._began))

    def _look_around(self) -> None:
        now = self._clock()
        if self._looked_at is not None and 0 <= now - self._looked_at < LOOK_EVERY:
            return
        hosts = self._census.hosts()
        before = Usec(now if self._looked_at is None else self._looked_at)
        self._looked_at = now
        for host in [one for one in self._ring if one.host not in hosts]:
            self._lose(host, Usec(now))
        self._has_moved |= self._gone.forget(Usec(now))
        followed = {host.host for host in self._ring}
        more = sorted(hosts - followed, key=lambda host: (host not in self._gone, host))
        room = MOST_HOSTS - len(self._ring)
        for name in more[:room]:
            self._add(name, self._gone.take(name) or self._newcomer(self._began))
            self._has_moved = True
        self._tell_unread(more[room:], before, Usec(now))

    def _lose(self, host: Host, now: Usec) -> None:
        """Nothing is left of it. Its place is kept, for the files may come back; entries may be lost with them."""
        self._ring.remove(host)
        text, gaps = host.leave()
        self._gaps += gaps
        self._has_moved = True
        if text is None:
            return
        position = Position.from_text(text)
        self._gone.keep(host.host, position)
        if not host.at_tail:
            since = position.at
            self._gaps.append(Gap(reason=GapReason.CURSOR, since=min(since, now), until=max(since, now)))

    def _tell_unread(self, surplus: Sequence[str], before: Usec, now: Usec) -> None:
        """What nobody reads is a gap, as long as it goes on."""
        troubles = []
        if surplus:
            self._gaps.append(Gap(reason=GapReason.UNREADABLE, since=min(before, now), until=max(before, now)))
            troubles.append(
                f"{self._source}: holds entries of {len(self._ring) + len(surplus)} hosts, of which {MOST_HOSTS} are "
                "read (spread them over several directories, or remove the files of hosts that are gone)"
            )
        gap = self._hostless.look(since=self._began)
        if gap is not None:
            self._gaps.append(gap)
        if self._hostless.files:
            troubles.append(
                f"{self._hostless.files[0]}: entries without _MACHINE_ID are not read where a directory holds several "
                "hosts (move the file to a directory of its own)"
            )
        self._unread = "; ".join(troubles)

    # ------------------------------------------------------------------------------------------------- reading

    def _turn(self) -> Reading:
        """Side by side: always a batch of the host that has come least far."""
        now, sheaf = Usec(self._clock()), Sheaf()
        trouble = JournalError(f"{self._source}: nothing of a known host is left in it")
        all_rest = all(host.rests_until > now for host in self._ring)
        behind = sorted((host for host in self._ring if all_rest or host.rests_until <= now), key=_way_to_go)
        while behind:
            host = behind.pop()
            try:
                part = host.step()
            except OutgrownError:
                self._lose(host, now)
                continue
            except JournalError as error:
                host.rest(now, error)
                trouble = error
                continue
            sheaf.add(host.host, part)
            if not part.at_tail:
                behind = sorted((*behind, host), key=_way_to_go)
                if host.follower.is_probing:
                    break  # what is read must be out before the reader may die
            if sheaf.is_full or not 0 <= self._clock() - now < LONGEST_STEP:
                break
        reading = sheaf.reading()
        if reading is None:
            raise trouble
        return self._told(replace(reading, at_tail=not behind))

    def _told(self, reading: Reading) -> Reading:
        has_moved = self._has_moved or reading.position is not None
        gaps, self._gaps, self._has_moved = (*reading.gaps, *self._gaps), [], False
        troubles = [host.trouble for host in self._ring if host.trouble]
        return replace(
            reading,
            read_until=min((host.read_until for host in self._ring), default=reading.read_until),
            gaps=gaps,
            position=self._text() if has_moved else None,
            visible=any(host.follower.visible for host in self._ring),
            trouble="; ".join([*troubles[:1], self._unread] if self._unread else troubles[:1]),
        )

    def _text(self) -> str:
        places = [Place(host=host.host, position=host.text) for host in self._ring if host.text is not None]
        places = sorted([*places, *self._gone.places()], key=lambda place: place.host)
        return Spread(began=self._began, places=tuple(places)).to_text()


def _way_to_go(host: Host) -> tuple[int, str]:
    return -host.read_until, host.host


def _is_of_one_host(reader: _Reader) -> bool:
    return len(hosts_in(reader)) <= 1


def _began(text: str | None, now: Usec) -> Usec:
    """When the state with this position began to read; of an old one only its place is known, up to which all was."""
    if text is None:
        return now
    try:
        position = Position.from_text(text)
    except PositionError:
        return now
    return position.at if position.began is None else position.began
