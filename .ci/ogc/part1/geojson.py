"""OGC API Features, part 1, class GeoJSON (OGC 17-069r4 §8.3, annex A.4): documents are of RFC 7946, to the last position."""

from abstract import item
from documents import JSON, SHAPES, collection, items_path, json_of, media, names, one, representatives, sizes, some, spatial
from suite import GEOJSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson"


def run(api):
    for path in ("/", "/conformance", "/collections"):
        api.test(f"/conf/geojson/definition[{path}]", is_media, api, path, JSON, JSON)
    for name in names(api):
        api.test(f"/conf/geojson/definition[{name}]", is_media, api, f"/collections/{name}", JSON, JSON)
        api.test(f"/conf/geojson/definition[{name}, items]", page_media, api, name)
        api.test(f"/conf/geojson/content[{name}, page]", page, api, name)
        api.test(f"/conf/geojson/content[{name}, collection]", metadata, api, name)
    for name in representatives(api):
        api.test(f"/conf/geojson/content[{name}, features]", features, api, name)
        api.test(f"/conf/geojson/content[{name}, one type]", one_type, api, name)
        api.test(f"/conf/geojson/content[{name}, identifiers]", identifiers, api, name)
        for f in some(api.every(name), 2):
            api.test(f"/conf/geojson/content[{name}, feature {f['id']}]", single, api, name, f["id"])
    api.test("/conf/geojson/content[/]", described, json_of(api, "/"), ("title", "links"))
    api.test("/conf/geojson/content[/conformance]", described, json_of(api, "/conformance"), ("conformsTo",))
    api.test("/conf/geojson/content[/collections]", described, json_of(api, "/collections"), ("links", "collections"))


def is_media(api, path, accept, expected):
    demand(media(api.get(path, accept)) == expected, f"{path} with Accept {accept} is {media(api.get(path, accept))}")


def page_media(api, name):
    """Features come as GeoJSON whenever it is preferred."""
    for accept in (GEOJSON, "application/geo+json, text/html;q=0.5", "text/html;q=0.5, application/geo+json"):
        is_media(api, f"{items_path(name)}?limit=1", accept, GEOJSON)


def described(document, members):
    missing = [m for m in members if m not in document]
    demand(not missing, f"{missing} is missing")


def page(api, name):
    """A FeatureCollection with links as a member of its own, and no member of a feature or geometry (RFC 7946 §7.1)."""
    document = api.items(name, limit=5)
    demand(document["type"] == "FeatureCollection" and isinstance(document["features"], list), "this is no FeatureCollection")
    demand(isinstance(document["links"], list) and document["links"], "there are no links")
    odd = {"geometry", "properties", "coordinates", "geometries", "crs"} & set(document)
    demand(not odd, f"a FeatureCollection has {sorted(odd)}")


def metadata(api, name):
    """The collection is of the schema collection.yaml (§7.13.3)."""
    c = collection(api, name)
    described(c, ("id", "links"))
    demand(isinstance(c["id"], str) and isinstance(c.get("title", ""), str) and isinstance(c.get("description", ""), str), "a text is none")
    demand(c.get("itemType", "feature") == "feature", f"itemType is {c.get('itemType')}")
    demand(all(isinstance(u, str) for u in c.get("crs", [])), "crs is no list of texts")
    for box in ((c.get("extent") or {}).get("spatial") or {}).get("bbox", []):
        demand(len(box) in (4, 6) and all(isinstance(n, (int, float)) for n in box), f"a box is {box}")
    for interval in ((c.get("extent") or {}).get("temporal") or {}).get("interval", []):
        demand(len(interval) == 2, f"an interval is {interval}")


def features(api, name):
    for f in api.every(name):
        of_rfc(f)


def single(api, name, identifier):
    """A Feature with links, of the type of its media."""
    feature = one(api, name, identifier)
    of_rfc(feature)
    demand(isinstance(feature["links"], list) and feature["links"], "there are no links")
    is_media(api, item(name, identifier), GEOJSON, GEOJSON)


def of_rfc(feature):
    """RFC 7946 §3.2: the three members, an identifier that is a text or number, and a geometry that is one."""
    where = f"feature {feature.get('id')!r}"
    demand(feature["type"] == "Feature", f"{where} is a {feature['type']}")
    demand("geometry" in feature and "properties" in feature, f"{where} lacks geometry or properties")
    demand(isinstance(feature["properties"], (dict, type(None))), f"{where}: properties are {feature['properties']!r}")
    demand(isinstance(feature.get("id"), (str, int, float)) and not isinstance(feature["id"], bool), f"{where} has no identifier")
    odd = {"coordinates", "geometries", "features"} & set(feature)
    demand(not odd, f"{where} has {sorted(odd)}")
    if feature["geometry"] is not None:
        shape(feature["geometry"], where)


def shape(geometry, where):
    kind = geometry["type"]
    demand(kind in SHAPES["any"], f"{where} is of type {kind}")
    if kind == "GeometryCollection":
        for part in geometry["geometries"]:
            shape(part, where)
        return
    coordinates = geometry["coordinates"]
    depth = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}[kind]
    for line in lines(coordinates, depth, where):
        demand(kind not in ("LineString", "MultiLineString") or len(line) >= 2, f"{where} has a line of {len(line)} positions")
        if "Polygon" in kind:
            demand(len(line) >= 4 and line[0] == line[-1], f"{where} has a ring that is open or of fewer than four positions")


def lines(coordinates, depth, where):
    """Lists of positions at the depth that the type has."""
    if depth == 0:
        position(coordinates, where)
        return
    demand(isinstance(coordinates, list), f"{where}: coordinates are {coordinates!r}")
    if depth == 1:
        for p in coordinates:
            position(p, where)
        yield coordinates
    else:
        for part in coordinates:
            yield from lines(part, depth - 1, where)


def position(p, where):
    right = isinstance(p, list) and 2 <= len(p) <= 3 and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in p)
    demand(right, f"{where} has the position {p!r}")


def one_type(api, name):
    """The types of geometry are those that the schema says."""
    for p in spatial(api.schema(name)).values():
        allowed = SHAPES[p["format"].removeprefix("geometry-")]
        odd = {f["geometry"]["type"] for f in api.every(name) if f["geometry"]} - allowed
        demand(not odd, f"{p['format']} has {sorted(odd)}")


def identifiers(api, name):
    """Each feature has an identifier of its own, all of one kind, and as many as are counted."""
    found = [f["id"] for f in api.every(name)]
    demand(len(found) == len(set(found)) == sizes(api)[name], f"{len(found)} features, {len(set(found))} identifiers, {sizes(api)[name]} counted")
    demand(len({type(i) for i in found}) == 1, "identifiers are of two types")
