#!/usr/bin/env python3
"""A town is edited at random, then asked what it was at random moments: each answer must be that of a naive replay of the change log.

    benches/time_travel.py target/release/hromada [--edits 10000] [--questions 500] [--parcels 20000] [--seed N]
                           [--place DIR-OR-postgres://…] [--keep]
    benches/time_travel.py --self-test

Imports parcels, buildings, addresses and streets of a sample town, serves them, and edits: parcels are divided, joined, renumbered,
their borders moved and corrected; features of all collections are changed, replaced, added and deleted, one by one and in
transactions, and made what they were. From time to time a tile or a page of the moment is kept. Then questions are asked: a feature (`datetime` or `as-of`), the
features in a box, those of a filter in CQL2, a tile; at moments anywhere between the first edit and the last, exactly at a change, a
microsecond before one, right after the import, and now.

The replay is this script's own: the states before changes and the tables, read by SQL, give each feature's state after each change;
boxes and filters go over all features of the moment, one after the other, and geometry is decided exactly. It is held against what was
sent, too. Exit code 1 when a check failed; then the store is kept. With --self-test the checks are fed with made-up faults and must
find each.
"""
import bisect, collections, copy, datetime, json, math, os, random, re, sys, time
from urllib.parse import urlencode

import boundary_edits
from concurrent_edits import off, state_of
from evidence import (DONE, JSON, TRANSACTION, Change, Client, Found, arguments, box_of, envelope, in_ms, in_tile, item, layers, meets, of_geojson,
                      pieces, report, self_test, serve, tile_at, to_geojson, vertices, with_store)

NAMES = ("parcels", "buildings", "addresses", "streets")
ID = {"parcels": "cadnum"}
CHECKS = {
    1: "the log is whole: its times never go back, and each state is in it as it was sent",
    2: "a feature at a moment: its state then, or 410 where it was not there",
    3: "a box at a moment: the features that lie in it, as they were, and their number",
    4: "a filter at a moment: the features that it holds for, as they were, and their number",
    5: "a tile at a moment: the features that lie in it, in their place and with their values",
    6: "a tile or a page at the moment when it was seen is what was seen then",
    7: "`hromada check` finds the store clean",
}


def micros(text):
    """Microseconds of an RFC 3339 time in UTC."""
    day, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc)
    return int(whole.timestamp()) * 10**6 + int((fraction + "000000")[:6])


def moment_text(at):
    seconds, fraction = divmod(at, 10**6)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{fraction:06}Z"


class Replay:
    """All states of all features, by the change log and the tables."""
    def __init__(self, log, tables, names):
        self.seqs = [change.seq for change in log]
        self.times = [micros(change.at) for change in log]
        self.changes = collections.defaultdict(list)    # (collection, fid): [seq]
        self.states = collections.defaultdict(list)     # the state after each of them, or None
        for change in log:
            key = names[change.n], change.fid
            if self.states[key]:
                self.states[key][-1] = None if change.properties is None else (change.geometry, change.properties)
            self.changes[key].append(change.seq)
            self.states[key].append(None)
        for name, table in tables.items():
            for fid, state in table.items():
                self.states[name, fid][-1] = state
        self.envelopes = {}
        self.keys = {name: sorted(key for key in self.changes if key[0] == name) for name in tables}

    def seq_at(self, at):
        i = bisect.bisect_right(self.times, at)
        return self.seqs[i - 1] if i else 0

    def state(self, key, seq):
        """The state of a feature after a change of the store, and the number of its own change that made it."""
        i = bisect.bisect_right(self.changes[key], seq)
        return (self.states[key][i - 1], i) if i else (None, 0)

    def then(self, name, seq):
        """[(key, state, its envelope or None)] of the features at a moment."""
        for key in self.keys[name]:
            state, i = self.state(key, seq)
            if state is None:
                continue
            bounds = self.envelopes.get((key, i))
            if bounds is None and state[0] is not None:
                bounds = self.envelopes[key, i] = envelope(state[0])
            yield key, state, bounds

    def ids(self, key):
        """What a feature was ever called."""
        name, fid = key
        return {str(s[1][ID[name]]) for s in self.states[key] if s} if name in ID else {str(fid)}


def called(name, fid, state):
    return str(state[1][ID[name]]) if name in ID else str(fid)


def check(log, tables, names, sent, asked, snapshots):
    """Holds answers against the replay.

    sent: [(change, collection, id, state)], a state's geometry None where none was sent, its properties those that were. asked: [dict] with
    kind, name, at (microseconds), the question and the answer. snapshots: [(change, path, what was seen, what was answered later)].
    """
    found = Found()
    replay = Replay(log, tables, names)
    for before, after in zip(log, log[1:]):
        if micros(after.at) < micros(before.at):
            found.add(1, f"change {after.seq} is of {after.at}, and change {before.seq} before it of {before.at}")
    at = {change.seq: (names[change.n], change.fid) for change in log}
    of_transaction(found, replay, at, sent)
    named = collections.defaultdict(set)
    for key in replay.changes:
        for id in replay.ids(key):
            named[key[0], id].add(key)
    for question in asked:
        seq = replay.seq_at(question["at"])
        {"item": one, "box": some, "filter": some, "tile": tile}[question["kind"]](found, replay, question, seq, named)
    for change, path, seen, later in snapshots:
        if seen != later:
            found.add(6, f"{path} after change {change}: {difference(seen, later)}")
    return found


def of_transaction(found, replay, at, sent):
    for change, name, id, (shape, given) in sent:
        # The last changes of the transaction: one of them is of this feature.
        for seq in range(change, change - 60, -1):
            if at.get(seq, ("", 0))[0] == name:
                key = at[seq]
                state, _ = replay.state(key, seq)
                if state and called(name, key[1], state) == str(id):
                    wrong = {k: state[1].get(k) for k, v in given.items() if state[1].get(k) != v}
                    if wrong or shape is not None and state[0] != shape:
                        found.add(1, f"change {seq} of {name} {id}: sent were {given}, {shape}; the log has {wrong or state[0]}")
                    break
        else:
            found.add(1, f"change {change}: the log has no such change of {name} {id}")


def told(question, seq):
    return f"{question['path']} (change {seq})"


def one(found, replay, question, seq, named):
    name, id, status, state = question["name"], question["id"], question["status"], question["answer"]
    keys = named.get((name, id), set())
    there = [(key, replay.state(key, seq)[0]) for key in sorted(keys)]
    there = [(key, s) for key, s in there if s is not None]
    # Who has the name at that moment comes before those that had it once, or later.
    right = [s for key, s in there if called(name, key[1], s) == id] or [s for _, s in there]
    if right and (status != 200 or state not in right):
        found.add(2, f"{told(question, seq)}: {status} {state and state[1]}, it was {right[0][1]}" if status != 200 or not state or state[1] != right[0][1]
                  else f"{told(question, seq)}: another geometry than it was")
    elif not right and status != (410 if keys else 404):
        found.add(2, f"{told(question, seq)}: {status} {state}, and it was not there")


def some(found, replay, question, seq, named):
    number = 3 if question["kind"] == "box" else 4
    if question["status"] != 200:
        found.add(number, f"{told(question, seq)}: {question['status']} {question['answer']}")
        return
    holds, expected = question["holds"], {}
    for key, state, bounds in replay.then(question["name"], seq):
        if holds(state, bounds) is True:
            expected[called(*key, state)] = state
    answer = question["answer"]
    wrong = sorted(id for id in expected.keys() | answer.keys() if expected.get(id) != answer.get(id))
    for id in wrong[:2]:
        found.add(number, f"{told(question, seq)}: {id} was {expected.get(id, 'not among them')}, answered {answer.get(id, 'not among them')}")
    if len(wrong) > 2:
        found.add(number, f"{told(question, seq)}: {len(wrong)} features of {len(expected)} differ")
    if question["matched"] != len(expected):
        found.add(number, f"{told(question, seq)}: numberMatched {question['matched']}, it was {len(expected)}")


def corner(tile, margin):
    """A box of longitude and latitude around a tile, with so many pixels more on each side."""
    z, x, y = tile
    n = 2.0**z
    lon = lambda px: (x + px / 4096) / n * 360 - 180
    lat = lambda py: math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (y + py / 4096) / n))))
    return lon(-margin), lat(4096 + margin), lon(4096 + margin), lat(-margin)


def tile(found, replay, question, seq, named):
    if question["status"] not in (200, 204):
        found.add(5, f"{told(question, seq)}: {question['status']}")
        return
    at, content = question["tile"], question["answer"]
    west, south, east, north = corner(at, 300)
    for name in question["name"].split(","):
        shown, near = dict(content.get(name, {})), set()
        for (_, fid), state, bounds in replay.then(name, seq):
            if bounds is None or bounds[0] > east or bounds[2] < west or bounds[1] > north or bounds[3] < south:
                continue
            near.add(fid)
            expected = in_tile(at, state[0])
            if fid not in shown:
                if expected:
                    found.add(5, f"{told(question, seq)}: {name} {fid} is not shown")
                continue
            if expected is False:
                found.add(5, f"{told(question, seq)}: {name} {fid} is shown, and did not lie there")
            values = {k: v for k, v in state[1].items() if v is not None} | ({"_id": state[1][ID[name]]} if name in ID else {})
            if shown[fid][2] != values:
                wrong = {k: (shown[fid][2].get(k), values.get(k)) for k in values.keys() | shown[fid][2].keys() if shown[fid][2].get(k) != values.get(k)}
                found.add(5, f"{told(question, seq)}: {name} {fid} is shown with other values (shown, then): {wrong}")
            # Lines may lose their straight vertices.
            misplaced = at[0] >= 15 and not pieces(state[0])[1] and off(at, state[0], shown[fid])
            if misplaced:
                found.add(5, f"{told(question, seq)}: {name} {fid} is shown {misplaced}")
        for fid in shown.keys() - near:
            found.add(5, f"{told(question, seq)}: {name} {fid} is shown, and was not there")


def difference(seen, later):
    if isinstance(seen, dict) and isinstance(later, dict):
        wrong = sorted((k for k in seen.keys() | later.keys() if seen.get(k) != later.get(k)), key=str)
        return f"{len(wrong)} differ, such as {wrong[0]}: {str(seen.get(wrong[0]))[:300]} was seen, {str(later.get(wrong[0]))[:300]} answered later"
    return f"{str(seen)[:300]} was seen, {str(later)[:300]} answered later"


# Editing.


class Editor:
    """One client that edits at random, and knows what it did."""
    def __init__(self, dice, client, tables, seed):
        self.dice, self.client = dice, client
        shapes = {given["cadnum"]: shape for shape, given in tables["parcels"].values()}
        latitude = next(vertices(next(iter(shapes.values()))))[1]
        metre = boundary_edits.METRE
        self.unit = (metre / math.cos(math.radians(latitude)), metre)
        self.parcels = boundary_edits.Random(dice, shapes, self.unit)
        self.gone = []
        self.fids = {name: sorted(tables[name]) for name in NAMES if name != "parcels"}
        self.shapes = {(name, fid): state[0] for name in self.fids for fid, state in tables[name].items()}
        self.given = {name: [given for _, given in tables[name].values()] for name in NAMES}
        self.sent, self.count, self.refused, self.last, self.n = [], collections.Counter(), collections.Counter(), 0, 0

    def ask(self, kind, method, path, body=None, media=None):
        answer = self.client.ask(method, path, body, media)
        is_done = answer.status in DONE
        self.count[kind] += is_done
        if not is_done:
            self.refused[f"{kind}: {answer.status} {answer.told()}"] += 1
            if answer.status not in (404, 409, 422):
                raise SystemExit(f"{method} {path}: {answer.status} {answer.body[:500]!r} to {json.dumps(body)}")
            return None
        self.last = answer.change
        return answer

    def operate(self):
        dice, kind = self.dice, self.dice.random()
        if kind < 0.1:
            old = dice.choice(self.parcels.ids)
            self.n += 1
            body = {"operation": "renumber", "ids": {old: f"R{self.n:05}"}}
        else:
            parcels = self.parcels
            body = parcels.split() if kind < 0.37 else parcels.merge() if kind < 0.62 else parcels.move() if kind < 0.85 else parcels.correct()
        answer = self.ask(body["operation"], "POST", "/collections/parcels/operations", body, JSON)
        if answer is None:
            return
        results = answer.json()
        ids = lambda member: [boundary_edits.id_of(address) for address in results.get(member, [])]
        for id in ids("deleteResults"):
            self.parcels.put(id, None)
        if body["operation"] == "renumber":
            (old, new), = body["ids"].items()
            shape = self.parcels.parcels[old]
            self.parcels.put(old, None)
            self.parcels.put(new, shape)
            self.sent.append((self.last, "parcels", new, (shape, {"cadnum": new})))
            return
        for id in ids("updateResults") + ids("insertResults"):
            read = self.client.get(item("parcels", id))
            self.parcels.put(id, of_geojson(read.json()["geometry"]))

    def values(self, name):
        """Some new values of properties."""
        dice, other = self.dice, self.dice.choice(self.given[name])
        names = [k for k in other if k != ID.get(name)]
        given = {k: other[k] for k in dice.sample(names, dice.randint(1, min(3, len(names))))}
        for k, v in list(given.items()):
            if isinstance(v, str) and not re.match(r"\d{4}-\d\d", v) and dice.random() < 0.3:
                given[k] = dice.choice((None, v + " а", f"{v} {dice.randrange(100)}"))
            elif isinstance(v, float):
                given[k] = round(v * dice.uniform(0.5, 2), 2)
        return given

    def place(self, name):
        """A geometry for a feature: that of another, some metres away."""
        if self.dice.random() < 0.04:
            return None
        kind, value = self.shapes[name, self.dice.choice(self.fids[name])] or ("Point", None)
        if value is None:
            return None
        dx, dy = self.dice.gauss(0, 30) * self.unit[0], self.dice.gauss(0, 30) * self.unit[1]
        moved = lambda part: (part[0] + dx, part[1] + dy) if isinstance(part, tuple) else [moved(p) for p in part]
        return kind, moved(value)

    def patch_parcel(self):
        id, given = self.dice.choice(self.parcels.ids), self.values("parcels")
        if self.ask("PATCH", "PATCH", item("parcels", id), {"properties": given}):
            self.sent.append((self.last, "parcels", id, (None, given)))

    def some(self):
        name = self.dice.choices(("buildings", "addresses", "streets"), (6, 3, 1))[0]
        return name, self.dice.choice(self.fids[name])

    def keep(self, name, fid, shape, given):
        if shape is not None:
            self.shapes[name, fid] = shape
        self.sent.append((self.last, name, fid, (shape, given)))

    def patch(self):
        (name, fid), given = self.some(), {}
        shape = self.place(name) if self.dice.random() < 0.4 else None
        given = self.values(name)
        body = {"properties": given} | ({"geometry": to_geojson(shape)} if shape else {})
        if self.ask("PATCH", "PATCH", item(name, fid), body):
            self.keep(name, fid, shape, given)

    def whole(self, name):
        given = dict(self.dice.choice(self.given[name])) | self.values(name)
        shape = self.place(name)
        return shape, given, {"type": "Feature", "geometry": to_geojson(shape), "properties": given}

    def put(self):
        name, fid = self.some()
        shape, given, body = self.whole(name)
        if self.ask("PUT", "PUT", item(name, fid), body):
            self.shapes[name, fid] = shape
            self.keep(name, fid, shape, given)

    def added(self, name, answer_id, shape, given):
        fid = int(answer_id)
        self.fids[name].append(fid)
        self.shapes[name, fid] = shape
        self.keep(name, fid, shape, given)

    def post(self):
        name, _ = self.some()
        shape, given, body = self.whole(name)
        answer = self.ask("POST", "POST", f"/collections/{name}/items", body)
        if answer:
            self.added(name, boundary_edits.id_of(answer.headers["Location"]), shape, given)

    def delete(self):
        name, fid = self.some()
        if len(self.fids[name]) > 20 and self.ask("DELETE", "DELETE", item(name, fid)):
            self.fids[name].remove(fid)
            self.gone.append((name, fid))

    def restore(self):
        """Makes a feature what it was, also one that is gone, which comes back under its own key."""
        name, fid = self.some()
        if self.gone and self.dice.random() < 0.6:
            name, fid = self.dice.choice(self.gone)
        versions = self.client.get(f"{item(name, fid)}/versions").json()["versions"]
        n = self.dice.choice([version["version"] for version in versions])
        then = self.client.get(f"{item(name, fid)}/versions/{n}")
        if then.status != 200:
            raise SystemExit(f"version {n} of {name} {fid}: {then.status} {then.body[:300]!r}")
        shape, given = state_of(then.json())
        if self.ask("restore", "POST", f"{item(name, fid)}/versions/{n}/restore"):
            if (name, fid) in self.gone:
                self.gone.remove((name, fid))
                self.fids[name].append(fid)
            self.shapes[name, fid] = shape
            if self.last:
                self.keep(name, fid, shape, given)

    def transact(self):
        """Adds a building, changes a parcel and some addresses, takes a building out."""
        shape, given, body = self.whole("buildings")
        id, values = self.dice.choice(self.parcels.ids), self.values("parcels")
        gone = self.dice.choice(self.fids["buildings"])
        addresses = self.dice.sample(self.fids["addresses"], 3)
        modified = self.values("addresses")
        members = lambda given: {"modify": [{"name": k, "value": v} for k, v in given.items()]}
        answer = self.ask("transaction", "POST", "/transactions", {"semantic": "atomic", "transaction": [
            {"action": "insert", "collection": "buildings", "items": [body]},
            {"action": "update", "collection": "parcels", "filter": {"ids": [id]}, "properties": members(values)},
            {"action": "update", "collection": "addresses", "filter": {"ids": addresses}, "properties": members(modified)},
            {"action": "delete", "collection": "buildings", "filter": {"ids": [gone]}}]}, TRANSACTION)
        if answer:
            self.added("buildings", boundary_edits.id_of(answer.json()["insertResults"][0]), shape, given)
            self.sent.append((self.last, "parcels", id, (None, values)))
            self.sent += [(self.last, "addresses", fid, (None, modified)) for fid in addresses]
            self.fids["buildings"].remove(gone)
            self.gone.append(("buildings", gone))

    def edit(self):
        kinds = {self.operate: 34, self.patch_parcel: 20, self.patch: 20, self.put: 7, self.post: 8, self.delete: 6, self.transact: 5, self.restore: 4}
        self.dice.choices(list(kinds), kinds.values())[0]()


# Questions.


class Asker:
    def __init__(self, dice, client, replay, first, editor):
        self.dice, self.client, self.replay, self.editor = dice, client, replay, editor
        self.first = first
        begin = bisect.bisect_left(replay.seqs, first)
        self.times = replay.times[begin:]
        self.begin = replay.times[begin - 1]
        self.statuses = collections.Counter()
        self.took = collections.defaultdict(list)
        self.kinds = collections.Counter()

    def moment(self):
        kind = self.dice.random()
        what, at = ("anywhere", self.dice.randint(self.times[0], self.times[-1])) if kind < 0.5 else \
            ("at a change", self.dice.choice(self.times)) if kind < 0.72 else ("a microsecond before a change", self.dice.choice(self.times) - 1) if kind < 0.92 \
            else ("after the import", self.begin) if kind < 0.96 else ("at the last change", self.times[-1])
        self.kinds[what] += 1
        return at

    def name(self):
        return self.dice.choices(NAMES, (5, 3, 2, 1))[0]

    def at_random(self, name, seq):
        """A state of the moment that has a place."""
        for _ in range(1000):
            key = self.dice.choice(self.replay.keys[name])
            state, _ = self.replay.state(key, seq)
            if state and state[0]:
                return key, state
        raise SystemExit(f"{name} has nothing with a place")

    def ask(self, kind, path, **question):
        begun = time.monotonic()
        answer = self.client.get(path)
        self.took[kind].append(time.monotonic() - begun)
        self.statuses[kind, answer.status] += 1
        return answer, dict(kind=kind, path=path, status=answer.status, **question)

    def item(self):
        name, at = self.name(), self.moment()
        key = self.dice.choice(self.replay.keys[name]) if self.dice.random() < 0.2 else self.changed(name)
        id = self.dice.choice(sorted(self.replay.ids(key)))
        if self.dice.random() < 0.03:
            id = "nothing" if name in ID else "99999999"
        word = self.dice.choice(("datetime", "as-of"))
        answer, question = self.ask("item", f"{item(name, id)}?{word}={moment_text(at)}", name=name, at=at, id=id)
        return question | {"answer": state_of(answer.json()) if answer.status == 200 else None}

    def changed(self, name):
        """A feature that was edited; as often as not one that came or went."""
        replay = self.replay
        keys = [key for key in replay.keys[name] if replay.changes[key][-1] > self.first]
        came_or_went = [key for key in keys if replay.states[key][-1] is None or replay.changes[key][0] > self.first]
        return self.dice.choice((came_or_went if self.dice.random() < 0.5 else keys) or keys or replay.keys[name])

    def collection(self, kind, name, at, query, holds):
        path = f"/collections/{name}/items?{urlencode(query | {'as-of': moment_text(at), 'limit': self.dice.choice((100, 1000, 10000))})}"
        answer, question = self.ask(kind, path, name=name, at=at, holds=holds)
        if answer.status != 200:
            return question | {"answer": answer.body[:300], "matched": None}
        page = answer.json()
        features = page["features"]
        following = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        if following:
            features += self.client.page("/" + following.split("/", 3)[3])
        return question | {"answer": {str(f["id"]): state_of(f) for f in features}, "matched": page["numberMatched"]}

    def box(self):
        name, at = self.name(), self.moment()
        _, state = self.at_random(name, self.replay.seq_at(at))
        x, y = self.dice.choice(list(vertices(state[0])))
        size = 10 ** self.dice.uniform(-5, -2)
        dx, dy = size * self.dice.random(), size * self.dice.random()
        # Some have a border of a feature as an edge, or are one of its points.
        kind = self.dice.random()
        west, south, east, north = (x, y, x, y) if kind < 0.08 else (x, y, x + dx, y + dy) if kind < 0.2 else (x - dx, y, x, y + dy) if kind < 0.3 else \
            (x - dx, y - dy, x + size - dx, y + size - dy)
        box = box_of(west, south, east, north)

        def holds(state, bounds):
            return state[0] is None or not (bounds[0] > east or bounds[2] < west or bounds[1] > north or bounds[3] < south) and meets(state[0], box)

        return self.collection("box", name, at, {"bbox": ",".join(map(repr, (west, south, east, north)))}, holds)

    def filter(self):
        name, at = self.name(), self.moment()
        seq = self.replay.seq_at(at)
        text, holds = self.condition(name, seq)
        return self.collection("filter", name, at, {"filter": text}, holds)

    def condition(self, name, seq, depth=0):
        """A condition in CQL2 and what it says of a state: true, false or unknown (None)."""
        dice = self.dice
        kind = dice.random()
        if depth < 2 and kind < 0.3:
            (a, f), (b, g) = self.condition(name, seq, depth + 1), self.condition(name, seq, depth + 1)
            if dice.random() < 0.6:
                return f"({a} AND {b})", lambda *s: False if f(*s) is False or g(*s) is False else None if f(*s) is None or g(*s) is None else True
            return f"({a} OR {b})", lambda *s: True if f(*s) or g(*s) else None if f(*s) is None or g(*s) is None else False
        if depth < 2 and kind < 0.38:
            a, f = self.condition(name, seq, depth + 1)
            return f"NOT ({a})", lambda *s: None if f(*s) is None else not f(*s)
        _, like = self.at_random(name, seq)
        if kind < 0.55:
            return self.spatial(like)
        column = dice.choice(list(like[1]))
        value = like[1][column]
        if value is None or kind < 0.6:
            return f"{column} IS NULL", lambda state, _: state[1].get(column) is None
        compare = lambda test: lambda state, _: None if state[1].get(column) is None else test(state[1][column])
        text = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return (f"{column} >= DATE('{value}')", compare(lambda v: v >= value)) if dice.random() < 0.5 else (f"{column} < '{value}'", compare(lambda v: v < value))
        if isinstance(value, str):
            kind = dice.random()
            if kind < 0.35 and not set("%_\\") & set(value):
                part = value[:dice.randint(1, len(value))].replace("'", "''")
                begin = part.replace("''", "'")
                return f"{column} LIKE '{part}%'", compare(lambda v: v.startswith(begin))
            if kind < 0.65:
                others = {self.at_random(name, seq)[1][1][column] for _ in range(3)} - {None} | {value}
                return f"{column} IN ({', '.join(repr_text(v) for v in sorted(others))})", compare(lambda v: v in others)
            return (f"{column} = {text}", compare(lambda v: v == value)) if kind < 0.9 else (f"{column} <> {text}", compare(lambda v: v != value))
        kind = dice.random()
        if kind < 0.4:
            low, high = sorted((value, value * dice.uniform(0.5, 2)))
            return f"{column} BETWEEN {low!r} AND {high!r}", compare(lambda v: low <= v <= high)
        return (f"{column} > {text}", compare(lambda v: v > value)) if kind < 0.7 else (f"{column} <= {text}", compare(lambda v: v <= value))

    def spatial(self, like):
        dice = self.dice
        x, y = dice.choice(list(vertices(like[0])))
        size = 10 ** dice.uniform(-4.5, -2)
        at = lambda: (x + dice.uniform(-size, size), y + dice.uniform(-size, size))
        kind = dice.random()
        if kind < 0.2:
            shape, text = ("Point", (x, y)), f"POINT({x!r} {y!r})"
        elif kind < 0.5:
            (a, b), (c, d) = at(), at()
            west, south, east, north = min(a, c), min(b, d), max(a, c), max(b, d)
            shape, text = box_of(west, south, east, north), f"BBOX({west!r},{south!r},{east!r},{north!r})"
        elif kind < 0.75:
            line = [at(), at(), at()]
            shape, text = ("LineString", line), "LINESTRING(" + ",".join(f"{a!r} {b!r}" for a, b in line) + ")"
        else:
            ring = [at(), at(), at()]
            if boundary_edits.side(*map(boundary_edits.exact, ring)) < 0:
                ring.reverse()
            ring.append(ring[0])
            shape, text = ("Polygon", [ring]), "POLYGON((" + ",".join(f"{a!r} {b!r}" for a, b in ring) + "))"
        west, south, east, north = envelope(shape)

        def holds(state, bounds):
            return None if state[0] is None else not (bounds[0] > east or bounds[2] < west or bounds[1] > north or bounds[3] < south) and meets(state[0], shape)

        return f"S_INTERSECTS(geom, {text})", holds

    def tile_path(self, name, tile, at):
        z, x, y = tile
        text = "" if at is None else f"?as-of={moment_text(at)}"
        if "," in name or self.dice.random() < 0.5:
            return f"/tiles/{name}/{z}/{x}/{y}{text}"
        return f"/collections/{name}/tiles/WebMercatorQuad/{z}/{y}/{x}{text}"

    def tile(self):
        at = self.moment()
        name = self.dice.choice(("parcels", "parcels,buildings", "buildings,addresses", "parcels,buildings,addresses,streets"))
        _, state = self.at_random(name.split(",")[0], self.replay.seq_at(at))
        tile = tile_at(self.dice.randint(12, 18), self.dice.choice(list(vertices(state[0]))))
        answer, question = self.ask("tile", self.tile_path(name, tile, at), name=name, at=at, tile=tile)
        return question | {"answer": layers(answer.body) if answer.status == 200 else {}}


def repr_text(value):
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def look(client, dice, editor):
    """A tile or a page of now: (path without as-of, what is seen)."""
    shape = editor.parcels.parcels[dice.choice(editor.parcels.ids)]
    x, y = next(vertices(shape))
    if dice.random() < 0.6:
        z, column, row = tile_at(dice.randint(12, 17), (x, y))
        path = f"/tiles/{','.join(NAMES)}/{z}/{column}/{row}"
        return path, seen(client.get(path), path)
    path = f"/collections/{dice.choice(NAMES)}/items?limit=1000&bbox={x - 0.002!r},{y - 0.002!r},{x + 0.002!r},{y + 0.002!r}"
    return path, seen(client.get(path), path)


def seen(answer, path):
    if answer.status not in (200, 204):
        return f"{answer.status} {answer.body[:200]!r}"
    if path.startswith("/tiles"):
        return {(name, fid): shown for name, features in layers(answer.body).items() for fid, shown in features.items()}
    page = answer.json()
    return {str(f["id"]): state_of(f) for f in page["features"]} | {"numberMatched": page["numberMatched"]}


def run(options, store, work, servers):
    dice = random.Random(options.seed)
    store.town(options.parcels, options.seed % 1000, NAMES)
    rules = os.path.join(work, "rules.json")
    with open(rules, "w") as file:
        json.dump({"class": "public", "history": "public", "editing": {"ids": "E{n:6}"}}, file)
    store.run("access", "set", "parcels", "--file", rules, "--quiet")
    token = store.account()
    names = {n: id for id, (n, _) in store.collections().items()}
    after_import = store.last()
    editor_tables = {name: store.table(name) for name in NAMES}
    server = serve(store, work, servers)
    client = Client(server.port, token)
    print(f"{options.edits} edits, {options.questions} questions, {sum(map(len, editor_tables.values()))} features, {store}", flush=True)
    editor = Editor(dice, client, editor_tables, options.seed)
    begun, snapshots = time.monotonic(), []
    told_at = begun
    while sum(editor.count.values()) < options.edits:
        editor.edit()
        if dice.random() < 100 / options.edits and editor.last:
            snapshots.append((editor.last, *look(client, dice, editor)))
        if time.monotonic() > told_at + 10:
            told_at = time.monotonic()
            print(f"{told_at - begun:6.0f} s  {sum(editor.count.values())} edits", flush=True)
    seconds = time.monotonic() - begun
    log = store.log()
    tables = {name: store.table(name) for name in NAMES}
    replay = Replay(log, tables, names)
    asker = Asker(dice, client, replay, after_import + 1, editor)
    begun, asked = time.monotonic(), []
    for n in range(options.questions):
        asked.append((asker.item, asker.box, asker.filter, asker.tile)[n % 4]())
    compared, at = [], dict(zip(replay.seqs, replay.times))
    for change, path, before in snapshots:
        if replay.seq_at(at[change]) == change:
            later = client.get(path + ("&" if "?" in path else "?") + f"as-of={moment_text(at[change])}")
            compared.append((change, path, before, seen(later, path)))
    asking = time.monotonic() - begun
    stopped = server.stop()
    found = check(log, tables, names, editor.sent, asked, compared)
    dirt = store.is_clean()
    if dirt or stopped:
        found.add(7, dirt or f"the server ended with {stopped}")
    is_right = report(CHECKS, found)
    print(f"{sum(editor.count.values())} edits in {seconds:.0f} s, {len(log) - bisect.bisect_right(replay.seqs, after_import)} changes: "
          + ", ".join(f"{n} x {kind}" for kind, n in editor.count.most_common()))
    print("refused:", ", ".join(f"{n} x {reason}" for reason, n in editor.refused.most_common()) or "nothing")
    print(f"{len(asked)} questions and {len(compared)} comparisons with what was seen, in {asking:.0f} s; moments: "
          + ", ".join(f"{n} {what}" for what, n in asker.kinds.most_common()))
    for kind in ("item", "box", "filter", "tile"):
        answers = [q for q in asked if q["kind"] == kind]
        if answers:
            counts = ", ".join(f"{n} x {status}" for (k, status), n in sorted(asker.statuses.items()) if k == kind)
            sizes = [len(q["answer"] or ()) if kind in ("box", "filter") else sum(map(len, (q["answer"] or {}).values())) if kind == "tile" else 1 for q in answers]
            print(f"{kind}: {counts}; {sum(sizes)} features compared, {sum(size == 0 for size in sizes)} answers empty; {in_ms(asker.took[kind])}")
    return is_right


# The self-test: a small town with a history, right answers, and one fault at a time put into them.


def right():
    names = {1: "parcels", 2: "buildings", 3: "addresses", 4: "streets"}
    at = lambda n: f"2026-01-01T00:00:0{n}.000Z"
    square = lambda x, side=0.001: ("Polygon", [[(x, 48.0), (x + side, 48.0), (x + side, 48.0 + side), (x, 48.0 + side), (x, 48.0)]])
    parcel = lambda id, x, value: (square(x), {"cadnum": id, "valuation": value})
    house = (square(24.0002, 0.0004), {"kind": "house"})
    a, b, c = parcel("a", 24.0, 1.0), parcel("a", 24.0, 2.0), parcel("b", 24.0, 2.0)
    log = [Change(1, at(0), 1, 1, "create", None, None), Change(2, at(0), 2, 1, "create", None, None), Change(3, at(1), 1, 1, "replace", *a),
           Change(4, at(2), 2, 1, "delete", *house), Change(5, at(3), 1, 1, "replace", *b)]
    tables = {"parcels": {1: c}, "buildings": {}, "addresses": {}, "streets": {}}
    when = lambda n, more=0: micros(at(n)) + more
    tile_ = tile_at(14, (24.0, 48.0))
    shown = lambda state, more: (3, commands(tile_, state[0]), dict(state[1]) | more)
    question = lambda kind, **more: dict(kind=kind, path=kind, status=200, **more)
    asked = [
        question("item", name="parcels", at=when(1, -1), id="a", answer=a), question("item", name="parcels", at=when(1), id="a", answer=b),
        question("item", name="parcels", at=when(1), id="b", answer=b), question("item", name="buildings", at=when(1), id="1", answer=house),
        question("item", name="buildings", at=when(2), id="1", answer=None) | {"status": 410},
        question("item", name="buildings", at=when(2), id="7", answer=None) | {"status": 404},
        question("box", name="parcels", at=when(1), answer={"a": b}, matched=1, holds=lambda s, e: meets(s[0], box_of(24.001, 48.001, 25, 49))),
        question("box", name="buildings", at=when(3), answer={}, matched=0, holds=lambda s, e: True),
        question("filter", name="parcels", at=when(0), answer={"a": a}, matched=1, holds=lambda s, e: s[1]["valuation"] == 1.0),
        question("tile", name="parcels,buildings", at=when(1), tile=tile_, answer={
            "parcels": {1: shown(b, {"_id": "a"})}, "buildings": {1: shown(house, {})}}),
    ]
    sent = [(3, "parcels", "a", (None, {"valuation": 2.0})), (5, "parcels", "b", (square(24.0), {"cadnum": "b"}))]
    snapshots = [(3, "/tiles", {("parcels", 1): "x"}, {("parcels", 1): "x"})]
    return dict(log=log, tables=tables, names=names, sent=sent, asked=asked, snapshots=snapshots)


def commands(tile, shape):
    from evidence import pixels
    out, x, y = [9], 0, 0
    for i, p in enumerate(shape[1][0][:-1]):
        a, b = map(round, pixels(tile, p))
        if i == 1:
            out.append((len(shape[1][0]) - 2) << 3 | 2)
        out += [(v << 1) ^ (v >> 63) for v in (a - x, b - y)]
        x, y = a, b
    return out + [15]


def question(n, **members):
    def decorate(name, number, text):
        def fault(case):
            case["asked"][n] = case["asked"][n] | {k: v(case) if callable(v) else v for k, v in members.items()}
        fault.__name__ = name
        return fault, number, text
    return decorate


def goes_back(case):
    case["log"][3] = case["log"][3]._replace(at="2026-01-01T00:00:00.500Z")


def sent_otherwise(case):
    case["sent"][0] = (3, "parcels", "a", (None, {"valuation": 3.0}))


def sent_elsewhere(case):
    case["sent"][1] = (5, "parcels", "b", (("Point", (0.0, 0.0)), {}))


def not_in_log(case):
    case["sent"].append((5, "streets", 1, (None, {})))


def tile_with(change):
    def fault(case):
        case["asked"][9] = copy.copy(case["asked"][9])
        case["asked"][9]["answer"] = copy.deepcopy(case["asked"][9]["answer"])
        change(case["asked"][9]["answer"])
    fault.__name__ = change.__name__
    return fault


@tile_with
def tile_misses(content):
    del content["buildings"]


@tile_with
def tile_has_more(content):
    content["buildings"][2] = content["buildings"][1]


@tile_with
def tile_with_later_values(content):
    content["parcels"][1][2]["valuation"] = 1.0


@tile_with
def tile_with_later_id(content):
    content["parcels"][1][2]["_id"] = "b"


def tile_of_other_place(case):
    case["asked"][9] = case["asked"][9] | {"tile": tile_at(14, (25.0, 48.0))}


def seen_otherwise(case):
    case["snapshots"][0] = (3, "/tiles", {("parcels", 1): "x"}, {})


FAULTS = [
    question(0, answer=lambda case: case["asked"][1]["answer"])("later_state", 2, "it was"),
    question(1, answer=lambda case: case["asked"][0]["answer"])("earlier_state", 2, "it was"),
    question(2, status=410, answer=None)("under_its_later_name", 2, "410"),
    question(3, status=404, answer=None)("gone_now", 2, "404"),
    question(4, status=200, answer=lambda case: case["asked"][3]["answer"])("still_there", 2, "was not there"),
    question(4, status=404)("never_there", 2, "was not there"),
    question(5, status=200, answer=(None, {}))("made_up", 2, "was not there"),
    question(1, answer=(("Polygon", []), {"cadnum": "a", "valuation": 2.0}))("other_geometry", 2, "another geometry"),
    question(6, answer={})("box_misses", 3, "answered not among them"),
    question(6, matched=2)("box_counts_wrong", 3, "numberMatched 2"),
    question(6, answer=lambda case: {"a": case["asked"][0]["answer"]})("box_with_earlier_state", 3, "answered"),
    question(7, answer=lambda case: {"1": case["asked"][3]["answer"]}, matched=1)("box_with_what_is_gone", 3, "was not among them"),
    question(6, status=500)("box_fails", 3, "500"),
    question(8, answer=lambda case: {"a": case["asked"][1]["answer"]})("filter_with_later_state", 4, "answered"),
    question(8, answer={}, matched=0)("filter_by_states_of_now", 4, "numberMatched 0"),
    (goes_back, 1, "before it"), (sent_otherwise, 1, "sent were"), (sent_elsewhere, 1, "sent were"), (not_in_log, 1, "no such change"),
    (tile_misses, 5, "is not shown"), (tile_has_more, 5, "was not there"), (tile_with_later_values, 5, "other values"),
    (tile_with_later_id, 5, "other values"), (tile_of_other_place, 5, "was not there"), (seen_otherwise, 6, "was seen"),
]


def main():
    options = arguments(__doc__, edits=10000, questions=500, parcels=20000)
    if options.self_test:
        sys.exit(0 if self_test(right, check, FAULTS) else 1)
    with_store(options, lambda store, work, servers: run(options, store, work, servers))


if __name__ == "__main__":
    main()
