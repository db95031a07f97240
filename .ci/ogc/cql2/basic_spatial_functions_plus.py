"""OGC 21-065r2 §7.6, annex A, conformance class Basic Spatial Functions with additional Spatial Literals: S_INTERSECTS with all geometries."""

from abstract import same
from cql import agrees, box, both, collection, either, line, multi, no, op, point, polygon, prop, reads, rectangle, refused, refused_both, table
from cql import test_data, text
from places import all_positions, box_of
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions-plus"
HERE = "/conf/basic-spatial-functions-plus"
DATA = ("settlements", "zoning", "zoning-overlays", "drainage", "utility-poles")
WEST = polygon([(-180, -90), (-90, -90), (-90, 90), (-180, 90), (-180, -90)], [(-120, -50), (-100, -50), (-100, -40), (-120, -40), (-120, -50)])
# The expressions of the abstract test but the first, whose point is none of the world.
SAMPLES = (
    line((-180, -45), (0, -45)),
    multi(line((-180, -45), (0, -45)), line((0, 45), (180, 45))),
    WEST,
    multi(WEST, rectangle(0, 0, 10, 10)),
    collection(point(7.02, 49.92), rectangle(0, 0, 10, 10)),
)
INVALID = (
    multi(point(7.02, 49.92), point(90, 180)), line((0, 0), (0, 91)), multi(line((0, 0), (1, 1)), line((-181, 0), (0, 0))), rectangle(0, 0, 190, 10),
    multi(rectangle(0, 0, 10, 10), rectangle(0, 80, 10, 95)), collection(point(7.02, 49.92), point(0, -90.001)),
)
BROKEN = (
    "LINESTRING(24 48)", "LINESTRING()", "LINESTRING(24 48, 25)", "LINESTRING((24 48, 25 49))", "LINESTRING(24 48, 25 49",
    "POLYGON((24 48, 25 48, 24 48))",
    "POLYGON((24 48, 25 48, 25 49, 24 49))", "POLYGON(24 48, 25 48, 25 49, 24 48)", "POLYGON()", "MULTIPOLYGON((24 48, 25 48, 25 49, 24 48))",
    "MULTIPOINT(a)",
    "MULTILINESTRING(24 48, 25 49)", "GEOMETRYCOLLECTION(24 48)", "GEOMETRYCOLLECTION(BBOX(1,2,3,4))", "CIRCLE(24 48, 1)", "CURVE(24 48, 25 49)",
)
BROKEN_JSON = (
    {"type": "LineString", "coordinates": [[24, 48]]}, {"type": "LineString", "coordinates": [24, 48]},
    {"type": "Polygon", "coordinates": [[24, 48], [25, 49]]},
    {"type": "Polygon", "coordinates": [[[24, 48], [25, 48], [25, 49], [24, 49]]]},
    {"type": "MultiPolygon", "coordinates": [[[24, 48], [25, 48], [25, 49], [24, 48]]]},
    {"type": "GeometryCollection", "coordinates": []}, {"type": "GeometryCollection", "geometries": [[24, 48]]},
    {"type": "MultiPoint", "coordinates": [["24", "48"]]},
    {"type": "linestring", "coordinates": [[24, 48], [25, 49]]}, {"type": "Feature", "geometry": None}, {"coordinates": [[24, 48], [25, 49]]}, {},
)


def intersects(api, name, geometry):
    return op("s_intersects", prop(table(api, name).geometry), geometry)


def shapes(api, name):
    """A geometry of each type, over the collection."""
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    at = lambda s, t: (west + (east - west) * s, south + (north - south) * t)
    ring = [at(0.1, 0.1), at(0.9, 0.15), at(0.8, 0.9), at(0.15, 0.8), at(0.1, 0.1)]
    hole = [at(0.3, 0.3), at(0.35, 0.7), at(0.7, 0.65), at(0.6, 0.3), at(0.3, 0.3)]
    # Lines from corner to corner of features, so that they meet points and other lines too.
    corners = [next(all_positions(f["geometry"]))[:2] for f in api.every(name)[:: len(api.every(name)) // 5]]
    cut, way = line(*corners[:3]), line(*corners[3:5])
    island = polygon([at(0.45, 0.45), at(0.55, 0.45), at(0.5, 0.55), at(0.45, 0.45)])
    return {
        "MULTIPOINT": multi(*(point(*p) for p in corners)),
        "LINESTRING": cut,
        "MULTILINESTRING": multi(cut, way),
        "POLYGON": polygon(ring),
        "POLYGON with a hole": polygon(ring, hole),
        "MULTIPOLYGON": multi(polygon(ring, hole), island),
        "GEOMETRYCOLLECTION": collection(way, island, multi(point(*at(0.2, 0.5)), point(*at(0.8, 0.4)))),
    }


def of_type(api, name, geometry):
    """What the geometry meets, and what it does not, is everything."""
    ids = agrees(api, name, intersects(api, name, geometry))
    demand(0 < len(ids) < len(api.every(name)), f"{len(ids)} expected: nothing is tested")
    without = agrees(api, name, no(intersects(api, name, geometry)))
    same(ids + without, [f["id"] for f in api.every(name)], f"{name}: {text(geometry)[:80]}")


def parts(api, name):
    """A multi-geometry and a collection meet what one of their parts meets."""
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    at = lambda s: (west + (east - west) * s, south + (north - south) * s)
    one, apart, other = rectangle(*at(0), *at(0.49)), rectangle(*at(0.7), *at(1)), line((west, north), (east, south))
    union = either(intersects(api, name, one), intersects(api, name, other))
    same(agrees(api, name, intersects(api, name, collection(one, other))), agrees(api, name, union), f"{name}: a collection")
    union = either(intersects(api, name, one), intersects(api, name, apart))
    same(agrees(api, name, intersects(api, name, multi(one, apart))), agrees(api, name, union), f"{name}: two polygons")
    same(agrees(api, name, intersects(api, name, one)),
        agrees(api, name, intersects(api, name, box(*one["coordinates"][0][0], *one["coordinates"][0][2]))), f"{name}: box")
    agrees(api, name, both(intersects(api, name, one), no(intersects(api, name, other))))


def forms(api, name):
    """WKT as it may be written: in any case, with blanks, heights, points of a multipoint in parentheses or bare."""
    geometry = prop("geom")
    pair = op("s_intersects", geometry, multi(point(24.71, 48.92), point(25.03, 48.53)))
    for filter in ("S_INTERSECTS(geom,MULTIPOINT(24.71 48.92,25.03 48.53))", "S_INTERSECTS(geom,MULTIPOINT((24.71 48.92),(25.03 48.53)))",
                   "S_INTERSECTS(geom,multipoint ( ( 24.71 48.92 ) , ( 25.03 48.53 ) ))",
                   "S_INTERSECTS(geom,MULTIPOINT Z((24.71 48.92 100),(25.03 48.53 200)))"):
        reads(api, name, filter, pair)
    triangle = op("s_intersects", geometry, polygon([(24, 48), (25, 48), (25, 49), (24, 48)]))
    for filter in ("S_INTERSECTS(geom,POLYGON((24 48,25 48,25 49,24 48)))", "S_INTERSECTS(geom, Polygon (( 24 48 , 25 48 , 25 49 , 24 48 )))",
                   "S_INTERSECTS(geom,POLYGON((24.0 48.0,25 48,25 49,24 48)))", "S_INTERSECTS(geom,POLYGON Z((24 48 1,25 48 1,25 49 1,24 48 1)))",
                   "S_INTERSECTS(geom,MULTIPOLYGON(((24 48,25 48,25 49,24 48))))", "S_INTERSECTS(geom,POLYGON((24 48,25 49,25 48,24 48)))"):
        reads(api, name, filter, triangle)


def run(api):
    for name in DATA:
        for geometry in SAMPLES:
            api.test(f"{HERE}/s_intersects[{name}, {text(geometry)[:60]}]", agrees, api, name, intersects(api, name, geometry))
        for label, geometry in shapes(api, name).items():
            api.test(f"{HERE}/s_intersects[{name}, {label}]", of_type, api, name, geometry)
        api.test(f"{HERE}/s_intersects[{name}, parts]", parts, api, name)
        for geometry in INVALID if name == "settlements" else INVALID[:1]:
            api.test(f"{HERE}/s_intersects[{name}, {text(geometry)[:60]} is invalid]", refused_both, api, name, intersects(api, name, geometry))
    api.test(f"{HERE}/s_intersects[settlements, forms]", forms, api, "settlements")
    test_data(api, "basic-spatial-functions-plus")
    for geometry in BROKEN:
        api.test(f"/req/basic-spatial-functions-plus/spatial-data-types[{geometry}]", refused, api, "settlements", f"S_INTERSECTS(geom,{geometry})")
    for geometry in BROKEN_JSON:
        api.test(f"/req/basic-spatial-functions-plus/spatial-data-types[{geometry}]", refused, api, "settlements",
            op("s_intersects", prop("geom"), geometry), "cql2-json")
