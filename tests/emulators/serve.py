#!/usr/bin/env python3
"""Run one AWS emulator on a free loopback port for as long as somebody wants it.

    serve.py {ministack|moto} [--port N] [--log FILE] [--account ID]

Run it with the interpreter of the virtual environment that holds the emulator. When the
emulator answers, exactly one line goes to standard output: its endpoint, such as
http://127.0.0.1:40123. From then on it runs until standard input reaches its end or SIGTERM,
SIGINT or SIGHUP arrives; then it is stopped and serve.py exits 0.

Everything else is an error on standard error and exit status 1: the emulator did not answer,
died, or had a socket open on another address, when it became ready or when it was stopped.
"""

import argparse
import ctypes
import ipaddress
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HOST = "127.0.0.1"
READY_TRIES = 300  # each waits at most TRY_SECONDS for the emulator to die, then asks once
TRY_SECONDS = 0.1
START_TRIES = 3  # the port was free when asked for; somebody may have taken it since
STOP_SECONDS = 10
LOG_TAIL = 4000

# Nothing of the caller's AWS, proxy or emulator settings may reach the emulator.
DROPPED_PREFIXES = ("AWS_", "MOTO_", "MINISTACK_", "LOCALSTACK_", "IOT_", "SFTP_", "RDS_", "S3_")
DROPPED = {
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
    "BIND_HOST", "GATEWAY_PORT", "EDGE_PORT", "SERVICES", "PERSIST_STATE", "USE_SSL", "AUTH",
    "DOCKER_HOST", "PYTHONPATH",
}


class Failure(Exception):
    """What went wrong, in words for the person who reads the CI log."""


def emulator(name, port, account, scratch):
    """The command, environment and readiness path of one emulator."""
    env = {k: v for k, v in os.environ.items()
           if k not in DROPPED and not k.startswith(DROPPED_PREFIXES)}
    # State, pid files and generated certificates belong to this run alone.
    env.update(TMPDIR=scratch, HOME=scratch, TZ="UTC", PYTHONUNBUFFERED="1")
    if name == "ministack":
        env.update(
            BIND_HOST=HOST,  # its default is every address
            GATEWAY_PORT=str(port),
            MINISTACK_ACCOUNT_ID=account,
            SERVICES="sts,cloudwatch,backup,rds,route53",
            # With `cryptography` installed it would open an MQTT port on every address.
            IOT_MTLS_ENABLED="0",
            SFTP_ENABLED="0",
            # It would start database containers if it found a Docker daemon.
            DOCKER_HOST=f"unix://{scratch}/no-docker.sock",
            LOG_LEVEL="WARNING",
        )
        return [sys.executable, "-m", "ministack"], env, "/_ministack/ready"
    env.update(MOTO_ACCOUNT_ID=account, MOTO_PORT=str(port))
    return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], env, "/moto-api/"


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def die_with_parent():
    """In the child: get SIGTERM if this script is killed without a chance to stop it."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def processes_of(root):
    """The process ids of `root` and everything it started."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as f:
                    parent = int(f.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue  # it ended while we looked
            children.setdefault(parent, []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, []))
    return found


def decode_address(text):
    """The address of a /proc/net/tcp{,6} row: 32-bit words in host byte order."""
    raw = bytes.fromhex(text)
    words = [raw[i:i + 4] for i in range(0, len(raw), 4)]
    if sys.byteorder == "little":
        words = [w[::-1] for w in words]
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address


def sockets_of(pids):
    """(protocol, address, port) of every listening TCP and every bound UDP socket of `pids`."""
    inodes = set()
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        except OSError:
            continue
    open_sockets = []
    for table, wanted_state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        try:
            with open(f"/proc/net/{table}") as f:
                rows = f.read().splitlines()[1:]
        except FileNotFoundError:
            if table.endswith("6"):
                continue  # a kernel without IPv6
            raise Failure("cannot check what the emulator listens on: no /proc/net (Linux only)")
        for row in rows:
            column = row.split()
            if column[3] == wanted_state and column[9] in inodes:
                address, _, port = column[1].rpartition(":")
                open_sockets.append((table, decode_address(address), int(port, 16)))
    return open_sockets


def check_loopback_only(pid, port):
    listening = sockets_of(processes_of(pid))
    foreign = [s for s in listening if not s[1].is_loopback]
    if foreign:
        where = ", ".join(f"{proto} {addr}:{p}" for proto, addr, p in foreign)
        raise Failure(f"the emulator listens outside loopback ({where}); stopped")
    if not any(proto == "tcp" and p == port for proto, _, p in listening):
        raise Failure(f"nothing of this emulator listens on {HOST}:{port}; "
                      "another program answered there")


def answers(url):
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as reply:
            return reply.status == 200
    except urllib.error.HTTPError:
        return False  # it speaks, but is not ready
    except OSError:
        return False


def start(name, port, account, scratch, log):
    """Start the emulator; None if it could not have the port, else the ready process."""
    command, env, ready = emulator(name, port, account, scratch)
    process = subprocess.Popen(
        command, env=env, cwd=scratch, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        preexec_fn=die_with_parent, start_new_session=True,
    )
    try:
        for _ in range(READY_TRIES):
            try:
                process.wait(timeout=TRY_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            else:
                log.seek(0)
                text = log.read()[-LOG_TAIL:].decode(errors="replace")
                if "in use" in text:
                    return None
                raise Failure(f"{name} ended with status {process.returncode} "
                              f"before it was ready:\n{text}")
            if answers(f"http://{HOST}:{port}{ready}"):
                check_loopback_only(process.pid, port)
                return process
        raise Failure(f"{name} did not answer {ready} after {READY_TRIES} tries")
    except BaseException:
        stop(process)
        raise


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_the_end(process, name):
    """Until stdin ends (a signal raises); a dead emulator is a failure."""
    exited = os.pidfd_open(process.pid)
    while True:
        ready, _, _ = select.select([exited, sys.stdin.fileno()], [], [])
        if exited in ready:
            process.wait()
            raise Failure(f"{name} ended by itself with status {process.returncode}")
        if not os.read(sys.stdin.fileno(), 4096):
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("emulator", choices=("ministack", "moto"))
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--log", help="where the emulator's own output goes (default: discarded)")
    parser.add_argument("--account", default="111122223333", help="default: %(default)s")
    args = parser.parse_args()

    def interrupted(_number, _frame):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)

    scratch = tempfile.mkdtemp(prefix="emulator-")
    process = None
    try:
        with open(args.log or os.path.join(scratch, "log"), "w+b") as log:
            for _ in range(1 if args.port else START_TRIES):
                port = args.port or free_port()
                process = start(args.emulator, port, args.account, scratch, log)
                if process:
                    break
            else:
                raise Failure(f"the port was taken each time (last: {port})")
            print(f"http://{HOST}:{port}", flush=True)
            try:
                wait_for_the_end(process, args.emulator)
            except KeyboardInterrupt:
                pass
            check_loopback_only(process.pid, port)  # it may have opened more since
        return 0
    except KeyboardInterrupt:
        return 0
    except Failure as failure:
        print(f"serve.py: {failure}", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # we are stopping already
        if process:
            stop(process)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
