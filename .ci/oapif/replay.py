#!/usr/bin/python3
"""Does to a running server what QGIS 3.44 and 4.0 do, request by request: Debian's QGIS is too old to filter on the server, or to edit.

    replay.py data FOLDER     writes the collection "wells", which the samples lack, with its manifest
    replay.py URL [ACCOUNT]   replays, with the samples and the wells on the server; HROMADA_TOKEN is a token of ACCOUNT, who may edit

Opens a layer of every collection, reads whole layers, boxes and filters, in the CRS of storage and in others, in GeoJSON, FlatGeobuf and JSON-FG.
The truth of a filter is the whole collection, asked one feature by one in Python. Ends with the line `N passed, M failed`; exit code 1 when anything
failed, or nothing was tried.
"""

import os
import sys
import time
from http.client import HTTPException
from urllib.parse import urlsplit

import data
from editing import Editing
from expression import Untranslatable, holds, instant
from filters import END, FALLBACKS, FILTERS, NO_CQL2, PAIRS, UNTRANSLATABLE
from layer import ACCEPT_API, ACCEPT_ITEMS, CRS84, EPSG, FLATGEOBUF, GEOJSON, JSON, JSON_FG, SCHEMA, Client, Invalid, Layer, allowed, find_link, with_query
from places import middle_quarter, touches

# Read whole: all of them would take a minute.
READ = ["parcels", "hydrants", "hromadas", "streets", "wards", "wells"]
# What a user chooses instead of the CRS of storage.
CHOSEN = [("hromadas", EPSG + "6382"), ("hromadas", EPSG + "4326"), ("hromadas", EPSG + "3857"), ("wells", CRS84), ("wells", EPSG + "4326")]
# Edited in the CRS of storage and in others, of which each rounds otherwise; the parcels are too many to be compared after each request.
EDITED = [(name, None) for name in READ if name != "parcels"] + CHOSEN + [("wards", EPSG + "3857"), ("hydrants", EPSG + "4326"), ("streets", EPSG + "3857")]
GEOMETRIES = {"point", "multipoint", "linestring", "multilinestring", "polygon", "multipolygon", "geometrycollection", "any"}
GEOMETRIES |= {"point-or-multipoint", "linestring-or-multilinestring", "polygon-or-multipolygon"}


class Replay:
    def __init__(self, root, account):
        self.root, self.account = root, account
        self.passed = self.failed = 0
        self.client = Client(root)
        self.wholes = {}

    def check(self, name, got, expected=True):
        if got == expected:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {name}\n     got {str(got)[:700]}\n     expected {str(expected)[:700]}")

    def attempt(self, name, body, *arguments):
        """A part that ends early is one failure."""
        try:
            return body(*arguments)
        except (Invalid, Untranslatable, HTTPException, LookupError, ValueError, TypeError, AttributeError, StopIteration, OSError) as error:
            self.check(name, f"{type(error).__name__}: {error}", "no error")
            return None

    def run(self):
        names = self.attempt("the list of collections", self.list)
        for name in names or []:
            layer = self.attempt(f"{name} opens", Layer, self.client, self.root, name)
            if layer:
                self.attempt(f"{name} opens", self.opened, layer)
                self.attempt(f"{name} is asked for again", self.again, layer)
        for name, crs in [(name, None) for name in READ] + CHOSEN:
            self.attempt(f"{name} in {crs or 'the CRS of storage'} is read", self.read, name, crs)
        for name, crs, title, expression in FILTERS:
            self.attempt(f"{name}: {title}", self.filtered, name, crs, title, expression)
        for name, first, second in PAIRS:
            self.attempt(f"{name}: a filter and an expression", self.filtered, name, None, "a filter and an expression", first, second)
        for name, expression, kept in UNTRANSLATABLE:
            self.attempt(f"{name}: {expression}", self.untranslatable, name, expression, kept)
        for name, expression in NO_CQL2:
            self.attempt(f"{name}: {expression}", self.no_cql2, name, expression)
        for name, title, conditions in FALLBACKS:
            self.attempt(f"{name} without CQL2: {title}", self.fallback, name, title, conditions)
        for name, crs, media in [
            ("parcels", None, FLATGEOBUF),
            ("wards", None, FLATGEOBUF),
            ("hromadas", None, FLATGEOBUF),
            ("parcels", None, JSON_FG),
            ("hromadas", None, JSON_FG),
        ]:
            self.attempt(f"{name} as {media}", self.other_format, name, crs, media)
        for name in READ if self.account else []:
            self.attempt(f"{name} may be edited", lambda: self.editing(name).capabilities())
        for name, crs in EDITED if self.account else []:
            self.attempt(f"{name} in {crs or 'the CRS of storage'} is edited", lambda: self.editing(name, crs).run())

    def list(self):
        """QgsOapifCollectionsRequest: what the dialog shows."""
        landing = self.client.get(self.root, JSON).json()
        answer = self.client.get(find_link(landing, "data", [JSON]), JSON)
        self.check("the list of collections: media type", answer.media(), JSON)
        document = answer.json()
        self.check("the list of collections has all", find_link(document, "next", [JSON]), "")
        for collection in document["collections"]:
            formats = {l["type"] for l in collection["links"] if l["rel"] == "items"}
            self.check(f"{collection['id']} offers GeoJSON, FlatGeobuf and JSON-FG", {GEOJSON, FLATGEOBUF, JSON_FG} - formats, set())
        return [collection["id"] for collection in document["collections"]]

    def opened(self, layer):
        """What the requests of QgsOapifProvider::init() have to bring."""
        name = layer.name
        expected = [(layer.landing, JSON), (layer.api, "application/vnd.oai.openapi+json"), (layer.collection, JSON), (layer.conformance, JSON)]
        expected += [(layer.queryables_answer, SCHEMA), (layer.first, GEOJSON), (layer.schema_answer, SCHEMA)]
        for answer, media in expected:
            self.check(f"{name}: {answer.url}", (answer.status, answer.media()), (200, media))
        self.check(f"{name}: the collection is found at the first attempt", layer.url.endswith("/"), False)
        self.check(f"{name}: page size", layer.page_size >= 1000)
        declared = [layer.has_crs, layer.has_cql2, layer.has_likes, layer.has_casei, layer.has_spatial, layer.has_schemas]
        self.check(f"{name}: everything is declared that QGIS makes use of", declared, [True] * 6)
        collection = layer.collection.json()
        for link in collection["links"] + layer.landing.json()["links"]:
            self.check(f"{name}: {link['href']} is a whole address", bool(urlsplit(link["href"]).netloc))
        west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
        self.check(f"{name}: extent", -180 <= west <= east <= 180 and -90 <= south <= north <= 90)
        self.check(f"{name}: CRS of the extent", collection["extent"]["spatial"].get("crs", CRS84), CRS84)

        documented = layer.queryables_answer.json()["properties"]
        self.check(f"{name}: QGIS understands every queryable", sorted(layer.queryables), sorted(documented))
        self.check(f"{name}: one queryable is a geometry", [q["geometry"] for q in layer.queryables.values()].count(True), 1)
        self.check(f"{name}: parameters for QGIS without CQL2", sorted(set(self.properties(layer)) - set(layer.simple)), [])

        matched = layer.matched(layer.first)
        self.check(f"{name}: features of the first page", len(layer.first_features), min(10, matched))
        self.check(f"{name}: numberMatched and itemCount", collection["itemCount"], matched)
        self.check(f"{name}: numberMatched with limit=1", layer.matched(layer.count()), matched)
        self.check(f"{name}: Content-Crs", layer.first.header("Content-Crs"), f"<{layer.crs}>")
        self.check(f"{name}: ids", [type(f["id"]) in (int, str) for f in layer.first_features], [True] * len(layer.first_features))
        self.check(f"{name}: nobody may write", allowed(layer.items_options), ["GET", "HEAD", "OPTIONS"])

        # Without its place in the sequence QGIS would take a property's place in the alphabet.
        self.check(f"{name}: fields and their order", [f["name"] for f in layer.fields], self.properties(layer))
        places = [f["place"] for f in layer.fields]
        self.check(f"{name}: places of the fields", (None in places, len(set(places))), (False, len(places)))
        self.check(f"{name}: type of geometry", (layer.geometry_format or "").removeprefix("geometry-") in GEOMETRIES)
        for field in layer.fields:
            values = [f["properties"][field["name"]] for f in layer.first_features]
            wrong = [v for v in values if v is not None and not fits(v, field["type"])]
            self.check(f"{name}: values of {field['name']} are of type {field['type']}", wrong, [])

    def properties(self, layer):
        return list(layer.first_features[0]["properties"])

    def again(self, layer):
        """With QNetworkRequest::PreferCache Qt asks whether what it has is still so. A page that goes on has no tag."""
        repeated = [
            (layer.landing, JSON),
            (layer.api, ACCEPT_API),
            (layer.collection, JSON),
            (layer.conformance, JSON),
            (layer.queryables_answer, SCHEMA),
            (layer.schema_answer, SCHEMA),
        ]
        repeated += [] if layer.next_of(layer.first) else [(layer.first, ACCEPT_ITEMS)]
        for answer, accept in repeated:
            again = self.client.send("GET", answer.url, **{"Accept": accept, "If-None-Match": answer.header("ETag") or "none"})
            self.check(f"{layer.name}: {answer.url} again", (again.status, again.body), (304, b""))

    def layer(self, name, crs=None, media=""):
        return Layer(self.client, self.root, name, crs, media)

    def whole(self, name, crs=None):
        """The layer and all its features, asked for once."""
        if (name, crs) not in self.wholes:
            layer = self.layer(name, crs)
            self.wholes[name, crs] = layer, list(layer.pages())
        layer, pages = self.wholes[name, crs]
        return layer, pages, [f for _, features in pages for f in features]

    def read(self, name, crs):
        layer, pages, features = self.whole(name, crs)
        title = f"{name} in {layer.crs}"
        matched = layer.matched(pages[0][0])
        self.check(f"{title}: features and ids", (len(features), len({layer.id_of(f) for f in features})), (matched, matched))
        self.check(f"{title}: sizes of the pages", {len(found) for _, found in pages[:-1]} - {layer.page_size}, set())
        following = [l for answer, _ in pages[:-1] for l in answer.json()["links"] if l["rel"] == "next"]
        self.check(f"{title}: links to the next page", [l["type"] for l in following], [GEOJSON] * (len(pages) - 1))
        self.served(title, layer, pages)
        if crs:
            original = self.whole(name)[2]
            self.check(f"{title}: the same features", [f["id"] for f in features], [f["id"] for f in original])
        # Positions are where they belong: degrees with the longitude first after QGIS has turned them, metres of the zone with the easting first.
        limits = {CRS84: (-180, -90, 180, 90), EPSG + "4326": (-180, -90, 180, 90), EPSG + "6382": (2e5, 5e6, 8e5, 6e6), EPSG + "3857": (-2e7, -2e7, 2e7, 2e7)}
        west, south, east, north = middle_quarter(f["geometry"] for f in features)
        low, bottom, right, top = limits[layer.crs]
        self.check(f"{title}: order of the axes", low <= west <= east <= right and bottom <= south <= north <= top)
        if layer.crs == EPSG + "4326":
            first = self.whole(name, None if name == "hromadas" else CRS84)[2][0]["geometry"]
            self.check(f"{title}: positions are those of CRS84", features[0]["geometry"], first)

        box = middle_quarter(f["geometry"] for f in features)
        # What has no geometry comes too (OGC 17-069r4 §7.15.3); QGIS shows it nowhere.
        inside = {f["id"] for f in features if not f["geometry"] or touches(f["geometry"], *box)}
        self.check(f"{title}: the box is no test", 0 < len(inside) < matched)
        self.found(f"{title}: a box", layer, inside, box=box)

    def served(self, title, layer, pages):
        self.check(f"{title}: media types", {answer.media() for answer, _ in pages}, {layer.format or GEOJSON})
        self.check(f"{title}: Content-Crs", {answer.header("Content-Crs") for answer, _ in pages}, {f"<{layer.crs}>"})
        self.check(f"{title}: numberMatched is of all pages", len({layer.matched(answer) for answer, _ in pages}), 1)

    def found(self, title, layer, expected, **request):
        pages = list(layer.pages(**request))
        found = [f["id"] for _, features in pages for f in features]
        self.check(title, (sorted(found, key=str), layer.matched(pages[0][0])), (sorted(expected, key=str), len(expected)))
        self.served(title, layer, pages)

    def filtered(self, name, crs, title, *expressions):
        layer, _, features = self.whole(name, crs)
        expressions = [e(features) if callable(e) else e for e in expressions]
        expected = {f["id"] for f in features if all(holds(e, f) is True for e in expressions)}
        title = f"{name} in {layer.crs}: {title}"
        # A filter that selects nothing or everything would be passed by a server that ignores it.
        self.check(f"{title}: is no test", 0 < len(expected) < len(features))
        self.found(title, layer, expected, server_filter=layer.server_filter(*expressions))

    def untranslatable(self, name, expression, kept):
        """QGIS sends what it can say, and looks through the answer itself."""
        layer, _, features = self.whole(name)
        try:
            text = layer.compiler().compile(expression)
        except Untranslatable:
            text = None
        self.check(f"{name}: what QGIS sends of {expression}", text, layer.compiler().compile(kept) if kept else None)
        if kept:
            self.found(f"{name}: {text}", layer, {f["id"] for f in features if holds(kept, f) is True}, server_filter=layer.server_filter(kept))

    def no_cql2(self, name, expression):
        """QGIS shows the error, and no feature."""
        layer, _, _ = self.whole(name)
        answer = layer.get_items(with_query(layer.items, f"limit={layer.page_size}&{layer.server_filter(expression)}"))
        self.check(f"{name}: {layer.compiler().compile(expression)} is refused", (answer.status, answer.media()), (400, "application/problem+json"))

    def fallback(self, name, title, conditions):
        layer, _, features = self.whole(name)
        query, said = layer.part_1(conditions)
        self.check(f"{name} without CQL2: {title}: all is said", said, conditions)
        expected = {f["id"] for f in features if all(closed(c, f) for c in conditions)}
        self.check(f"{name} without CQL2: {title}: is no test", 0 < len(expected) < len(features))
        self.found(f"{name} without CQL2: {query}", layer, expected, server_filter=query)

    def other_format(self, name, crs, media):
        """QgsOapifProvider::init() with outputformat of the layer's address; since QGIS 4.0."""
        layer = self.layer(name, crs, media)
        title = f"{name} as {media}"
        features = [f["id"] for f in self.whole(name, crs)[2]]
        self.check(f"{title}: number of features by header", layer.matched(layer.first), len(features))
        pages = list(layer.pages())
        read = [f for _, found in pages for f in found]
        self.check(f"{title}: features of all pages", len(read), len(features))
        self.served(title, layer, pages)
        if media == FLATGEOBUF:
            # By these it tells features apart, and edits.
            self.check(f"{title}: ids", sorted(map(layer.id_of, read)), sorted(map(str, features)))

    def editing(self, name, crs=None):
        client = Client(self.root, self.account, os.environ["HROMADA_TOKEN"])
        return Editing(self, Layer(client, self.root, name, crs), self.client)


def fits(value, kind):
    """QgsOapifSchemaRequest::processReply() and the conversions of Qt."""
    if kind in ("date", "date-time"):
        return isinstance(value, str) and bool(instant(value)) and ("T" in value) == (kind == "date-time")
    kinds = {"integer": int, "number": (int, float), "boolean": bool, "string": str, "object": dict, "array": list}
    return isinstance(value, kinds[kind]) and (kind == "boolean") == isinstance(value, bool)


def closed(condition, feature):
    """Intervals of `datetime` have both ends in them, though QGIS sends them for < and > too, and what has no time is in all (/req/core/fc-time-response)."""
    operator, *operands = condition
    if operands[0] == END and holds(END, feature) is None:
        return True
    return holds(({"<": "<=", ">": ">="}.get(operator, operator), *operands), feature) is True


def main():
    if sys.argv[1] == "data":
        data.write(sys.argv[2])
        return
    started = time.monotonic()
    replay = Replay(sys.argv[1].rstrip("/"), sys.argv[2] if len(sys.argv) > 2 else None)
    replay.run()
    print(f"QGIS 3.44 and 4.0, replayed: {time.monotonic() - started:.1f} s", file=sys.stderr)
    print(f"{replay.passed} passed, {replay.failed} failed", flush=True)
    sys.exit(replay.failed > 0 or replay.passed == 0)


if __name__ == "__main__":
    main()
