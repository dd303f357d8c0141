"""What 1, 10 or 1,000 machines make of 100,000 videos: a discrete-event model of `vidpose batch`.

    python benchmarks/scale_simulation.py --rate 180 --start 4 --overhead 0.01 --handling 0.0004

Videos have log-normal lengths. A worker fetches a video through the store, which all share, and
computes; the driver handles each result, one after the other.
Machines fail by chance; what their workers had under way is done again by others, and the machine
comes back. Long videos are split as `vidpose batch --split` does. Joining them and messages are
left out, as they take less than a hundredth of a video's time. Feed it with rates measured on the
machines at hand.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass

import report


@dataclass(frozen=True)
class Plan:
    """A cluster and its work. Times in s, rates per s.

    `rate`: frames/s of a worker. `store`: MB/s that the store gives to all together, `stream`: to
    one worker at most. `overhead`: of a worker for each task. `handling`: of the driver for each
    result. `failures`: part of the machines that fail in an hour; `absence`: until one is back.
    `split`, `overlap`: of the pieces; 0: never split.
    """

    machines: int
    workers: int
    videos: int
    rate: float
    store: float
    stream: float
    overhead: float
    handling: float
    start: float
    failures: float
    absence: float
    split: float
    overlap: float


@dataclass(frozen=True)
class Outcome:
    """`hours` until the last video, `work` done again after failures as a part of all, `waiting`:
    part of the workers' time in which they waited for the store or the driver, `tail`: minutes
    from the moment the queue was empty, `driver`: part of the time in which it was at work."""

    hours: float
    work: float
    waiting: float
    tail: float
    driver: float


def lengths(count: int, seed: int = 1) -> list[float]:
    """Seconds of video: half are shorter than a minute, one in a hundred lasts half an hour."""
    draw = random.Random(seed)
    return [min(draw.lognormvariate(4.1, 1.45), 4 * 3600.0) for _ in range(count)]


def tasks_of(plan: Plan) -> list[float]:
    """The seconds of video in each task, in the order in which they are handed out: the largest
    videos first."""
    tasks: list[float] = []
    for length in sorted(lengths(plan.videos), reverse=True):
        pieces = int(length // plan.split) if plan.split else 1
        if pieces < 2:
            tasks.append(length)
        else:
            tasks += [length / pieces] + [length / pieces + plan.overlap] * (pieces - 1)
    return tasks


def simulate(plan: Plan, *, fps: float = 30.0, megabytes: float = 0.5, seed: int = 2) -> Outcome:
    """Run the model; ``fps`` of the videos, ``megabytes`` for each second of them."""
    draw = random.Random(seed)
    queue = deque(tasks_of(plan))
    workers = plan.machines * plan.workers
    machine_of = [worker // plan.workers for worker in range(workers)]
    fails = [draw.expovariate(plan.failures / 3600) for _ in range(plan.machines)]
    store = driver = 0.0  # when each is free again
    busy = again = waited = handled = 0.0
    empty = 0.0
    # (time, worker, since): a worker is free; where it began something, that is finished.
    events = [(plan.start, worker, -1.0) for worker in range(workers)]
    heapq.heapify(events)
    end = 0.0
    while events:
        now, worker, since = heapq.heappop(events)
        if since >= 0:
            driver = max(driver, now) + plan.handling
            handled += plan.handling
            waited += driver - now
            busy += driver - since
            end = max(end, driver)
            heapq.heappush(events, (driver, worker, -1.0))
            continue
        machine = machine_of[worker]
        if now >= fails[machine] + plan.absence:
            fails[machine] = now + draw.expovariate(plan.failures / 3600)
        if not queue:
            continue
        seconds = queue.popleft()
        if not queue:
            empty = now
        amount = seconds * megabytes
        # The store serves in order; a worker takes at most its own stream's rate.
        store = max(store, now) + amount / plan.store
        fetched = max(store, now + amount / plan.stream)
        waited += fetched - now - amount / plan.stream
        done = fetched + plan.overhead + seconds * fps / plan.rate
        if done > fails[machine]:
            again += max(0.0, fails[machine] - now)
            queue.append(seconds)
            back = fails[machine] + plan.absence + plan.start
            heapq.heappush(events, (max(back, now), worker, -1.0))
        else:
            heapq.heappush(events, (done, worker, now))
    return Outcome(
        end / 3600, again / busy, waited / busy, max(0.0, end - empty) / 60, handled / end
    )


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--rate", type=float, default=180.0, help="frames/s of one worker")
    parser.add_argument("--start", type=float, default=4.0, help="s until a worker is ready")
    parser.add_argument("--overhead", type=float, default=0.01, help="s of a worker for each task")
    parser.add_argument("--handling", type=float, default=0.0004, help="s of the driver for each")
    parser.add_argument("--store", type=float, default=1000.0, help="MB/s of the store")
    parser.add_argument("--stream", type=float, default=80.0, help="MB/s of one worker at most")
    parser.add_argument("--workers", type=int, default=16, help="workers of a machine")
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--failures", type=float, default=0.02, help="of the machines, an hour")
    arguments = parser.parse_args()
    rows: list[list[str | int | float]] = []
    for machines in (1, 10, 100, 1000):
        for split in (0.0, 600.0, 120.0):
            for store in (arguments.store, 20 * arguments.store):
                plan = Plan(
                    machines=machines,
                    workers=arguments.workers,
                    videos=arguments.videos,
                    rate=arguments.rate,
                    store=store,
                    stream=arguments.stream,
                    overhead=arguments.overhead,
                    handling=arguments.handling,
                    start=arguments.start,
                    failures=arguments.failures,
                    absence=600.0,
                    split=split,
                    overlap=10.0,
                )
                found = simulate(plan)
                rows.append(
                    [
                        machines,
                        f"{split:.0f}" if split else "never",
                        f"{store:.0f}",
                        f"{found.hours:.2f}",
                        f"{100 * found.work:.2f}",
                        f"{100 * found.waiting:.1f}",
                        f"{found.tail:.1f}",
                        f"{100 * found.driver:.1f}",
                    ]
                )
    head = ["machines", "split s", "store MB/s", "hours", "again %", "waiting %", "tail min"]
    print(report.table([*head, "driver busy %"], rows))


if __name__ == "__main__":
    main()
