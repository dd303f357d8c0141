"""Do the tests notice a broken line? Small faults are put into the code, one at a time, and the
tests that mirror the broken file have to fail.

    python benchmarks/mutants.py --count 30 --seed 0
    python benchmarks/mutants.py --only tracking/occlusion.py --count 10 --json mutants.json

A mutant changes one number, sign, comparison, `and`/`or`, `not`, `min`/`max` or truth value, or
leaves out one statement that is a call. Mutants are drawn by chance, every possible one as likely
as any other, from `inference` and `tracking`; texts of errors, assertions, annotations,
decorators and `strict=` are left alone. Tests mirror a file if they have its name or import it; a
file without any is tried with all tests of its package. The working tree is left alone: the faults
are put into a copy.
"""

from __future__ import annotations

import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

from report import finish, machine, parser, table

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "vidpose"
ROOMS = ("inference", "tracking")
TIMEOUT = 600.0  # s for one run of tests; a mutant that hangs is noticed

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
LEFT_ALONE = (ast.JoinedStr, ast.Raise, ast.Assert)
FIELDS_LEFT_ALONE = ("annotation", "returns", "decorator_list")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault in a file: the `number`-th that `Breaker` can make, at `line`."""

    path: str
    number: int
    line: int
    before: str
    after: str


class Breaker:
    """Breaks the `target`-th breakable node of a tree (none: only counts them in `count`)."""

    def __init__(self, target: int | None = None) -> None:
        self.count = 0
        self.made: tuple[ast.AST, ast.AST] | None = None
        self._target = target

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, LEFT_ALONE):
            return node
        broken = _broken(node)
        if broken is not None:
            self.count += 1
            if self.count - 1 == self._target:
                self.made = node, broken
                return ast.fix_missing_locations(ast.copy_location(broken, node))
        for name, value in ast.iter_fields(node):
            if name in FIELDS_LEFT_ALONE or (name == "value" and _is_strict(node)):
                continue
            if isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
            elif isinstance(value, list):
                kept = [self.visit(each) if isinstance(each, ast.AST) else each for each in value]
                setattr(node, name, kept)
        return node


def _is_strict(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _broken(node: ast.AST) -> ast.AST | None:
    """A broken copy of the node itself, not of what is in it; None if it cannot be broken."""
    copy = deepcopy(node)
    match copy:
        case ast.Constant(value=bool(value)):
            copy.value = not value
        case ast.Constant(value=int(value)):
            copy.value = value + 1
        case ast.Constant(value=float(value)):
            copy.value = 2 * value or 1.0
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(copy.op) in OPERATORS:
            copy.op = OPERATORS[type(copy.op)]()  # type: ignore[assignment]
        case ast.Compare(ops=[operator]):
            copy.ops = [OPERATORS[type(operator)]()]  # type: ignore[list-item]
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return copy.operand
        case ast.Name(id=name) if name in NAMES:
            copy.id = NAMES[name]
        case ast.Attribute(attr=name) if name in NAMES:
            copy.attr = NAMES[name]
        case ast.Expr(value=ast.Call()):
            return ast.Pass()
        case _:
            return None
    return copy


def draw(paths: Sequence[Path], count: int, seed: int) -> list[Mutant]:
    """`count` mutants of the files, drawn without repetition."""
    places = []
    for path in paths:
        counter = Breaker()
        counter.visit(ast.parse(path.read_text()))
        places += [(path, number) for number in range(counter.count)]
    chosen = random.Random(seed).sample(places, min(count, len(places)))
    return [_mutant(path, number)[0] for path, number in chosen]


def _mutant(path: Path, number: int) -> tuple[Mutant, str]:
    """The mutant and the text of its file."""
    breaker = Breaker(number)
    tree = breaker.visit(ast.parse(path.read_text()))
    assert breaker.made is not None
    before, after = breaker.made
    name = path.relative_to(PACKAGE).as_posix()
    line = getattr(before, "lineno", 0)
    return Mutant(name, number, line, ast.unparse(before), ast.unparse(after)), ast.unparse(tree)


def survives(mutant: Mutant, folder: Path) -> bool:
    """Whether the tests pass although the copy of the package in `folder` is broken."""
    path = folder / "vidpose" / mutant.path
    whole = path.read_text()
    path.write_text(_mutant(PACKAGE / mutant.path, mutant.number)[1])
    try:
        return _tests_pass(mirrored_tests(mutant.path), folder)
    finally:
        path.write_text(whole)


def mirrored_tests(path: str) -> list[Path]:
    """Test files with the file's name, or that import it; its package's tests if there are none."""
    folder, _, stem = path.removesuffix(".py").replace("/", ".").rpartition(".")
    module = re.compile(rf"vidpose\.{re.escape(folder)}(\.| import ([\w, ]*, )?){stem}\b")
    name = f"test_{Path(path).stem}"
    files = [file for room in ROOMS for file in sorted((ROOT / "tests" / room).glob("test_*.py"))]
    near = [file for file in files if file.stem == name or module.search(file.read_text())]
    return near or [ROOT / "tests" / path.split("/")[0]]


def _tests_pass(tests: Sequence[Path], folder: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            [*command, *map(str, tests)], cwd=ROOT, env=environment, capture_output=True,
            timeout=TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--count", type=int, default=30)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", action="append", default=[], help="tracking/track.py, ...")
    given = arguments.parse_args()

    files = [PACKAGE / each for each in given.only] or [
        path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))
    ]
    mutants = draw(files, given.count, given.seed)
    conditions = machine(given.threads)
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PACKAGE, Path(folder) / "vidpose")
        for number, mutant in enumerate(mutants, 1):
            alive = survives(mutant, Path(folder))
            survivors += [mutant] if alive else []
            verdict = "SURVIVES" if alive else "killed"
            change = f"{mutant.before} -> {mutant.after}"
            print(f"{number:3} {verdict} {mutant.path}:{mutant.line} {change}", flush=True)
    print(f"\n{len(survivors)} of {len(mutants)} mutants survive (seed {given.seed})\n")
    rows = [[f"{each.path}:{each.line}", each.before, each.after] for each in survivors]
    if rows:
        print(table(["survivor", "before", "after"], rows))
    figures = {"machine": conditions, "seed": given.seed, "mutants": len(mutants)}
    finish(given.json, {**figures, "survivors": [asdict(each) for each in survivors]})


if __name__ == "__main__":
    main()
