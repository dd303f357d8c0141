"""Which room of the package imports which, as text and as a drawing.

    python benchmarks/import_graph.py                               # the package as it stands
    python benchmarks/import_graph.py --svg docs/imports.svg
    python benchmarks/import_graph.py --revision 7975382 --svg docs/imports-before.svg

A room is a folder or a file directly below `vidpose`. Imports inside functions count, those for
type checkers alone do not. Rooms stand above what they import; rooms that import each other, if
there are any, share a row and are named under the table. `--revision` reads the package out of
git's history instead of the working tree. The drawing leaves out arrows that follow from others.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from vidpose.evaluation.tables import markdown_table

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = "src/vidpose"
Graph = dict[str, set[str]]


def sources(revision: str | None) -> dict[str, str]:
    """Python files of the package: their path below it -> their text."""
    if revision is None:
        root = REPOSITORY / PACKAGE
        return {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*.py"))}
    listed = _git("ls-tree", "-r", "--name-only", revision, PACKAGE).splitlines()
    names = [name for name in listed if name.endswith(".py")]
    return {name[len(PACKAGE) + 1 :]: _git("show", f"{revision}:{name}") for name in names}


def _git(*words: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def room_of(path: str) -> str:
    """The room of a file: "tracking/track.py" -> "tracking", "errors.py" -> "errors"."""
    return path.split("/")[0].removesuffix(".py")


def imports(text: str) -> Iterator[str]:
    """Names of vidpose's modules that a file imports when it runs."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(each for part in node.body for each in ast.walk(part))
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def rooms(files: Mapping[str, str]) -> Graph:
    """Room -> the other rooms that it imports."""
    graph: Graph = {room_of(path): set() for path in files}
    for path, text in files.items():
        for name in imports(text):
            parts = name.split(".")
            if parts[0] == "vidpose" and len(parts) > 1 and parts[1] in graph:
                graph[room_of(path)].add(parts[1])
    graph.pop("__init__", None)
    return {room: used - {room, "__init__"} for room, used in graph.items()}


def reachable(graph: Graph) -> Graph:
    """Room -> everything below it, through other rooms too."""
    found = {room: set(used) for room, used in graph.items()}
    for middle in graph:
        for used in found.values():
            if middle in used:
                used |= found[middle]
    return found


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of rooms that import each other."""
    below = reachable(graph)
    groups = {tuple(sorted(r for r in graph if r in below[room] and room in below[r]))
              for room in graph if room in below[room]}  # fmt: skip
    return [list(group) for group in sorted(groups)]


def levels(graph: Graph) -> dict[str, int]:
    """Room -> its row from below: one more than the highest room that it imports."""
    below = reachable(graph)
    height: dict[str, int] = {}

    def of(room: str) -> int:
        if room not in height:
            deeper = [r for r in graph[room] if room not in below[r]]
            mates = [r for r in graph if r in below[room] and room in below[r]]
            beneath = {r for mate in mates for r in graph[mate] if mate not in below[r]}
            height[room] = 1 + max((of(r) for r in {*deeper, *beneath}), default=-1)
        return height[room]

    for room in sorted(graph):
        of(room)
    return height


def arrows(graph: Graph) -> Graph:
    """The graph without arrows that follow from others."""
    below = reachable(graph)
    return {room: {u for u in used if not any(u in below[v] and v not in below[u]
                                              for v in used if v != u)}
            for room, used in graph.items()}  # fmt: skip


def drawing(graph: Graph, sizes: Mapping[str, int], title: str) -> str:
    """The graph as SVG: rooms in rows, arrows downwards."""
    height = levels(graph)
    rows = [
        [r for r in sorted(graph) if height[r] == row] for row in range(max(height.values()) + 1)
    ]
    width, gap = 900, 74
    place = {
        room: ((column + 1) * width / (len(row) + 1), 50 + (len(rows) - 1 - index) * gap)
        for index, row in enumerate(rows)
        for column, room in enumerate(row)
    }
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {len(rows) * gap + 40}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for room, used in sorted(arrows(graph).items()):
        for other in sorted(used):
            (x, y), (u, v) = place[room], place[other]
            bend = (v - y) / 2
            lines.append(
                f'<path d="M{x:.0f} {y + 14:.0f}C{x:.0f} {y + bend:.0f} {u:.0f} {v - bend:.0f} '
                f'{u:.0f} {v - 14:.0f}" fill="none" stroke="#889" opacity=".7"/>'
            )
    for room, (x, y) in sorted(place.items()):
        half = 4.2 * len(room) + 10
        lines += [
            f'<rect x="{x - half:.0f}" y="{y - 14:.0f}" width="{2 * half:.0f}" height="28" rx="6" '
            'fill="#e8f0fe" stroke="#567"/>',
            f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{escape(room)}'
            f"<title>{sizes[room]} lines</title></text>",
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--revision", help="a commit of this repository (the working tree)")
    parser.add_argument("--svg", type=Path, help="also write the drawing to this file")
    given = parser.parse_args()
    files = sources(given.revision)
    graph = rooms(files)
    sizes = dict.fromkeys(graph, 0)
    for path, text in files.items():
        if room_of(path) in sizes:
            sizes[room_of(path)] += len(text.splitlines())
    height = levels(graph)
    ordered = sorted(graph, key=lambda room: (-height[room], room))
    print(markdown_table(
        ["row", "room", "lines", "imports"],
        [[str(height[r]), r, str(sizes[r]), ", ".join(sorted(graph[r])) or "nothing"]
         for r in ordered],
    ))  # fmt: skip
    count = sum(map(len, graph.values()))
    print(f"\n{len(graph)} rooms, {count} arrows, {sum(sizes.values())} lines")
    for group in cycles(graph):
        print("import each other: " + ", ".join(group))
    if given.svg is not None:
        given.svg.write_text(
            drawing(graph, sizes, f"imports between {len(graph)} rooms of vidpose")
        )


if __name__ == "__main__":
    main()
