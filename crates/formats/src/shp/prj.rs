//! The CRS of a `.prj` or another WKT 1 or WKT 2 text.

use model::Crs;

/// The EPSG code that a WKT text gives, or that its name stands for; `None` when that is not certain.
pub(crate) fn read(wkt: &str) -> Option<Crs> {
    let wkt = wkt.trim_start_matches('\u{FEFF}').trim();
    if wkt.len() > crate::limits::MAX_SIDE_BYTES {
        return None;
    }
    by_authority(wkt).or_else(|| by_name(wkt))
}

/// The outermost `AUTHORITY["EPSG","6382"]` (WKT 1) or `ID["EPSG",6382]` (WKT 2): the last one, at depth one.
fn by_authority(wkt: &str) -> Option<Crs> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut found = None;
    for (i, c) in wkt.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '(' => {
                depth += 1;
                let keyword = wkt[..i].trim_end();
                let named = |word: &str| {
                    keyword
                        .len()
                        .checked_sub(word.len())
                        .and_then(|at| keyword.get(at..))
                        .is_some_and(|end| end.eq_ignore_ascii_case(word))
                };
                if depth == 2 && (named("AUTHORITY") || named("ID")) {
                    found = wkt.get(i + 1..);
                }
            }
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let inside = found?.split([']', ')']).next()?;
    let mut parts = inside
        .split(',')
        .map(|part| part.trim().trim_matches('"').trim());
    if !parts.next()?.eq_ignore_ascii_case("EPSG") {
        return None;
    }
    let code: u32 = parts.next()?.parse().ok()?;
    (1..=999_999).contains(&code).then(|| Crs::epsg(code))
}

/// Names of the CRS themselves (Esri's and OGC's spelling), compared without case, spaces, `_`, `-`, `/` and `.`.
const NAMES: [(&str, u32); 38] = [
    ("GCS_WGS_1984", 4326),
    ("WGS 84", 4326),
    ("GCS_WGS84", 4326),
    ("WGS_1984_Web_Mercator_Auxiliary_Sphere", 3857),
    ("WGS 84 / Pseudo-Mercator", 3857),
    ("GCS_UCS_2000", 5561),
    ("UCS-2000", 5561),
    ("GCS_Ukraine_2000", 5561),
    ("UCS_2000_GK_Zone_4", 5562),
    ("UCS-2000 / Gauss-Kruger zone 4", 5562),
    ("UCS_2000_GK_Zone_5", 5563),
    ("UCS-2000 / Gauss-Kruger zone 5", 5563),
    ("UCS_2000_GK_Zone_6", 5564),
    ("UCS-2000 / Gauss-Kruger zone 6", 5564),
    ("UCS_2000_GK_Zone_7", 5565),
    ("UCS-2000 / Gauss-Kruger zone 7", 5565),
    ("UCS_2000_GK_CM_21E", 5566),
    ("UCS-2000 / Gauss-Kruger CM 21E", 5566),
    ("UCS_2000_GK_CM_27E", 5567),
    ("UCS-2000 / Gauss-Kruger CM 27E", 5567),
    ("UCS_2000_GK_CM_33E", 5568),
    ("UCS-2000 / Gauss-Kruger CM 33E", 5568),
    ("UCS_2000_GK_CM_39E", 5569),
    ("UCS-2000 / Gauss-Kruger CM 39E", 5569),
    ("UCS-2000 / Ukraine TM zone 7", 6381),
    ("UCS_2000_Ukraine_TM_zone_7", 6381),
    ("UCS-2000 / Ukraine TM zone 8", 6382),
    ("UCS_2000_Ukraine_TM_zone_8", 6382),
    ("UCS-2000 / Ukraine TM zone 9", 6383),
    ("UCS_2000_Ukraine_TM_zone_9", 6383),
    ("GCS_Pulkovo_1942", 4284),
    ("Pulkovo 1942", 4284),
    ("Pulkovo_1942_GK_Zone_4", 28404),
    ("Pulkovo_1942_GK_Zone_5", 28405),
    ("Pulkovo_1942_GK_Zone_6", 28406),
    ("Pulkovo_1942_GK_Zone_7", 28407),
    ("ETRS_1989_LAEA", 3035),
    ("GCS_ETRS_1989", 4258),
];

fn by_name(wkt: &str) -> Option<Crs> {
    let name = plain(wkt.split('"').nth(1)?);
    if let Some((_, code)) = NAMES.iter().find(|(known, _)| plain(known) == name) {
        return Some(Crs::epsg(*code));
    }
    // The 120 UTM zones of WGS 84: EPSG 32601-32660 north, 32701-32760 south.
    let zone = name
        .strip_prefix("wgs1984utmzone")
        .or_else(|| name.strip_prefix("wgs84utmzone"))?;
    let (number, base) = match zone.strip_suffix('n') {
        Some(number) => (number, 32600),
        None => (zone.strip_suffix('s')?, 32700),
    };
    let number: u32 = number.parse().ok().filter(|n| (1..=60).contains(n))?;
    Some(Crs::epsg(base + number))
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
