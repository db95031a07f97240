"""OGC 21-065r2 §7.12, annex A, conformance class Arithmetic Expressions."""

from cql import agrees, all_refused, combinations, day, each, everything, is_null, middle, no, nothing, op, partition, prop, reads, refused, scalars
from cql import test_data
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/arithmetic"
HERE = "/conf/arithmetic"
# What an expression of the grammar (annex B) is worth: powers before products before sums, from the left, a sign with its operand.
VALUES = (
    ("1 + 2", 3), ("5 - 3 - 1", 1), ("2 * 3", 6), ("7 / 2", 3.5), ("7 div 2", 3), ("7 % 4", 3), ("2 ^ 10", 1024), ("2 ^ 0", 1), ("4 ^ 0.5", 2),
    ("2 + 3 * 4", 14),
    ("(2 + 3) * 4", 20), ("2 * 3 ^ 2", 18), ("(2 * 3) ^ 2", 36), ("10 - 2 * 3 + 1", 5), ("100 / 10 / 2", 5), ("100 / (10 / 2)", 20),
    ("20 div 3 div 2", 3), ("2 * 7 % 4", 2),
    ("8 - 7 % 4", 5), ("-2 + 5", 3), ("5 + -2", 3), ("5 - -2", 7), ("-2 ^ 2", 4), ("2 ^ -1", 0.5), ("1.5 + .5", 2), ("1E3 - 999", 1),
    ("2.5E-1 * 4", 1), ("((((1))))", 1),
    ("0.5 * 4 - 1.0", 1), ("1+2", 3), ("5-3", 2), ("5 -3", 2), ("1 DIV 2", 0), ("9 Div 2", 4), ("1000000 * 1000000", 1000000000000), ("7.5 % 2", 1.5),
    ("6 / 3", 2),
)
BROKEN = (
    "ZCODE + = 1", "ZCODE = 1 +", "ZCODE = * 2", "ZCODE = 1 + + ", "ZCODE = (1 + 2", "ZCODE = 1 + 2)", "ZCODE = 1 2", "ZCODE = 2 ** 3",
    "ZCODE = 1 // 2", "ZCODE = 5 mod 2",
    "ZCODE = ZONE_TYPE + 1", "ZCODE + 'a' = 1", "ZCODE * TRUE = 1", "geom + 1 = 2", "ZCODE = 1 + DATE('2022-04-01')",
    "created_date + 1 = DATE('2022-04-01')", "ZCODE + 1", "1 + 1",
    "nothing + 1 = 2", "ZCODE = 1 + nothing", "ZCODE = 1 & 2", "ZCODE = ~1", "ZCODE = 5 div", "ZCODE div = 5",
)


def worth(api, expression, value):
    """The expression as text is the number; and it is no other number."""
    everything(api, "neighborhoods", f"{expression} = {value!r}")
    everything(api, "neighborhoods", f"{value!r} = {expression}")
    nothing(api, "neighborhoods", f"{expression} <> {value!r}")
    everything(api, "neighborhoods", f"({expression}) BETWEEN {value!r} - 1 AND {value!r} + 1")


def with_property(api, name, key, rows):
    """Each operator with the property on either side, in comparisons, BETWEEN and IN; what is NULL stays NULL."""
    number = middle(rows.values(key)) or 1
    for node in (
        op("=", prop(key), op("-", op("+", number, 8), 8)), op(">", op("+", prop(key), 10), number + 10), op("<=", op("-", number, prop(key)), 0),
        op(">=", op("*", prop(key), 2), op("*", 2, number)), op("<", op("/", prop(key), 4), number / 4), op("=", op("%", prop(key), 2), 1),
        op(">", op("div", prop(key), 8), 5),
        op("<", op("^", prop(key), 2), 10000), op("=", op("-", prop(key), prop(key)), 0), op("<>", op("*", prop(key), 1), number),
        op("between", prop(key), op("-", number, 5), op("+", number, op("*", 5, 2))),
        op("in", prop(key), [number, op("+", number, 1), op("*", 2, number)]),
    ):
        agrees(api, name, node)
    partition(api, name, op(">", op("+", op("*", prop(key), 2), 1), number * 2), is_null(key))


def of_two(api, name, one, other):
    """Two properties in one expression."""
    for o in ("+", "-", "*"):
        agrees(api, name, op(">", op(o, prop(one), prop(other)), 100))
    agrees(api, name, op("=", op("-", prop(one), prop(other)), 0))
    agrees(api, name, op("<", op("+", op("*", 2, prop(one)), op("-", 7, prop(other))), prop(one)))
    partition(api, name, op("<", op("+", prop(one), prop(other)), 1000), op("or", is_null(one), is_null(other)))


def no_number(api, expression):
    """A division by zero is refused, or equals no number; the standard says neither."""
    answer = api.get("/collections/wards/items", expect=(200, 400), filter=f"{expression} = 1", limit=1)
    demand(answer.status == 400 or answer.json()["numberMatched"] == 0, f"{expression} is 1 for some feature")


def run(api):
    api.test("/req/arithmetic/arithmetic[literals]", each, worth, [(api, *case) for case in VALUES])
    for name, key, rows in scalars(api, "number", "integer"):
        api.test(f"{HERE}/arithmetic[{name}, {key}]", with_property, api, name, key, rows)
    for name, one, other in (("streets", "L_From", "R_To"), ("hydrants", "HYDRANT_GPM", "ROTATION"), ("wards", "TOTALPOP", "Sort"),
        ("hydrants", "GATE", "SUBTYPE")):
        api.test(f"{HERE}/arithmetic[{name}, {one} and {other}]", of_two, api, name, one, other)
    zcode = prop("ZCODE")
    for filter, node in (
        ("ZCODE+1=36", op("=", op("+", zcode, 1), 36)), ("2*ZCODE-1>100", op(">", op("-", op("*", 2, zcode), 1), 100)),
        ("-ZCODE < -150", op("<", op("*", -1, zcode), -150)),
        ("(ZCODE + 1) * 2 = 72", op("=", op("*", op("+", zcode, 1), 2), 72)), ("ZCODE div 10 = 3", op("=", op("div", zcode, 10), 3)),
        ("ZCODE%10=5", op("=", op("%", zcode, 10), 5)),
        ("ZCODE = 5*7 AND ZCODE + 0 = 70/2", op("=", zcode, 35)), ("ZCODE^2=1225", op("=", zcode, 35)), ('"ZCODE"/5 = 7', op("=", zcode, 35)),
        ("35 = ZCODE", op("=", zcode, 35)),
    ):
        api.test(f"/req/arithmetic/arithmetic[zoning, {filter}]", reads, api, "zoning", filter, node)
    for expression in ("Sort / 0", "Sort div 0", "Sort % 0", "1 / (Sort - Sort)"):
        api.test(f"/req/arithmetic/arithmetic[wards, {expression}]", no_number, api, expression)
    test_data(api, "arithmetic")
    combinations(api, HERE, "hydrants", [
        op(">", op("+", prop("ROTATION"), 90), 270), op("=", op("%", prop("HYDRANT_GPM"), 100), 0), op("<", op("*", prop("GATE"), 2), 1),
        is_null("ROTATION"),
        op(">=", op("/", prop("HYDRANT_GPM"), 2), op("-", 1000, prop("ROTATION"))), no(op("=", op("^", prop("GATE"), 2), 1)),
    ])
    api.test("/req/arithmetic/arithmetic[refused]", all_refused, api, "zoning", BROKEN)
    for node in (op("=", op("+", 1), 1), op("=", op("+", 1, 2, 3), 6), op("=", op("-", zcode, "a"), 1),
        op("=", op("div", zcode, day("2022-04-01")), 1), op("+", 1, 1), op("=", op("mod", 1, 2), 1)):
        api.test(f"/req/arithmetic/arithmetic[zoning, {node}]", refused, api, "zoning", node, "cql2-json")
