"""OGC API Features, part 2 (OGC 18-058r1 §6, annex A): coordinates in every system that is offered, against PROJ."""

from collections import Counter

from abstract import item, refuses, same
from documents import (JSON, collection, extent_of, form_parameter, geometries, items_path, json_of, light, meeting, names, numbers, one_path,
                       rectangle, refused, representatives, sizes, some, touches, vertices)
from osgeo import osr
from suite import CRS84, CRS84H, GEOJSON, demand, link

CLASS = "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs"
UNKNOWN = ("http://www.opengis.net/def/crs/0/unsupported", "http://www.opengis.net/def/crs/EPSG/0/999999", "nonsense", "", "EPSG:", "4326")
# Formats that have no place for a system of their own, and one that has: each says its system in the header.
FORMATS = ("application/fg+json", "application/x-ndjson", "application/geo+json-seq", "text/csv", "application/flatgeobuf")


def run(api):
    for name in names(api):
        discovery(api, name)
    seen = Counter()
    for name in places(api):
        for code in offered_by(api, name):
            # Collections of one town have the same systems: each system twice is enough.
            if seen[code] < 2:
                seen[code] += 1
                system(api, name, code)
        api.test(f"/conf/crs/crs-parameter[{name}, definition]", definitions, api, name)
        api.test(f"/conf/crs/crs-parameter-default[{name}]", default_crs, api, name)
        api.test(f"/conf/crs/bbox-crs-parameter-default[{name}]", default_bbox, api, name)
        api.test(f"/conf/crs/crs-parameter[{name}, storage]", storage, api, name)
        api.test(f"/conf/crs/crs-parameter[{name}, links]", links_keep, api, name)
        api.test(f"/conf/crs/ogc-crs-header[{name}, formats]", header_of_formats, api, name)
    for name in places(api)[:3]:
        errors(api, name)


def places(api):
    """Representative collections, and the one of the most systems."""
    most = max((n for n in names(api) if 0 < sizes(api)[n] <= 2_000), key=lambda n: len(collection(api, n).get("crs", [])))
    return list(dict.fromkeys([most, *representatives(api)]))


def reference(api, code):
    """What PROJ knows of a system: EPSG's, or a definition of the server's own (PROJJSON)."""
    found = osr.SpatialReference()
    if code in (CRS84, CRS84H):
        found.SetFromUserInput("OGC:CRS84")
    elif "/EPSG/" in code:
        found.ImportFromEPSG(int(code.rpartition("/")[2]))
    else:
        found.SetFromUserInput(api.get(code, JSON).body.decode())
    return found


def degrees():
    found = osr.SpatialReference()
    found.SetFromUserInput("OGC:CRS84")
    return found


def to(api, code):
    """From longitude and latitude to a system, in the order of its axes."""
    key = (code, "to")
    if key not in api.documents:
        api.documents[key] = osr.CoordinateTransformation(degrees(), reference(api, code))
    return api.documents[key]


def transform(api, code, points):
    """Points of longitude and latitude in the system, None where it has no numbers for them that two programs would agree about."""
    found, (west, south, east, north) = [], area_of_use(api, code)
    for p in points:
        try:
            other = to(api, code).TransformPoint(p[0], p[1])[:2] if west <= p[0] <= east and south <= p[1] <= north else None
        except RuntimeError:
            other = None
        found.append(other if other and all(abs(v) < 1e12 for v in other) else None)
    return found


def area_of_use(api, code):
    """The area that a system is made for, a degree and a half more on each side; all where it is not known."""
    key = (code, "area")
    if key not in api.documents:
        area = reference(api, code).GetAreaOfUse()
        ends = area and (area.west_lon_degree - 1.5, area.south_lat_degree - 1.5, area.east_lon_degree + 1.5, area.north_lat_degree + 1.5)
        api.documents[key] = ends if ends and ends[0] < ends[2] else (-180, -90, 180, 90)
    return api.documents[key]


def near(api, code):
    """Some metres, for datum operations differ: in degrees, or the units of the system."""
    system = reference(api, code)
    return 1e-9 if code in (CRS84, CRS84H) else 1e-4 if system.IsGeographic() else 10 / system.GetLinearUnits()


# Discovery: §6.1.

def discovery(api, name):
    api.test(f"/conf/crs/crs-uri[{name}]", uris, api, name)
    api.test(f"/conf/crs/default-crs[{name}]", default_listed, api, name)
    api.test(f"/conf/crs/storageCrs[{name}]", storage_listed, api, name)


def offered_by(api, name):
    """The systems of a collection, with those of the list of all collections where this is named."""
    own = json_of(api, f"/collections/{name}").get("crs", [CRS84])
    return [c for code in own for c in (json_of(api, "/collections").get("crs", []) if code == "#/crs" else [code])]


def uris(api, name):
    """Each system is a URI, listed once, and PROJ or the server itself knows it."""
    codes = offered_by(api, name)
    demand(len(codes) == len(set(codes)), f"a system is listed twice: {codes}")
    for code in codes:
        demand(code.startswith(("http://", "https://", "urn:")), f"{code} is no URI")
        demand(reference(api, code).ExportToWkt(), f"{code} has no definition")


def default_listed(api, name):
    """Part 1's default is among them, first (§6.2.1: the list with the default in it)."""
    demand({CRS84, CRS84H} & set(offered_by(api, name)), f"{offered_by(api, name)} has no CRS84")


def storage_listed(api, name):
    c = json_of(api, f"/collections/{name}")
    demand(c.get("storageCrs"), "there is no storageCrs")
    demand(c["storageCrs"] in offered_by(api, name), f"{c['storageCrs']} is not offered")
    demand("storageCrsCoordinateEpoch" not in c or isinstance(c["storageCrsCoordinateEpoch"], (int, float)), "the epoch is no number")


# One system of one collection: §6.2.

def system(api, name, code):
    short = code.rpartition("/")[2]
    api.test(f"/conf/crs/crs-parameter-transform[{name}, {short}, items]", transformed, api, name, code)
    api.test(f"/conf/crs/crs-parameter-transform[{name}, {short}, feature]", feature_transformed, api, name, code)
    api.test(f"/conf/crs/crs-parameter[{name}, {short}]", content_crs, api, name, code)
    if in_area_of_use(api, name, code):
        for case, box in bboxes(api, name, code):
            api.test(f"/conf/crs/bbox-crs-parameter[{name}, {short}, {case}]", box_in, api, name, code, box)
        api.test(f"/conf/crs/bbox-crs-parameter[{name}, {short}, same features]", same_features, api, name, code)


def in_area_of_use(api, name, code):
    (west, south, east, north), (w, s, e, n) = extent_of(api.every(name)), area_of_use(api, code)
    return w <= west and s <= south and e >= east and n >= north


def placed(api, code, degrees_of, other):
    """Every position, transformed by PROJ, is where the answer has it, in the order of the axes; types and numbers of positions stay."""
    tolerance = near(api, code)
    for before, after in zip(degrees_of, other, strict=True):
        demand(before["id"] == after["id"], f"feature {after['id']} comes in the place of {before['id']}")
        if before["geometry"] is None:
            demand(after["geometry"] is None, f"feature {before['id']} has a geometry all at once")
            continue
        demand(before["geometry"]["type"] == after["geometry"]["type"], f"feature {before['id']} becomes a {after['geometry']['type']}")
        old, new = vertices(before["geometry"]), vertices(after["geometry"])
        demand(len(old) == len(new), f"feature {before['id']} has {len(new)} positions of {len(old)}")
        step = max(1, len(old) // 20)
        for expected, got in zip(transform(api, code, old[::step]), new[::step]):
            right = expected is None or all(abs(a - b) <= tolerance for a, b in zip(expected, got))
            demand(right, f"feature {before['id']} is at {got}, PROJ says {expected}")


def first_features(api, name):
    return api.items(name, limit=20)["features"]


def transformed(api, name, code):
    placed(api, code, first_features(api, name), api.items(name, limit=20, crs=code)["features"])


def feature_transformed(api, name, code):
    for f in some(first_features(api, name), 2):
        placed(api, code, [f], [api.get(item(name, f["id"]), crs=code).json()])


def content_crs(api, name, code):
    """The header says the system of the answer: of features, of one feature, and in the formats without a place for it."""
    path = items_path(name)
    answers = [api.get(path, limit=1, crs=code), api.get(item(name, first_features(api, name)[0]["id"]), crs=code)]
    for answer in answers + [api.get(path, kind, limit=1, crs=code) for kind in FORMATS[:3]]:
        header = answer.headers.get("Content-Crs")
        demand(header == f"<{code}>", f"{answer.url}: Content-Crs is {header}, expected <{code}>")


def bboxes(api, name, code):
    """Boxes in the system, in the order of its axes, and what they are in it."""
    west, south, east, north = extent_of(api.every(name))
    wide, high = east - west, north - south
    middle = (west + wide / 4, south + high / 4, east - wide / 4, north - high / 4)
    corners = {"middle": middle, "corner": (west + wide / 2, south + high / 2, east, north)}
    for case, (w, s, e, n) in corners.items():
        points = transform(api, code, [(x, y) for x in (w, (w + e) / 2, e) for y in (s, (s + n) / 2, n)])
        if all(points):
            yield case, [min(p[0] for p in points), min(p[1] for p in points), max(p[0] for p in points), max(p[1] for p in points)]


def box_in(api, name, code, box):
    """Features are those that meet the box in its own system: sure ones are in the answer, those surely outside are not.

    Sure is what meets the box, or misses it, with some metres to spare, by the geometry as the server gives it in that system."""
    got = light(api, name, bbox=numbers(box), bbox_crs=code)
    found = set(got)
    demand(len(found) == len(got), "a feature comes twice")
    reach = 2 * near(api, code)
    for identifier, geometry in in_system(api, name, code):
        if geometry is None:
            continue
        if identifier not in found:
            demand(not meets(geometry, box, -reach), f"feature {identifier} meets the box {box} and is not in the answer")
        else:
            demand(meets(geometry, box, reach), f"feature {identifier} does not meet the box {box}")
    lost = {i for i, g in in_system(api, name, code) if g is None} - found
    demand(not lost, f"features without geometry are missing: {sorted(map(str, lost))[:5]}")


def in_system(api, name, code):
    """Identifiers and geometries, transformed by PROJ, as far as the system has numbers for them."""
    key = (name, code, "geometries")
    if key not in api.documents:
        found = []
        for identifier, geometry in geometries(api, name):
            other = None if geometry is None else geometry.Clone()
            if other is not None:
                try:
                    other.Transform(to(api, code))
                except RuntimeError:
                    continue
            found.append((identifier, other))
        api.documents[key] = found
    return api.documents[key]


def meets(geometry, box, reach):
    """The geometry meets the box, made greater by a length."""
    low1, low2, high1, high2 = box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach
    return low1 <= high1 and low2 <= high2 and touches(geometry, (low1, low2, high1, high2), rectangle(low1, low2, high1, high2))


def same_features(api, name, code):
    """The whole extent in the system has the features that it has in degrees: all of them."""
    west, south, east, north = extent_of(api.every(name))
    points = [(west + (east - west) * i / 8, south + (north - south) * j / 8) for i in range(9) for j in range(9)]
    there = transform(api, code, points)
    if not all(there):
        return
    spare = 100 * near(api, code)
    box = [min(p[0] for p in there) - spare, min(p[1] for p in there) - spare, max(p[0] for p in there) + spare, max(p[1] for p in there) + spare]
    if reference(api, code).IsGeographic():
        limits = (180, 90) if code in (CRS84, CRS84H) else (90, 180)
        box = [max(-limits[0], box[0]), max(-limits[1], box[1]), min(limits[0], box[2]), min(limits[1], box[3])]
    same(light(api, name, bbox=numbers(box), bbox_crs=code), [f["id"] for f in api.every(name)], f"bbox={numbers(box)} in {code}")


# What holds whatever the system is.

def errors(api, name):
    first = item(name, first_features(api, name)[0]["id"])
    for code in UNKNOWN:
        refused(api, f"/conf/crs/crs-parameter-invalid[{name}, items, {code}]", items_path(name), f"crs={code}", crs=code)
        refused(api, f"/conf/crs/crs-parameter-invalid[{name}, feature, {code}]", first, f"crs={code}", crs=code)
        refused(api, f"/conf/crs/bbox-crs-parameter-invalid[{name}, {code}]", items_path(name), f"bbox-crs={code}", bbox="0,0,1,1", bbox_crs=code)
    api.test(f"/conf/crs/crs-parameter-invalid[{name}, not offered]", not_offered, api, name)
    refused(api, f"/conf/crs/bbox-crs-parameter-invalid[{name}, feature]", first, "bbox-crs of one feature", bbox_crs=CRS84)


def not_offered(api, name):
    """A system that PROJ knows and the collection does not offer is refused (/req/crs/fc-crs-valid-value)."""
    codes = (f"http://www.opengis.net/def/crs/EPSG/0/{n}" for n in (2154, 27700, 31370, 28992))
    other = next(c for c in codes if c not in offered_by(api, name))
    for query in ({"crs": other}, {"bbox": "0,0,1,1", "bbox_crs": other}):
        refuses(api, items_path(name), "a system that is not offered", **query)
    refuses(api, item(name, first_features(api, name)[0]["id"]), "a system that is not offered", crs=other)


def definitions(api, name):
    """crs of features and of one feature, bbox-crs of features, are texts in the form of a URI (§6.2.2, §6.2.3)."""
    for path, parameter in ((items_path(name), "crs"), (one_path(name), "crs"), (items_path(name), "bbox-crs")):
        schema = form_parameter(api, path, parameter, explode=False)
        demand((schema.get("type"), schema.get("format")) == ("string", "uri"), f"{parameter} at {path} is {schema}")


def default_crs(api, name):
    """Without crs, and with CRS84, the answer is the same and says CRS84."""
    plain, asked = api.get(items_path(name), limit=20), api.get(items_path(name), limit=20, crs=CRS84)
    demand(plain.json()["features"] == asked.json()["features"], "features differ with crs=CRS84")
    one = api.get(item(name, plain.json()["features"][0]["id"]))
    for answer in (plain, asked, one):
        header = answer.headers.get("Content-Crs")
        demand(header in (f"<{CRS84}>", f"<{CRS84H}>"), f"{answer.url}: Content-Crs is {header}")


def default_bbox(api, name):
    """Without bbox-crs, and with CRS84, a box is of longitude and latitude, whatever crs is."""
    west, south, east, north = extent_of(api.every(name))
    box = (west, south, (west + east) / 2, (south + north) / 2)
    expected = meeting(api, name, box)
    other = next((c for c in offered_by(api, name) if c not in (CRS84, CRS84H)), CRS84)
    for query in ({}, {"bbox_crs": CRS84}, {"crs": other}, {"bbox_crs": CRS84, "crs": other}):
        same(api.ids(name, bbox=numbers(box), **query), expected, f"bbox with {query}")


def storage(api, name):
    """In the system that it is stored in a feature has the numbers that it has without transformation."""
    code = json_of(api, f"/collections/{name}")["storageCrs"]
    placed(api, code, first_features(api, name), api.items(name, limit=20, crs=code)["features"])


def links_keep(api, name):
    """next and alternate keep the system."""
    other = next((c for c in offered_by(api, name) if c not in (CRS84, CRS84H)), CRS84)
    for query in ({"crs": other}, {"crs": other, "bbox": "-180,-90,180,90", "bbox_crs": CRS84}):
        page = api.items(name, limit=1, **query)
        follow = link(page["links"], "next")
        if follow:
            answer = api.get(follow["href"], GEOJSON)
            demand(answer.headers.get("Content-Crs") == f"<{other}>", f"next has Content-Crs {answer.headers.get('Content-Crs')}")
        for l in (l for l in page["links"] if l["rel"] in ("self", "alternate") and l["type"] in (GEOJSON, "application/fg+json")):
            answer = api.get(l["href"], l["type"])
            demand(answer.headers.get("Content-Crs") == f"<{other}>", f"{l['href']} has Content-Crs {answer.headers.get('Content-Crs')}")


def header_of_formats(api, name):
    """Content-Crs stands on every answer with features, in all formats; what it names is offered."""
    for kind in FORMATS:
        answer = api.get(items_path(name), kind, limit=1)
        header = answer.headers.get("Content-Crs", "")
        demand(header[1:-1] in offered_by(api, name), f"{kind} has Content-Crs {header!r}")
