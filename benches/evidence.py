"""What the scripts of evidence about edits share: a store in a folder or in PostgreSQL, its servers, a client, its tables by SQL,
geometry as pairs of numbers, vector tiles, and a report of checks.

The store and the servers are started as in checked_history.py, tiles are decoded as in same_answers.py.
"""
import argparse, collections, http.client, json, math, os, random, shutil, signal, struct, subprocess, sys, tempfile, time
from fractions import Fraction
from urllib.parse import quote, urlsplit

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import checked_history
from checked_history import self_test
from same_answers import decoded

DONE = (200, 201, 204)
# Of one check's failures so many are printed.
MOST_SHOWN = 10
MEDIA = {"POST": "application/geo+json", "PUT": "application/geo+json", "PATCH": "application/merge-patch+json"}
JSON, TRANSACTION = "application/json", "application/ogc-tx+json"


class Found(collections.defaultdict):
    """Failures by the number of the check."""
    def __init__(self):
        super().__init__(list)

    def add(self, check, text):
        self[check].append(text)


def report(checks, found):
    for number, text in checks.items():
        failures = found.get(number, [])
        print(f"{'FAILED' if failures else 'ok':6} {number}. {text}")
        for failure in failures[:MOST_SHOWN]:
            print(f"         {failure}")
        if len(failures) > MOST_SHOWN:
            print(f"         and {len(failures) - MOST_SHOWN} more")
    return not any(found.values())


class Store(checked_history.Store):
    """A fresh store: imports, an account with a token, its tables."""
    def town(self, parcels, seed, names):
        """Makes a sample town and imports these of its collections; returns the folder of its files."""
        out = os.path.join(self.work, "town")
        self.run("sample-town", "--parcels", str(parcels), "--seed", str(seed), "--out", out, "--quiet")
        path = os.path.join(out, "town.json")
        with open(path) as file:
            manifest = json.load(file)
        manifest["collections"] = [one for one in manifest["collections"] if one["collection"] in names]
        with open(path, "w") as file:
            json.dump(manifest, file)
        self.run("import", "--manifest", path, "--quiet")
        return out

    def features(self, name, features, *options):
        path = os.path.join(self.work, f"{name}.geojson")
        with open(path, "w") as file:
            json.dump({"type": "FeatureCollection", "features": features}, file)
        self.run("import", path, "--collection", name, "--access", "public", "--quiet", *options)

    def account(self):
        self.run("user", "add", "bench", "--machine", "--name", "Bench", "--role", "gis-editor", "--role", "administrator", "--quiet")
        scopes = [word for scope in ("read", "write", "manage") for word in ("--scope", scope)]
        return json.loads(self.run("token", "new", "bench", *scopes, "--json").stdout)["token"]

    def collections(self):
        """{id: (number, definition)}"""
        return {id: (n, json.loads(text)) for n, id, text in self.rows("SELECT n, id, definition FROM {s}hromada_collections")}

    def table(self, name):
        """{fid: (geometry, properties)} of a collection."""
        _, definition = self.collections()[name]
        names = [p["name"] for p in definition["properties"]]
        if self.database:
            parts = ", ".join(f"'{n}', \"{n}\"" for n in names)
            sql = f"SELECT fid, 'x' || encode(ST_AsBinary(geom), 'hex'), json_build_object({parts})::text FROM {{s}}\"{name}\""
            return {fid: (geometry(wkb), properties(text)) for fid, wkb, text in self.rows(sql)}
        columns = ", ".join(f'"{n}"' for n in names)
        kinds = {p["name"]: p["type"] for p in definition["properties"]}
        out = {}
        for fid, blob, *values in self.rows(f'SELECT fid, geom, {columns} FROM "{name}"'):
            out[fid] = (geometry(blob), {n: bool(v) if kinds[n] == "boolean" and v is not None else v for n, v in zip(names, values)})
        return out

    def log(self, after=0):
        """The change log: [Change], the oldest first."""
        shape = "'x' || encode(ST_AsBinary(before_geometry), 'hex')" if self.database else "before_geometry"
        at = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')" if self.database else "at"
        sql = (f"SELECT seq, {at}, collection, fid, operation, {shape}, before_properties FROM {{s}}hromada_changes"
               f" WHERE seq > {after} ORDER BY seq")
        return [Change(seq, at, n, fid, operation, geometry(blob), properties(text)) for seq, at, n, fid, operation, blob, text in self.rows(sql)]

    def transactions(self, after=0):
        """[(first, last, kind, reason)]"""
        return list(self.rows(f"SELECT first_seq, last_seq, kind, reason FROM {{s}}hromada_transactions WHERE first_seq > {after} ORDER BY first_seq"))

    def last(self):
        return next(self.rows("SELECT coalesce(max(seq), 0) FROM {s}hromada_changes"))[0] or 0

    def is_clean(self, *words):
        """What `hromada check` has against the store, or None."""
        checked = self.run("check", "--json", *words, may_fail=True)
        try:
            if checked.returncode == 0 and json.loads(checked.stdout)["clean"] is True:
                return None
        except (ValueError, KeyError):
            pass
        return f"hromada check: {checked.returncode} {checked.stdout[:2000]}{checked.stderr[:500]}"


Change = collections.namedtuple("Change", "seq at n fid operation geometry properties")


def properties(text):
    return None if text is None else text if isinstance(text, dict) else json.loads(text)


class Answer(collections.namedtuple("Answer", "status headers body")):
    def json(self):
        return json.loads(self.body)

    @property
    def tag(self):
        return self.headers["ETag"]

    @property
    def change(self):
        """The number of the change that a write made."""
        text = self.headers["Hromada-Change"]
        return int(text.rsplit(".", 1)[1]) if text else 0

    def told(self):
        """Why it was refused, as its key."""
        try:
            problem = json.loads(self.body)
            keys = [problem.get("key")] + [e.get("key") or e.get("detail") for e in problem.get("errors", [])]
            return next((key for key in reversed(keys) if key), str(self.status))
        except (ValueError, AttributeError):
            return str(self.status)


class Client:
    """One kept connection. While the server says 503 or 429, the same request is sent again."""
    def __init__(self, port, token, timeout=120):
        self.port, self.token, self.timeout = port, token, timeout
        self.link, self.busy = None, collections.Counter()

    def ask(self, method, path, body=None, media=None, headers=()):
        given = {"Authorization": f"Bearer {self.token}", **dict(headers)}
        if body is not None:
            given["Content-Type"] = media or MEDIA[method]
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        for attempt in range(600):
            if self.link is None:
                self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            try:
                self.link.request(method, path, body, given)
                answer = self.link.getresponse()
                answer = Answer(answer.status, answer.headers, answer.read())
            except (OSError, http.client.HTTPException):
                self.link.close()
                self.link = None
                # What is not known to be repeatable is not repeated.
                if method != "GET" and "Idempotency-Key" not in given or attempt > 20:
                    raise
                time.sleep(0.05)
                continue
            if answer.status not in (429, 503):
                return answer
            self.busy[answer.told()] += 1
            time.sleep(0.05)
        return answer

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def page(self, path):
        """All features from a page on, over its links `next`: [feature]."""
        out = []
        while path:
            answer = self.get(path)
            if answer.status != 200:
                raise SystemExit(f"GET {path}: {answer.status} {answer.body[:300]!r}")
            page = answer.json()
            out += page["features"]
            path = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
            if path:
                parts = urlsplit(path)
                path = f"{parts.path}?{parts.query}"
        return out


def item(collection, id):
    return f"/collections/{collection}/items/{quote(str(id), safe='')}"


def geometry(blob):
    """A geometry as (type, coordinates) of GeoJSON: of WKB, with or without the head of a GeoPackage, or `x` and hexadecimal digits."""
    if blob is None:
        return None
    if isinstance(blob, str):
        blob = bytes.fromhex(blob[1:])
    if blob[:2] == b"GP":
        blob = blob[8 + (0, 32, 48, 48, 64)[blob[3] >> 1 & 7]:]
    return wkb(blob, 0)[0]


NAMES = {1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon", 7: "GeometryCollection"}


def wkb(data, at):
    order = "<" if data[at] else ">"
    kind, = struct.unpack_from(order + "I", data, at + 1)
    at += 5

    def count():
        nonlocal at
        n, = struct.unpack_from(order + "I", data, at)
        at += 4
        return n

    def points(n):
        nonlocal at
        flat = struct.unpack_from(f"{order}{2 * n}d", data, at)
        at += 16 * n
        return list(zip(flat[::2], flat[1::2]))

    if kind == 1:
        return (NAMES[1], points(1)[0]), at
    if kind == 2:
        return (NAMES[2], points(count())), at
    if kind == 3:
        return (NAMES[3], [points(count()) for _ in range(count())]), at
    parts = []
    for _ in range(count()):
        (_, part), at = wkb(data, at)
        parts.append(part)
    return (NAMES[kind], parts), at


def of_geojson(json):
    def pairs(value):
        return tuple(map(float, value)) if value and not isinstance(value[0], list) else [pairs(part) for part in value]
    return None if json is None else (json["type"], pairs(json["coordinates"]))


def to_geojson(shape):
    return None if shape is None else {"type": shape[0], "coordinates": shape[1]}


def pieces(shape):
    """The points, lines and polygons of a geometry: [point], [line], [[ring]]."""
    kind, value = shape
    if kind.startswith("Multi"):
        kind, value = kind[5:], value
    else:
        value = [value]
    return (value if kind == "Point" else [], value if kind == "LineString" else [], value if kind == "Polygon" else [])


def vertices(shape):
    points, lines, polygons = pieces(shape)
    yield from points
    for line in lines:
        yield from line
    for rings in polygons:
        for ring in rings:
            yield from ring


def envelope(shape):
    xs, ys = zip(*vertices(shape))
    return min(xs), min(ys), max(xs), max(ys)


def turn(a, b, c):
    """On which side of the line from a to b the point c lies: exactly."""
    left, right = (b[0] - a[0]) * (c[1] - a[1]), (b[1] - a[1]) * (c[0] - a[0])
    value = left - right
    # The bound of Shewchuk's orient2d.
    if abs(value) > 4e-16 * (abs(left) + abs(right)):
        return 1 if value > 0 else -1
    (ax, ay), (bx, by), (cx, cy) = (tuple(map(Fraction, p)) for p in (a, b, c))
    value = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (value > 0) - (value < 0)


def segments_meet(a, b, c, d):
    if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]) \
            or max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False
    return turn(a, b, c) * turn(a, b, d) <= 0 and turn(c, d, a) * turn(c, d, b) <= 0


def side_of_ring(p, ring):
    """1 inside, 0 on the ring, -1 outside."""
    inside = False
    for a, b in zip(ring, ring[1:]):
        if min(a[1], b[1]) <= p[1] <= max(a[1], b[1]) and min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and turn(a, b, p) == 0:
            return 0
        if (a[1] > p[1]) != (b[1] > p[1]) and turn(a, b, p) * (1 if b[1] > a[1] else -1) > 0:
            inside = not inside
    return 1 if inside else -1


def holds_point(rings, p):
    """Whether a polygon has a point, its border included."""
    return side_of_ring(p, rings[0]) >= 0 and all(side_of_ring(p, ring) <= 0 for ring in rings[1:])


def meets(shape, other):
    """Whether two geometries have a point in common; `other` has one part, and if it is a polygon, no holes."""
    ours, theirs = envelope(shape), envelope(other)
    if ours[0] > theirs[2] or theirs[0] > ours[2] or ours[1] > theirs[3] or theirs[1] > ours[3]:
        return False
    points, lines, polygons = pieces(shape)
    other_points, other_lines, other_polygons = pieces(other)
    corners = other_points or (other_lines or other_polygons[0])[0]
    edges = list(zip(corners, corners[1:]))
    holds = (lambda p: holds_point(other_polygons[0], p)) if other_polygons else \
        (lambda p: p == corners[0] if other_points else any(segments_meet(a, b, p, p) for a, b in edges))
    if any(holds(p) for p in points):
        return True
    if any(holds_point(rings, corners[0]) for rings in polygons):
        return True
    rings = lines + [ring for rings in polygons for ring in rings]
    if any(holds(ring[0]) for ring in rings):
        return True
    box = theirs
    for ring in rings:
        for a, b in zip(ring, ring[1:]):
            if (a[0] < box[0] and b[0] < box[0]) or (a[0] > box[2] and b[0] > box[2]) \
                    or (a[1] < box[1] and b[1] < box[1]) or (a[1] > box[3] and b[1] > box[3]):
                continue
            if other_points and segments_meet(a, b, corners[0], corners[0]) or any(segments_meet(a, b, c, d) for c, d in edges):
                return True
    return False


def box_of(west, south, east, north):
    if west == east and south == north:
        return "Point", (west, south)
    return "Polygon", [[(west, south), (east, south), (east, north), (west, north), (west, south)]]


def pixels(tile, point):
    """Where a point of longitude and latitude lies in a tile of 4096 pixels."""
    z, x, y = tile
    scale = 2.0**z * 4096
    sine = math.sin(math.radians(point[1]))
    return ((point[0] / 360 + 0.5) * scale - x * 4096,
            (0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * scale - y * 4096)


def tile_at(z, point):
    x, y = pixels((z, 0, 0), point)
    return z, int(x // 4096), int(y // 4096)


def layers(body):
    """{name: {fid: (kind, commands, properties)}} of a tile."""
    out = {}
    for named, features in decoded(body) if body else []:
        read = {}
        for fid, kind, commands, given in features:
            if fid in read:
                raise ValueError(f"feature {fid} is twice in a tile")
            # Unsigned and signed integers by sign, texts as texts.
            values = {}
            for name, (form, value) in given.items():
                if form == 1:
                    value = value.decode()
                elif form == 6:
                    value = (value >> 1) ^ -(value & 1)
                elif form == 4 and value >> 63:
                    value -= 1 << 64
                elif form == 7:
                    value = bool(value)
                values[name] = value
            read[fid] = (kind, commands, values)
        out[named[1].decode()] = read
    return out


def tile_rings(commands):
    """The points of each part of a geometry in a tile."""
    out, x, y, at = [], 0, 0, 0
    while at < len(commands):
        order, n = commands[at] & 7, commands[at] >> 3
        at += 1
        if order == 7:
            continue
        for _ in range(n):
            x += (commands[at] >> 1) ^ -(commands[at] & 1)
            y += (commands[at + 1] >> 1) ^ -(commands[at + 1] & 1)
            at += 2
            if order == 1:
                out.append([])
            out[-1].append((x, y))
    return out


BUFFER, LINE_BUFFER = 64, 256


WORLD = {}


def in_world(shape):
    """A geometry on the square of the world from 0 to 1, with its envelope, and for one polygon its area and the length of its border.
    Kept for as long as the script runs."""
    known = WORLD.get(id(shape))
    if known:
        return known[1:]
    place = lambda p: tuple(x / 4096 for x in pixels((0, 0, 0), p))
    points, lines, polygons = pieces(shape)
    if points:
        moved = ("MultiPoint", [place(p) for p in points])
    elif lines:
        moved = ("MultiLineString", [[place(p) for p in line] for line in lines])
    else:
        moved = ("MultiPolygon", [[[place(p) for p in ring] for ring in rings] for rings in polygons])
    area = length = None
    if len(polygons) == 1:
        rings = moved[1][0]
        sizes = [abs(sum((a[0] - ring[0][0]) * (b[1] - ring[0][1]) - (b[0] - ring[0][0]) * (a[1] - ring[0][1]) for a, b in zip(ring, ring[1:]))) / 2 for ring in rings]
        area, length = sizes[0] - sum(sizes[1:]), length_in(rings)
    # The shape is kept with it, so that no other gets its number.
    WORLD[id(shape)] = (shape, moved, envelope(moved), area, length)
    return WORLD[id(shape)][1:]


def in_tile(tile, shape, margin=2.0):
    """Whether a tile must show a geometry (True), must not (False), or may (None): it lies along the edge of what is shown, or it is so
    small that the zoom has no pixel for it."""
    (kind, parts), bounds, area, length = in_world(shape)
    z, x, y = tile
    scale = 2.0**z * 4096
    place = lambda p: (p[0] * scale - x * 4096, p[1] * scale - y * 4096)
    (west, south), (east, north) = place(bounds[:2]), place(bounds[2:])
    buffer = LINE_BUFFER if kind == "MultiLineString" else BUFFER
    low, high = -buffer - margin, 4096 + buffer + margin
    if west > high or east < low or south > high or north < low:
        return False
    low, high = -buffer + margin, 4096 + buffer - margin
    is_whole = west > low and east < high and south > low and north < high
    if is_whole and kind == "MultiPoint":
        return True
    if is_whole and kind == "MultiLineString":
        return True if max(east - west, north - south) > 2 * margin else None
    if is_whole and area is not None:
        return True if area * scale * scale > 16 + min(length * scale, 4 * 4096) else None
    moved = lambda part: place(part) if isinstance(part, tuple) else [moved(p) for p in part]
    placed = (kind, moved(parts))
    # Edges are straight in the tile: a box in its own pixels.
    far, near = (box_of(-b, -b, 4096 + b, 4096 + b) for b in (buffer + margin, buffer - margin))
    if not meets(placed, far):
        return False
    if not meets(placed, near):
        return None
    if kind != "MultiPolygon":
        return True if kind == "MultiPoint" or max(east - west, north - south) > 2 * margin else None
    # A polygon that is cut to a sliver may vanish: what lies within has to be wider than some pixels.
    for rings in placed[1]:
        within = area_in_box(rings[0], buffer - margin) - sum(area_in_box(ring, buffer + margin) for ring in rings[1:])
        if within > 16 + min(length_in(rings), 4 * 4096):
            return True
    return None


def length_in(rings):
    return sum(math.dist(a, b) for ring in rings for a, b in zip(ring, ring[1:]))


def area_in_box(ring, buffer):
    """The area of the part of a ring that lies in a tile with its buffer."""
    low, high = -buffer, 4096 + buffer
    points = ring[:-1]
    for axis, bound, keep in ((0, low, 1), (0, high, -1), (1, low, 1), (1, high, -1)):
        out = []
        for a, b in zip(points, points[1:] + points[:1]):
            ins = [(p[axis] - bound) * keep >= 0 for p in (a, b)]
            if ins[0]:
                out.append(a)
            if ins[0] != ins[1]:
                t = (bound - a[axis]) / (b[axis] - a[axis])
                out.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
        points = out
        if not points:
            return 0.0
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1]))) / 2


def arguments(doc, **values):
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program", nargs="?")
    for name, value in values.items():
        options.add_argument(f"--{name}", type=type(value), default=value)
    options.add_argument("--seed", type=int)
    options.add_argument("--place", help="a folder to make the store below, or the address of a PostgreSQL database")
    options.add_argument("--keep", action="store_true", help="keep the store even when all is well")
    options.add_argument("--self-test", action="store_true")
    options = options.parse_args()
    if not options.program and not options.self_test:
        sys.exit("name the program: target/release/hromada")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


def with_store(options, work_of):
    """Makes a place for a store, lets `work_of(store, work, servers)` work with it; exits with 1 when it finds something, and keeps the
    store then. Servers that it puts into the list are stopped."""
    is_folder = options.place and not options.place.startswith("postgres")
    work = tempfile.mkdtemp(prefix="evidence-", dir=options.place if is_folder else None)
    store = Store(os.path.realpath(options.program), options.place, work)
    servers, is_right = [], False
    # So that who is asked to end stops its servers first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        is_right = work_of(store, work, servers)
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()
        print(f"seed {options.seed}; {work}", flush=True)
        if is_right and not options.keep:
            store.drop()
            shutil.rmtree(work)
    sys.exit(0 if is_right else 1)


def serve(store, work, servers, *words):
    server = Server(store, work, words)
    servers.append(server)
    server.start()
    server.wait()
    return server


class Server(checked_history.Server):
    """One with further options."""
    def __init__(self, store, work, words=()):
        super().__init__(store, work)
        self.words = words

    def start(self):
        words = [self.store.program, *self.store.options, "serve", "--listen", f"127.0.0.1:{self.port}", "--requests-per-second", "0", *self.words]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def in_ms(values):
    return f"p50 {percentile(values, 0.5) * 1000:.2f} ms, p99 {percentile(values, 0.99) * 1000:.2f} ms, longest {max(values) * 1000:.0f} ms"
