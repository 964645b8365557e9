"""Start what a comparison needs (emulator, simulator, the program) and stop it again.

Everything is a child of the script, gets an environment without the caller's AWS, proxy and
pointsman settings, and is stopped by its own process id. Nothing waits for a fixed time: each
wait is for a line, an exit or an end of file, with a bound.
"""

import contextlib
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 60
COMMAND_SECONDS = 120
STOP_SECONDS = 15
DROPPED = ("AWS_", "POINTSMAN_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Failure(Exception):
    """What went wrong, in words for the person who reads the CI log."""


def environment(scratch, endpoint=None, estate=None):
    """What the program sees: worthless credentials, one endpoint, and folders of this run alone."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(DROPPED)}
    env.update(
        # ministack takes exactly twelve digits as the account to act in, so: letters.
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="not-a-secret",
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        HOME=str(scratch), XDG_CONFIG_HOME=str(scratch / "config"), XDG_STATE_HOME=str(scratch / "xdg-state"),
        XDG_DATA_HOME=str(scratch / "xdg-data"), XDG_CACHE_HOME=str(scratch / "xdg-cache"),
        POINTSMAN_STATE=str(scratch / "state"), TZ="UTC", NO_COLOR="1",
    )
    if endpoint:
        env["AWS_ENDPOINT_URL"] = endpoint
    if estate:
        env["POINTSMAN_ESTATE"] = str(estate)
    return env


def first_line(process, what, seconds=START_SECONDS):
    """The first line of a child's standard output; Failure if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    fd = process.stdout.fileno()
    text = b""
    while b"\n" not in text:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise Failure(f"{what} said nothing for {seconds} s")
        piece = os.read(fd, 4096)
        if not piece:
            raise Failure(f"{what} ended with status {process.wait()} before it was ready")
        text += piece
    return text.split(b"\n")[0].decode()


def stop(process, what):
    """End of standard input first (serve.py waits for it), then SIGTERM, then SIGKILL."""
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
        if what.endswith("emulator"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=STOP_SECONDS)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


@contextlib.contextmanager
def emulator(name):
    """The endpoint of a fresh emulator; this script must run in the environment that holds it."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "serve.py"), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    try:
        yield first_line(process, f"serve.py {name}")
    finally:
        status = stop(process, f"{name} emulator")
    if status:
        raise Failure(f"serve.py {name} ended with status {status}: see its words above")


@contextlib.contextmanager
def simulator(binary, scratch, *arguments):
    """The endpoint of `pointsman sim serve`."""
    process = subprocess.Popen(
        [str(binary), "sim", "serve", "--listen", "127.0.0.1:0", *arguments],
        env=environment(scratch), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )
    try:
        line = first_line(process, "pointsman sim serve")
        prefix = "listening on "
        if not line.startswith(prefix + "http://127.0.0.1:"):
            raise Failure(f"pointsman sim serve said {line!r}, not where it listens")
        yield line.removeprefix(prefix).strip()
    finally:
        stop(process, "pointsman sim serve")


def seed(name, endpoint, *arguments):
    """Run a seeding script; the document of what is now there."""
    done = subprocess.run(
        [sys.executable, str(HERE / f"seed_{name}.py"), "--endpoint", endpoint, *arguments],
        stdout=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False,
    )
    if done.returncode:
        raise Failure(f"seed_{name}.py ended with status {done.returncode}")
    return json.loads(done.stdout)


def command(binary, env, *arguments, allowed=(0,)):
    """Standard output of one short command of the program; Failure on any other exit status."""
    done = subprocess.run(
        [str(binary), *arguments], env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False,
    )
    if done.returncode not in allowed:
        raise Failure(
            f"pointsman {' '.join(arguments)}: exit status {done.returncode}\n"
            f"{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"
        )
    return done.stdout.decode()


def status(binary, env):
    """`status --format json`, whatever the verdicts (0 ok, 1 warning, 2 critical, 3 unknown)."""
    return json.loads(command(binary, env, "status", "--format", "json", allowed=(0, 1, 2, 3)))


def newest_run(binary, env):
    """Number of the newest run: `runs` lists it first."""
    found = re.match(r"\s*(\d+)\s", command(binary, env, "runs"))
    if not found:
        raise Failure("`pointsman runs` lists none")
    return found.group(1)


@contextlib.contextmanager
def scratch_folder(name):
    with tempfile.TemporaryDirectory(prefix=f"pointsman-{name}-") as folder:
        yield pathlib.Path(folder)


def binary_argument(parser):
    parser.add_argument(
        "--binary", type=pathlib.Path, default=os.environ.get("POINTSMAN_BINARY"),
        help="the program under test (default: $POINTSMAN_BINARY)",
    )


def checked_binary(args):
    if not args.binary or not pathlib.Path(args.binary).is_file():
        raise SystemExit(f"no program at {args.binary}: give --binary or POINTSMAN_BINARY")
    return pathlib.Path(args.binary).resolve()
