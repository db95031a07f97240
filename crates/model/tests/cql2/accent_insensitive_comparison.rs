//! Requirements class "Accent-insensitive Comparison" (§7.4).

use super::{NO, UNKNOWN, YES, check};

/// /req/accent-insensitive-comparison/accenti-function
#[test]
fn accents_make_no_difference() {
    check(&[
        ("ACCENTI(name) = accenti('København')", YES),
        ("ACCENTI(name) = accenti('Kobenhavn')", YES),
        ("ACCENTI(name) = accenti('kobenhavn')", NO),
        ("ACCENTI(CASEI(name)) = accenti(casei('KØBENHAVN'))", YES),
        ("ACCENTI(CASEI(name)) = accenti(casei('KOBENHAVN'))", YES),
        ("ACCENTI(name) LIKE accenti('Ko%')", YES),
        ("ACCENTI(CASEI(name)) LIKE accenti(casei('kØ%'))", YES),
        ("ACCENTI(CASEI(name)) IN (accenti(casei('kobenhavn')))", YES),
        ("ACCENTI('Chișinău') = ACCENTI('Chisinau')", YES),
        ("ACCENTI('Chişinău') = ACCENTI('Chisinau')", YES),
        ("ACCENTI('äöüéáí') = ACCENTI('aoueai')", YES),
        ("CASEI(ACCENTI('ÄÉ')) = ACCENTI(CASEI('ae'))", YES),
        // Stress is an accent, Й and Ї are letters.
        ("ACCENTI('за́мок') = ACCENTI('замок')", YES),
        ("ACCENTI('Київ') = ACCENTI('Киів')", NO),
        ("ACCENTI('край') = ACCENTI('краи')", NO),
        ("ACCENTI(no_text) = 'a'", UNKNOWN),
    ]);
}
