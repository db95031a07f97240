"""OGC 21-065r2 §8.2 and annex B, conformance class CQL2 Text: how a filter may be written. The other files send theirs as text and as JSON."""

from cql import agrees, all_refused, both, counts, day, each, either, everything, is_null, moment, no, nothing, op, prop, quoted, reads, table, text
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text"
NAME, PLACE, CODE = prop("name"), prop("place"), prop("koatuu")
TOWN, LATE, MISSING = op("=", PLACE, "town"), op(">", NAME, "Л"), is_null("koatuu")
# AND binds closer than OR, NOT closer than AND, a comparison closer than NOT.
PRECEDENCE = (
    ("place = 'town' OR name > 'Л' AND koatuu IS NULL", either(TOWN, both(LATE, MISSING))),
    ("koatuu IS NULL AND name > 'Л' OR place = 'town'", either(both(MISSING, LATE), TOWN)),
    ("(place = 'town' OR name > 'Л') AND koatuu IS NULL", both(either(TOWN, LATE), MISSING)),
    ("NOT place = 'town' AND name > 'Л'", both(no(TOWN), LATE)),
    ("NOT (place = 'town' AND name > 'Л')", no(both(TOWN, LATE))),
    ("NOT place = 'town' OR NOT name > 'Л'", either(no(TOWN), no(LATE))),
    ("name > 'Л' AND NOT koatuu IS NULL", both(LATE, no(MISSING))),
    ("name > 'Л' AND koatuu IS NOT NULL", both(LATE, no(MISSING))),
    ("NOT (NOT (place = 'town'))", TOWN),
    ("((place = 'town'))", TOWN),
    ("place = 'town' AND name > 'Л' AND koatuu IS NULL", both(TOWN, LATE, MISSING)),
    ("place = 'town' OR name > 'Л' OR koatuu IS NULL", either(TOWN, LATE, MISSING)),
    ("place = 'town' AND (TRUE OR FALSE)", TOWN),
    ("TRUE AND place = 'town'", TOWN),
    ("place = 'town' OR FALSE", TOWN),
)
# Keywords are in any case, blanks of any kind and number are allowed between parts, a name may stand in double quotes.
SPELLINGS = (
    "place = 'town'", "place='town'", "  place   =  'town'  ", "place\n=\n'town'", "place\t=\t'town'", "\r\nplace = 'town'", '"place" = \'town\'',
    '"place"=\'town\'', "(place='town')",
    "( place = 'town' )", "place = 'town' and true", "place = 'town' And True", "NOT(place <> 'town') AND NOT(place IS NULL)", "nOt place <> 'town'",
    "place in ('town')", "place IN('town')", "place iN ( 'town' )", "place like 'town'", "place LIKE 'to%' AND place LIKE '%wn'",
    "place <= 'town' AND place >= 'town'", "'town' = place",
)
NUMBERS = (
    "35", "35.0", "35.", "+35", "3.5E1", "3.5e1", "350E-1", "0.35E+2", "035", "35.00000", "3500e-2",
)
# /req/cql2-text/escaping: what a literal holds, as Python writes it.
ESCAPES = (
    (r"'it''s'", "it's"), (r"'it\'s'", "it's"), (r"'a\tb'", "a\tb"), (r"'a\nb'", "a\nb"), (r"'a\rb'", "a\rb"), (r"'a\ab'", "a\ab"),
    (r"'a\bb'", "a\bb"), (r"'a\vb'", "a\vb"),
    (r"'a\fb'", "a\fb"), (r"'a\\b'", "a\\b"), ("''''", "'"), (r"'\''", "'"), ("''", ""), ("''''''", "''"), (r"'\t\n'", "\t\n"), ('\'"\'', '"'),
    ("'a\tb'", "a\tb"), ("'a\nb'", "a\nb"),
    ("'Ґанок ʼ’'", "Ґанок ʼ’"), ("'😀'", "😀"), ("'a  b'", "a  b"), ("' a '", " a "), ("'--'", "--"), ("'%'", "%"), ("'a+b'", "a+b"),
    ("'a&b=c#d'", "a&b=c#d"), ("'/* a */'", "/* a */"),
)
BROKEN = (
    "place", "place =", "= 'town'", "place = 'town", "place = town'", 'place = "town', "place = 'town' AND", "AND place = 'town'",
    "place = 'town' OR", "place = 'town' place = 'town'",
    "place = 'town' AND OR TRUE", "place == 'town'", "place =< 'town'", "place => 'town'", "place ! 'town'", "place > < 'town'", "place = 'town')",
    "(place = 'town'", "((place = 'town')",
    "()", "place = ()", "place IS", "place IS NOT", "place NULL", "IS NULL", "place NOT NULL", "place IS town", "NOT", "place NOT = 'town'",
    "place = NOT 'town'", "place = 'a' = 'b'",
    "place = 'town';", "place = 'town' -- c", "place = 'town' /* c */", "place = 'it's'", "place = 1.2.3", "place = 1e", "place = --1 2",
    "place = 0x10", "place = @", "place = $1",
    "place = ?", "place & 'town'", "place | 'town'", "place = 'town' && TRUE", "place = 'town' || TRUE", "place = {}", "place = [1]",
    "1place = 'town'", "pl-ace = 'town'", "\"place = 'town'",
    "place = DATE '2022-04-16'", "place = NULL", "place <> NULL", "SELECT * FROM settlements", "1 = 1; DROP TABLE settlements",
    "place = 'town' XOR TRUE", "place EQUALS 'town'",
    "place CONTAINS 'town'", '{"op":"=","args":[{"property":"place"},"town"]}', "<Filter/>", "\x00", "place = 'a\x00b'", "%", "''", "place = `town`",
    "place = “town”",
)


def literal(api, written, value):
    """The literal is the text, compared with JSON's, whose escapes are its own; and its number of characters is that of the text."""
    everything(api, "neighborhoods", f"char_length({written}) = {len(value)}")
    everything(api, "neighborhoods", f"{written} = {written}")
    everything(api, "neighborhoods", f"{written} = concat({', '.join(map(one_character, value)) or repr('')})")


def one_character(c):
    return {"'": "''''", "\\": r"'\\'"}.get(c, f"'{c}'")


def found_in_data(api):
    """A name with an apostrophe or another mark is found by the literal that escapes it."""
    marked = [(name, key, v) for name, key in (("hydrants", "HYDRANT_LOCATION"), ("zoning-overlays", "Name"), ("parcels",
        "location")) for v in table(api, name).values(key)
              if isinstance(v, str) and set("'\\\"&/+") & set(v)]
    demand(marked, "no value has a mark: nothing is tested")
    for name, key, value in marked[:: max(1, len(marked) // 12)]:
        demand(agrees(api, name, op("=", prop(key), value)), f"{value!r} is not found")
        if "'" in value:
            backslash = value.replace("\\", "\\\\").replace("'", "\\'")
            counts(api, name, f"{key} = '{backslash}'", sum(f["properties"][key] == value for f in api.every(name)))


def instants(api, filter, one, other, operator):
    """Fractions of a second, and an instant's literal in any case."""
    reads(api, "zoning", filter, op(operator, one, other))


def deep(api):
    """Parentheses in one another, and chains of AND and OR, of a length that clients write."""
    reads(api, "settlements", "(" * 40 + "place = 'town'" + ")" * 40, TOWN)
    names = [f["properties"]["name"] for f in api.every("settlements") if f["properties"]["name"]][:25]
    reads(api, "settlements", " OR ".join(f"name = {quoted(n)}" for n in names), op("in", NAME, names))
    reads(api, "settlements", " AND ".join(f"name <> {quoted(n)}" for n in names), no(op("in", NAME, names)))


def run(api):
    for filter, node in PRECEDENCE:
        api.test(f"/req/cql2-text/basic-cql2[{filter}]", reads, api, "settlements", filter, node)
    api.test("/req/cql2-text/basic-cql2[spellings]", each, reads, [(api, "settlements", filter, TOWN) for filter in SPELLINGS])
    numbers = [(api, "zoning", f"ZCODE = {number}", op("=", prop("ZCODE"), 35)) for number in NUMBERS]
    api.test("/req/cql2-text/basic-cql2[numbers]", each, reads, numbers)
    for number, value in ((".5", 0.5), ("-1", -1), ("-.5E1", -5), ("1E3", 1000), ("0", 0), ("-0", 0), ("12345678901234567890", 12345678901234567890),
        ("1e-7", 1e-7)):
        api.test(f"/req/cql2-text/basic-cql2[ELEV > {number}]", reads, api, "utility-poles", f"ELEV > {number}", op(">", prop("ELEV"), value))
    for form, value in ESCAPES:
        api.test(f"/req/cql2-text/escaping[{form!r}]", literal, api, form, value)
    api.test("/conf/cql2-text/escaping[data]", found_in_data, api)
    for filter, whole in (("true", True), ("TRUE", True), ("True", True), ("false", False), ("FALSE", False), ("TRUE = TRUE", True),
        ("TRUE = FALSE", False), ("NOT FALSE", True), ("(TRUE)", True)):
        api.test(f"/req/cql2-text/basic-cql2[{filter}]", everything if whole else nothing, api, "neighborhoods", filter)
    early, late, date = moment("2022-04-16T10:13:19Z"), moment("2022-04-16T10:13:19.500Z"), prop("last_edited_date")
    for filter, *node in (
        ("TIMESTAMP('2022-04-16T10:13:19.500Z') > TIMESTAMP('2022-04-16T10:13:19Z')", late, early, ">"),
        ("timestamp('2022-04-16T10:13:19.0Z') = Timestamp('2022-04-16T10:13:19Z')", early, early, "="),
        ("TIMESTAMP( '2022-04-16T10:13:19Z' ) < TIMESTAMP('2022-04-16T10:13:19.001Z')", early, late, "<"),
        ("last_edited_date = date('2026-01-08')", date, day("2026-01-08"), "="),
        ("last_edited_date > Date( '2026-01-08' )", date, day("2026-01-08"), ">"),
        ("DATE('2026-01-08') < last_edited_date", day("2026-01-08"), date, "<"),
        ("last_edited_date<>DATE('2026-01-08')", date, day("2026-01-08"), "<>"),
    ):
        api.test(f"/req/cql2-text/basic-cql2[{filter}]", instants, api, filter, *node)
    api.test("/conf/cql2-text/validate[long filters]", deep, api)
    for node in (TOWN, no(TOWN), both(LATE, either(MISSING, TOWN)), op("between", op("char_length", NAME), 5, 7),
        no(op("in", PLACE, ["town", "city"])), no(op("like", NAME, "К%"))):
        api.test(f"/conf/cql2-text/validate[{text(node)}]", agrees, api, "settlements", node)
    for i in range(0, len(BROKEN), 10):
        api.test(f"/conf/cql2-text/validate[refused {i // 10 + 1}]", all_refused, api, "settlements", BROKEN[i : i + 10])
