"""Pages whose commands are run."""

from __future__ import annotations

import pytest

from tools.played import played

PAGE = """# A page

```text logs/a.log
one
$ two
```

Some words, and a block that is none of ours:

```sh
$ exit 1
```

```console
$ cat logs/a.log; echo "not found" >&2
what the page shows
$ rm logs/a.log
$ ls logs
more lies
```
"""


def test_a_session_shows_what_its_commands_print() -> None:
    """Files of the page are there, one command follows the other, both streams are shown."""
    expected = PAGE.replace("what the page shows\n", "one\n$ two\nnot found\n").replace("more lies\n", "")
    assert expected == played(PAGE)


def test_a_page_that_tells_the_truth_stays_as_it_is() -> None:
    """Played again, nothing changes, also where an output looks like a prompt."""
    page = played(PAGE.replace("$ two", "two"))
    assert page == played(page)


def test_a_block_without_an_end() -> None:
    """It would swallow the rest of the page."""
    with pytest.raises(ValueError, match="has no end"):
        played("```console\n$ true\n")
