"""Lines of code and tests, and words of documentation, of this repository's versions.

python benchmarks/code_size.py --revision 7975382 --revision HEAD --json results/code_size.json
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from report import finish, machine, parser, table

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = {"package": "src/vidpose/", "tests": "tests/", "benchmarks": "benchmarks/"}
COLUMNS = (*PARTS, "words")


def sizes(revision: str) -> dict[str, int]:
    """Lines of Python by part; words of README.md and docs/*.md, those of subfolders too."""
    names = _git("ls-tree", "-r", "--name-only", revision).splitlines()
    found = dict.fromkeys(COLUMNS, 0)
    for name in names:
        part = next((p for p, start in PARTS.items() if name.startswith(start)), None)
        if part is not None and name.endswith(".py"):
            found[part] += _git("show", f"{revision}:{name}").count("\n")
        elif name == "README.md" or (name.startswith("docs/") and name.endswith(".md")):
            found["words"] += len(_git("show", f"{revision}:{name}").split())
    return found


def _git(*words: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--revision", action="append", required=True, help="repeatable")
    given = arguments.parse_args()
    rows = {_git("rev-parse", "--short", r).strip(): sizes(r) for r in given.revision}
    print(table(["version", *COLUMNS], [[n, *map(str, r.values())] for n, r in rows.items()]))
    finish(given.json, {"machine": machine(given.threads), "rows": rows})


if __name__ == "__main__":
    main()
