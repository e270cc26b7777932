# The calls of google-re2 that we use, by the library's names. Texts are always bytes here.
# ruff: noqa: N801, N802, N818
from typing import Any, Generic, TypeVar

_Text = TypeVar("_Text", str, bytes)

class error(Exception): ...

class Options:
    class Encoding:
        UTF8: Any
        LATIN1: Any

    max_mem: int
    encoding: Any
    log_errors: bool
    dot_nl: bool
    never_nl: bool

class _Match:
    def start(self, group: int = ...) -> int: ...
    def end(self, group: int = ...) -> int: ...

class _Regexp(Generic[_Text]):
    pattern: _Text
    groups: int
    def search(self, text: str | bytes, pos: int | None = ..., endpos: int | None = ...) -> _Match | None: ...
    def fullmatch(self, text: str | bytes, pos: int | None = ..., endpos: int | None = ...) -> _Match | None: ...

def compile(pattern: _Text, options: Options | None = ...) -> _Regexp[_Text]: ...  # noqa: A001 - the library's name
def escape(pattern: _Text) -> _Text: ...

class _Set:
    def Match(self, text: bytes) -> list[int]: ...

class Set:
    _set: _Set
    @classmethod
    def SearchSet(cls, options: Options | None = ...) -> Set: ...
    @classmethod
    def FullMatchSet(cls, options: Options | None = ...) -> Set: ...
    def Add(self, pattern: str | bytes) -> int: ...
    def Compile(self) -> None: ...
    def Match(self, text: bytes) -> list[int] | None: ...
