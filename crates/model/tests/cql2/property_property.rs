//! Requirements class "Property-Property Comparisons" (§7.10).

use super::{NO, UNKNOWN, YES, check};

/// /req/property-property/withdraw-permissions
#[test]
fn properties_and_values_stand_on_any_side() {
    check(&[
        ("'København' = name", YES),
        ("'A' < name", YES),
        ("5 >= floors", YES),
        ("DATE('2022-04-16') = date", YES),
        ("floors = floors", YES),
        ("floors <> floors", NO),
        ("floors > area", YES),
        ("start < end", YES),
        ("name = вулиця", NO),
        ("nothing >= nothing", UNKNOWN),
        ("'foo' = 'foo'", YES),
        ("true = true", YES),
        ("true <> true", NO),
        ("3.14 < 3.14", NO),
        ("1 >= 1", YES),
        (
            "TIMESTAMP('2022-04-14T14:48:46Z') <= TIMESTAMP('2022-04-14T14:48:46Z')",
            YES,
        ),
        ("DATE('2022-04-14') > DATE('2022-04-14')", NO),
        ("floors between area and div", YES),
        ("(floors = 5) = public", YES),
        ("(floors = 5) = (nothing = 1)", UNKNOWN),
        ("FALSE <> (name LIKE 'K%')", YES),
        ("S_INTERSECTS(POINT(30 50), geom)", YES),
        ("S_INTERSECTS(POINT(30 50), POINT(30 50))", YES),
        ("T_AFTER(DATE('2023-01-01'), date)", YES),
    ]);
}
