#!/usr/bin/python3
"""Holds a running server against OGC API Features (parts 1 and 2) and OGC API Tiles, test by test as OGC's own suites do.

    .ci/ogc/conformance.py features|tiles|abstract URL [--openapi COMMAND] [--store NAME] [--floor N] [--skips FILE] [--deviations FILE]
    .ci/ogc/conformance.py report testng-results.xml --store NAME [--floor N] [--skips FILE]

The first form runs the tests of features.py, crs.py and tiles.py. They are named after those of ets-ogcapi-features10 and ets-ogcapi-tiles10 and demand
what the sources of these demanded in 2026, limits and oddities included, and here and there more. But they are written anew, so a pass here is no pass of
OGC's: the suites themselves are in no package registry. `abstract` runs the abstract tests that the suites have not (abstract.py), of which
those that write need HROMADA_TOKEN, a token of somebody who may. The second form reads what one of the suites has written, whose exit code is always 0.

Prints failures with their message and skips with their reason. Exit code 1: a failure that is no known deviation, a known deviation that no longer fails,
a skip that the file of known skips has not, fewer passed tests than the floor, or no test at all.
"""

import argparse
import re
import sys
import time
import xml.etree.ElementTree as ElementTree

from abstract import Api
from features import Features
from tiles import Tiles


def of_testng(path):
    """The tests of a testng-results.xml, configuration methods left out unless they failed."""
    results = []
    for kind in ElementTree.parse(path).getroot().iter("class"):
        for method in kind.iter("test-method"):
            status = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}[method.get("status")]
            if method.get("is-config") == "true" and status != "failed":
                continue
            values = [v.text.strip() for v in method.iter("value") if v.text]
            message = method.find("exception/message")
            text = (message.text or "").strip() if message is not None else ""
            name = f"{kind.get('name').rpartition('.')[2]}.{method.get('name')}"
            results.append((name + (f"[{', '.join(v[:60] for v in values)}]" if values else ""), status, text))
    return results


def known_tests(path):
    """Lines `pattern of the test's name | pattern of the reason or message | why`."""
    known = []
    for line in open(path, encoding="utf-8") if path else []:
        if line.strip() and not line.startswith("#"):
            parts = [p.strip() for p in line.split(" | ")]
            if len(parts) != 3 or not all(parts):
                sys.exit(f"{path}: not of the form NAME | REASON | WHY: {line.strip()}")
            known.append((re.compile(parts[0]), re.compile(parts[1])))
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["features", "tiles", "abstract", "report"])
    parser.add_argument("source", help="address of the server, or a testng-results.xml")
    parser.add_argument("--openapi", help="a command that says whether a file is a valid OpenAPI document")
    parser.add_argument("--store", default="store")
    parser.add_argument("--floor", type=int, default=1)
    parser.add_argument("--skips")
    parser.add_argument("--deviations")
    parser.add_argument("--only", help="of the abstract tests, those whose file's name has this")
    options = parser.parse_args()

    started = time.monotonic()
    if options.what == "report":
        results = of_testng(options.source)
    else:
        suite = {"features": Features, "tiles": Tiles, "abstract": Api}[options.what](options.source, options.openapi)
        suite.run(*([options.only] if options.only else []))
        results = suite.results
    known = known_tests(options.skips)
    by = {status: [r for r in results if r[1] == status] for status in ("passed", "failed", "skipped")}
    title = f"{options.what}, {options.store}"
    deviations = known_tests(options.deviations)
    seen, failed = {}, 0
    for name, _, message in by["failed"]:
        deviation = next((i for i, (n, r) in enumerate(deviations) if n.search(name) and r.search(message)), None)
        if deviation is None:
            failed += 1
            print(f"FAIL {title}: {name}\n     {message}")
        else:
            seen[deviation] = seen.get(deviation, 0) + 1
    for i, (name, _) in enumerate(deviations):
        if i in seen:
            print(f"deviation {title}: {seen[i]} tests: {name.pattern}")
        elif not options.only:
            failed += 1
            print(f"FAIL {title}: {name.pattern} is a known deviation, and nothing deviates")
    unknown = 0
    reasons = {}
    for name, _, reason in by["skipped"]:
        if any(n.search(name) and r.search(reason) for n, r in known):
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            unknown += 1
            print(f"SKIP {title}: {name}\n     {reason}\n     is not among the known skips")
    for reason, count in reasons.items():
        print(f"skip {title}: {count} tests: {reason}")
    short = len(by["passed"]) < max(options.floor, 1)
    if short:
        print(f"FAIL {title}: {len(by['passed'])} tests passed, at least {max(options.floor, 1)} have to")
    bad = failed + unknown + short
    print(f"{title}: {len(by['passed'])} passed, {bad} failed, {len(by['skipped'])} skipped, {time.monotonic() - started:.1f} s")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
