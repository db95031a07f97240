"""Positions, boxes, times and coordinate systems of GeoJSON, by GEOS and PROJ."""

import json
from datetime import datetime

from osgeo import ogr, osr
from suite import CRS84, CRS84H, demand

ogr.UseExceptions()
osr.UseExceptions()


def box_of(collection):
    boxes = ((collection.get("extent") or {}).get("spatial") or {}).get("bbox")
    if not boxes:
        return None
    demand(len(boxes[0]) == 4, f"{collection['id']}: a box of {len(boxes[0])} numbers: the suite reads four")
    return [float(n) for n in boxes[0]]


def span_of(collection):
    intervals = ((collection.get("extent") or {}).get("temporal") or {}).get("interval")
    if not intervals:
        return None
    demand(len(intervals[0]) == 2, f"{collection['id']}: a time interval of {len(intervals[0])} ends")
    return intervals[0]


def spans(collection):
    """Values of datetime within the collection's time: its begin, and a part of it."""
    span = span_of(collection)
    if not span or not all(span):
        return []
    begin, end = (datetime.fromisoformat(s.replace("Z", "+00:00")) for s in span)
    quarter = (end - begin) / 4
    write = lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [write(begin), f"{write(begin + quarter)}/{write(begin + 2 * quarter)}"]


def positions(coordinates):
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield coordinates
    else:
        for part in coordinates or []:
            yield from positions(part)


def all_positions(geometry):
    if geometry is None:
        return
    for part in geometry.get("geometries", []):
        yield from all_positions(part)
    yield from positions(geometry.get("coordinates", []))


def in_degrees(features):
    for feature in features:
        for x, y, *_ in all_positions(feature.get("geometry")):
            demand(-180 <= x <= 180 and -90 <= y <= 90, f"feature {feature.get('id')} has a position {x}, {y}")


def inside(features, bbox):
    """/req/core/fc-bbox-response: every geometry meets the box; its envelope is not enough."""
    west, south, east, north = bbox
    halves = [(west, east)] if west <= east else [(west, 180), (-180, east)]
    polygons = [ogr.CreateGeometryFromWkt(f"POLYGON(({w} {south},{e} {south},{e} {north},{w} {north},{w} {south}))") for w, e in halves]
    for feature in features:
        if feature.get("geometry"):
            geometry = ogr.CreateGeometryFromJson(json.dumps(feature["geometry"]))
            demand(geometry is not None, f"feature {feature.get('id')} has no readable geometry")
            demand(any(geometry.Intersects(p) for p in polygons), f"feature {feature.get('id')} is outside the box {bbox}")


def to_crs(points, code):
    """From longitude and latitude, in the axis order of the authority."""
    degrees, other = osr.SpatialReference(), osr.SpatialReference()
    degrees.SetFromUserInput("OGC:CRS84")
    if code in (CRS84, CRS84H):
        return [(x, y) for x, y in points]
    other.ImportFromEPSG(int(code.rpartition("/")[2]))
    transformation = osr.CoordinateTransformation(degrees, other)
    return [transformation.TransformPoint(x, y)[:2] for x, y in points]


def same_places(degrees, other, code):
    """Each first position of ten features, transformed by PROJ, is where the answer has it: within some metres, for grids of datums differ."""
    reference = osr.SpatialReference()
    if code in (CRS84, CRS84H):
        near = 1e-9
    else:
        reference.ImportFromEPSG(int(code.rpartition("/")[2]))
        near = 1e-4 if reference.IsGeographic() else 10 / reference.GetLinearUnits()
    by_id = {f["id"]: f for f in other["features"]}
    for feature in degrees["features"]:
        place = next(all_positions(feature.get("geometry")), None)
        if place is None:
            continue
        demand(feature["id"] in by_id, f"feature {feature['id']} is missing")
        got = next(all_positions(by_id[feature["id"]]["geometry"]))
        expected = to_crs([place[:2]], code)[0]
        demand(all(abs(a - b) <= near for a, b in zip(got, expected)), f"feature {feature['id']} is at {got[:2]}, PROJ says {list(expected)}")
