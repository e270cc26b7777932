from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher.journal.sequence import REMEMBERED, Order


def order(*read: tuple[str, int], shared: bool) -> Order:
    made = Order(shared=shared)
    for sequence, number in read:
        made.accept(sequence, number)
    return made


def test_first_entry_of_all() -> None:
    """Where nothing was read nothing can be missing."""
    assert 0 == Order(shared=True).missing_before("a", 700)


def test_machine_counts_over_all_ids() -> None:
    """On a machine the next number is in order whatever its id, and a hole is counted over all ids."""
    machine = order(("system", 10), ("user", 11), ("system", 12), shared=True)
    assert 0 == machine.missing_before("user", 13)
    assert 0 == machine.missing_before("never seen", 13)
    assert 3 == machine.missing_before("user", 16)
    assert 3 == machine.missing_before("never seen", 16)


def test_own_number_is_in_order_on_a_machine() -> None:
    """An id that counts for itself goes on with its own next number."""
    assert 0 == order(("b", 500), ("a", 10), shared=True).missing_before("b", 501)


def test_going_back_is_no_hole() -> None:
    """A lower number is a renumbering."""
    assert 0 == order(("a", 100), shared=True).missing_before("a", 50)
    assert 0 == order(("a", 100), shared=False).missing_before("a", 100)


def test_files_count_each_for_itself() -> None:
    """In a directory each id has its own holes, even where another id is far ahead."""
    files = order(("a", 1000), ("b", 50), ("a", 1001), shared=False)
    assert 0 == files.missing_before("b", 51)
    assert 9 == files.missing_before("b", 60)
    assert 2 == files.missing_before("a", 1004)
    assert 0 == files.missing_before("c", 77)


def test_copied_files_of_a_machine() -> None:
    """Files that were copied from a machine share its counter, and that is in order too."""
    assert 0 == order(("user", 3), ("system", 10), shared=False).missing_before("user", 11)


def test_what_was_consumed() -> None:
    """Only a number of the same id tells that an entry was read before."""
    read = order(("a", 100), ("b", 7), shared=False)
    assert read.was_consumed("a", 100)
    assert not read.was_consumed("a", 101)
    assert not read.was_consumed("b", 100)
    assert not read.was_consumed("c", 1)


def test_ids_are_forgotten_in_the_end() -> None:
    """The most recent ids stay, the oldest goes first."""
    read = order(*((f"id{k}", k) for k in range(REMEMBERED)), ("id0", 900), ("new", 1), shared=False)
    names = [sequence for sequence, _ in read.lasts]
    assert REMEMBERED == len(names)
    assert ["id0", "new"] == names[-2:]
    assert "id1" not in names


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.data())
def test_batch_with_a_hole_is_never_whole(writers: list[str], data: st.DataObject) -> None:
    """Writers that take turns: the whole batch passes the check of its ends, with any entry left out it does not."""
    read = order(("a", 10), ("b", 500), ("c", 7), shared=False)
    numbers, entries = dict(read.lasts), []
    for writer in writers:
        numbers[writer] += 1
        entries.append((writer, numbers[writer]))
    ends: dict[str, int] = {}
    for writer, number in reversed(entries):
        ends.setdefault(writer, number)
    assert read.follows_whole(ends, entries=len(entries))
    lost = data.draw(st.integers(1, len(entries)))
    assert not read.follows_whole(ends, entries=len(entries) - lost)


@given(st.integers(1, 1000), st.integers(-1000, 1000))
def test_ends_of_a_machine(entries: int, off: int) -> None:
    """On a machine the last number alone tells."""
    read = order(("a", 5000), shared=True)
    assert (off == 0) == read.follows_whole({"b": 5000 + entries + off, "a": 1}, entries=entries)


def test_accepted_ends() -> None:
    """The last entry's id is the most recent one afterwards."""
    read = order(("a", 10), ("b", 500), shared=False)
    read.accept_ends({"b": 510, "a": 15})
    assert (("a", 15), ("b", 510)) == read.lasts
    assert 510 == read.last
