"""The first process in the box of cluster.py: box.py FOLDER SHARED. Each line of standard input boots a host; at its end all hosts
end, because this process does."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HOST = str(Path(__file__).resolve().parent / "host.py")
LONGEST_START = 60  # seconds


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdout=sys.stderr)


def wait_for_network(process: subprocess.Popen[bytes]) -> None:
    """Waits until a process has a network of its own."""
    end = time.monotonic() + LONGEST_START
    while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        assert time.monotonic() < end
        time.sleep(0.01)


def boot(name: str, number: int, ahead: int, arguments: list[str]) -> str:
    """Starts a host and connects it to the bridge. Returns what it says when it can be reached."""
    subprocess.run(["ip", "link", "delete", name], stderr=subprocess.DEVNULL)  # the link of a host that has ended
    command = ["unshare", "--uts", "--mount", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if ahead:
        command += ["--time", "--boottime", str(ahead), "--monotonic", str(ahead)]
    program = [sys.executable, "-B", HOST, name, str(number), *arguments]
    host = subprocess.Popen([*command, *program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    wait_for_network(host)
    # The card's address is the same after each boot, as with a real card: the other hosts remember it.
    card = ["name", "eth0", "address", f"02:00:00:00:00:{number:02x}", "netns", str(host.pid)]
    ip("link", "add", "name", name, "type", "veth", "peer", *card)
    ip("link", "set", name, "master", "bridge", "up")
    assert host.stdout
    return host.stdout.readline().decode().strip() or "it ended at once"


def main() -> None:
    ip("link", "add", "name", "bridge", "type", "bridge")
    ip("link", "set", "bridge", "up")
    for line in sys.stdin.buffer:
        name, number, ahead = json.loads(line)
        print(boot(name, number, ahead, sys.argv[1:]), flush=True)


main()
