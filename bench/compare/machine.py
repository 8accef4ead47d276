"""Processes and what they cost: children that end with this program, pinned to a core; the time a
process has had; what perf says of it; a line about the machine."""
import ctypes
import datetime
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import subprocess
import time

BROKER_CORE, LOAD_CORE = 0, 1
DESCRIPTORS = 200_000           # wanted; what there is may be less
PR_SET_PDEATHSIG = 1
PATIENCE = 20                   # seconds for a child that was told to end
LIBC = ctypes.CDLL(None)


class Failed(Exception):
    """A program did not do what it should; the text is for the reader of the table."""


def take_descriptors():
    """Raises the limit as far as one may; children inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for most in (max(DESCRIPTORS, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return
        except (ValueError, OSError):
            continue


def cores():
    """Where brokers run, and where the load comes from: the same where there is but one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[:1] * 2 if len(allowed) == 1 else allowed[:2]


def start(command, where, **more):
    """A child on the cores given: it gets killed when this program ends, whatever ends it."""
    def before():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, where)
    # pylint: disable-next=subprocess-popen-preexec-fn,consider-using-with
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=before, **more)


def end(child, how=signal.SIGTERM):
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()


def cpu_us(pid):
    """What all threads of a process have used, those that have ended included."""
    return time.clock_gettime(~pid << 3 | 2) * 1e6


def rss_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


def run(command, where, seconds):
    """Runs it to its end: (exit status, what it printed). It does not outlive `seconds`."""
    child = start(command, where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = child.communicate(timeout=seconds)
        return child.returncode, said
    except subprocess.TimeoutExpired as late:
        raise Failed(f"it took more than {seconds:.0f} s") from late
    finally:
        end(child, signal.SIGKILL)
        child.stdout.close()


def counting(pid, to):
    """In front of a command: perf counts the system calls of `pid` until that ends. Needs root."""
    if shutil.which("perf") is None:
        raise Failed("there is no perf to count system calls")
    return ["perf", "stat", "-x", ";", "-o", to, "-e", "raw_syscalls:sys_enter", "-p", str(pid)]


def counted(path):
    """What perf wrote there."""
    found = re.search(r"^(\d+);[^;]*;raw_syscalls:sys_enter",
                      pathlib.Path(path).read_text(encoding="ascii"), re.M)
    if not found:
        raise Failed("perf may not count system calls here")
    return int(found[1])


def load_average():
    return os.getloadavg()[0]


def describe():
    """What a reader wants to know of the machine."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    model = re.search(r"model name\s*: (.*)", text)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, "
            f"{os.cpu_count()} x {model[1] if model else platform.machine()}, {memory} GiB, "
            f"Linux {platform.release()}")
