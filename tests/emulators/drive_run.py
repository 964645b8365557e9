#!/usr/bin/env python3
"""Answer the prompts of `pointsman run` and `pointsman resume` by a policy.

    drive_run.py --who asha --incident INC-4471 --app payments --region ap-south-2 \\
        [--override-reason TEXT --authoriser NAME] [--verdict applied|not-applied] \\
        [--parked 'abandon REASON'] -- pointsman run payments-failover --app payments --sim

Each answer is given when its prompt has been read, never by time. A prompt that the policy has
no answer for, the same prompt three times, too many prompts or too much silence end the program
(SIGKILL) and the drive with an error. The program's output goes to standard output, with the
answers in it; exit status is the program's own, or 1 for such an error.
"""

import argparse
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field

SILENCE_SECONDS = 180  # a step may wait for its post-condition; nothing else is this quiet
TOTAL_SECONDS = 900
MOST_PROMPTS = 200
MOST_REPEATS = 3

STEP = r"(?P<step>\S+)"
PROMPTS = {
    "who": r"who> ",
    "incident": r"incident> ",
    "app": r"app> ",
    "region": r"region> ",
    "key": rf"key {STEP}> ",
    "chord": rf"chord {STEP}> ",
    "loss": rf'loss {STEP} "(?P<phrase>[^"]+)"> ',
    "override-reason": rf'override {STEP} "(?P<guard>[^"]*)" reason> ',
    "override-authoriser": rf'override {STEP} "(?P<guard>[^"]*)" authoriser> ',
    "confirm": rf"confirm {STEP}> ",
    "noticed": rf"noticed {STEP}> ",
    "verdict": rf"verdict {STEP} \(applied\|not-applied\)> ",
    "verdict-evidence": rf"verdict {STEP} evidence> ",
    "held": r"held \(release\|abandon REASON\)> ",
    "parked": rf"parked {STEP} \(retry\|skip REASON\|abandon REASON\)> ",
}
PATTERNS = [(name, re.compile(pattern)) for name, pattern in PROMPTS.items()]


class DriveError(Exception):
    """Why the drive could not go on; the program has been ended."""


@dataclass
class Policy:
    """What is answered. None: the prompt must not come."""

    who: str = "asha"
    incident: str = "INC-4471"
    app: str = None
    region: str = None
    override_reason: str = None
    authoriser: str = None
    verdict: str = None
    evidence: str = "read with another client"
    parked: str = None
    noticed: str = None
    held: str = None

    def answer(self, name, match):
        fixed = {
            "who": self.who, "incident": self.incident, "app": self.app, "region": self.region,
            "key": "go", "confirm": "done",
            "override-reason": self.override_reason, "override-authoriser": self.authoriser,
            "verdict": self.verdict, "verdict-evidence": self.evidence, "parked": self.parked,
            "noticed": self.noticed, "held": self.held,
        }
        if name == "chord":
            return f"go {match['step']}"
        if name == "loss":
            return match["phrase"]
        return fixed[name]


@dataclass
class Drive:
    """What happened: exit status, all output, and the prompts in order as (name, step)."""

    status: int = None
    output: str = ""
    prompts: list = field(default_factory=list)

    def asked(self, name):
        """The steps for which prompt `name` came, in order."""
        return [step for prompt, step in self.prompts if prompt == name]


def prompt_in(line):
    """(name, match) if an unfinished line is a prompt."""
    for name, pattern in PATTERNS:
        match = pattern.fullmatch(line)
        if match:
            return name, match
    return None


def terminal_input():
    """(what the program reads from, what is written to): a terminal that does not echo."""
    ours, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    return theirs, os.fdopen(ours, "wb", buffering=0)


def drive(command, env=None, policy=None, echo=None, on_start=None, terminal=False):
    """Run `command` to its end; `echo(text)` gets its output as it comes, `on_start(process)` the child.

    With `terminal` its answers come from a terminal: live acting takes them from nowhere else.
    """
    policy = policy or Policy()
    done = Drive()
    if terminal:
        theirs, answers = terminal_input()
        process = subprocess.Popen(command, env=env, stdin=theirs, stdout=subprocess.PIPE)
        os.close(theirs)
    else:
        process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answers = process.stdin
    if on_start:
        on_start(process)
    line, seen = "", {}
    end = time.monotonic() + TOTAL_SECONDS

    def give_up(why):
        process.kill()
        process.wait()
        raise DriveError(f"{why}; last line {line!r}")

    def put(text):
        done.output += text
        if echo:
            echo(text)

    fd = process.stdout.fileno()
    try:
        while True:
            wait = min(SILENCE_SECONDS, end - time.monotonic())
            if wait <= 0:
                give_up(f"not at its end after {TOTAL_SECONDS} s")
            if not select.select([fd], [], [], wait)[0]:
                give_up(f"silent for {wait:.0f} s")
            piece = os.read(fd, 65536)
            if not piece:
                break
            text = piece.decode(errors="replace")
            put(text)
            # A prompt is a line of its own, or (on a terminal) the unfinished last one. Nothing follows it
            # before it is answered, so the last of either kind is the one that waits.
            *whole, line = (line + text).split("\n")
            found = prompt_in(line)
            if not found and not line:
                found = next((p for p in map(prompt_in, reversed(whole)) if p), None)
            if not found:
                continue
            name, match = found
            line = match.string
            step = match.groupdict().get("step")
            done.prompts.append((name, step))
            key = line
            seen[key] = seen.get(key, 0) + 1
            answer = policy.answer(name, match)
            if answer is None:
                give_up(f"no answer in the policy to {line!r}")
            if seen[key] > MOST_REPEATS:
                give_up(f"{line!r} came {seen[key]} times")
            if len(done.prompts) > MOST_PROMPTS:
                give_up(f"more than {MOST_PROMPTS} prompts")
            put(f"{answer}\n")
            line = ""
            try:
                answers.write(f"{answer}\n".encode())
                answers.flush()
            except OSError:
                break  # it ended; its status says why
        done.status = process.wait(timeout=SILENCE_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        try:
            answers.close()
        except BrokenPipeError:
            pass
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--who", default=Policy.who)
    parser.add_argument("--incident", default=Policy.incident)
    parser.add_argument("--app")
    parser.add_argument("--region")
    parser.add_argument("--override-reason")
    parser.add_argument("--authoriser")
    parser.add_argument("--verdict", choices=("applied", "not-applied"))
    parser.add_argument("--evidence", default=Policy.evidence)
    parser.add_argument("--parked", help="retry, 'skip REASON' or 'abandon REASON'")
    parser.add_argument("command", nargs="+", help="after --")
    args = vars(parser.parse_args())
    command = args.pop("command")
    try:
        done = drive(command, policy=Policy(**args), echo=lambda t: (sys.stdout.write(t), sys.stdout.flush()))
    except DriveError as error:
        print(f"drive_run.py: {error}", file=sys.stderr)
        return 1
    return done.status if done.status >= 0 else 128 - done.status


if __name__ == "__main__":
    sys.exit(main())
