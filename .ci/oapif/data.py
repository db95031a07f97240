"""A collection with what the samples lack: a national CRS of storage, Boolean and time values, names that are words of CQL2, odd text."""

import json
import os

COUNT = 60
NAMES = ["Криниця", "колодязь", "КОЛОДЯЗЬ", "Ґанок", "п'ятий кут", "a\\b", "a%b", "a_b", "1+1", 'у "лапках"', "a/b", "Їжак"]


def features():
    for i in range(COUNT):
        east, north = 300_000 + 700 * (i % 10), 5_420_000 + 900 * (i // 10)
        square = [[east, north], [east + 500, north], [east + 500, north + 500], [east, north + 500], [east, north]]
        yield {
            "type": "Feature",
            "id": i + 1,
            # One in twelve has no place.
            "geometry": {"type": "Polygon", "coordinates": [square]} if i % 12 != 5 else None,
            "properties": {
                "name": NAMES[i % len(NAMES)],
                # Words of CQL2 and SQL, that come without quotes.
                "date": f"2026-{i % 12 + 1:02}-{i % 28 + 1:02}" if i % 7 else None,
                "end": f"2026-03-{i % 30 + 1:02}T{i % 24:02}:30:00.{i * 16 % 1000:03}Z" if i % 9 else None,
                "interval": i % 5,
                "active": None if i % 11 == 0 else i % 3 == 0,
                "поверхів": i % 17,
                "Кількість осіб": i * 3,
                "ratio": round(i / 8, 3),
            },
        }


def write(folder):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::6382"}}
    entry = {"file": "wells.geojson", "collection": "wells", "access": "public", "time": "end", "theme": "other", "license": "CC0-1.0", "attribution": "-"}
    entry |= {"title": {"uk": "Криниці", "en": "Wells"}, "description": {"uk": "Для перевірки", "en": "For tests"}, "searchable": []}
    names = next(features())["properties"]
    entry |= {"titles": {name: {"uk": name, "en": name} for name in names}, "units": {}, "enumerations": {}}
    os.makedirs(folder, exist_ok=True)
    for name, document in [
        ("wells.geojson", {"type": "FeatureCollection", "crs": crs, "features": list(features())}),
        ("manifest.json", {"version": 1, "collections": [entry]}),
    ]:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
