#!/usr/bin/env python3
"""Twenty writers edit the same few features at once, over one server or several: no update may be lost, and history, index, tiles and
table have to agree afterwards.

    benches/concurrent_edits.py target/release/hromada [--edits 1000] [--writers 20] [--nodes 1] [--seed N]
                                [--place DIR-OR-postgres://…] [--keep]
    benches/concurrent_edits.py --self-test

`--nodes 3` needs PostgreSQL: the writers send each request to any of the servers. They count in five features (read, add one, write with
`If-Match`; at 412 once more from the start) by PATCH, by PUT and by transactions that add a note as well; change a text without a
condition; add, replace and delete notes, also three in one request; and move, correct, divide, join and renumber parcels of a small
coverage. Each request says its name in `Hromada-Reason`, and has an `Idempotency-Key`: some are sent to two servers at the same time.
Some writes are read back from another server with `Hromada-After`.

At the end what the writers were told is held against the change log and the tables by SQL, and against what each server and one that
is started afresh over the same store answer. Exit code 1 when a check failed; then the store is kept. With --self-test the checks are
fed with made-up faults and must find each.
"""
import collections, copy, json, math, multiprocessing, os, random, sys, threading, time

import boundary_edits
from evidence import (DONE, JSON, TRANSACTION, Client, Found, arguments, in_ms, in_tile, item, layers, of_geojson, pixels, report, self_test,
                      serve, tile_at, tile_rings, pieces, with_store)

COUNTERS, NOTES, SIDE = 5, 30, 6    # counting features, notes at the start, parcels along a side of the coverage
WEST, SOUTH, STEP = 24.7, 48.9, 0.0004
NAMES = ("counters", "notes", "parcels")
CHECKS = {
    1: "no lost update: each counter is what was counted, each write with a condition came upon the state that its writer had read",
    2: "each acknowledged edit is in the history once, under its number, with the features that were told; nothing else is",
    3: "the history has each state as it was sent",
    4: "each refusal was right; a request that came twice was done once and answered the same",
    5: "who asks another server with Hromada-After sees the own write, or a later one",
    6: "each server, and one that is started afresh, answers the items of the tables",
    7: "tiles of all servers are the same, and have each feature of the tables in its place",
    8: "parcels without gaps and overlaps; `hromada check` finds the store clean",
}


def state_of(feature):
    return of_geojson(feature["geometry"]), feature["properties"]


class Chains:
    """The states of each feature by the change log and the tables: {(collection, fid): [(seq, operation, state or None)]}."""
    def __init__(self, log, tables, names):
        self.of, self.before, self.at = collections.defaultdict(list), {}, {}
        for change in log:
            key = names[change.n], change.fid
            before = None if change.properties is None else (change.geometry, change.properties)
            if self.of[key]:
                self.of[key][-1][2] = before
            self.of[key].append([change.seq, change.operation, None])
            self.before[change.seq] = before
            self.at[change.seq] = key
        for name, table in tables.items():
            for fid, state in table.items():
                if self.of[name, fid]:
                    self.of[name, fid][-1][2] = state
        self.after = {seq: state for chain in self.of.values() for seq, _, state in chain}
        self.operations = {seq: operation for chain in self.of.values() for seq, operation, _ in chain}

    def id(self, seq):
        """What the feature is called in URLs, by its state after a change, or before its end."""
        name, fid = self.at[seq]
        state = self.after[seq] or self.before[seq]
        return str(state[1]["num"]) if name == "parcels" and state else str(fid)


def check(records, reads, log, tables, names, transactions, first, answers, tiles, start):
    """Holds what the writers were told against the store.

    records: [dict] of requests, reads: [(collection, fid, own change, state)]. log: [Change], also of the import; transactions:
    [(first, last, kind, reason)] from the change `first` on; names: {number: id} of collections. answers: {server: {collection: {id: state}}};
    tiles: {server: {(tile): layers}}. start: {num: shape} of the parcels.
    """
    found = Found()
    chains = Chains(log, tables, names)
    history(found, chains, records, transactions, first)
    lost(found, chains, records, tables)
    refusals(found, chains, records)
    for name, fid, change, state in reads:
        chain = chains.of[name, fid]
        ours = next((i for i, (seq, *_) in enumerate(chain) if seq == change), None)
        shown = [i for i, (_, _, s) in enumerate(chain) if s == state]
        if ours is not None and not any(i >= ours for i in shown):
            found.add(5, f"{name} {fid}: after change {change} a server showed {'an older state' if shown else 'what it never was'}: {state and state[1]}")
    agreed(found, tables, answers)
    shown_in_tiles(found, tables, tiles)
    coverage = Found()
    parcels = {given["num"]: shape for shape, given in tables["parcels"].values()}
    boundary_edits.defects(coverage, boundary_edits.coverage(start), boundary_edits.coverage(parcels))
    found[8] += [text for texts in coverage.values() for text in texts]
    return found


def history(found, chains, records, transactions, first):
    by_reason = collections.defaultdict(list)
    for begin, end, kind, reason in transactions:
        by_reason[reason].append((begin, end, kind))
    in_transactions = set()
    for record in records:
        name, ours = record["name"], by_reason.pop(record["name"], [])
        if record["status"] not in DONE:
            if ours:
                found.add(2, f"{record['kind']} {name} was answered {record['status']} and is in the history all the same")
            continue
        if len(ours) != 1:
            found.add(2, f"{'doubled' if ours else 'swallowed'}: {record['kind']} {name}, change {record['change']}, is {len(ours)} times in the history")
            continue
        begin, end, _ = ours[0]
        numbers = [seq for seq in range(begin, end + 1) if seq in chains.at]
        in_transactions.update(numbers)
        if end != record["change"]:
            found.add(2, f"{record['kind']} {name} was told to be change {record['change']}, the history has it as {end}")
        stored = sorted((chains.at[seq][0], chains.operations[seq], chains.id(seq)) for seq in numbers)
        told = sorted((name, operation, str(id)) for name, operation, id in record["touched"])
        if stored != told:
            found.add(2, f"{record['kind']} {name}: told were {told}, the history has {stored}")
        for collection, id, state in record["sent"]:
            seq = next((seq for seq in numbers if chains.at[seq][0] == collection and chains.id(seq) == str(id)), None)
            shape, given = chains.after.get(seq) or (None, {})
            if (state[0] is not None and state[0] != shape) or any(given.get(k) != v for k, v in state[1].items()):
                found.add(3, f"{record['kind']} {name}: {collection} {id} was sent as {state}, the history has {(shape, given)}")
    for reason, ours in by_reason.items():
        found.add(2, f"the history has {reason} ({ours}), which nobody sent")
    for seq in chains.at:
        if seq >= first and seq not in in_transactions:
            found.add(2, f"change {seq} of {chains.at[seq]} belongs to no acknowledged edit")


def lost(found, chains, records, tables):
    counted = collections.Counter()
    for record in records:
        if record["status"] not in DONE:
            continue
        counted[record["counter"]] += record["counter"] is not None
        begin = record["change"] - len(record["touched"]) - 50
        for collection, id, state in record["seen"]:
            # Of the changes of this edit the one of the feature that was read.
            seq = next((seq for seq in range(record["change"], begin, -1) if seq in chains.at and chains.at[seq][0] == collection and
                        chains.before[seq] is not None and id_in(collection, chains.at[seq][1], chains.before[seq]) == str(id)), None)
            if seq is None:
                found.add(1, f"{record['kind']} {record['name']}: the history has no change of {collection} {id}")
            elif chains.before[seq] != tuple(state):
                found.add(1, f"lost update: {record['kind']} {record['name']} of {collection} {id} came upon {chains.before[seq]}, its writer had read {state}")
    for fid, (_, given) in tables["counters"].items():
        if given["count"] != counted[fid]:
            found.add(1, f"counter {fid} is {given['count']}, and {counted[fid]} counted in it")


def id_in(collection, fid, state):
    return str(state[1]["num"]) if collection == "parcels" else str(fid)


def refusals(found, chains, records):
    for record in records:
        status, twin = record["status"], record["twin"]
        if twin is not None and (twin["status"], twin["change"]) != (status, record["change"]):
            found.add(4, f"{record['kind']} {record['name']} came twice: {status}, change {record['change']}; {twin['status']}, change {twin['change']}")
        elif twin is not None and status in DONE and twin["replayed"] + record["replayed"] != 1:
            found.add(4, f"{record['kind']} {record['name']} came twice, and {twin['replayed'] + record['replayed']} answers say that they repeat one")
        if status in DONE:
            continue
        is_operation = record["kind"] in ("split", "merge", "move", "correct", "renumber")
        if status == 412 or status == 422 and "condition" in record["told"]:
            # Somebody was faster: the state that was read is not the last one that the feature ever had.
            if not any(is_followed(chains, collection, id, state) for collection, id, state in record["seen"]):
                found.add(4, f"wrongly refused: {record['kind']} {record['name']} with {status} {record['told']}; nobody changed {record['seen']}")
        elif not (status in (404, 410) and record["seen"] or is_operation and status in (404, 409, 422)):
            found.add(4, f"unexpected answer: {status} {record['told']} to {record['kind']} {record['name']}")


def is_followed(chains, collection, id, state):
    for (name, fid), chain in chains.of.items():
        if name == collection:
            for (_, _, one), _ in zip(chain, chain[1:]):
                if one is not None and one == tuple(state) and id_in(name, fid, one) == str(id):
                    return True
    return False


def agreed(found, tables, answers):
    for server, given in answers.items():
        for name, table in tables.items():
            stored = {id_in(name, fid, state): state for fid, state in table.items()}
            wrong = sorted(id for id in stored.keys() | given[name].keys() if stored.get(id) != given[name].get(id))
            for id in wrong[:3]:
                found.add(6, f"{server}: {name} {id}: {stored.get(id, 'none')} in the table, {given[name].get(id, 'none')} answered")
            if len(wrong) > 3:
                found.add(6, f"{server}: {len(wrong)} features of {name} differ")


def shown_in_tiles(found, tables, tiles):
    reference = next(iter(tiles))
    for server, given in tiles.items():
        for tile, content in given.items():
            if content != tiles[reference].get(tile):
                found.add(7, f"tile {tile} of {server} is not that of {reference}")
    for server, given in tiles.items():
        for tile, content in given.items():
            for name, table in tables.items():
                shown = content.get(name, {})
                for fid in shown.keys() - table.keys():
                    found.add(7, f"{server}: tile {tile} shows {name} {fid}, which is not in the table")
                for fid, (shape, props) in table.items():
                    expected = in_tile(tile, shape)
                    if fid not in shown:
                        if expected:
                            found.add(7, f"{server}: tile {tile} does not show {name} {fid}")
                        continue
                    if expected is False:
                        found.add(7, f"{server}: tile {tile} shows {name} {fid}, which does not lie in it")
                    values = {k: v for k, v in props.items() if v is not None} | ({"_id": props["num"]} if name == "parcels" else {})
                    if shown[fid][2] != values:
                        found.add(7, f"{server}: tile {tile} shows {name} {fid} with {shown[fid][2]}, the table has {values}")
                    misplaced = off(tile, shape, shown[fid])
                    if misplaced:
                        found.add(7, f"{server}: tile {tile} shows {name} {fid} {misplaced}")


def off(tile, shape, shown):
    """What is wrong with the place of a feature that lies in a tile as a whole."""
    rings = pieces(shape)[2]
    points = [pixels(tile, p) for p in (rings[0][0] if rings else pieces(shape)[0])]
    if any(not -60 < x < 4156 for p in points for x in p):
        return None
    drawn = tile_rings(shown[1])
    if rings and is_mark(points, drawn):
        return None
    for i, (x, y) in enumerate(points):
        near = 1
        if rings:
            corner = [points[:-1][(i + k) % (len(points) - 1)] for k in (-1, 0, 1)]
            if is_spike(*corner) or is_narrow(points, i):
                continue
            near = cut_off(*corner)
        if not any(abs(x - a) <= near and abs(y - b) <= near for ring in drawn for a, b in ring):
            corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
            return f"without a vertex at {x:.1f}, {y:.1f}: its corners {corners} are drawn as {drawn}"
    for ring in drawn:
        for a, b in ring:
            edges = list(zip(points, points[1:])) or [(points[0], points[0])]
            if not any(distance((a, b), p, q) <= 1.5 for p, q in edges) and len(rings) == 1 and len(rings[0]) == 1:
                return f"with a vertex at {a}, {b}, which is none of its border"
    return None


# A tile has whole numbers: borders less than a pixel apart may fall together, and what is between them is gone.


def is_narrow(points, i):
    """Whether a corner is so near to a border of its ring that does not end in it."""
    sides = len(points) - 1
    others = (k for k in range(sides) if k not in (i % sides, (i - 1) % sides))
    return any(distance(points[i], points[k], points[k + 1]) < 1.5 for k in others)


def is_mark(points, drawn):
    """Whether a parcel that is nowhere wider than some pixels is marked where it vanishes: by a triangle of a pixel at a corner."""
    sides = len(points) - 1
    corners = [[points[:-1][(i + k) % sides] for k in (-1, 0, 1)] for i in range(sides)]
    if not all(is_spike(*corner) or is_narrow(points, i) for i, corner in enumerate(corners)):
        return False
    at = {(math.floor(x + 0.5), math.floor(y + 0.5)) for x, y in points}
    marks = [{(x, y), (x + 1, y), (x, y + 1)} for x, y in at]
    return len(drawn) == 1 and set(map(tuple, drawn[0])) in marks


def cut_off(before, at, after):
    """How far from a corner it may be drawn: where it is narrower than a pixel and a half it may be cut off."""
    one, other = (math.atan2(p[1] - at[1], p[0] - at[0]) for p in (before, after))
    angle = abs(math.remainder(one - other, math.tau))
    return 1.5 / min(1, angle) if angle else math.inf


def is_spike(before, at, after):
    """Whether a vertex is the end of what is narrower than some pixels: it may be cut off."""
    return min(distance(before, at, after), distance(after, before, at)) < 3


def distance(point, a, b):
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    t = max(0, min(1, ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / length)) if length else 0
    return math.hypot(point[0] - a[0] - t * dx, point[1] - a[1] - t * dy)


# The data at the start.


def square(x, y, side):
    return {"type": "Polygon", "coordinates": [[[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]]}


def corner(i, j):
    return [round(WEST + 0.01 + i * STEP, 7), round(SOUTH + j * STEP, 7)]


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def counter_place(fid, turn=0):
    return square(round(WEST + fid * 0.001 + turn % 100 * 1e-6, 7), SOUTH, 0.0004)


def note(dice, mark, n):
    return feature({"type": "Point", "coordinates": [round(WEST + dice.random() * 0.01, 7), round(SOUTH + dice.random() * 0.01, 7)]}, mark=mark, n=n)


def fill(store):
    store.features("counters", [feature(counter_place(fid), mark="start", count=0) for fid in range(1, COUNTERS + 1)])
    dice = random.Random(1)
    store.features("notes", [note(dice, "start", -n) for n in range(1, NOTES + 1)])
    ring = lambda i, j: {"type": "Polygon", "coordinates": [[corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1), corner(i, j)]]}
    store.features("parcels", [feature(ring(i, j), num=f"p{i}{j}", mark="start") for i in range(SIDE) for j in range(SIDE)], "--id", "num")


class Writer:
    """One of the writers, a process of its own."""
    def __init__(self, number, ports, token, edits, seed, work):
        self.number, self.edits = number, edits
        self.dice = random.Random(f"{seed} {number}")
        self.clients = [Client(port, token) for port in ports]
        self.log = open(os.path.join(work, f"writer-{number}.jsonl"), "w")
        self.count, self.done = 0, 0

    def run(self):
        kinds = {self.count_by_patch: 22, self.count_by_put: 10, self.count_by_transaction: 14, self.patch_blindly: 10, self.add: 9, self.add_some: 3,
                 self.replace: 6, self.delete: 6, self.move: 8, self.correct: 3, self.split: 4, self.merge: 3, self.renumber: 2}
        while self.done < self.edits:
            self.dice.choices(list(kinds), kinds.values())[0]()
        for client in self.clients:
            for reason, n in client.busy.items():
                self.note({"busy": reason, "n": n})
        self.log.close()

    def note(self, value):
        self.log.write(json.dumps(value) + "\n")

    def any(self):
        return self.dice.choice(self.clients)

    def read(self, collection, id):
        answer = self.any().get(item(collection, id))
        return (answer.tag, answer.json()) if answer.status == 200 else (None, None)

    def send(self, kind, method, path, body, media=None, tag=None, seen=(), sent=(), counter=None, target=None):
        """One request: (what came of it, whether it was done). `target`: (collection, operation, id) of a single feature."""
        self.count += 1
        name = f"w{self.number}-{self.count}"
        # The name goes into what is sent, so that no two states are equal.
        body = json.loads(json.dumps(body).replace("NAME", name)) if body is not None else None
        sent = json.loads(json.dumps(sent).replace("NAME", name))
        headers = {"Hromada-Reason": name, "Idempotency-Key": name} | ({"If-Match": tag} if tag else {})
        chosen, twin = self.any(), []
        thread = None
        if self.dice.random() < 0.1:
            other = Client(self.dice.choice(self.clients).port, chosen.token)
            thread = threading.Thread(target=lambda: twin.append(other.ask(method, path, body, media, headers)))
            thread.start()
        begun = time.monotonic()
        answer = chosen.ask(method, path, body, media, headers)
        took = time.monotonic() - begun
        if thread:
            thread.join()
        is_done = answer.status in DONE
        touched = []
        if is_done and target:
            collection, operation, id = target
            touched = [(collection, operation, id or boundary_edits.id_of(answer.headers["Location"]))]
        elif is_done:
            results = answer.json()
            for member, operation in (("insertResults", "create"), ("updateResults", "replace"), ("replaceResults", "replace"), ("deleteResults", "delete")):
                for address in results.get(member, []):
                    touched.append((address.split("/collections/")[1].split("/")[0], operation, boundary_edits.id_of(address)))
        created = {collection: id for collection, operation, id in touched if operation == "create"}
        sent = [(collection, id if id is not None else created.get(collection), (of_geojson(state["geometry"]), state["properties"])) for collection, id, state in sent]
        record = dict(name=name, kind=kind, status=answer.status, told="" if is_done else answer.told(), change=answer.change, touched=touched, seen=seen,
                      sent=sent if is_done else [], counter=counter if is_done else None, took=took, node=self.clients.index(chosen),
                      replayed=int(answer.headers["Idempotent-Replayed"] == "true"), twin=None)
        if twin:
            record["twin"] = dict(status=twin[0].status, change=twin[0].change, replayed=int(twin[0].headers["Idempotent-Replayed"] == "true"))
        self.note(record)
        self.done += is_done
        if is_done and touched and touched[-1][0] != "parcels" and touched[-1][1] != "delete" and self.dice.random() < 0.3:
            collection, _, id = touched[-1]
            back = self.any().get(item(collection, id), **{"Hromada-After": answer.headers["Hromada-Change"]})
            self.note({"read": [collection, int(id), answer.change, state_of(back.json()) if back.status == 200 else None]})
        return is_done

    def counting(self, kind, write):
        """Reads, adds one, writes, from the start again while others are faster."""
        fid = self.dice.randint(1, COUNTERS)
        while True:
            tag, read = self.read("counters", fid)
            if write(kind, fid, tag, read, read["properties"]["count"] + 1):
                return

    def count_by_patch(self):
        def write(kind, fid, tag, read, count):
            body = {"properties": {"count": count, "mark": "NAME"}}
            if self.dice.random() < 0.3:
                body["geometry"] = counter_place(fid, self.dice.randrange(100))
            sent = {"geometry": body.get("geometry"), "properties": body["properties"]}
            return self.send(kind, "PATCH", item("counters", fid), body, tag=tag, seen=[("counters", fid, state_of(read))],
                             sent=[("counters", fid, sent)], counter=fid, target=("counters", "replace", fid))
        self.counting("count by PATCH", write)

    def count_by_put(self):
        def write(kind, fid, tag, read, count):
            body = feature(counter_place(fid, self.dice.randrange(100)), mark="NAME", count=count)
            return self.send(kind, "PUT", item("counters", fid), body, tag=tag, seen=[("counters", fid, state_of(read))],
                             sent=[("counters", fid, body)], counter=fid, target=("counters", "replace", fid))
        self.counting("count by PUT", write)

    def count_by_transaction(self):
        def write(kind, fid, tag, read, count):
            new = note(self.dice, "NAME", count)
            body = {"semantic": "atomic", "transaction": [
                {"action": "insert", "collection": "notes", "items": [new]},
                {"action": "update", "collection": "counters", "filter": {"ids": [fid]}, "if-match": tag,
                 "properties": {"modify": [{"name": "count", "value": count}, {"name": "mark", "value": "NAME"}]}}]}
            sent = {"geometry": None, "properties": {"count": count, "mark": "NAME"}}
            return self.send(kind, "POST", "/transactions", body, TRANSACTION, seen=[("counters", fid, state_of(read))],
                             sent=[("counters", fid, sent), ("notes", None, new)], counter=fid)
        self.counting("count by a transaction", write)

    def patch_blindly(self):
        fid = self.dice.randint(1, COUNTERS)
        body = {"properties": {"mark": "NAME"}}
        self.send("PATCH without condition", "PATCH", item("counters", fid), body, sent=[("counters", fid, {"geometry": None, **body})],
                  target=("counters", "replace", fid))

    def add(self):
        new = note(self.dice, "NAME", self.dice.randrange(1000))
        self.send("POST", "POST", "/collections/notes/items", new, sent=[("notes", None, new)], target=("notes", "create", None))

    def add_some(self):
        new = [note(self.dice, "NAME", n) for n in range(3)]
        self.send("POST of three", "POST", "/collections/notes/items", {"type": "FeatureCollection", "features": new})

    def some_note(self):
        answer = self.any().get(f"/collections/notes/items?limit=10&offset={self.dice.randrange(NOTES)}&skipGeometry=true")
        features = answer.json()["features"]
        fid = self.dice.choice(features)["id"] if features else 1
        return fid, *self.read("notes", fid)

    def replace(self):
        fid, tag, read = self.some_note()
        if tag:
            new = note(self.dice, "NAME", self.dice.randrange(1000))
            self.send("PUT", "PUT", item("notes", fid), new, tag=tag, seen=[("notes", fid, state_of(read))], sent=[("notes", fid, new)],
                      target=("notes", "replace", fid))

    def delete(self):
        fid, tag, read = self.some_note()
        if tag:
            self.send("DELETE", "DELETE", item("notes", fid), None, tag=tag, seen=[("notes", fid, state_of(read))], target=("notes", "delete", fid))

    # Cadastral operations.

    def parcels(self):
        return self.any().page("/collections/parcels/items?limit=1000")

    def operate(self, kind, body, *named):
        seen, tags = [], {}
        for num in named:
            tag, read = self.read("parcels", num)
            if tag is None:
                return
            seen.append(("parcels", num, state_of(read)))
            tags[num] = tag
        if self.dice.random() < 0.8 and tags:
            body["if-match"] = tags
        else:
            seen = []
        self.send(kind, "POST", "/collections/parcels/operations", {"operation": kind, **body}, JSON, seen=seen)

    def inner_edge(self):
        """Two parcels and an edge that they have in common, in the order of the first."""
        rings = [(p["id"], p["geometry"]["coordinates"][0]) for p in self.parcels()]
        edges = {(tuple(a), tuple(b)): id for id, ring in rings for a, b in zip(ring, ring[1:])}
        common = sorted((a, b) for a, b in edges if (b, a) in edges)
        a, b = self.dice.choice(common)
        lone = {p for a, b in edges if (b, a) not in edges for p in (a, b)}
        return edges[a, b], edges[b, a], a, b, lone, [ring for id, ring in rings if id == edges[a, b]][0]

    def move(self):
        *_, a, b, lone, _ = self.inner_edge()
        if a in lone:
            return
        reach = STEP * (0.2 if self.dice.random() < 0.85 else 1.5)
        to = [a[0] + self.dice.uniform(-reach, reach), a[1] + self.dice.uniform(-reach, reach)]
        self.operate("move", {"points": [{"from": a, "to": to}]})

    def correct(self):
        *_, a, b, _, _ = self.inner_edge()
        middle = [(a[0] + b[0]) / 2 + self.dice.uniform(-0.1, 0.1) * STEP, (a[1] + b[1]) / 2 + self.dice.uniform(-0.1, 0.1) * STEP]
        line = lambda *points: {"type": "LineString", "coordinates": points}
        self.operate("correct", {"from": line(a, b), "to": line(a, middle, b)})

    def split(self):
        parcels = self.parcels()
        if len(parcels) > 3 * SIDE * SIDE:
            return
        one, _, a, b, _, ring = self.inner_edge()
        others = [(tuple(p), tuple(q)) for p, q in zip(ring, ring[1:]) if (tuple(p), tuple(q)) != (a, b)]
        c, _ = self.dice.choice(others)
        line = {"type": "LineString", "coordinates": [[(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], c]}
        named = [{"properties": {"num": f"NAME-{i}", "mark": "NAME"}} for i in (1, 2)]
        self.operate("split", {"id": one, "line": line, "pieces": named}, one)

    def merge(self):
        if len(self.parcels()) < SIDE * SIDE // 2:
            return
        one, other, *_ = self.inner_edge()
        if one != other:
            self.operate("merge", {"ids": [one, other], "properties": {"num": "NAME", "mark": "NAME"}}, one, other)

    def renumber(self):
        one, *_ = self.inner_edge()
        self.operate("renumber", {"ids": {one: "NAME"}}, one)


def ground():
    """The tiles that are compared: some over all, and those of deep zooms around the features."""
    tiles = {(0, 0, 0)}
    for z in (10, 13, 14, 15, 16, 17, 18):
        for i in range(8):
            for j in range(5):
                tiles.add(tile_at(z, (WEST + i * 0.0018, SOUTH + j * 0.0025)))
    return sorted(tiles)


def shown_by(server, token):
    client = Client(server.port, token)
    items = {name: {str(f["id"]): state_of(f) for f in client.page(f"/collections/{name}/items?limit=100")} for name in NAMES}
    tiles = {}
    for z, x, y in ground():
        answer = client.get(f"/tiles/{','.join(NAMES)}/{z}/{x}/{y}")
        if answer.status not in (200, 204):
            raise SystemExit(f"tile {z}/{x}/{y}: {answer.status} {answer.body[:200]!r}")
        tiles[z, x, y] = layers(answer.body)
    return items, tiles


def caught_up(servers, token, last):
    """Waits until each server holds the last change."""
    for server in servers:
        client = Client(server.port, token)
        for _ in range(300):
            text = client.get("/metrics").body.decode()
            if "hromada_behind_changes 0" in text and all(f'hromada_change_seq{{collection="{name}"}}' in text for name in NAMES):
                numbers = [int(float(line.split()[1])) for line in text.splitlines() if line.startswith("hromada_change_seq")]
                if max(numbers) >= last:
                    break
            time.sleep(0.05)
        else:
            print(f"the server at {server.port} does not reach change {last}")


def run(options, store, work, servers):
    if options.nodes > 1 and not store.database:
        sys.exit("several nodes need PostgreSQL: --place postgres://…")
    fill(store)
    token = store.account()
    names = {n: id for id, (n, _) in store.collections().items()}
    start = {given["num"]: shape for shape, given in store.table("parcels").values()}
    after_import = store.last()
    nodes = [serve(store, work, servers) for _ in range(options.nodes)]
    print(f"{options.writers} writers, {options.edits} edits, {options.nodes} servers, {store}", flush=True)
    share = -(-options.edits // options.writers)
    begun, processes = time.monotonic(), []
    for n in range(options.writers):
        writer = lambda n=n: Writer(n, [node.port for node in nodes], token, share, options.seed, work).run()
        processes.append(multiprocessing.get_context("fork").Process(target=writer, daemon=True))
        processes[-1].start()
    for process in processes:
        process.join()
    seconds = time.monotonic() - begun
    if any(process.exitcode for process in processes):
        raise SystemExit("a writer failed")
    records, reads, busy = [], [], collections.Counter()
    for n in range(options.writers):
        with open(os.path.join(work, f"writer-{n}.jsonl")) as file:
            for line in file:
                value = json.loads(line)
                if "read" in value:
                    collection, fid, change, state = value["read"]
                    reads.append((collection, fid, change, state and told_state(state)))
                elif "busy" in value:
                    busy[value["busy"]] += value["n"]
                else:
                    for member in ("seen", "sent"):
                        value[member] = [(collection, id, told_state(state)) for collection, id, state in value[member]]
                    records.append(value)
    caught_up(nodes, token, store.last())
    answers, tiles = {}, {}
    for n, node in enumerate(nodes):
        answers[f"server {n + 1}"], tiles[f"server {n + 1}"] = shown_by(node, token)
    tables = {name: store.table(name) for name in NAMES}
    stopped = [node.stop() for node in nodes]
    fresh = serve(store, work, servers)
    answers["a fresh server"], tiles["a fresh server"] = shown_by(fresh, token)
    stopped.append(fresh.stop())
    found = check(records, reads, store.log(), tables, names, store.transactions(after_import), after_import + 1, answers, tiles, start)
    if any(stopped):
        found.add(8, f"servers ended with {stopped} when they were asked to stop")
    dirt = store.is_clean()
    if dirt:
        found.add(8, dirt)
    is_right = report(CHECKS, found)
    figures(records, reads, seconds, busy, tables, tiles)
    return is_right


def told_state(state):
    shape, given = state
    return of_geojson({"type": shape[0], "coordinates": shape[1]}) if shape else None, given


def figures(records, reads, seconds, busy, tables, tiles):
    done = [record for record in records if record["status"] in DONE]
    kinds = collections.Counter(record["kind"] for record in done)
    print(f"{len(done)} edits acknowledged in {seconds:.1f} s, {len(done) / seconds:.0f} a second: " + ", ".join(f"{n} x {kind}" for kind, n in kinds.most_common()))
    refused = collections.Counter(f"{record['status']} {record['told']}" for record in records if record["status"] not in DONE)
    print(f"{sum(refused.values())} refused: " + (", ".join(f"{n} x {reason}" for reason, n in refused.most_common()) or "none"))
    print(f"{sum(record['twin'] is not None for record in records)} sent twice at once, {len(reads)} read back from any server; "
          f"told to come later: {', '.join(f'{n} x {reason}' for reason, n in busy.items()) or 'nobody'}")
    print(f"edits: {in_ms([record['took'] for record in done])}")
    counts = [given["count"] for _, given in tables["counters"].values()]
    print(f"counters {counts}, {len(tables['notes'])} notes, {len(tables['parcels'])} parcels; "
          f"{len(tiles)} servers with {sum(bool(content) for content in next(iter(tiles.values())).values())} tiles each")


# The self-test: what a right server gives, and one fault at a time put into it.


def right():
    import evidence
    names = {1: "counters", 2: "notes", 3: "parcels"}
    place = lambda fid, turn=0: of_geojson(counter_place(fid, turn))
    point = lambda x: ("Point", (WEST + x, SOUTH))
    counter = lambda mark, count, turn=0: (place(1, turn), {"mark": mark, "count": count})
    grid = {f"p{i}": of_geojson(square(WEST + 0.01 + i * STEP, SOUTH, STEP)) for i in range(1)}
    parcel = (grid["p0"], {"num": "p0", "mark": "start"})
    states = [counter("start", 0), counter("a", 1), counter("b", 1), counter("d", 2, 5)]
    change = lambda seq, n, fid, operation, before=None: evidence.Change(seq, f"t{seq}", n, fid, operation, *(before or (None, None)))
    note = (point(0.001), {"mark": "d", "n": 2})
    log = [change(1, 1, 1, "create"), change(2, 3, 1, "create"), change(3, 1, 1, "replace", states[0]), change(4, 1, 1, "replace", states[1]),
           change(5, 2, 1, "create"), change(6, 1, 1, "replace", states[2]), change(7, 2, 2, "create"), change(8, 2, 2, "delete", note)]
    record = lambda name, kind, status, change, touched, seen=(), sent=(), counter=None, told="", twin=None: dict(
        name=name, kind=kind, status=status, change=change, touched=touched, seen=list(seen), sent=list(sent), counter=counter, told=told, twin=twin, replayed=0)
    records = [
        record("a", "count by PATCH", 200, 3, [("counters", "replace", 1)], [("counters", 1, states[0])], [("counters", 1, states[1])], 1,
               twin=dict(status=200, change=3, replayed=1)),
        record("b", "PATCH without condition", 200, 4, [("counters", "replace", 1)], [], [("counters", 1, (None, {"mark": "b"}))]),
        record("c", "count by PUT", 412, 0, [], [("counters", 1, states[0])], told="server.precondition"),
        record("d", "count by a transaction", 200, 6, [("notes", "create", "1"), ("counters", "replace", "1")], [("counters", 1, states[2])],
               [("counters", 1, states[3]), ("notes", "1", note)], 1),
        record("e", "POST", 201, 7, [("notes", "create", 2)], [], [("notes", 2, note)]),
        record("f", "DELETE", 204, 8, [("notes", "delete", 2)], [("notes", 2, note)]),
        record("g", "split", 422, 0, [], [("parcels", "p0", parcel)], told="store.parcels-no-cut"),
    ]
    tables = {"counters": {1: states[3]}, "notes": {1: note}, "parcels": {1: parcel}}
    transactions = [(3, 3, None, "a"), (4, 4, None, "b"), (5, 6, None, "d"), (7, 7, None, "e"), (8, 8, None, "f")]
    answer = {"counters": {"1": states[3]}, "notes": {"1": note}, "parcels": {"p0": parcel}}
    tile = tile_at(14, (WEST, SOUTH))
    content = {}
    for name, table in tables.items():
        for fid, (shape, given) in table.items():
            if not in_tile(tile, shape):
                continue
            ring = [tuple(map(round, pixels(tile, p))) for p in (pieces(shape)[2][0][0][:-1] if pieces(shape)[2] else pieces(shape)[0])]
            commands, x, y = [9 if len(ring) == 1 else 9], 0, 0
            for i, (a, b) in enumerate(ring):
                if i == 1:
                    commands.append((len(ring) - 1) << 3 | 2)
                commands += [(v << 1) ^ (v >> 63) for v in (a - x, b - y)]
                x, y = a, b
            values = given | ({"_id": given["num"]} if name == "parcels" else {})
            content.setdefault(name, {})[fid] = (3 if len(ring) > 1 else 1, commands + ([15] if len(ring) > 1 else []), values)
    # A sliver is marked, not drawn.
    assert is_mark([(9.7, 2.5), (4.2, 0.1), (5.7, 1.2), (9.7, 2.5)], [[(10, 3), (11, 3), (10, 4)]])
    both = {"server 1": {tile: content}, "a fresh server": {tile: copy.deepcopy(content)}}
    reads = [("counters", 1, 4, states[2]), ("counters", 1, 3, states[3])]
    return dict(records=records, reads=reads, log=log, tables=tables, names=names, transactions=transactions, first=3,
                answers={"server 1": answer, "a fresh server": copy.deepcopy(answer)}, tiles=both, start=grid)


def lost_update(case):
    case["records"][3]["seen"][0] = ("counters", 1, case["records"][0]["sent"][0][2])


def lost_count(case):
    shape, given = case["tables"]["counters"][1]
    case["tables"]["counters"][1] = (shape, given | {"count": 1})


def counted_without_seeing(case):
    case["log"][3] = case["log"][3]._replace(properties={"mark": "other", "count": 1})


def swallowed(case):
    del case["transactions"][1]


def doubled(case):
    case["transactions"].append((9, 9, None, "b"))


def from_nobody(case):
    case["transactions"].append((9, 9, None, "z"))


def outside_of_transactions(case):
    case["log"].append(case["log"][3]._replace(seq=9))


def refused_and_done(case):
    case["transactions"].append((9, 9, None, "c"))


def other_number(case):
    case["records"][1]["change"] = 5


def half_a_transaction(case):
    case["records"][3]["touched"].append(("notes", "create", "9"))


def other_feature(case):
    case["records"][4]["touched"] = [("notes", "create", 3)]


def other_state(case):
    case["records"][4]["sent"] = [("notes", 2, (None, {"mark": "x"}))]


def wrongly_refused(case):
    case["records"][2]["seen"] = [("counters", 1, case["tables"]["counters"][1])]


def broke_down(case):
    case["records"][2].update(status=500, told="server.internal")


def refused_oddly(case):
    case["records"].append(case["records"][2] | dict(name="h", kind="POST", status=422, seen=[], told="store.x"))


def twin_done_twice(case):
    case["records"][0]["twin"]["change"] = 4


def twin_not_told(case):
    case["records"][0]["twin"]["replayed"] = 0


def stale_read(case):
    case["reads"][0] = case["reads"][0][:3] + (case["records"][0]["seen"][0][2],)


def made_up_read(case):
    case["reads"][0] = case["reads"][0][:3] + ((None, {"mark": "x"}),)


def node_behind(case):
    case["answers"]["server 1"]["counters"]["1"] = case["records"][0]["seen"][0][2]


def node_misses(case):
    del case["answers"]["a fresh server"]["notes"]["1"]


def node_has_more(case):
    case["answers"]["server 1"]["notes"]["2"] = case["answers"]["server 1"]["notes"]["1"]


def in_both(change):
    def fault(case):
        for given in case["tiles"].values():
            for content in given.values():
                change(content)
    fault.__name__ = change.__name__
    return fault


def tile_stale(case):
    next(iter(case["tiles"]["server 1"].values()))["counters"][1][2]["count"] = 1


@in_both
def tile_misses(content):
    del content["notes"]


@in_both
def tile_has_more(content):
    content["notes"][7] = content["notes"][1]


@in_both
def tile_with_old_values(content):
    content["counters"][1][2]["mark"] = "a"


@in_both
def tile_with_old_place(content):
    content["counters"][1][1][1] += 40


@in_both
def parcel_as_a_mark(content):
    kind, (begin, x, y, *_), values = content["parcels"][1]
    content["parcels"][1] = (kind, [begin, x, y, 2 << 3 | 2, 2, 0, 1, 2, 15], values)


def gap_between_parcels(case):
    shape, given = case["tables"]["parcels"][1]
    case["tables"]["parcels"][1] = (("Polygon", [[(x + 1e-9, y) for x, y in shape[1][0]]]), given)


FAULTS = [
    (lost_update, 1, "lost update: count by a transaction d"), (lost_count, 1, "counter 1 is 1, and 2 counted"), (counted_without_seeing, 3, "was sent as"),
    (swallowed, 2, "swallowed"), (doubled, 2, "doubled"), (from_nobody, 2, "which nobody sent"), (outside_of_transactions, 2, "belongs to no"),
    (refused_and_done, 2, "all the same"), (other_number, 2, "was told to be change 5"), (half_a_transaction, 2, "told were"), (other_feature, 2, "told were"),
    (other_state, 3, "was sent as"), (wrongly_refused, 4, "wrongly refused"), (broke_down, 4, "unexpected answer: 500"), (refused_oddly, 4, "unexpected answer: 422"),
    (twin_done_twice, 4, "came twice"), (twin_not_told, 4, "0 answers say"), (stale_read, 5, "an older state"), (made_up_read, 5, "never was"),
    (node_behind, 6, "server 1: counters 1"), (node_misses, 6, "none answered"), (node_has_more, 6, "none in the table"), (tile_stale, 7, "is not that of"),
    (tile_misses, 7, "does not show notes 1"), (tile_has_more, 7, "which is not in the table"), (tile_with_old_values, 7, "the table has"),
    (tile_with_old_place, 7, "without a vertex"), (parcel_as_a_mark, 7, "shows parcels 1 without a vertex"), (gap_between_parcels, 8, "outer border"),
]


def main():
    options = arguments(__doc__, edits=1000, writers=20, nodes=1)
    if options.self_test:
        sys.exit(0 if self_test(right, check, FAULTS) else 1)
    with_store(options, lambda store, work, servers: run(options, store, work, servers))


if __name__ == "__main__":
    main()
