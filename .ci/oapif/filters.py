"""What users of QGIS filter by. Every filter selects some features, never all: replay.py sees to it."""

from datetime import date, datetime, timezone

from expression import column
from layer import CRS84, EPSG
from places import middle_quarter

UTC = timezone.utc
BUILT, VALUE, AREA, UNITS, USE, PLACE, EDITED = map(column, ["year_built", "total_value", "land_area_sqft", "units", "use_code", "location", "edit_date"])
NAME, NAME_UK, KOATUU = map(column, ["name", "name_uk", "koatuu"])
DAY, END, INTERVAL, ACTIVE, STOREYS, PEOPLE, RATIO = map(column, ["date", "end", "interval", "active", "поверхів", "Кількість осіб", "ratio"])


def box(features):
    return ("INTERSECTS_BBOX", middle_quarter(f["geometry"] for f in features))


def point(features):
    """Inside the largest part of the feature in the middle: between two positions of its line it would be on its edge."""
    shapes = [f["geometry"] for f in features if f["geometry"]]
    west, south, east, north = middle_quarter(shapes[len(shapes) // 2 :][:1])
    return ("INTERSECTS", ((west + east) / 2 + (east - west) / 97, (south + north) / 2 + (north - south) / 89))


def box_and(condition):
    return lambda features: ("AND", box(features), condition)


PARCELS = [
    ("equal, a text", ("=", USE, "104")),
    ("equal, another case of the name", ("=", column("Use_Code"), "104")),
    ("not equal, with nulls", ("<>", column("poly_type"), "TAX")),
    ("less", ("<", BUILT, 1850)),
    ("less or equal", ("<=", BUILT, 1850)),
    ("greater", (">", AREA, 5000.5)),
    ("greater or equal", (">=", VALUE, 1000000)),
    ("a large number as Qt writes it", (">", VALUE, 25000000.0)),
    ("and, or", ("OR", ("AND", ("=", USE, "101"), (">", BUILT, 1990)), ("=", USE, "112"))),
    ("not", ("NOT", ("<", BUILT, 1900))),
    ("not, of and", ("NOT", ("AND", (">", UNITS, 1), ("=", USE, "104")))),
    ("like, begins", ("LIKE", PLACE, "23%")),
    ("like, one letter", ("LIKE", column("ml"), "1_-%")),
    ("like, ends", ("LIKE", PLACE, "% AVE")),
    ("ilike", ("ILIKE", PLACE, "%broadway%")),
    ("not like", ("NOT LIKE", PLACE, "% ST")),
    ("not ilike", ("NOT ILIKE", PLACE, "% st")),
    ("in, texts", ("IN", USE, ["104", "105", "O'NEIL"])),
    ("in, numbers", ("IN", BUILT, [1873, 1890])),
    ("not in", ("NOT IN", USE, ["101", "102", "104", "105"])),
    ("between", ("BETWEEN", BUILT, 1850, 1870)),
    ("not between", ("NOT BETWEEN", VALUE, 100000, 2000000.5)),
    ("is null", ("IS", BUILT, None)),
    ("is not null", ("IS NOT", column("plan_id"), None)),
    ("plus", ("=", ("+", UNITS, 1), 4)),
    ("minus", (">", ("-", column("gross_area_sqft"), AREA), 0)),
    ("times", (">", ("*", AREA, 3), VALUE)),
    ("divided", ("<", ("/", VALUE, AREA), 12.5)),
    ("remainder", ("=", ("%", BUILT, 7), 3)),
    ("power", (">", ("^", UNITS, 2), 9)),
    ("unary minus", ("<", ("-", UNITS), ("-", 3))),
    ("property and property", (">", column("gross_area_sqft"), AREA)),
    ("a date", (">=", EDITED, date(2011, 9, 22))),
    ("a date as text", ("=", EDITED, "2007-06-06")),
    ("a date as text, less", ("<", EDITED, "2007-06-06")),
    ("dates between", ("BETWEEN", EDITED, date(2007, 2, 6), date(2007, 9, 25))),
    ("a date is null", ("IS", EDITED, None)),
    ("in a box", box),
    ("in a box and more", box_and(("=", USE, "105"))),
    ("at a point", point),
]
HROMADAS = [
    ("Ukrainian, equal", ("=", NAME, "Калуська міська громада")),
    ("Ukrainian, with an apostrophe", ("=", NAME_UK, "П'ядицька сільська громада")),
    ("Ukrainian, not equal", ("<>", NAME, "Калуська міська громада")),
    ("Ukrainian, like", ("LIKE", NAME_UK, "Б%")),
    ("Ukrainian, like, another case", ("LIKE", NAME, "%міська%")),
    ("Ukrainian, ilike", ("ILIKE", NAME, "к%МІСЬКА%")),
    ("Ukrainian, ilike with an apostrophe", ("ILIKE", NAME, "п'Я%")),
    ("Ukrainian, not ilike", ("NOT ILIKE", NAME_UK, "%СІЛЬСЬКА%")),
    ("Ukrainian, in", ("IN", NAME, ["Калуська міська громада", "Коломийська міська громада", "Немає такої"])),
    ("Ukrainian, greater", (">", NAME, "П")),
    ("is null", ("IS", KOATUU, None)),
    ("an underscore is one letter", ("LIKE", column("parent"), "%.kaluskyy_rayon")),
    ("in a box", box),
    ("in a box and more", box_and(("LIKE", NAME, "%міська%"))),
    ("not in a box", lambda features: ("NOT", box(features))),
    ("at a point", point),
]
WELLS = [
    ("a name that is a word, date", ("=", DAY, date(2026, 3, 3))),
    ("a name that is a word, with null", ("IS", DAY, None)),
    ("a name that is a word, end", (">=", END, datetime(2026, 3, 15, tzinfo=UTC))),
    ("milliseconds", ("<=", END, datetime(2026, 3, 11, 10, 30, 0, 160_000, tzinfo=UTC))),
    ("a time as text", ("<", END, "2026-03-11T10:30:00.160Z")),
    ("a time as text, with an offset", ("<", END, "2026-03-11T12:30:00.161+02:00")),
    ("times between", ("BETWEEN", END, datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))),
    ("a name that is a word, interval", ("=", INTERVAL, 2)),
    ("true", ("=", ACTIVE, True)),
    ("false", ("=", ACTIVE, False)),
    ("true or null", ("OR", ACTIVE, ("IS", ACTIVE, None))),
    ("not true", ("NOT", ACTIVE)),
    ("a Ukrainian name without quotes", (">", STOREYS, 9)),
    ("a Ukrainian name with quotes", ("<", PEOPLE, 40)),
    ("arithmetic with both", ("=", ("-", PEOPLE, STOREYS), 4)),
    ("small numbers", ("<", RATIO, 0.126)),
    ("a backslash", ("=", NAME, "a\\b")),
    ("a backslash in a pattern", ("LIKE", NAME, "a\\\\%")),
    ("a percent sign", ("=", NAME, "a%b")),
    ("a percent sign in a pattern", ("LIKE", NAME, "a\\%b")),
    ("an underscore in a pattern", ("LIKE", NAME, "a\\_b")),
    ("a pattern of all these", ("LIKE", NAME, "a_b")),
    ("a plus sign in a text", ("=", NAME, "1+1")),
    ("double quotes", ("=", NAME, 'у "лапках"')),
    ("ilike, Ukrainian letters with marks", ("ILIKE", NAME, "їж%")),
    ("ilike, ґ", ("ILIKE", NAME, "ґАНОК")),
    ("equal minds the case", ("=", NAME, "колодязь")),
    ("ilike doesn't", ("ILIKE", NAME, "колодязь")),
    ("in a box", box),
    ("at a point", point),
]
# Collection, CRS or None for that of storage, title, expression or what makes one of all features.
FILTERS = [("parcels", None, *each) for each in PARCELS]
FILTERS += [("hromadas", None, *each) for each in HROMADAS]
FILTERS += [("hromadas", EPSG + code, *each) for code in ("6382", "4326", "3857") for each in HROMADAS if callable(each[1])]
FILTERS += [("wells", None, *each) for each in WELLS]
FILTERS += [("wells", crs, *each) for crs in (CRS84, EPSG + "4326") for each in WELLS if callable(each[1])]

# A filter of the layer, and an expression of one reading of it.
PAIRS = [
    ("parcels", ("=", USE, "104"), (">", BUILT, 1900)),
    ("hromadas", ("ILIKE", NAME, "%міська%"), ("NOT", ("LIKE", NAME_UK, "К%"))),
    ("wells", box, (">", STOREYS, 5)),
    ("wells", ("=", NAME, "a\\b"), ("<", PEOPLE, 100)),
]

UNKNOWN = ("=", column("no such property"), 3)
# Collection, expression, the part of it that QGIS sends: the server gives more than is asked for, and QGIS chooses.
UNTRANSLATABLE = [
    ("parcels", ("AND", (">=", UNITS, 2), UNKNOWN), (">=", UNITS, 2)),
    ("parcels", ("AND", UNKNOWN, (">=", UNITS, 2)), (">=", UNITS, 2)),
    ("parcels", ("OR", UNKNOWN, (">=", UNITS, 2)), None),
    ("parcels", ("NOT", UNKNOWN), None),
]

# Collection, expression that QGIS writes in words that CQL2 has not.
NO_CQL2 = [("parcels", ("IS", USE, "104")), ("parcels", ("IS NOT", UNITS, 2)), ("parcels", ("=", USE, None))]

# Collection, title, conditions joined by AND.
FALLBACKS = [
    ("wells", "since", [(">=", END, "2026-03-15T00:00:00Z")]),
    ("wells", "until", [("<", END, "2026-03-15T00:00:00Z")]),
    ("wells", "from and to", [(">", END, "2026-03-05T00:00:00Z"), ("<=", END, "2026-03-09T12:00:00.000Z")]),
    ("wells", "one instant", [("=", END, "2026-03-11T10:30:00.160Z")]),
    ("wells", "since, with an offset", [(">=", END, "2026-03-15T02:00:00+02:00")]),
    ("wells", "a time and a text", [(">=", END, "2026-03-03T00:00:00Z"), ("=", NAME, "Ґанок")]),
    ("wells", "a number and a Boolean", [("=", STOREYS, 4), ("=", ACTIVE, False)]),
    ("wells", "a text with a backslash", [("=", NAME, "a\\b")]),
    ("hromadas", "a Ukrainian text", [("=", NAME, "П'ядицька сільська громада")]),
    ("parcels", "a text and a number", [("=", USE, "104"), ("=", UNITS, 2)]),
]
