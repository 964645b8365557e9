#!/usr/bin/env python3
"""Measure the console as a person has it: through a pseudo-terminal of 120x40, on the release binary.

    benches/console.py [--binary target/release/pointsman] [--peer 'btm'] [--starts 20] [--keys 200]
                       [--idle-seconds 60] [--memory-minutes 10]
    benches/console.py --calls-per-refresh [--binary ...] [--estate DIR]

Needs Linux and Python 3.11, nothing else. Prints a Markdown table, one row for each program; every row is measured
by the same code. How each figure is taken:

first frame   from just before exec to the read that completed the first frame with the mode word on it
board fresh   to the read that completed the first frame that meets --fresh and no longer has --not-fresh
key           from writing one key to the first byte that follows, on a quiet screen: p50 and p95
idle          CPU of the process and bytes to the terminal over --idle-seconds without a key
memory        VmHWM (peak resident size) after --memory-minutes, keys of the run before included

Times are taken when bytes are read; what they draw is worked out afterwards by a small terminal model, so that
measuring costs nothing while it matters.
"""

import argparse
import codecs
import contextlib
import fcntl
import json
import math
import os
import pty
import re
import select
import shlex
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import urllib.request

COLUMNS, ROWS = 120, 40
QUIET_SECONDS = 0.05  # a screen that said nothing for so long is quiet
ANSWERS = (  # what a terminal answers to what a program may ask
    (b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62;22c"), (b"\x1b]11;?", b"\x1b]11;rgb:1010/1010/1010\x1b\\"),
    (b"\x1b]10;?", b"\x1b]10;rgb:e0e0/e0e0/e0e0\x1b\\"), (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
)


class Screen:
    """As much of a terminal as it takes to read text off it."""

    TOKEN = re.compile(
        r"\x1b\[(?P<args>[0-9;:?<>=!$ ]*)(?P<final>[@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
        r"|\x1b[()*+].|\x1b[ #%].|\x1b.|(?P<control>[\x00-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f]+)", re.S)

    # A sequence that the next piece will end.
    UNFINISHED = re.compile(r"(?:\x1b|\x1b\[[0-9;:?<>=!$ ]*|\x1b[\]PX^_][^\x07\x1b]*\x1b?|\x1b[()*+ #%])\Z")

    def __init__(self, columns=COLUMNS, rows=ROWS):
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.x = self.y = 0
        self.rest = ""
        self.synchronized = False

    def feed(self, data):
        text = self.rest + data
        unfinished = self.UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        text, self.rest = text[:cut], text[cut:]
        for token in self.TOKEN.finditer(text):
            if token.group("text"):
                self.write(token.group("text"))
            elif token.group("control"):
                self.control(token.group("control"))
            elif token.group("final"):
                self.sequence(token.group("args"), token.group("final"))

    def write(self, text):
        for char in text:
            if unicodedata.combining(char):
                continue
            wide = unicodedata.east_asian_width(char) in "WF"
            if self.x >= self.columns:
                self.x, self.y = 0, min(self.y + 1, self.rows - 1)
            self.cells[self.y][self.x] = char
            self.x += 2 if wide else 1

    def control(self, char):
        if char == "\r":
            self.x = 0
        elif char == "\n":
            if self.y == self.rows - 1:
                self.cells = self.cells[1:] + [[" "] * self.columns]
            else:
                self.y += 1
        elif char == "\b":
            self.x = max(0, self.x - 1)

    def sequence(self, args, final):
        if args in ("?2026",) and final in "hl":
            self.synchronized = final == "h"
            return
        if args[:1] in ("?", "<", ">", "="):
            if args in ("?1049", "?47", "?1047") and final == "h":
                self.erase(2)
            return
        n = [int(a) if a.isdigit() else 0 for a in args.strip().split(";")] or [0]
        first = n[0] or 1
        if final in "Hf":
            self.y = min(first, self.rows) - 1
            self.x = min((n[1] if len(n) > 1 else 0) or 1, self.columns) - 1
        elif final == "A":
            self.y = max(0, self.y - first)
        elif final == "B":
            self.y = min(self.rows - 1, self.y + first)
        elif final == "C":
            self.x = min(self.columns - 1, self.x + first)
        elif final == "D":
            self.x = max(0, self.x - first)
        elif final == "G":
            self.x = min(first, self.columns) - 1
        elif final == "d":
            self.y = min(first, self.rows) - 1
        elif final == "J":
            self.erase(n[0])
        elif final == "K":
            start, end = ((self.x, self.columns), (0, self.x + 1), (0, self.columns))[min(n[0], 2)]
            self.cells[self.y][start:end] = [" "] * (end - start)
        elif final == "X":
            end = min(self.columns, self.x + first)
            self.cells[self.y][self.x:end] = [" "] * (end - self.x)

    def erase(self, how):
        for y in range(self.rows):
            if how == 2 or (how == 0 and y > self.y) or (how == 1 and y < self.y):
                self.cells[y] = [" "] * self.columns

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)


class Terminal:
    """A program on a pseudo-terminal; `pieces` are (seconds since just before exec, bytes)."""

    def __init__(self, command, env):
        self.pieces = []
        self.total = 0
        pid, self.fd = pty.fork()
        if pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
                # The parent starts the clock when it has seen this byte: the size is set, exec is next.
                os.read(0, 1)
                os.execvpe(command[0], command, env)
            finally:
                os._exit(127)
        self.pid = pid
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        time.sleep(0.02)  # until the child waits in read; not measured
        # Without echo of the starting signal on the screen of the program.
        attributes = termios.tcgetattr(self.fd)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)
        self.began = time.perf_counter()
        os.write(self.fd, b"\n")

    def now(self):
        return time.perf_counter() - self.began

    def read(self, wait):
        """One piece, or None after `wait` seconds of silence; b'' at the end."""
        if not select.select([self.fd], [], [], max(0.0, wait))[0]:
            return None
        try:
            piece = os.read(self.fd, 1 << 16)
        except OSError:
            return b""
        at = self.now()
        self.pieces.append((at, piece))
        self.total += len(piece)
        for question, answer in ANSWERS:
            if question in piece:
                os.write(self.fd, answer)
        return piece

    def read_for(self, seconds):
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if self.read(left) == b"":
                raise RuntimeError(f"the program ended: {self.last_words()}")

    def until_quiet(self, most=5.0):
        end = time.perf_counter() + most
        while time.perf_counter() < end:
            if self.read(QUIET_SECONDS) is None:
                return

    def last_words(self):
        screen = Screen()
        screen.feed(b"".join(p for _, p in self.pieces[-50:]).decode(errors="replace"))
        return re.sub(r"\s+", " ", screen.text())[-500:]

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self, name):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            return int(re.search(rf"^{name}:\s+(\d+) kB", f.read(), re.M).group(1))

    def close(self, quit_key):
        """Ask it to go, then insist; by its own process id only."""
        with contextlib.suppress(OSError):
            os.write(self.fd, quit_key.encode())
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                if number is not None:
                    os.kill(self.pid, number)
            end = time.perf_counter() + 2.0
            while time.perf_counter() < end:
                self.read(0.02)
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self.fd)
                    return
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def frames(pieces):
    """(time, text) of the screen after each piece that did not end inside a synchronized update."""
    screen, decoder = Screen(), codecs.getincrementaldecoder("utf-8")("replace")
    for at, piece in pieces:
        screen.feed(decoder.decode(piece))
        if not screen.synchronized:
            yield at, screen.text()


def first_time(pieces, shows, shows_not=None):
    """Milliseconds until a frame shows one text and no longer the other; None if it never did."""
    for at, text in frames(pieces):
        if re.search(shows, text) and not (shows_not and re.search(shows_not, text)):
            return at * 1000
    return None


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def environment(folder):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POINTSMAN_")) and k != "NO_COLOR"}
    env.update(
        TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", HOME=folder,
        XDG_CONFIG_HOME=f"{folder}/config", XDG_STATE_HOME=f"{folder}/state", XDG_CACHE_HOME=f"{folder}/cache",
        XDG_DATA_HOME=f"{folder}/data", POINTSMAN_STATE=f"{folder}/pointsman",
    )
    return env


def starts(command, env, args, program):
    """First byte, first frame and fresh board in ms, for each start."""
    rows = []
    for _ in range(args.starts):
        terminal = Terminal(command, env)
        try:
            terminal.read_for(args.start_seconds)
            pieces = list(terminal.pieces)
        finally:
            terminal.close(program["quit"])
        rows.append({
            "first byte": pieces[0][0] * 1000 if pieces else None,
            "first frame": first_time(pieces, program["frame"]),
            "board fresh": first_time(pieces, program["fresh"], program["not_fresh"]),
        })
        if args.show and len(rows) == 1:
            print(list(frames(pieces))[-1][1], file=sys.stderr)
    return rows


def key_latencies(terminal, args, keys):
    """Milliseconds from a key to the first byte after it; keys that drew nothing are left out and counted."""
    out, silent = [], 0
    for n in range(args.keys):
        terminal.until_quiet()
        key = keys[n % len(keys)].encode()
        before = time.perf_counter()
        os.write(terminal.fd, key)
        piece = terminal.read(1.0)
        if piece:
            out.append((time.perf_counter() - before) * 1000)
        else:
            silent += 1
    return out, silent


def measure(name, command, env, args, program):
    print(f"{name}: {shlex.join(command)}", file=sys.stderr)
    rows = starts(command, env, args, program)
    terminal = Terminal(command, env)
    try:
        terminal.read_for(3.0)
        latencies, silent = key_latencies(terminal, args, program["keys"])
        print(f"{name}: {len(latencies)} keys drew something, {silent} did not", file=sys.stderr)
        terminal.until_quiet()
        cpu, total, began = terminal.cpu_seconds(), terminal.total, time.perf_counter()
        terminal.read_for(args.idle_seconds)
        idle = time.perf_counter() - began
        cpu_share = (terminal.cpu_seconds() - cpu) / idle * 100
        rate = (terminal.total - total) / idle
        left = args.memory_minutes * 60 - terminal.now()
        if left > 0:
            terminal.pieces.clear()
            terminal.read_for(left)
        peak, resident = terminal.memory_kib("VmHWM"), terminal.memory_kib("VmRSS")
        minutes = terminal.now() / 60
    finally:
        terminal.close(program["quit"])

    def middle_and_worst(key):
        values = [r[key] for r in rows if r[key] is not None]
        if len(values) < len(rows):
            return f"not seen in {len(rows) - len(values)} of {len(rows)} starts"
        return f"{statistics.median(values):.1f} / {max(values):.1f} ms"

    keys = f"{percentile(latencies, 0.5):.2f} / {percentile(latencies, 0.95):.2f} ms" if latencies else "no answer"
    return [name, middle_and_worst("first byte"), middle_and_worst("first frame"), middle_and_worst("board fresh"), keys,
            f"{cpu_share:.2f} %", f"{rate:.0f}", f"{peak / 1024:.1f} MiB", f"{resident / 1024:.1f} MiB after {minutes:.0f} min"]


HEADER = ["program", "first byte (median / worst)", "first frame (median / worst)", "board fresh (median / worst)",
          "key to first byte (p50 / p95)", "idle CPU", "idle bytes/s", "peak RSS", "RSS"]


def print_table(header, rows):
    print(f"| {' | '.join(header)} |")
    print(f"|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def calls_per_refresh(args):
    """GetMetricData calls of one reading of the estate, by Region, against ceil(metrics / 500)."""
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        env = environment(folder)
        estate = ["--estate", args.estate] if args.estate else []
        server = subprocess.Popen([args.binary, "sim", "serve", "--listen", "127.0.0.1:0", "--speed", "0", *estate],
                                  env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            url = server.stdout.readline().strip().removeprefix("listening on ")
            if not url.startswith("http://127.0.0.1:"):
                raise SystemExit(f"the simulator said {url!r}, not where it listens")
            env.update(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="not-a-secret",
                       AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
            subprocess.run([args.binary, "status", "--format", "json", *estate], env=env, stdout=subprocess.DEVNULL,
                           stdin=subprocess.DEVNULL, check=False, timeout=120)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{url}/_sim/calls", timeout=10) as reply:
                calls = json.load(reply)
        finally:
            server.terminate()
            server.wait()
    calls = calls["calls"] if isinstance(calls, dict) else calls
    counts, metrics = {}, {}
    for call in calls:
        window = re.search(r"StartTime=([0-9.]+)", call["params"]) if call["operation"] == "GetMetricData" else None
        key = (call["region"], call["service"], call["operation"], window.group(1) if window else "")
        counts[key] = counts.get(key, 0) + 1
        asked = re.search(r"MetricDataQueries\[(\d+)\]", call["params"])
        if asked:
            metrics[key] = metrics.get(key, 0) + int(asked.group(1))
    rows, wrong = [], 0
    for key, count in sorted(counts.items()):
        region, service, operation, window = key
        remark = ""
        if key in metrics:
            least = math.ceil(metrics[key] / 500)
            wrong += count != least
            at = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(float(window)))
            remark = f"{metrics[key]} metrics from {at}: ceil(metrics / 500) = {least}"
        rows.append([region, service, operation, str(count), remark])
    print_table(["Region", "service", "operation", "calls", "remark"], rows)
    if wrong or not metrics:
        print(f"{wrong} of {len(metrics)} windows took more calls than that", file=sys.stderr)
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", default="target/release/pointsman")
    parser.add_argument("--arguments", default="--sim --speed 1", help="default: %(default)s")
    parser.add_argument("--peer", action="append", default=[], help="another program, measured in the same run; may be repeated")
    parser.add_argument("--peer-frame", default=r"\S", help="text of a peer's first frame; default: anything")
    parser.add_argument("--peer-fresh", default=r"\S", help="text of a peer's screen with data; default: anything")
    parser.add_argument("--peer-keys", default="jk")
    parser.add_argument("--frame", default=r"SIMULATED|LIVE|DRILL", help="the mode word")
    parser.add_argument("--fresh", default=r"(?s)SIMULATED.*oldest data.*Payments +1.*met, sampled", help="text of a whole, fresh board")
    parser.add_argument("--not-fresh", default=r"not read yet|not tried yet|nothing read", help="text that a fresh board lacks")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--start-seconds", type=float, default=2.0, help="how long each start is watched")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--memory-minutes", type=float, default=10.0)
    parser.add_argument("--show", action="store_true", help="print the last screen of the first start, as text")
    parser.add_argument("--calls-per-refresh", action="store_true", help="count calls on the simulator instead")
    parser.add_argument("--estate", help="with --calls-per-refresh; default: the bundled one")
    args = parser.parse_args()
    if not os.path.isfile(args.binary):
        raise SystemExit(f"no program at {args.binary}: cargo build --release, or --binary")
    args.binary = os.path.abspath(args.binary)
    if args.calls_per_refresh:
        return calls_per_refresh(args)
    rows = []
    with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as folder:
        env = environment(folder)
        ours = {"frame": args.frame, "fresh": args.fresh, "not_fresh": args.not_fresh, "keys": "jk", "quit": "q"}
        rows.append(measure("pointsman", [args.binary, *shlex.split(args.arguments)], env, args, ours))
        for peer in args.peer:
            theirs = {"frame": args.peer_frame, "fresh": args.peer_fresh, "not_fresh": None, "keys": args.peer_keys, "quit": "q"}
            rows.append(measure(shlex.split(peer)[0].rpartition("/")[2], shlex.split(peer), env, args, theirs))
    print_table(HEADER, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
