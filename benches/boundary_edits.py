#!/usr/bin/env python3
"""Borders of a town's parcels are moved, corrected, divided and joined at random: no gap and no overlap may come of it, however small.

    benches/boundary_edits.py target/release/hromada [--operations 1000] [--parcels 20000] [--seed N] [--place DIR-OR-postgres://…]
                              [--source FILE --layer NAME --id PROPERTY] [--keep]
    benches/boundary_edits.py --self-test

Makes a store with the parcels of a sample town (or of a file whose parcels have common vertices), serves it and sends operations:
border points are moved by centimetres up to a street's width, one by one and several at once, onto others and onto borders; stretches
of border get other points; parcels are divided and joined. Many are wrong on purpose. Places are taken within the town, so that its
outer border has to stay what it is.

After each operation that was done, the parcels that it named are read and their borders are looked at; at the end all parcels are read
from the table by SQL. All of this is decided on whole numbers, which the doubles are scaled to without rounding, by code of this script
alone: each directed edge within the town has its reverse, once; no two edges have a point in common but for common vertices; the edges
without a reverse are those of the start; the sum of the areas is that of the start to the last bit. What the import has of defects is
counted, and may stay. Exit code 1 when a check failed; then the store is kept. With --self-test the checks are fed with made-up faults
and must find each.
"""
import collections, json, math, os, random, sys, time

from evidence import (JSON, Client, Found, arguments, in_ms, item, of_geojson, pieces, report, self_test, serve, with_store)

CHECKS = {
    1: "no gap: each edge within the town has its reverse, vertex by vertex; the edges without one are those of the start",
    2: "no overlap: no edge is twice on the same side, no two edges have more in common than vertices",
    3: "rings have at least three corners and no edge without length, outer ones run around land, holes around none",
    4: "the sum of the areas is that of the start, to the last bit",
    5: "the table has what the answers told; what was refused changed nothing, what was done is in the history once",
    6: "each answer was one that the handbook knows; refusals say why",
    7: "`hromada check` finds the store clean, gaps and overlaps of the import left aside",
}
# Coordinates times two to this power are whole numbers.
BITS = 64
METRE = 1 / 111_320    # in degrees


def exact(point):
    def whole(x):
        n, d = x.as_integer_ratio()
        if d > 1 << BITS:
            raise ValueError(f"{x!r} is too fine")
        return n * ((1 << BITS) // d)
    return whole(point[0]), whole(point[1])


def side(a, b, c):
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (value > 0) - (value < 0)


def doubled_area(ring):
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:]))


def between(a, b, p):
    """Whether p, on the line through a and b, lies between them or on one of them."""
    return min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])


def meetings(e, f):
    """Where two edges have more in common than a vertex of both: vertices that lie on the other edge, or the two that cross."""
    (a, b), (c, d) = e, f
    if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]) \
            or max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return
    s, t, u, v = side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
    if s * t > 0 or u * v > 0:
        return
    is_on_vertex = False
    for p, turn, (q, r) in ((c, s, e), (d, t, e), (a, u, f), (b, v, f)):
        if turn == 0 and between(q, r, p):
            is_on_vertex = True
            if p not in (q, r):
                yield (p, (q, r))
    if not is_on_vertex and s * t < 0 and u * v < 0:
        yield (min(e, f), max(e, f))


class Coverage:
    """Parcels as directed edges with the land on the left, in whole numbers; told of each change, it looks at what changed alone."""
    def __init__(self, cell):
        self.cell = cell
        self.rings = {}    # id: [ring]
        self.owners = collections.defaultdict(list)    # (a, b): [id]
        self.cells = collections.defaultdict(set)      # the undirected edges of each cell
        self.lone = set()                              # edges without a reverse
        self.twice = set()                             # edges that more than one parcel has
        self.touching = {}                             # what meets: the edges that do
        self.malformed = {}                            # id: what is wrong with its rings
        self.area = 0

    def put(self, id, shape):
        """The shape that a parcel has from now on, or None."""
        old = self.edges(id)
        for ring in self.rings.pop(id, []):
            self.area -= doubled_area(ring)
        self.malformed.pop(id, None)
        for edge in old:
            self.owners[edge].remove(id)
            if not self.owners[edge]:
                del self.owners[edge]
        if shape is not None:
            self.rings[id] = self.read(id, shape)
            for ring in self.rings[id]:
                self.area += doubled_area(ring)
        new = self.edges(id)
        for edge in new:
            self.owners[edge].append(id)
        for edge in {e for a, b in old + new for e in ((a, b), (b, a))}:
            owners, reverse = self.owners.get(edge, []), self.owners.get(edge[::-1], [])
            (self.twice.add if len(owners) > 1 else self.twice.discard)(edge)
            (self.lone.add if owners and not reverse else self.lone.discard)(edge)
            whole = tuple(sorted(edge))
            is_there = bool(owners or reverse)
            first = next(iter(self.places(whole)))
            if is_there and whole not in self.cells[first]:
                self.enter(whole)
            elif not is_there and whole in self.cells[first]:
                self.leave(whole)

    def read(self, id, shape):
        kind, value = shape
        rings = []
        for polygon in [value] if kind == "Polygon" else value:
            for i, ring in enumerate(polygon):
                points = [exact(p) for p in ring]
                area = doubled_area(points)
                if len(points) < 4 or points[0] != points[-1] or any(a == b for a, b in zip(points, points[1:])) or area == 0:
                    self.malformed[id] = f"ring {i} has {len(points)} points, twice the area {area / 4**BITS}: {ring[:5]}"
                # The land is on the left of an outer ring that turns left, and of a hole that turns right.
                if (area > 0) != (i == 0):
                    points.reverse()
                rings.append(points)
        return rings

    def edges(self, id):
        return [edge for ring in self.rings.get(id, []) for edge in zip(ring, ring[1:]) if edge[0] != edge[1]]

    def places(self, edge):
        (ax, ay), (bx, by) = edge
        for i in range(min(ax, bx) // self.cell, max(ax, bx) // self.cell + 1):
            for j in range(min(ay, by) // self.cell, max(ay, by) // self.cell + 1):
                yield i, j

    def enter(self, edge):
        near = set()
        for place in self.places(edge):
            near |= self.cells[place]
            self.cells[place].add(edge)
        for other in near - {edge}:
            for meeting in meetings(edge, other):
                self.touching.setdefault(meeting, set()).update((edge, other))

    def leave(self, edge):
        for place in self.places(edge):
            self.cells[place].discard(edge)
        for meeting in [meeting for meeting, edges in self.touching.items() if edge in edges]:
            # Another edge from the same vertex may lie there still.
            edges = self.touching.pop(meeting)
            for other in edges - {edge}:
                for another in edges - {edge, other}:
                    if meeting in meetings(other, another):
                        self.touching.setdefault(meeting, set()).update((other, another))

    def neighbours(self, id):
        return {other for a, b in self.edges(id) for other in self.owners.get((b, a), [])} - {id}


def coverage(parcels):
    """Edges lie in some few cells of its grid."""
    spans = [max(abs(a[0] - b[0]), abs(a[1] - b[1])) for shape in parcels.values() for rings in pieces(shape)[2] for ring in rings
             for a, b in zip(ring, ring[1:])]
    out = Coverage(int(sum(spans) / len(spans) * (1 << BITS)) or 1)
    for id, shape in parcels.items():
        out.put(id, shape)
    return out


def shown(point):
    return tuple(x / (1 << BITS) for x in point)


def edge_text(edge, coverage):
    owners = coverage.owners.get(edge, []) + coverage.owners.get(edge[::-1], [])
    return f"{shown(edge[0])} – {shown(edge[1])} of {', '.join(map(str, owners)) or 'nobody now'}"


def defects(found, start, end):
    """What one coverage has of gaps, overlaps and malformed rings that the other, before it, had not."""
    for edge in sorted(end.lone - start.lone)[:100]:
        found.add(1, f"nothing lies on the other side of the edge {edge_text(edge, end)}")
    for edge in sorted(start.lone - end.lone)[:100]:
        found.add(1, f"the outer border had the edge {edge_text(edge, end)}, which it has no more")
    for edge in sorted(end.twice - start.twice)[:100]:
        found.add(2, f"on the same side of the edge {shown(edge[0])} – {shown(edge[1])} lie {', '.join(map(str, end.owners[edge]))}")
    for meeting in sorted(end.touching.keys() - start.touching.keys(), key=str)[:100]:
        found.add(2, " meets ".join(edge_text(edge, end) for edge in sorted(end.touching[meeting])[:3]))
    for id, text in end.malformed.items():
        if id not in start.malformed:
            found.add(3, f"{id}: {text}")
    if end.area != start.area:
        found.add(4, f"twice the area differs by {(end.area - start.area) / 4**BITS:.3e} square degrees or units, of {start.area / 4**BITS}")


REFUSALS = (404, 409, 412, 422)


def check(start, end, told, answers, transactions):
    """Holds the parcels at the end against those at the start.

    start, end, told: {id: shape} of the import, of the table, and by the answers. answers: [(name, kind, status, key, change)]. transactions:
    [(first, last, kind, reason)] since the import.
    """
    found = Found()
    defects(found, coverage(start), coverage(end))
    for id in sorted(end.keys() | told.keys()):
        if end.get(id) != told.get(id):
            whose = "was never told" if id not in told else "is gone" if id not in end else "has another shape than was told"
            found.add(5, f"parcel {id} {whose}")
    names = collections.Counter(reason for _, _, _, reason in transactions)
    last = {reason: last for _, last, _, reason in transactions}
    done = {name for name, _, status, _, _ in answers if status == 200}
    for name, kind, status, key, change in answers:
        if status == 200 and names[name] != 1:
            found.add(5, f"{kind} {name} was done and is {names[name]} times in the history")
        if status == 200 and names[name] and last[name] != change:
            found.add(5, f"{kind} {name} was told to be change {change}, the history has it as {last[name]}")
        if status != 200 and names[name]:
            found.add(5, f"{kind} {name} was refused with {status} and is in the history")
        if status != 200 and (status not in REFUSALS or not key or "." not in key):
            found.add(6, f"{kind} {name} was answered {status} {key}")
    for name in names.keys() - done - {name for name, *_ in answers}:
        found.add(5, f"nobody sent {name}, and it is in the history")
    return found


# The self-test: a chequered town of three by three parcels, of which one border point moved.


def square_at(i, j, moved={}):
    corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1), (i, j)]
    return "Polygon", [[tuple(map(float, moved.get(p, p))) for p in corners]]


def right():
    town = {f"{i}{j}": square_at(i, j) for i in range(3) for j in range(3)}
    moved = {f"{i}{j}": square_at(i, j, {(1, 1): (1.1, 1.2)}) for i in range(3) for j in range(3)}
    answers = [("o-1", "move", 200, "", 12), ("o-2", "move", 422, "store.parcels-overlap", 0)]
    return dict(start=town, end=moved, told=dict(moved), answers=answers, transactions=[(10, 12, "correct", "o-1")])


def also(case, id, shape):
    case["end"][id] = case["told"][id] = shape


def gap(case):
    also(case, "11", square_at(1, 1))


def sliver(case):
    also(case, "11", square_at(1, 1, {(1, 1): (1.1, math.nextafter(1.2, 2))}))


def folded(case):
    """A point is moved over a border in all parcels that have it: each edge has its reverse still."""
    for i in range(3):
        for j in range(3):
            also(case, f"{i}{j}", square_at(i, j, {(1, 1): (2.5, 1.5)}))


def point_of_one(case):
    case["end"]["00"] = case["told"]["00"] = ("Polygon", [[(0.0, 0.0), (1.0, 0.0), (1.1, 1.2), (0.0, 1.0), (0.0, 0.5), (0.0, 0.0)]])
    also(case, "22", ("Polygon", [[(2.0, 2.0), (2.5, 2.0), (3.0, 2.0), (3.0, 3.0), (2.0, 3.0), (2.0, 2.0)]]))


def outer_border(case):
    also(case, "00", square_at(0, 0, {(1, 1): (1.1, 1.2), (0, 0): (0.1, 0)}))


def lost(case):
    del case["end"]["11"], case["told"]["11"]


def twice(case):
    also(case, "x", case["end"]["22"])


def island(case):
    """A parcel lies in another that has no hole for it."""
    also(case, "x", ("Polygon", [[(2.2, 2.2), (2.8, 2.2), (2.8, 2.8), (2.2, 2.8), (2.2, 2.2)]]))


def turned(case):
    also(case, "22", ("Polygon", [[(2.0, 2.0), (3.0, 3.0), (3.0, 2.0), (2.0, 3.0), (2.0, 2.0)]]))


def collapsed(case):
    also(case, "x", ("Polygon", [[(0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]]))


def not_told(case):
    case["told"]["11"] = square_at(1, 1)


def refused_and_done(case):
    case["transactions"].append((13, 13, "correct", "o-2"))


def done_twice(case):
    case["transactions"].append((13, 13, "correct", "o-1"))


def swallowed(case):
    case["transactions"].clear()


def by_nobody(case):
    case["transactions"].append((13, 13, "correct", "o-7"))


def other_number(case):
    case["answers"][0] = ("o-1", "move", 200, "", 11)


def broke_down(case):
    case["answers"].append(("o-3", "merge", 500, "server.internal", 0))


def mute(case):
    case["answers"].append(("o-3", "merge", 422, "", 0))


FAULTS = [
    (gap, 1, "nothing lies on the other side"), (gap, 4, "differs"), (sliver, 1, "nothing lies"), (sliver, 4, "differs"),
    (folded, 2, "meets"), (point_of_one, 2, "meets"), (point_of_one, 1, "nothing lies"), (outer_border, 1, "which it has no more"),
    (lost, 1, "nothing lies"), (lost, 4, "differs"), (twice, 2, "on the same side"), (island, 1, "nothing lies"), (turned, 2, "meets"),
    (collapsed, 3, "ring 0"), (not_told, 5, "another shape"), (refused_and_done, 5, "was refused"), (done_twice, 5, "2 times"),
    (swallowed, 5, "0 times"), (by_nobody, 5, "nobody sent"), (other_number, 5, "was told to be change 11"), (broke_down, 6, "answered 500"),
    (mute, 6, "answered 422"),
]


class Random:
    """Chooses operations by the parcels as they are."""
    def __init__(self, dice, parcels, unit):
        self.dice, self.parcels, self.unit = dice, parcels, unit    # unit: a metre in those of the coordinates
        self.coverage = coverage(parcels)
        self.ids = sorted(parcels)

    def put(self, id, shape):
        self.coverage.put(id, shape)
        if shape is None:
            self.parcels.pop(id, None)
            self.ids.remove(id)
            return
        if id not in self.parcels:
            self.ids.append(id)
        self.parcels[id] = shape

    def off(self, point, metres):
        """A point some metres away in any direction."""
        angle = self.dice.uniform(0, 2 * math.pi)
        return (point[0] + metres * math.cos(angle) * self.unit[0], point[1] + metres * math.sin(angle) * self.unit[1])

    def ring(self):
        """A parcel and one of its rings, in doubles, the land on the left."""
        id = self.dice.choice(self.ids)
        rings = self.coverage.rings[id]
        return id, [shown_pair(p) for p in self.dice.choice(rings)]

    def is_within(self, a, b):
        """Whether there is a parcel on the other side of an edge, by the same two vertices."""
        return bool(self.coverage.owners.get((exact(b), exact(a))))

    def inner_vertex(self):
        """A border point with parcels all around it, the points beside it, and its ring."""
        for _ in range(1000):
            id, ring = self.ring()
            i = self.dice.randrange(len(ring) - 1)
            point = exact(ring[i])
            around = {p for edge in self.coverage_edges_at(point) for p in edge}
            if any(edge in self.coverage.lone for edge in self.coverage_edges_at(point)):
                continue
            return id, ring, i, around
        raise SystemExit("there is no border point within the town")

    def coverage_edges_at(self, point):
        """All directed edges at a vertex."""
        cell = (point[0] // self.coverage.cell, point[1] // self.coverage.cell)
        for edge in self.coverage.cells[cell]:
            if point in edge:
                for directed in (edge, edge[::-1]):
                    if directed in self.coverage.owners:
                        yield directed

    def given(self, point):
        """A point as somebody names it: sometimes half a millimetre beside it."""
        return self.off(point, 0.0004) if self.dice.random() < 0.1 else point

    def move(self):
        dice = self.dice
        id, ring, i, around = self.inner_vertex()
        n = len(ring) - 1
        points = [ring[i]]
        if dice.random() < 0.25:
            # Some that follow each other, all within the town.
            for k in range(1, dice.randint(2, 4)):
                p = ring[(i + k) % n]
                if p in points or any(edge in self.coverage.lone for edge in self.coverage_edges_at(exact(p))):
                    break
                points.append(p)
        kind = dice.random()
        if kind < 0.03:
            return {"operation": "move", "points": [{"from": self.off(points[0], 3), "to": points[0]}]}
        if kind < 0.08 and len(points) == 1:
            target = shown_pair(dice.choice(sorted(around - {exact(points[0])})))
            return {"operation": "move", "points": [{"from": self.given(points[0]), "to": target}]}
        if kind < 0.11 and len(points) == 1:
            # Onto the border of the same parcel.
            k = dice.randrange(n)
            t = dice.random()
            target = tuple(a + t * (b - a) for a, b in zip(ring[k], ring[k + 1]))
            return {"operation": "move", "points": [{"from": points[0], "to": target}]}
        metres = dice.uniform(0.01, 0.4) if kind < 0.65 else dice.uniform(0.4, 3) if kind < 0.92 else dice.uniform(3, 40)
        turn = dice.uniform(0, 2 * math.pi)
        by = (metres * math.cos(turn) * self.unit[0], metres * math.sin(turn) * self.unit[1])
        far = [(p[0] + by[0], p[1] + by[1]) for p in points]
        return {"operation": "move", "points": [{"from": self.given(p), "to": q} for p, q in zip(points, far)]}

    def correct(self):
        dice = self.dice
        for _ in range(1000):
            id, ring = self.ring()
            n = len(ring) - 1
            i = dice.randrange(n)
            wanted = dice.randint(1, 6)
            run = [ring[i]]
            other = None
            for k in range(wanted):
                a, b = ring[(i + k) % n], ring[(i + k + 1) % n]
                owners = self.coverage.owners.get((exact(b), exact(a)))
                # One neighbour along the whole stretch, but for some that the server has to refuse.
                if not owners or b in run or (other not in (None, owners[0]) and dice.random() > 0.1):
                    break
                other = other or owners[0]
                run.append(b)
            if len(run) > 1:
                break
        count = dice.choice((0, 1, 1, 2, 3, 4) if len(run) > 2 else (1, 1, 2, 3, 4))
        metres = dice.uniform(0.02, 0.5) if dice.random() < 0.7 else dice.uniform(0.5, 15)
        (ax, ay), (bx, by) = run[0], run[-1]
        inner = []
        for k in range(count):
            t = (k + 1) / (count + 1)
            at = dice.choice(run) if dice.random() < 0.1 and len(run) > 2 else (ax + t * (bx - ax), ay + t * (by - ay))
            inner.append(self.off(at, metres))
        line = lambda points: {"type": "LineString", "coordinates": points}
        return {"operation": "correct", "from": line([self.given(p) for p in run]), "to": line([self.given(run[0]), *inner, self.given(run[-1])])}

    def split(self):
        dice = self.dice
        for _ in range(1000):
            id, ring = self.ring()
            n = len(ring) - 1
            edges = [k for k in range(n) if self.is_within(ring[k], ring[k + 1])]
            if len(edges) > 2:
                break

        def place():
            k = dice.choice(edges)
            t = 0 if dice.random() < 0.3 else dice.uniform(0.1, 0.9)
            a, b = ring[k], ring[k + 1]
            return tuple(x + t * (y - x) for x, y in zip(a, b)) if t else a

        line = [place(), place()]
        if dice.random() < 0.3:
            line.insert(1, self.off(tuple((x + y) / 2 for x, y in zip(*line)), dice.uniform(0, 3)))
        if dice.random() < 0.05:
            line.pop()
            line.append(self.off(line[0], 1))
        body = {"operation": "split", "id": id, "line": {"type": "LineString", "coordinates": line}}
        return body | ({"keep": True} if dice.random() < 0.5 else {})

    def merge(self):
        dice = self.dice
        for _ in range(1000):
            id = dice.choice(self.ids)
            # Not the street that lies beside half the town.
            near = sorted(other for other in self.coverage.neighbours(id) if len(self.coverage.edges(other)) < 40)
            if near and len(self.coverage.edges(id)) < 40:
                break
        ids = [id, dice.choice(near)] if near and dice.random() > 0.05 else [id, dice.choice([other for other in self.ids if other != id])]
        if dice.random() < 0.2:
            more = sorted(self.coverage.neighbours(ids[1]) - set(ids))
            ids += [dice.choice(more)] if more else []
        body = {"operation": "merge", "ids": ids}
        return body | ({"keep": True} if dice.random() < 0.5 else {})

    def operation(self):
        kind = self.dice.random()
        return self.move() if kind < 0.48 else self.correct() if kind < 0.84 else self.split() if kind < 0.92 else self.merge()


def shown_pair(point):
    # Back to the double that it came of.
    return point[0] / (1 << BITS), point[1] / (1 << BITS)


def states(store, name):
    _, definition = store.collections()[name]
    id = definition["idProperty"]
    return {(str(given[id]) if id else str(fid)): shape for fid, (shape, given) in store.table(name).items()}


def run(options, store, work, servers):
    dice = random.Random(options.seed)
    if options.source:
        words = [word for name in ("layer", "id") if getattr(options, name) for word in (f"--{name}", getattr(options, name))]
        store.run("import", options.source, "--collection", "parcels", "--access", "public", "--repair", "--quiet", *words, may_fail=True)
    else:
        store.town(options.parcels, options.seed % 1000, ["parcels"])
    _, definition = store.collections()["parcels"]
    rules = os.path.join(work, "rules.json")
    with open(rules, "w") as file:
        json.dump({"class": "public", "history": "staff"} | ({"editing": {"ids": "E{n:6}"}} if definition["idProperty"] else {}), file)
    store.run("access", "set", "parcels", "--file", rules, "--quiet")
    token = store.account()
    before = store.run("check", "--json", may_fail=True)
    # What has no area is no parcel.
    start = {id: shape for id, shape in states(store, "parcels").items() if shape and pieces(shape)[2]}
    after_import = store.last()
    server = serve(store, work, servers)
    client = Client(server.port, token)
    crs = definition["storageCrs"]
    crs_words, reading = {}, ""
    if crs != 4326:
        address = f"http://www.opengis.net/def/crs/EPSG/0/{crs}"
        crs_words, reading = {"Content-Crs": f"<{address}>"}, f"?crs={address}"
    some = next(iter(start.values()))
    latitude = pieces(some)[2][0][0][0][1]
    unit = (METRE / math.cos(math.radians(latitude)), METRE) if crs == 4326 else (1.0, 1.0)
    chooser = Random(dice, dict(start), unit)
    print(f"{options.operations} operations on {len(start)} parcels with {len(chooser.coverage.owners)} edges, {store}", flush=True)
    print(f"at the start: {len(chooser.coverage.lone)} edges without a reverse, {len(chooser.coverage.twice)} twice on one side, "
          f"{len(chooser.coverage.touching)} places where edges meet, {len(chooser.coverage.malformed)} malformed rings", flush=True)
    mutable = lambda c: (set(c.lone), set(c.twice), dict(c.touching), dict(c.malformed), c.area)
    known = Coverage(1)
    known.lone, known.twice, known.touching, known.malformed, known.area = mutable(chooser.coverage)
    answers, bodies, times = [], {}, {True: [], False: []}
    count, reasons, changed = collections.Counter(), collections.Counter(), 0
    first = None
    for n in range(options.operations):
        body, name = chooser.operation(), f"o-{n}"
        kind = body["operation"]
        begun = time.monotonic()
        answer = client.ask("POST", "/collections/parcels/operations", body, JSON, {"Hromada-Reason": name, **crs_words})
        is_done = answer.status == 200
        times[is_done].append(time.monotonic() - begun)
        answers.append((name, kind, answer.status, "" if is_done else answer.told(), answer.change))
        bodies[name] = body
        count[kind, is_done] += 1
        if not is_done:
            reasons[f"{kind}: {answer.status} {answer.told()}"] += 1
            if answer.status not in REFUSALS:
                print(f"{name}: {answer.status} {answer.body[:500]!r} to {json.dumps(body)}", flush=True)
            continue
        told = answer.json()
        for address in told.get("deleteResults", []):
            chooser.put(id_of(address), None)
        for address in told.get("updateResults", []) + told.get("insertResults", []):
            read = client.get(item("parcels", id_of(address)) + reading)
            chooser.put(id_of(address), of_geojson(read.json()["geometry"]))
            changed += 1
        step = Found()
        defects(step, known, chooser.coverage)
        if any(step.values()):
            first = first or (name, step)
            if name == first[0]:
                print(f"after {name} there is a defect; it was sent:\n  {json.dumps(body)}", flush=True)
                for number, texts in step.items():
                    for text in texts[:4]:
                        print(f"  {number}. {text}", flush=True)
            known.lone, known.twice, known.touching, known.malformed, known.area = mutable(chooser.coverage)
    if server.stop() != 0:
        raise SystemExit("the server did not end well")
    end = {id: shape for id, shape in states(store, "parcels").items() if shape and pieces(shape)[2]}
    found = check(start, end, chooser.parcels, answers, store.transactions(after_import))
    if first:
        found[1 if first[1].get(1) else 2].insert(0, f"the first defect came of {first[0]}: {json.dumps(bodies[first[0]])}")
    cleanness(found, before, store.run("check", "--json", may_fail=True))
    is_right = report(CHECKS, found)
    for kind in ("move", "correct", "split", "merge"):
        print(f"{kind}: {count[kind, True]} done, {count[kind, False]} refused")
    print("refused:", "; ".join(f"{n} x {reason}" for reason, n in reasons.most_common()) or "none")
    now = coverage(end)
    print(f"{len(end)} parcels, {len(now.owners)} edges, {changed} parcels got another shape; twice the area differs by {now.area - coverage(start).area} "
          f"of {now.area} (in 2^-{2 * BITS}); {len(now.lone - coverage(start).lone)} new edges without a reverse, "
          f"{len(now.touching.keys() - coverage(start).touching.keys())} new places where edges meet")
    for is_done, word in ((True, "done"), (False, "refused")):
        if times[is_done]:
            print(f"operations {word}: {in_ms(times[is_done])}")
    return is_right


def cleanness(found, before, after):
    """What `hromada check` says of the store; of parcels that had gaps or overlaps when they were imported it may say so still."""
    kinds = []
    for checked in (before, after):
        try:
            kinds.append(collections.Counter(finding["key"] for finding in json.loads(checked.stdout)["findings"]))
        except (ValueError, KeyError):
            kinds.append(None)
    if after.returncode or None in kinds:
        found.add(7, f"hromada check: {after.returncode} {after.stdout[:1500]}{after.stderr[:300]}")
        return
    for key in kinds[1] - kinds[0]:
        found.add(7, f"hromada check: {kinds[1][key]} x {key}, {kinds[0][key]} after the import")


def id_of(address):
    from urllib.parse import unquote, urlsplit
    return unquote(urlsplit(address).path.rsplit("/", 1)[1])


def main():
    options = arguments(__doc__, operations=1000, parcels=20000, source="", layer="", id="")
    if options.self_test:
        sys.exit(0 if self_test(right, check, FAULTS) else 1)
    with_store(options, lambda store, work, servers: run(options, store, work, servers))


if __name__ == "__main__":
    main()
