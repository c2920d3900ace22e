"""Processes: one that is stopped ends with everything that it started.

And who left something behind, still running or not.
"""

import contextlib
import os
import pickle
import platform
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ecgtl.errors import EcgtlError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 2.5  # seconds from a signal until whatever still runs is cut off
_OWNER = re.compile(r"(.+)@(\d+)@(\d+)")
_undoing: set[Callable[[], object]] = set()


def ignore_signals() -> None:
    """What is being said or undone from now on, no signal cuts off: for the main thread."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def stoppable(main: Callable[[], int], line: Callable[[], str]) -> int:
    """Exit status of ``main()``, and 130 or 143 after Ctrl-C or SIGTERM: for the main thread of a command.

    ``main`` meets KeyboardInterrupt after either signal, and what ``line()`` gives is said on stderr. A main thread or
    another one that is still at work ``PATIENCE`` seconds later is cut off, and what ``undone`` holds is undone. A
    signal that the process was started to ignore (``nohup``) stays ignored.
    """
    received, returned = [], threading.Event()

    def stop(number: int, _frame) -> None:
        ignore_signals()
        sys.unraisablehook, threading.excepthook = (lambda _: None), (lambda _: None)  # what breaks now does so by this
        received.append(number)
        raise KeyboardInterrupt

    def cut_off() -> None:
        while (number := os.read(told, 1)[0]) not in SIGNALS:
            pass
        returned.wait(PATIENCE)
        for undo in list(_undoing):
            with contextlib.suppress(Exception):
                undo()
        if not returned.is_set():
            _say(line())
        os._exit(128 + number)

    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)  # heard even while the main thread is in a library's code
    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, stop)
    threading.Thread(target=cut_off, daemon=True).start()
    try:
        status = main()
    except BaseException:
        if not received:
            raise
        _say(line())
    returned.set()
    while received:
        time.sleep(1.0)  # until cut off: the interpreter's own end would wait for every thread
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)  # there is nothing left to undo
    return status


def _say(line: str) -> None:
    if line:
        print(line, file=sys.__stderr__, flush=True)  # whatever else was to have what is said meanwhile


@contextlib.contextmanager
def undone(undo: Callable[[], object]) -> Iterator[None]:
    """At the end of the block, whatever ends it, call ``undo()``; also when ``stoppable`` cuts the process off."""
    _undoing.add(undo)
    try:
        yield
    finally:
        undo()
        _undoing.discard(undo)


def spread(function: Callable, jobs: Iterable, n_workers: int | None = None) -> list:
    """``function`` of each job, in order, by worker processes (one a core), or by this one where that is 1.

    Signals are this process's to answer: the workers are of a session of their own, and end when this one does, however
    that comes. Raises what ``function`` raises, and EcgtlError when a worker is killed.
    """
    from joblib import Parallel, cpu_count, delayed  # noqa: PLC0415  (a third of a second)

    n_workers = n_workers or cpu_count()
    if n_workers == 1:
        return [function(job) for job in jobs]
    program = f"import sys; sys.path[:] = {sys.path!r}; from ecgtl import processes; processes.work({os.getpid()})"
    workers: list[subprocess.Popen] = []
    idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()

    def answer(job):
        worker = idle.get()
        try:
            pickle.dump((function, job), worker.stdin)
            worker.stdin.flush()
            found = pickle.load(worker.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise EcgtlError("a worker process was killed; is memory short? Run the same command again") from None
        idle.put(worker)
        if isinstance(found, Exception):
            raise found
        return found

    def end() -> None:
        for worker in workers:
            worker.kill()

    with undone(end):
        for _ in range(n_workers):
            workers.append(subprocess.Popen(
                [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"}))
            idle.put(workers[-1])
        # A thread for each worker; jobs are made when they are wanted, since a list of them may not fit into memory
        return Parallel(n_workers, backend="threading", pre_dispatch="n_jobs")(delayed(answer)(job) for job in jobs)


def open_many_files() -> None:
    """Let this process open as many files as the system grants: each shard of a data set keeps some open."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415  (Windows has none, nor such a limit)

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def work(parent: int) -> None:
    """What a worker of the process ``parent`` does.

    Jobs from stdin, answers to stdout, until that process has ended.
    """
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(OSError):  # Linux gives each session a whole share of the cores, however nice it is
        Path("/proc/self/autogroup").write_text(str(os.nice(0)))
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    while True:
        try:
            function, job = pickle.load(sys.stdin.buffer)
            answer = function(job)
        except EOFError:
            return
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def below(pid: int) -> list[int]:
    """Processes that ``pid`` started and those that they started, from ``/proc``.

    None where there is no such folder.
    """
    parents = {int(stat.parent.name): _stat(stat)[1:2] for stat in Path("/proc").glob("[0-9]*/stat")}
    found = [pid]
    for parent in found:
        found += [child for child, stated in parents.items() if stated == [str(parent)]]
    return found[1:]


def me() -> str:
    """This process as nobody else is named: host, process number and when it began, with ``@`` between."""
    return f"{_host()}@{os.getpid()}@{_began(os.getpid())}"


def is_gone(owner: str) -> bool | None:
    """Whether the process that ``me()`` named has ended; None for one of another host, or of no such form."""
    found = _OWNER.fullmatch(owner)
    return None if found is None or found[1] != _host() else _began(int(found[2])) != found[3]


def _host() -> str:
    """The machine; in a container process numbers count for themselves, so their name space belongs to it."""
    with contextlib.suppress(OSError):
        return re.sub(r"[^\w.-]", "", f"{platform.node()}-{os.readlink('/proc/self/ns/pid')}")
    return platform.node()


def _began(pid: int) -> str:
    """When a process began, in ticks since the machine did: numbers are used again.

    "0" where none can be had, "" when it has ended.
    """
    if Path("/proc/self/stat").exists():
        stated = _stat(Path(f"/proc/{pid}/stat"))
        return stated[19] if stated and stated[0] not in "ZX" else ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "0"


def _stat(file: Path) -> list[str]:
    """What the kernel says of a process behind its name: state, parent, …; nothing when it has ended."""
    try:
        return file.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
