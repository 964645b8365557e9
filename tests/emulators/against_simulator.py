#!/usr/bin/env python3
"""The simulator at speed 0, read by the program, by boto3 and by the AWS CLI: all must say the same. Then boto3
carries the recovery calls out on one that runs fast, and reads what came of them.

    against_simulator.py --binary target/debug/pointsman [--estate DIR]

Run it with the interpreter of the environment that holds boto3 and the AWS CLI.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import running
from checks import Checks

ESTATE = running.HERE.parent.parent / "estates" / "demo-bank"
SCRIPT_SECONDS = 600
FAST = "3000"  # estate seconds in a second


def script(checks, what, command, env):
    """One of the reading scripts; its own lines are the details."""
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, timeout=SCRIPT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        checks.error(f"{what}: {error}")
        return
    checks.equal(f"{what}: exit status", 0, done.returncode)


def what_is_so(value, inside_fact=False):
    """Without when it was read, which differs between two readings: of a state that is also its data time."""
    if isinstance(value, list):
        return [what_is_so(v, inside_fact) for v in value]
    if not isinstance(value, dict):
        return value
    read_at = {"observed_at"} | ({"data_time"} if inside_fact else set())
    return {k: what_is_so(v, inside_fact or k == "facts") for k, v in value.items() if k not in read_at}


def same_apps(checks, first, second):
    """One line for each app."""
    again = {a["id"]: a for a in second}
    for app in first:
        one, two = what_is_so(app), what_is_so(again.get(app["id"]))
        differ = [k for k in one if not two or one[k] != two[k]]
        checks.equal(f"asked again, {app['id']} answers the same: what differs", [], differ)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    running.binary_argument(parser)
    parser.add_argument("--estate", type=pathlib.Path, default=ESTATE, help="default: the bundled one")
    args = parser.parse_args()
    binary = running.checked_binary(args)
    checks = Checks()
    try:
        with running.scratch_folder("simulator") as scratch, \
                running.simulator(binary, scratch, "--speed", "0", "--estate", str(args.estate)) as endpoint:
            env = running.environment(scratch, endpoint, args.estate)
            first = running.status(binary, env)
            second = running.status(binary, env)
            checks.contains("mode of a console on the simulator", ["simulated"], first["mode"])
            checks.equal("the estate stands still: now", first["now"], second["now"])
            same_apps(checks, first["apps"], second["apps"])
            status_file = scratch / "status.json"
            status_file.write_text(json.dumps(first), encoding="utf-8")

            script(checks, "boto3 against status --format json", [
                sys.executable, str(running.HERE / "read_simulator.py"), "--endpoint", endpoint,
                "--status", str(status_file), "--estate", str(args.estate),
            ], dict(os.environ))
            aws = pathlib.Path(sys.executable).with_name("aws")
            script(checks, "the AWS CLI's reads", [str(running.HERE / "cli_reads.sh"), endpoint],
                   dict(os.environ, AWS_CLI=str(aws)))

        # Restores and copies take estate minutes to hours: a simulator of its own, where they pass in seconds.
        with running.scratch_folder("writing") as scratch, \
                running.simulator(binary, scratch, "--speed", FAST, "--estate", str(args.estate)) as endpoint:
            script(checks, "boto3 carries the recovery calls out", [
                sys.executable, str(running.HERE / "write_simulator.py"), "--endpoint", endpoint, "--aws", str(aws),
            ], dict(os.environ))
    except running.Failure as failure:
        checks.error(str(failure))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
