//! Requirements class "Case-insensitive Comparison" (§7.3).

use super::{NO, UNKNOWN, YES, check, error};

/// /req/case-insensitive-comparison/casei-function
#[test]
fn case_makes_no_difference() {
    check(&[
        ("CASEI(name) = casei('KØBENHAVN')", YES),
        ("CASEI(name) = casei('københavn')", YES),
        ("CASEI(name) <> casei('kobenhavn')", YES),
        ("CASEI(name) LIKE casei('K_b%')", YES),
        ("CASEI(name) LIKE casei('k_B%')", YES),
        ("CASEI(name) IN (casei('Kiev'), casei('KØBENHAVN'))", YES),
        ("CASEI('Straße') = CASEI('STRASSE')", YES),
        ("CASEI('Οδος') = CASEI('ΟΔΟΣ')", YES),
        ("CASEI(вулиця) = CASEI('ВУЛ. ЇЖАКЕВИЧА, 7')", YES),
        ("CASEI(вулиця) LIKE CASEI('% ЇЖАКЕВИЧА, _')", YES),
        // Ї as two code points is the same letter.
        ("CASEI(вулиця) LIKE CASEI('% І\u{308}ЖАКЕВИЧА, 7')", YES),
        ("CASEI('Ґанок') = CASEI('ґАНОК')", YES),
        ("CASEI('Ґанок') = CASEI('Ганок')", NO),
        ("CASEI(no_text) = 'a'", UNKNOWN),
        ("CASEI(no_text) LIKE CASEI('%')", UNKNOWN),
        ("CASEI(upper(name)) = CASEI(lower(name))", YES),
    ]);
    assert_eq!(
        error("CASEI(floors) = 'a'"),
        "Filter, character 7: expected a value of type text, found “floors”."
    );
}
