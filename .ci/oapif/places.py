"""Geometry in GeoJSON against boxes and points, by plain arithmetic: what the server's index and GEOS find is held against it."""


def touches(geometry, west, south, east, north):
    """Whether it has a point in common with the box, whose sides belong to it. Takes time linear in the positions."""
    kind = geometry["type"]
    if kind == "GeometryCollection":
        return any(touches(part, west, south, east, north) for part in geometry["geometries"])
    if kind.startswith("Multi"):
        return any(touches({"type": kind[5:], "coordinates": part}, west, south, east, north) for part in geometry["coordinates"])
    box = (west, south, east, north)
    if kind == "Point":
        return crosses(geometry["coordinates"], geometry["coordinates"], box)
    lines = [geometry["coordinates"]] if kind == "LineString" else geometry["coordinates"]
    if any(crosses(a, b, box) for line in lines for a, b in zip(line, line[1:])):
        return True
    # No line of it comes near: then the box is inside wholly or not at all.
    return kind == "Polygon" and sum(winds(line, west, south) for line in lines) % 2 == 1


def crosses(a, b, box):
    """Whether the segment has a part in the box (Liang and Barsky)."""
    enters, leaves = 0.0, 1.0
    for axis in (0, 1):
        low, high = box[axis], box[axis + 2]
        start, length = a[axis], b[axis] - a[axis]
        if length == 0:
            if not low <= start <= high:
                return False
            continue
        first, second = sorted(((low - start) / length, (high - start) / length))
        enters, leaves = max(enters, first), min(leaves, second)
    return enters <= leaves


def winds(ring, x, y):
    """How many sides of the ring are to the east of the point."""
    return sum((a[1] > y) != (b[1] > y) and x < a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(ring, ring[1:]))


def positions(coordinates):
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield coordinates
    else:
        for part in coordinates:
            yield from positions(part)


def swapped(geometry):
    """x first, where the CRS has it second (QgsGeometry::swapXy())."""
    if geometry is None:
        return None
    if geometry["type"] == "GeometryCollection":
        return {"type": geometry["type"], "geometries": list(map(swapped, geometry["geometries"]))}

    def turn(part):
        return [part[1], part[0], *part[2:]] if isinstance(part[0], (int, float)) else list(map(turn, part))

    return {"type": geometry["type"], "coordinates": turn(geometry["coordinates"])}


def middle_quarter(geometries):
    """A box with some of them outside, inside, across."""
    xs, ys = zip(*(p[:2] for g in geometries if g for p in positions(g["coordinates"])))
    west, east, south, north = min(xs), max(xs), min(ys), max(ys)
    return (west + (east - west) / 4, south + (north - south) / 4, east - (east - west) / 4, north - (north - south) / 4)
