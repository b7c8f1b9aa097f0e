"""The first process of a host of cluster.py: host.py NAME NUMBER FOLDER SHARED. Makes the host's own /tmp and /dev/shm, then
serves `agent`: runs each command that it sends, in a shell, and answers with the output, a zero byte and the exit status."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

PORT = 22
LONGEST_START = 60  # seconds


def mount(*words: str, files: tuple[int, ...] = ()) -> None:
    subprocess.run(["mount", "--no-canonicalize", *words], check=True, pass_fds=files)


def make_file_systems(folder: str, shared: list[str]) -> None:
    """Private /tmp and /dev/shm; FOLDER/shm, if it is there, is everybody's /dev/shm. A shared folder that lay in one of them stays
    in its place."""
    private = ("/dev/shm", "/tmp")
    hidden = [path for path in shared if path.startswith(tuple(f"{place}/" for place in private))]
    opened = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in hidden]
    hosts = os.open(f"{folder}/hosts", os.O_PATH)
    for place in private:
        common = Path(folder, "shm")
        if place == "/dev/shm" and common.exists():
            mount("--bind", str(common), place)
        else:
            mount("-t", "tmpfs", "tmpfs", place)
    os.chmod("/tmp", 0o1777)
    for path, descriptor in zip(hidden, opened):
        os.makedirs(path, exist_ok=True)
        mount("--bind", f"/proc/self/fd/{descriptor}", path, files=(descriptor,))
    mount("--bind", f"/proc/self/fd/{hosts}", "/etc/hosts", files=(hosts,))
    for descriptor in (*opened, hosts):
        os.close(descriptor)


def make_network(number: int) -> None:
    end = time.monotonic() + LONGEST_START
    while "eth0:" not in Path("/proc/net/dev").read_text():  # /sys still shows the machine's
        assert time.monotonic() < end
        time.sleep(0.01)
    for words in "link set lo up", f"address add 198.18.0.{number}/24 dev eth0", "link set eth0 up":
        subprocess.run(["ip", *words.split()], check=True)


def answer(client: socket.socket) -> None:
    """Runs one command. The output has passed before the status: both go through the same socket."""
    command = b""
    while not command.endswith(b"\0"):
        piece = client.recv(65536)
        if not piece:
            return
        command += piece
    done = subprocess.run(["sh", "-c", command[:-1]], stdin=subprocess.DEVNULL, stdout=client, stderr=client)
    client.sendall(b"\0%d\n" % (done.returncode % 256))
    client.shutdown(socket.SHUT_RDWR)


def reap() -> None:
    """A host's first process inherits those whose parents have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def serve(server: socket.socket) -> None:
    server.settimeout(0.5)
    while True:
        reap()
        try:
            client, _ = server.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            try:
                server.close()
                client.settimeout(None)
                answer(client)
            finally:
                os._exit(0)
        client.close()


def main() -> None:
    name, number, folder, shared = sys.argv[1:]
    socket.sethostname("box" if Path(folder, "shm").exists() else name)
    make_file_systems(folder, json.loads(shared))
    make_network(int(number))
    with socket.create_server(("", PORT)) as server:
        print(f"{name} is up", flush=True)
        serve(server)


main()
