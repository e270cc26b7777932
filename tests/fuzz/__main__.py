"""`make fuzz`: coverage-guided fuzzing of every target (or of those that are named), so many seconds each.

    FUZZ_SECONDS=600 make fuzz
    python -m tests.fuzz [TARGET …]

Each target runs in a process of its own, as libFuzzer ends the one that it runs in. What was found grows in
`.cache/fuzz/TARGET`, so that the next run goes on from there; an input that breaks something is left in
`.cache/fuzz/broken/TARGET-…` and belongs into `tests/fuzz/found/TARGET` once the defect is mended.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
CACHE = Path(".cache/fuzz")
LONGEST = 16_384
SLOW_SECONDS = 10


def fuzz_one(name: str) -> None:
    """Fuzz this target in this process; ends it."""
    import atheris  # noqa: PLC0415 - only the make target installs it

    with atheris.instrument_imports(include=["watcher"]):
        from tests.fuzz.targets import FOUND, TARGETS  # noqa: PLC0415 - to be instrumented

    target, corpus, broken = TARGETS[name], CACHE / name, CACHE / "broken"
    corpus.mkdir(parents=True, exist_ok=True)
    broken.mkdir(exist_ok=True)
    known = [file.read_bytes() for file in (FOUND / name).glob("*")]
    for number, seed in enumerate((*target.seeds, *known)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={SECONDS}", f"-max_len={LONGEST}", f"-timeout={SLOW_SECONDS}", "-rss_limit_mb=2048"]
    options += [f"-artifact_prefix={broken}/{name}-", "-verbosity=0", "-print_final_stats=1"]

    def run(data: bytes) -> None:
        try:
            target.run(data)
        except BaseException:  # libFuzzer itself keeps inputs only with a sanitizer's help
            (broken / f"{name}-{blake2b(data, digest_size=6).hexdigest()}").write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


def main(names: list[str]) -> int:
    """Fuzz the targets one after the other; 1 if one of them broke."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - `fuzz_one` must import it first

    broken = []
    for name in names or list(TARGETS):
        print(f"{name}: {SECONDS} s", flush=True)
        if subprocess.run([sys.executable, "-m", "tests.fuzz", "--one", name], check=False).returncode:
            broken.append(name)
    print(f"broken: {', '.join(broken)}; see {CACHE / 'broken'}" if broken else "nothing was found")
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        fuzz_one(sys.argv[2])
    sys.exit(main(sys.argv[1:]))
