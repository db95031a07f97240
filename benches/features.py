#!/usr/bin/env python3
"""Asks servers of OGC API Features the same things in turn and prints a table. Run by features.sh.

    benches/features.py ROUNDS NAME=ITEMS-URL?QUERY…

Names that begin with `ours` are compared with the best of the others. Before a case is measured, its first answer is
looked at: a server that answers something else is left out of the row. Requests in parallel are wrk's, 8 connections,
closed loop; p50 and p99 under that load. In series: one request after the other on one connection, p99 is the slowest.
A walk follows `next` from page to page; its clock runs from a request to its last byte, what the reader does with a page
is not counted, and it ends after WALK_SECONDS (30).
"""
import gzip, http.client, json, os, random, statistics, subprocess, sys, tempfile, time
from urllib.parse import urlsplit

SECONDS = int(os.environ.get("SECONDS_EACH", "4"))
WALK_SECONDS = float(os.environ.get("WALK_SECONDS", "30"))
LUA = """
local paths, n, i = {}, 0, 0
for l in io.lines(os.getenv("PATHS")) do n = n + 1; paths[n] = l end
wrk.headers["Accept-Encoding"] = os.getenv("ACCEPT")
function request() i = i % n + 1; return wrk.format("GET", paths[i]) end
function done(s, lat)
  local e = s.errors
  print(string.format('JSON{"rate":%f,"p50":%f,"p99":%f,"bytes":%f,"errors":%d}', s.requests / s.duration * 1e6,
    lat:percentile(50) / 1000, lat:percentile(99) / 1000, s.bytes / math.max(1, s.requests),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
work = tempfile.TemporaryDirectory()
script = os.path.join(work.name, "load.lua")
open(script, "w").write(LUA)


def busy():
    """Processor time in use by anybody, and all there was, in ticks."""
    fields = list(map(int, open("/proc/stat").readline().split()[1:9]))
    return sum(fields) - fields[3] - fields[4], sum(fields)


def quiet():
    """Waits until others leave the machine alone, for QUIET_SECONDS (5) at most; the load then."""
    until = time.monotonic() + float(os.environ.get("QUIET_SECONDS", "5"))
    while time.monotonic() < until:
        before = busy()
        time.sleep(0.3)
        after = busy()
        if (after[0] - before[0]) < 0.1 * (after[1] - before[1]):
            break
    return os.getloadavg()[0]


class Server:
    def __init__(self, text):
        self.name, self.url = text.split("=", 1)
        self.parts = urlsplit(self.url)
        self.connection = http.client.HTTPConnection(self.parts.netloc, timeout=300)

    def path(self, more, item=""):
        return f"{self.parts.path}{item and '/' + item}?{more}{more and '&'}{self.parts.query}"

    def ask(self, path, accept="gzip"):
        """Seconds to the last byte, the body as it came, and read."""
        for attempt in (1, 0):  # some close the connection after each answer
            try:
                begun = time.perf_counter()
                self.connection.request("GET", path, headers={"Accept-Encoding": accept})
                answer = self.connection.getresponse()
                body = answer.read()
                took = time.perf_counter() - begun
                break
            except (http.client.RemoteDisconnected, ConnectionResetError):
                self.connection.close()
                if not attempt:
                    raise
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        return took, len(body), gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body

    def parallel(self, paths, accept):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
            f.write("\n".join(paths) + "\n")
            f.flush()
            out = subprocess.run(["wrk", "-t1", "-c8", f"-d{SECONDS}s", "--timeout", "120s", "--latency", "-s", script, f"http://{self.parts.netloc}"],
                                 env={**os.environ, "PATHS": f.name, "ACCEPT": accept}, capture_output=True, text=True, check=True).stdout
        return json.loads(out[out.index("JSON{") + 4:].splitlines()[0])

    def series(self, paths, accept):
        times, size, begun = [], 0, time.perf_counter()
        while len(times) < 200 and (len(times) < 6 or time.perf_counter() - begun < SECONDS):
            took, length, _ = self.ask(paths[len(times) % len(paths)], accept)
            times.append(took)
            size += length
        times.sort()
        return {"rate": len(times) / sum(times), "p50": statistics.median(times) * 1e3, "p99": times[-1] * 1e3, "bytes": size / len(times), "errors": 0}

    def walk(self, paths, accept):
        ids, size, times, path = set(), 0, [], paths[0]
        while path and sum(times) < WALK_SECONDS:
            took, length, body = self.ask(path, accept)
            times.append(took)
            size += length
            page = json.loads(body)
            before = len(ids)
            ids.update(str(f["id"]) for f in page["features"])
            if len(ids) - before < len(page["features"]):
                raise ValueError(f"page {len(times)} has features of pages before")
            following = next((l["href"] for l in page["links"] if l["rel"] == "next"), None) if page["features"] else None
            path = following and urlsplit(following)._replace(scheme="", netloc="").geturl()
        if not path and len(ids) != COUNT:
            raise ValueError(f"the walk gave {len(ids)} of {COUNT} features")
        whole = "" if not path else f"{len(ids)} of {COUNT} in {sum(times):.0f} s"
        times.sort()
        return {"rate": len(ids) / sum(times), "p50": statistics.median(times) * 1e3, "p99": times[int(len(times) * 0.99)] * 1e3,
                "bytes": size / len(times), "errors": 0, "seconds": sum(times), "whole": whole}


rounds, servers = int(sys.argv[1]), [Server(a) for a in sys.argv[2:]]

# What is asked for: from the first server's own pages, so that all are asked the same.
points, numbers, path = [], {}, servers[0].path("limit=10000")
while path:
    page = json.loads(servers[0].ask(path)[2])
    for feature in page["features"]:
        at = feature["geometry"]["coordinates"]
        while isinstance(at[0], list):
            at = at[0]
        points.append(at[:2])
        numbers[feature["properties"]["id"]] = feature["properties"]["cadnum"]
    path = next((urlsplit(l["href"])._replace(scheme="", netloc="").geturl() for l in page["links"] if l["rel"] == "next"), None)
COUNT = len(points)
chance = random.Random(7)
# Boxes of about 100 features: half a side by how many there are nearby.
GRID, cells = 0.005, {}
for x, y in points:
    cells[int(x / GRID), int(y / GRID)] = cells.get((int(x / GRID), int(y / GRID)), 0) + 1
boxes = []
for x, y in chance.sample(points, min(200, COUNT)):
    half = GRID / 2 * (95 / cells[int(x / GRID), int(y / GRID)]) ** 0.5
    boxes.append(f"bbox={x - half:.6f},{y - half:.6f},{x + half:.6f},{y + half:.6f}&limit=1000")
ids = chance.sample(sorted(numbers), min(500, COUNT))
expected = len(json.loads(servers[0].ask(servers[0].path(boxes[0]))[2])["features"])


def holds(what, good):
    if not good:
        raise ValueError(what)


def listed(server, paths, number):
    holds(f"not {number} features", len(json.loads(server.ask(paths[0])[2])["features"]) == number)


def one(server, paths):
    holds("another feature", str(json.loads(server.ask(paths[0])[2])["properties"]["cadnum"]) == numbers[ids[0]])


def filtered(server, paths):
    got = json.loads(server.ask(paths[0])[2])["features"]
    holds("the filter is not followed", len(got) == 1 and got[0]["properties"]["cadnum"] == numbers[ids[0]])


def boxed(server, paths):
    listed(server, paths, expected)


def lists(value):
    return lambda server: [server.path(f"limit={value}")]


# key: (what, how, encoding, paths, look at the answer, unit)
cases = {
    "box": ("box of about 100", Server.parallel, "gzip", lambda s: [s.path(b) for b in boxes], boxed, "req/s"),
    "box-identity": ("box of about 100", Server.parallel, "identity", lambda s: [s.path(b) for b in boxes], boxed, "req/s"),
    "1000": ("limit 1000, in series", Server.series, "gzip", lists(1000), lambda s, p: listed(s, p, 1000), "req/s"),
    "10000": ("limit 10000, in series", Server.series, "gzip", lists(10000), lambda s, p: listed(s, p, 10000), "req/s"),
    "id": ("one by id", Server.parallel, "gzip", lambda s: [s.path("", str(i)) for i in ids], one, "req/s"),
    "cadnum": ("by cadastral number", Server.parallel, "gzip", lambda s: [s.path(f"cadnum={numbers[i]}") for i in ids], filtered, "req/s"),
    "walk-1000": ("all, pages of 1000", Server.walk, "gzip", lists(1000), lambda s, p: None, "features/s"),
    "walk-10000": ("all, pages of 10000", Server.walk, "gzip", lists(10000), lambda s, p: None, "features/s"),
}
chosen = os.environ.get("ONLY", ",".join(cases)).split(",")
results, out, notes = {}, set(), []
for number in range(rounds):
    for key in chosen:
        what, how, accept, paths, look, unit = cases[key]
        for server in servers:
            if (key, server.name) in out:
                continue
            asked = paths(server)
            try:
                look(server, asked)
                load = quiet()
                result = how(server, asked, accept)
            except (ValueError, KeyError, TypeError) as error:
                out.add((key, server.name))
                results.pop((key, server.name), None)
                notes.append(f"{server.name}, {what}: left out, {error}")
                continue
            result["load"] = load
            results.setdefault((key, server.name), []).append(result)
            print(f"{number + 1} {what}/{accept} {server.name}: {result['rate']:.1f} {unit}, p50 {result['p50']:.2f}, p99 {result['p99']:.2f} ms, {result['bytes']:.0f} B, errors {result['errors']}, load {load:.2f}",
                  file=sys.stderr, flush=True)

print(f"{COUNT} features; medians of {rounds} rounds. The ratio is ours to the best of the others; spread is that of the rate.\n")
print("| case | encoding | server | rate | | p50, ms | p99, ms | bytes | errors | spread | load | to the best other |")
print("|---|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|")
for key in chosen:
    what, how, accept, paths, look, unit = cases[key]
    medians = {name: {f: statistics.median(r[f] for r in runs) for f in ("rate", "p50", "p99", "bytes", "load")} | {"errors": max(r["errors"] for r in runs)}
               for (k, name), runs in results.items() if k == key}
    others = [m["rate"] for name, m in medians.items() if not name.startswith("ours")]
    for name, m in medians.items():
        runs = results[key, name]
        rates = [r["rate"] for r in runs]
        ratio = f"**{m['rate'] / max(others):.1f}**" if others and name.startswith("ours") else ""
        if how is Server.walk:
            note = runs[-1]["whole"] or f"{statistics.median(r['seconds'] for r in runs):.1f} s"
            ratio = f"{ratio} ({note})" if ratio else f"({note})"
        print(f"| {what} | {accept} | {name} | {m['rate']:,.1f} | {unit} | {m['p50']:.2f} | {m['p99']:.2f} | {m['bytes']:,.0f} | {m['errors']} | {(max(rates) - min(rates)) / m['rate']:.0%} | {m['load']:.1f} | {ratio} |")
for note in dict.fromkeys(notes):
    print(f"\n{note}")
