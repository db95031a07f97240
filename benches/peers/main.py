"""Measures ours beside other servers. Run by ./run, which says what it needs."""
import argparse, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

import data, edit, report, servers, tiles

# One file a topic, in this order; the last may change the data. Each has cases(): things with `key`, `title`, `accept`, `servers`, `ours`
# and measure(world, server, seconds), which gives a row or raises tiles.LeftOut.
TOPICS = (tiles, edit)
# Rounds more for a case whose rates lie far apart.
MORE_ROUNDS = 2


def arguments():
    options = argparse.ArgumentParser(prog="benches/peers/run", description="Tiles of ours beside those of other servers, in one run.")
    options.add_argument("program", metavar="HROMADA")
    options.add_argument("--only", default="", help="cases or beginnings of their names, with commas between: cold-z14,hot,edit")
    options.add_argument("--peers", default="", help="these servers alone, ours always")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=5, help="of one measurement")
    options.add_argument("--data", default=os.path.join(os.environ["PEERS_CACHE"], "data"), help="folder in which the town's files are kept")
    options.add_argument("--results", default=os.path.join(os.environ["PEERS_CACHE"], "results.jsonl"), help="a line of JSON for each measurement is added")
    options.add_argument("--list", action="store_true", help="list the cases")
    return options.parse_args()


def programs():
    """{name: path} of what others are made of."""
    cache = os.environ["PEERS_CACHE"]
    places = os.pathsep.join([os.path.join(cache, "martin", "bin"), os.path.join(cache, "venv", "bin"), os.environ["PATH"], "/usr/sbin", "/usr/lib/cgi-bin"])
    found = {name: shutil.which(name, path=places) for name in ("martin", "tippecanoe", "uvicorn", "spawn-fcgi", "multiwatch", "mapserv", "nginx")}
    tipg = subprocess.run([os.path.join(cache, "venv", "bin", "python"), "-c", "import tipg"], stderr=subprocess.DEVNULL) if found["uvicorn"] else None
    if not tipg or tipg.returncode:
        found["uvicorn"] = None
    return found


def prepared(options, work):
    town = data.Town(options.data)
    found = programs()
    town.prepare(found["tippecanoe"])
    postgres = None
    if os.environ.get("HROMADA_TEST_POSTGRES"):
        postgres = data.Postgres(os.environ["HROMADA_TEST_POSTGRES"])
        postgres.tune()
        postgres.load(town)
    store = data.Ours(os.path.realpath(options.program), os.path.join(work, "store")).make(town)
    return servers.World(work, town, postgres, store, found)


def measure(world, running, case, seconds, note):
    """Yields (name, row) of each server that can be asked, in turn."""
    for name in case.servers:
        if name not in running:
            continue
        try:
            row = case.measure(world, running[name], seconds)
        except tiles.LeftOut as left:
            note(f"{case.title}, {case.accept}: {name} is left out, it {left}")
            continue
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            note(f"{case.title}, {case.accept}: {name} FAILED: {error}")
            continue
        rate = f"{row['rate']:.1f}/s, " if row["rate"] else ""
        data.say(f"{case.key} {name}: {rate}p50 {report.fit(row['p50'])} ms, p99 {report.fit(row['p99'])} ms, errors {row['errors']}, others {row['others']:.0%}")
        if "note" in row:
            note(f"{case.title}: {name}: {row['note']}")
        yield name, row


def all_rounds(world, running, cases, options, results, note):
    with open(options.results, "a") as out:
        def once(case, number):
            for name, row in measure(world, running, case, options.seconds, note):
                results.setdefault((case.key, name), []).append(row)
                line = {"at": time.strftime("%Y-%m-%dT%H:%M:%S"), "round": number, "case": case.key, "encoding": case.accept, "server": name, **row}
                out.write(json.dumps(line) + "\n")
                out.flush()

        for number in range(options.rounds):
            for case in cases:
                once(case, number)
        for number in range(options.rounds, options.rounds + MORE_ROUNDS if options.rounds > 1 else 0):
            for case in cases:
                if any(report.spread(results.get((case.key, name), [])) > report.SPREAD for name in case.servers):
                    once(case, number)


def main():
    options = arguments()
    wanted = [word for word in options.only.split(",") if word]
    topics = [[case for case in topic.cases() if not wanted or any(case.key.startswith(word) for word in wanted)] for topic in TOPICS]
    cases = [case for topic in topics for case in topic]
    if options.list or not cases:
        sys.exit("\n".join(f"{case.key:20} {case.title}, {case.accept}: {', '.join(case.servers)}" for topic in TOPICS for case in topic.cases()))
    names = [name for name in servers.STARTERS if any(name in case.servers for case in cases)]
    if options.peers:
        names = [name for name in names if name.startswith("ours") or name in options.peers.split(",")]
    # So that who is asked to end stops its servers first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work, running, results, notes = tempfile.mkdtemp(prefix="peers-"), {}, {}, []
    # nginx and PostgreSQL are other users.
    os.chmod(work, 0o711)
    try:
        world = prepared(options, work)
        data.run("taskset", "-cp", os.environ.get("LOAD_CPU", "1"), os.getpid())
        running = servers.start(world, names)
        for topic in topics:
            all_rounds(world, running, topic, options, results, lambda text: notes.append(text) if text not in notes else None)
    finally:
        for server in running.values():
            server.stop()
        shutil.rmtree(work, ignore_errors=True)
    rounds = statistics.median(len(rows) for rows in results.values()) if results else 0
    counts = ", ".join(f"{n:,} {layer}" for layer, n in world.town.counts().items())
    print(f"{counts}. Medians of {rounds:.0f} rounds; spread is (largest - smallest) / median; others is the share of one processor that somebody else used.\n")
    for line in (*report.table(cases, results), "", *report.goals(results), "", *report.disturbed(results), *notes):
        print(line)


main()
