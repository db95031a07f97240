"""What QGIS sends when its user edits, one request a feature, and what has to be stored then.

QgsOapifProvider::addFeatures(), changeGeometryValues(), changeAttributeValues(), deleteFeatures() of qgsoapifprovider.cpp. It works on features that
are made for it, and takes them out again.
"""

import copy
import json
import math
import re

from layer import ACCEPT_ITEMS, CRS84, GEOJSON, allowed, with_query
from places import positions, swapped

PATCH = "application/merge-patch+json"
NDJSON = "application/x-ndjson"


class Editing:
    def __init__(self, replay, layer, reader):
        """`layer` is that of who edits, `reader` a client of nobody in particular."""
        self.check, self.layer, self.reader = replay.check, layer, reader
        self.title = f"{layer.name} in {layer.crs}, edited"
        self.storage = layer.collection.json().get("storageCrs") or CRS84
        self.id_property = next((k for k, p in layer.schema_answer.json()["properties"].items() if p.get("x-ogc-role") == "id"), None)

    def run(self):
        before = self.everything()
        try:
            self.created(before)
            for places in (17, 6):
                self.geometry_changed(places)
            self.attributes_changed()
            self.put()
        finally:
            for identifier in self.everything().keys() - before.keys():
                self.deleted(identifier)
        self.check(f"{self.title}: at the end all is as it was", self.everything() == before)

    def capabilities(self):
        """computeCapabilities()"""
        layer = self.layer
        self.check(f"{self.title}: features may be added", "POST" in allowed(layer.items_options))
        self.check(f"{self.title}: and changed and deleted", {"PUT", "PATCH", "DELETE"} - set(allowed(layer.item_options)), set())
        unknown = allowed(layer.client.options(f"{layer.items}/unknown_id"))
        self.check(f"{self.title}: also in an empty collection", {"PUT", "PATCH", "DELETE"} - set(unknown), set())

    # What is stored, as others see it.

    def everything(self):
        """All features as text, in the CRS of storage, by id."""
        answer = self.reader.get(with_query(self.layer.items, f"limit=10000&crs={self.storage}"), NDJSON)
        return {str(json.loads(line)["id"]): line for line in answer.body.splitlines()} if answer.status == 200 else answer.json()

    def stored(self, identifier):
        found = self.reader.get(with_query(f"{self.layer.items}/{identifier}", f"crs={self.storage}"), GEOJSON).json()
        return {k: found[k] for k in ("id", "geometry", "properties")}

    def read(self, identifier):
        """The feature as QGIS has it, in the CRS of the layer, x first."""
        query = f"crs={self.layer.crs}" if self.layer.crs != CRS84 else ""
        url = f"{self.layer.items}/{identifier}"
        found = self.layer.client.get(with_query(url, query) if query else url, ACCEPT_ITEMS).json()
        return {**found, "geometry": swapped(found["geometry"]) if self.layer.inverted else found["geometry"]}

    # What QGIS sends.

    def send(self, method, path, document=None, media=None, has_geometry=False):
        """Content-Crs is toOgcUri(), without brackets, and missing for CRS84. nlohmann::json sorts names."""
        headers = {"Content-Type": media} if media else {}
        if has_geometry and self.layer.crs != CRS84:
            headers["Content-Crs"] = self.layer.crs
        body = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() if document is not None else None
        return self.layer.client.send(method, self.layer.items + path, body, **headers)

    def written(self, geometry, places):
        """The geometry in the order of the authority's axes: QgsJsonExporter rounds to 6 places, QgsGeometry::asJsonObject() to 17."""
        if geometry is None:
            return None
        rounded = lambda part: [qgs_round(n, places) for n in part] if isinstance(part[0], (int, float)) else list(map(rounded, part))
        turned = swapped(geometry) if self.layer.inverted else geometry
        return {"type": turned["type"], "coordinates": rounded(turned["coordinates"])}

    def seed(self, number=0):
        """The id of a feature whose coordinates have all the digits that a number can have, made not by QGIS."""
        like = self.stored(self.layer.id_of(next(f for f in self.layer.first_features if f["geometry"])))
        odd = lambda part: [n * (1 + 3e-10) for n in part] if isinstance(part[0], (int, float)) else list(map(odd, part))
        feature = {"type": "Feature", "geometry": {**like["geometry"], "coordinates": odd(like["geometry"]["coordinates"])}, "properties": like["properties"]}
        if self.id_property:
            value = like["properties"][self.id_property]
            feature["properties"][self.id_property] = f"qgis-{number}" if isinstance(value, str) else 900_000 + number
        headers = {"Content-Type": GEOJSON, "Content-Crs": f"<{self.storage}>"}
        answer = self.layer.client.send("POST", self.layer.items, json.dumps(feature).encode(), **headers)
        identifier = created_id(answer)
        got = answer.status, self.stored(identifier)["geometry"]
        self.check(f"{self.title}: a feature of many digits is stored as it is", got, (201, feature["geometry"]))
        return identifier

    # Each kind of edit.

    def created(self, before):
        like = next(f for f in self.layer.first_features if f["geometry"])
        shape = nudged(like["geometry"], self.layer.crs)
        properties = dict(like["properties"])
        if self.id_property:
            # Its user writes it into the form: nobody else knows how they are given.
            properties[self.id_property] = "з QGIS" if isinstance(properties[self.id_property], str) else 900_100
        feature = {"type": "Feature", "geometry": self.written(shape, 6), "properties": properties}
        answer = self.send("POST", "", feature, GEOJSON, True)
        self.check(f"{self.title}: a feature is added", (answer.status, "/items/" in (answer.header("Location") or "")), (201, True))
        identifier = created_id(answer)
        # QgsOapifSingleItemRequest: without crs.
        again = self.layer.client.get(f"{self.layer.items}/{identifier}", ACCEPT_ITEMS).json()
        given = {**properties, **({self.id_property: again["id"]} if self.id_property else {})}
        self.check(f"{self.title}: the new feature's properties", again["properties"], given)
        self.same(f"{self.title}: the new feature's geometry", self.read(identifier)["geometry"], self.unwritten(feature["geometry"]))
        if self.layer.crs == self.storage:
            self.check(f"{self.title}: the new feature's coordinates are stored as they came", self.stored(identifier)["geometry"], feature["geometry"])
        after = self.everything()
        self.check(f"{self.title}: one feature came", len(after), len(before) + 1)
        self.check(f"{self.title}: all others are as they were", all(after.get(i) == before[i] for i in before))
        self.deleted(identifier)

    def geometry_changed(self, places):
        """changeGeometryValues(): the whole geometry, of which one vertex is another; the others were only written and read."""
        identifier = self.seed(places)
        others = self.everything()
        for what, change in EDITS:
            was, shown = self.stored(identifier), self.read(identifier)
            geometry, kept = change(shown["geometry"], self.layer.crs)
            if geometry is None:
                continue
            answer = self.send("PATCH", f"/{identifier}", {"geometry": self.written(geometry, places)}, PATCH, True)
            title = f"{self.title}: {what}, {places} places"
            self.check(title, answer.status in (200, 204))
            now = self.stored(identifier)
            old, new = flat(was["geometry"]), flat(now["geometry"])
            self.check(f"{title}: vertices that were only rounded are stored as they were", [new[b] for a, b in kept], [old[a] for a, b in kept])
            self.same(f"{title}: the geometry is what was drawn", self.read(identifier)["geometry"], geometry, rounding(self.layer.crs, places))
            self.check(f"{title}: the properties", (now["id"], now["properties"]), (was["id"], was["properties"]))
            self.others_stay(title, identifier, others)
        self.deleted(identifier)

    def attributes_changed(self):
        """changeAttributeValues(): those that changed, null for one that was cleared, and no Content-Crs."""
        identifier = self.seed(1)
        others = self.everything()
        values = {"string": ["QGIS: “ї” 'x' \"y\" \\", "", None], "integer": [7, 0, None], "number": [1.25, -3, None], "boolean": [True, False, None]}
        values |= {"date": ["2026-05-17", None], "date-time": ["2026-05-17T08:30:00.250Z", None]}
        for field in self.layer.fields:
            if field["name"] == self.id_property:
                continue
            for value in values.get(field["type"], []):
                self.patched(identifier, {field["name"]: value}, others)
        first = {f["name"]: values[f["type"]][0] for f in self.layer.fields if f["type"] in values and f["name"] != self.id_property}
        self.patched(identifier, first, others)
        self.patched(identifier, dict.fromkeys(first), others)
        self.deleted(identifier)

    def patched(self, identifier, values, others):
        was = self.stored(identifier)
        answer = self.send("PATCH", f"/{identifier}", {"properties": values}, PATCH)
        title = f"{self.title}: {str(values)[:60]}"
        self.check(title, answer.status in (200, 204))
        now = self.stored(identifier)
        self.check(f"{title}: is stored, and nothing else", now, {**was, "properties": {**was["properties"], **values}})
        self.others_stay(title, identifier, others)

    def put(self):
        """Where PATCH is not offered: the whole feature, its id with it, rounded to six places."""
        identifier = self.seed(2)
        others = self.everything()
        key = next(f["name"] for f in self.layer.fields if f["type"] == "string" and f["name"] != self.id_property)
        for what, change, values in [
            ("nothing", lambda g, crs: (g, [(i, i) for i in range(len(flat(g)))]), {}),
            ("a value", lambda g, crs: (g, [(i, i) for i in range(len(flat(g)))]), {key: "з QGIS, цілком"}),
            ("a value is cleared", lambda g, crs: (g, [(i, i) for i in range(len(flat(g)))]), {key: None}),
            *((what, change, {}) for what, change in EDITS),
        ]:
            was, shown = self.stored(identifier), self.read(identifier)
            tag = self.reader.get(f"{self.layer.items}/{identifier}", GEOJSON).header("ETag")
            geometry, kept = change(shown["geometry"], self.layer.crs)
            if geometry is None:
                continue
            document = {"type": "Feature", "id": shown["id"], "geometry": self.written(geometry, 6), "properties": {**shown["properties"], **values}}
            answer = self.send("PUT", f"/{identifier}", document, GEOJSON, True)
            title = f"{self.title}: {what}, with PUT"
            self.check(title, answer.status in (200, 204))
            now = self.stored(identifier)
            old, new = flat(was["geometry"]), flat(now["geometry"])
            self.check(f"{title}: vertices that were only rounded are stored as they were", [new[b] for a, b in kept], [old[a] for a, b in kept])
            self.same(f"{title}: the geometry is what was drawn", self.read(identifier)["geometry"], geometry, rounding(self.layer.crs, 6))
            self.check(f"{title}: the properties", (now["id"], now["properties"]), (was["id"], {**was["properties"], **values}))
            if what == "nothing":
                self.check(f"{title}: the same state", self.reader.get(f"{self.layer.items}/{identifier}", GEOJSON).header("ETag"), tag)
            self.others_stay(title, identifier, others)
        self.deleted(identifier)

    def deleted(self, identifier):
        """deleteFeatures()"""
        answer = self.send("DELETE", f"/{identifier}")
        gone = self.reader.get(f"{self.layer.items}/{identifier}", GEOJSON).status
        self.check(f"{self.title}: a feature is deleted", (answer.status in (200, 204), gone), (True, 404))

    def others_stay(self, title, identifier, others):
        now = self.everything()
        own = str(self.stored(identifier)["id"])
        changed = [i for i in now.keys() | others.keys() if i != own and now.get(i) != others.get(i)]
        self.check(f"{title}: no other feature changed", changed, [])

    def unwritten(self, geometry):
        return swapped(geometry) if self.layer.inverted else geometry

    def same(self, title, got, meant, near=None):
        """The same shape, each position within the given distance, a millimetre without one."""
        near = near or millimetre(self.layer.crs)
        a, b = flat(got), flat(meant)
        far = [(p, q) for p, q in zip(a, b) if any(abs(m - n) > near for m, n in zip(p, q))]
        self.check(title, (got["type"], len(a), far[:1]), (meant["type"], len(b), []))


def created_id(answer):
    """QgsOapifCreateFeatureRequest::createFeature(): what follows the last `/items/`, as it stands there."""
    found = re.search(r".*/items/(.*)$", answer.header("Location") or "")
    if not found:
        raise ValueError(f"POST answers {answer.status} without a Location: {answer.body[:300]!r}")
    return found[1]


def qgs_round(number, places):
    """qgsRound() of qgis.h: with 17 places the last digit of a number may be another."""
    scale = 10.0**places
    return math.copysign(math.floor(abs(number) * scale + 0.5) / scale, number)


def is_degrees(crs):
    return crs in (CRS84, "http://www.opengis.net/def/crs/EPSG/0/4326")


def millimetre(crs):
    return 1e-8 if is_degrees(crs) else 1e-3


def rounding(crs, places):
    """How far a vertex may be from where it was drawn: the half of the last place, and a millimetre."""
    return 0.5 * 10.0**-places + millimetre(crs)


def step(crs):
    """Some metres."""
    return 0.00005 if is_degrees(crs) else 5.0


def flat(geometry):
    return list(positions(geometry["coordinates"]))


def nudged(geometry, crs):
    turn = lambda part: [part[0] + step(crs), part[1] - step(crs)] if isinstance(part[0], (int, float)) else list(map(turn, part))
    return {"type": geometry["type"], "coordinates": turn(geometry["coordinates"])}


def first_line(geometry):
    """The first list of positions, of a line or a ring; None for points."""
    part = geometry["coordinates"]
    while part and not isinstance(part[0], (int, float)):
        if isinstance(part[0][0], (int, float)):
            return part
        part = part[0]
    return None


def all_the_same(geometry):
    return [(i, i) for i in range(len(flat(geometry)))]


def moved(geometry, crs):
    """One vertex is moved; of a point, all there is."""
    changed = copy.deepcopy(geometry)
    line = first_line(changed)
    if line is None:
        return nudged(geometry, crs), []
    line[1] = [line[1][0] + step(crs), line[1][1] + step(crs)]
    return changed, [pair for pair in all_the_same(geometry) if pair[0] != 1]


def inserted(geometry, crs):
    """A vertex is put in behind the second one."""
    changed = copy.deepcopy(geometry)
    line = first_line(changed)
    if line is None:
        return None, []
    (x, y), (u, v) = line[1][:2], line[2 if len(line) > 2 else 0][:2]
    line.insert(2, [(x + u) / 2 + step(crs) / 2, (y + v) / 2 + step(crs) / 3])
    return changed, [(i, i if i < 2 else i + 1) for i in range(len(flat(geometry)))]


def removed(geometry, _crs):
    """The third vertex is taken out."""
    changed = copy.deepcopy(geometry)
    line = first_line(changed)
    if line is None or len(line) < 5:
        return None, []
    del line[2]
    return changed, [(i, i if i < 2 else i - 1) for i in range(len(flat(geometry))) if i != 2]


def untouched(geometry, _crs):
    """A vertex was moved and put back."""
    return geometry, all_the_same(geometry)


EDITS = [("nothing is moved", untouched), ("a vertex is moved", moved), ("a vertex is put in", inserted), ("a vertex is taken out", removed)]
