"""`python -m deployments.provision deployments/site.yaml`: Dual Joe on its three machines.

Run it on T440 as the user who is to run it there, with ssh access of your own to both nodes. It
makes keys, pins host keys once you have compared them, and puts program, settings, doors and units
in place. It looks first and does what is missing: run it again after an error, an update or a
change of the site file. It needs root nowhere, and says where root must do something once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deployments.provision.hands import Hands, remedy
from deployments.provision.places import machines
from deployments.provision.plan import look_order, notes, plan
from deployments.provision.removal import removal
from deployments.provision.wanted import look_at_prefect, make_wanted
from deployments.provision.work import Eyes, Stopped, carry_out, show
from tasks.core.errors import ConfigError, DualJoeError
from tasks.core.site import Site
from tasks.sites import load_site


def main(argv: Sequence[str] | None = None) -> int:
    """0: all is in place. 1: it stopped, and said why. 2: the site file is wrong."""
    options = parse(argv)
    try:
        site = load_site(options.site)
        if not site.watchdog.address:
            raise ConfigError(
                f"{options.site}: watchdog.address: where do the nodes reach this machine?"
            )
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return work(site, options)
    except DualJoeError as error:
        print(f"stopped: {error}", file=sys.stderr)
        told = error.remedy if isinstance(error, Stopped) else remedy(site, error)
        cause = error.__cause__
        if not told and isinstance(cause, DualJoeError):
            told = remedy(site, cause)
        if told:
            print(f"Remedy: {told}", file=sys.stderr)
        if not options.dry_run:
            print("What was done stays. The next run goes on here.", file=sys.stderr)
        return 1


def work(site: Site, options: argparse.Namespace) -> int:
    """Look and print the plan, or carry it out."""
    wanted = make_wanted(site, options.site, units=not options.no_units)
    look = partial(look_at_prefect, wanted.deployment)
    eyes = Eyes(site, Hands(site, options.identity), partial(look_order, site, wanted), look)
    planned = partial(removal if options.remove else plan, site, wanted)
    if options.dry_run:
        seen = eyes.look()
        for name in machines(site):
            if name not in seen.facts:
                print(f"{name} was not looked at, for its host key is not pinned: all its steps")
        steps = planned(seen)
        show(steps, print)
        print(f"{len(steps)} steps, none of them made" if steps else "nothing to do")
        return 0
    made = carry_out(eyes, planned, print, partial(agree, options.yes))
    print(f"done: {made} steps" if made else "nothing to do")
    for note in () if options.remove else notes(site, eyes.look()):
        print(f"left for you: {note}")
    return 0


def agree(yes: bool, question: str) -> bool:
    """Whether a person types yes; nobody there means no."""
    print(f"  {question}")
    if yes:
        print("  yes, by --yes")
        return True
    try:
        return input("  Type yes to go on: ").strip().lower() == "yes"
    except EOFError:
        print("\n  nobody answers: look at it, then run this with --yes")
        return False


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    description = (__doc__ or "").partition("\n\n")[2]
    parser = argparse.ArgumentParser(
        prog="python -m deployments.provision", description=description
    )
    parser.add_argument("site", type=Path, help="the site file")
    parser.add_argument("--dry-run", action="store_true", help="print the steps, change nothing")
    parser.add_argument("--yes", action="store_true", help="agree to every question")
    parser.add_argument("--identity", type=Path, help="private key that opens the nodes today")
    parser.add_argument(
        "--no-units", action="store_true", help="leave systemd alone: start the programs yourself"
    )
    parser.add_argument(
        "--remove", action="store_true", help="take all of it away; data and OpenClaw stay"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
