#!/usr/bin/env python3
"""What deciding who sees what costs: the same requests to one server by readers with different views of the parcels.

    benches/policy.py HROMADA [PARCELS] [SECONDS]

A sample town is imported twice: `open` as it is, `ruled` with a row filter, a hidden and a masked property, of which the
reader with a token of the role planner sees everything. Prints p50 in milliseconds, and ratios to the collection without rules.
"""
import http.client, json, os, random, re, statistics, subprocess, sys, tempfile, time

binary = os.path.abspath(sys.argv[1])
parcels = sys.argv[2] if len(sys.argv) > 2 else "200000"
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 6.0
work = tempfile.mkdtemp()


def run(*args):
    done = subprocess.run([binary, "--data", f"{work}/data", "--lang", "en", *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{args}: {done.stdout}{done.stderr}")
    return done.stdout


run("sample-town", "--parcels", parcels, "--out", f"{work}/town")
files = sorted(os.listdir(f"{work}/town"))
source = next(os.path.join(f"{work}/town", f) for f in files if "parcel" in f and not f.endswith(".json"))
for name in ("open", "ruled"):
    run("import", source, "--collection", name, "--access", "public")
rules = {
    "class": "public",
    "properties": {},
    "rows": [],
}
described = json.loads(run("collections", "--json"))
listed = described if isinstance(described, list) else described["collections"]
server = subprocess.Popen(
    [binary, "--data", f"{work}/data", "serve", "--listen", "127.0.0.1:0", "--tile-cache", "0", "--json"],
    stdout=subprocess.PIPE, stderr=open(f"{work}/log", "w"), text=True, env={**os.environ, "RUST_LOG": "info"})
address = None
while address is None:
    time.sleep(0.2)
    found = re.search(r'"address":"([0-9.:]+)"', open(f"{work}/log").read())
    address = found and found.group(1)
run("user", "add", "planner", "--name", "Planner", "--machine", "--role", "planner")
token = json.loads(run("token", "new", "planner", "--scope", "read", "--json"))["token"]


class Reader:
    def __init__(self, headers):
        self.connection, self.headers = http.client.HTTPConnection(address), headers

    def get(self, path):
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 204):
            sys.exit(f"{path}: {answer.status} {body[:300]}")
        return body


everybody = Reader({})
planner = Reader({"Authorization": f"Bearer {token}"})
sample = json.loads(everybody.get("/collections/open/items?limit=2000"))["features"]
texts = [k for k, v in sample[0]["properties"].items() if isinstance(v, str)]
numbers = [k for k, v in sample[0]["properties"].items() if isinstance(v, (int, float)) and not isinstance(v, bool)]
values = sorted(f["properties"][numbers[0]] for f in sample if f["properties"][numbers[0]] is not None)
median = values[len(values) // 2]
rules["rows"] = [{"below": "staff", "filter": f'"{numbers[0]}" > {median}'}]
rules["properties"] = {texts[-1]: {"from": "staff"}, texts[-2]: {"from": "staff", "keep": 3}}
json.dump(rules, open(f"{work}/rules.json", "w"))
run("access", "set", "ruled", "--file", f"{work}/rules.json")
time.sleep(2.5)
west, south, east, north = json.loads(everybody.get("/collections/open"))["extent"]["spatial"]["bbox"][0]


def box(size):
    x, y = random.uniform(west, east - size), random.uniform(south, north - size)
    return f"{x},{y},{x + size},{y + size}"


def tile(zoom):
    import math
    x, y = random.uniform(west, east), random.uniform(south, north)
    n = 2 ** zoom
    col = int((x + 180) / 360 * n)
    row = int((1 - math.asinh(math.tan(math.radians(y))) / math.pi) / 2 * n)
    return f"{zoom}/{col}/{row}"


kinds = {
    "page of 100": lambda c: f"/collections/{c}/items?limit=100",
    "page of 1000": lambda c: f"/collections/{c}/items?limit=1000",
    "box, 100 of it": lambda c: f"/collections/{c}/items?limit=100&bbox={box(0.01)}",
    "cold tile z14": lambda c: f"/tiles/{c}/{tile(14)}",
    "cold tile z16": lambda c: f"/tiles/{c}/{tile(16)}",
    "collection": lambda c: f"/collections/{c}?f=json",
}
print(f"{parcels} parcels; p50 in ms: without rules, as everybody through the rules, as a planner (everything, with a token)")
for kind, path in kinds.items():
    readers = [(everybody, "open"), (everybody, "ruled"), (planner, "ruled")]
    times = [[] for _ in readers]
    for reader, collection in readers:
        reader.get(path(collection))
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        turn += 1
        for i, (reader, collection) in enumerate(readers):
            random.seed(turn)
            asked = path(collection)
            begun = time.perf_counter()
            reader.get(asked)
            times[i].append(time.perf_counter() - begun)
    p50 = [statistics.median(t) * 1000 for t in times]
    print(f"{kind:16} {p50[0]:8.3f} {p50[1]:8.3f} {p50[2]:8.3f}   x{p50[1] / p50[0]:.2f} x{p50[2] / p50[0]:.2f}   ({turn} each)", flush=True)
server.terminate()
server.wait()
subprocess.run(["rm", "-rf", work])
