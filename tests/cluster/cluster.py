"""Several hosts on one machine, for the tests. As root:

    with Cluster(2, shared=[tmp_path]) as cluster:
        job = cluster.start("node1", ["mpirun", *cluster.launcher({"node1": 2, "node2": 2}), PROGRAM, ...])

A host is node1, node2, ... with a host name, process numbers, a network card and a /tmp and /dev/shm of its own (namespaces). All
else is shared: the checkout, the folders in `shared`, and the processor. The hosts' cards hang on one bridge, and a small server
on each runs what `agent` asks it to, in ssh's place.

Everything is in one box: a process number namespace with a network of its own, so nothing of the machine's network is touched. If
the box's first process ends, the kernel ends every process in it and takes its network away. That process ends as soon as its
standard input closes, so nothing is left however the test ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
AGENT = HERE / "agent"
LONGEST_START = 60  # seconds
NAMESPACES = ["--uts", "--mount", "--ipc", "--net", "--pid"]


def reason_to_skip() -> str | None:
    """Why this machine cannot make hosts; None if it can."""
    if os.geteuid() != 0:
        return "only root can make hosts of namespaces"
    for program in "ip", "unshare", "nsenter", "mount":
        if not shutil.which(program):
            return f"{program} is not there: scripts/setup installs it"
    trial = "ip link add name trial type bridge && ip link add name one type veth peer name two && mount -t tmpfs tmpfs /tmp"
    done = subprocess.run(["unshare", *NAMESPACES, "--fork", "--mount-proc", "sh", "-c", trial], capture_output=True, text=True)
    return None if done.returncode == 0 else f"namespaces are not allowed here: {done.stderr.strip()}"


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def processes_of(namespace: str) -> Iterator[int]:
    """The processes with this process number namespace, as /proc/<process>/ns/pid names it."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdecimal() and os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                yield int(entry)
        except OSError:  # it has ended
            continue


class Cluster:
    def __init__(self, count: int, shared: list[Path], ahead: dict[str, int] | None = None, alike: bool = False) -> None:
        """`ahead`: seconds by which a host's clocks since boot are ahead of the others'. `alike`: all call themselves box and
        share /dev/shm, as containers of one machine may."""
        self.names = [f"node{number + 1}" for number in range(count)]
        self.ahead = ahead or {}
        # of Open MPI
        self.settings = {"plm_rsh_agent": str(AGENT), "btl_tcp_if_include": "eth0", "oob_tcp_if_include": "eth0"}
        self.folder = Path(tempfile.mkdtemp(prefix=f"nina-cluster-{os.getpid()}-"))
        self.shared = [ROOT, self.folder, *shared]
        if alike:
            (self.folder / "shm").mkdir()
        self.box: subprocess.Popen[bytes] | None = None
        self.started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Cluster":
        addresses = "".join(f"198.18.0.{number + 1} {name}\n" for number, name in enumerate(self.names))
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{addresses}")
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        arguments = [str(self.folder), json.dumps([str(path) for path in self.shared])]
        program = [sys.executable, "-B", str(HERE / "box.py"), *arguments]
        pipe = subprocess.PIPE
        self.box = subprocess.Popen([*command, *program], stdin=pipe, stdout=pipe, start_new_session=True)
        try:
            for name in self.names:
                self.boot(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        assert self.box and self.box.stdin
        try:
            self.box.stdin.close()
            self.box.wait(LONGEST_START)
        finally:
            self.box.kill()  # if it hangs; the kernel then ends all that is in it
            shutil.rmtree(self.folder, ignore_errors=True)

    def boot(self, name: str) -> None:
        """Starts a host; the answer comes when it can be reached."""
        assert self.box and self.box.stdin and self.box.stdout
        number = self.names.index(name) + 1
        self.box.stdin.write(json.dumps([name, number, self.ahead.get(name, 0)]).encode() + b"\n")
        self.box.stdin.flush()
        answer = self.box.stdout.readline().decode().strip()
        assert answer == f"{name} is up", f"{name} did not start: {answer}"

    def first_process(self, name: str) -> int:
        """The machine's number of a host's first process."""
        assert self.box
        for unshare in children(children(self.box.pid)[0]):
            for process in children(unshare):
                if name.encode() in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                    return process
        raise AssertionError(f"{name} is not up")

    def processes(self, name: str) -> list[int]:
        """The machine's numbers of a host's processes."""
        return sorted(processes_of(os.readlink(f"/proc/{self.first_process(name)}/ns/pid")))

    @staticmethod
    def runs(process: int, program: Path) -> bool:
        """By the file itself: below a chroot a process on a host has another path to it."""
        try:
            return os.path.samefile(f"/proc/{process}/exe", program)
        except OSError:  # it has ended
            return False

    def on(self, name: str, command: list[str]) -> list[str]:
        """A command for this machine that runs `command` on a host."""
        return ["nsenter", "--target", str(self.first_process(name)), "--root", "--wd", *NAMESPACES, "--", *command]

    def start(self, name: str, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        """Starts a command on a host."""
        pipe, env = subprocess.PIPE, variables | {"TMPDIR": "/tmp"}
        self.started.append(subprocess.Popen(self.on(name, command), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=env))
        return self.started[-1]

    def launcher(self, ranks: dict[str, int], library: str = "Open MPI v4") -> list[str]:
        """Open MPI's mpirun, or MPICH's mpiexec, for so many ranks on each host; it has to be started on the first of them."""
        hosts = ",".join(f"{name}:{count}" for name, count in ranks.items())
        count = ["-n", str(sum(ranks.values()))]
        if library.startswith("MPICH"):
            options = ["-launcher", "rsh", "-launcher-exec", str(AGENT), "-iface", "eth0"]
            return ["mpiexec.mpich", *options, "-hosts", hosts, *count]
        settings = self.settings
        if not library.startswith("Open MPI v4"):
            settings = {name: value for name, value in settings.items() if name.startswith("btl") or "keepalive" in name}
            settings |= {"plm_ssh_agent": str(AGENT)}
        options = [word for setting, value in settings.items() for word in ("--mca", setting, str(value))]
        return ["mpirun", "--allow-run-as-root", "--bind-to", "none", *options, "--host", hosts, *count]

    def link(self, name: str, state: str) -> None:
        """Takes a host's link "down" or brings it "up" at the bridge. Nobody is told: packets are lost."""
        assert self.box
        command = ["nsenter", "--target", str(children(self.box.pid)[0]), "--net", "ip", "link", "set", name, state]
        subprocess.run(command, check=True)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to every process of a host."""
        # nsenter stops with the command that it has started on a host, and has to be woken up too.
        starters = [started.pid for started in self.started if started.poll() is None] if number == signal.SIGCONT else []
        for process in [*self.processes(name), *starters]:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def kill(self, name: str) -> None:
        """Ends every process of a host at once; the host's kernel still takes leave of the others."""
        os.kill(self.first_process(name), signal.SIGKILL)

    def power_off(self, name: str) -> None:
        """Ends a host without a word to the others."""
        self.link(name, "down")
        self.kill(name)

    def wait_for_end(self, program: Path, seconds: float) -> float:
        """Waits until no host runs `program`. Returns the seconds that it took."""
        began = time.monotonic()
        while any(self.runs(process, program) for process in self.all_processes()):
            assert time.monotonic() - began < seconds, f"{program.name} still runs after {seconds} s"
            time.sleep(0.1)
        return time.monotonic() - began

    def all_processes(self) -> list[int]:
        assert self.box
        found, todo = [], [self.box.pid]
        while todo:
            process = todo.pop()
            try:
                below = children(process)
            except OSError:
                continue
            found += below
            todo += below
        return found
