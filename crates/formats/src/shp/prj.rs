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

/// Geographic CRS by EPSG's and Esri's name, in the form of [`plain`].
const GEOGRAPHIC: [(&str, u32); 9] = [
    ("wgs84", 4326),
    ("gcswgs1984", 4326),
    ("etrs89", 4258),
    ("gcsetrs1989", 4258),
    ("ucs2000", 5561),
    ("gcsucs2000", 5561),
    ("gcsukraine2000", 5561),
    ("pulkovo1942", 4284),
    ("gcspulkovo1942", 4284),
];

/// The local systems of Ukraine's regions (`UCS-2000 / LCS-26 Ivano-Frankivsk`) by the region's number.
const REGIONS: [(u32, u32); 27] = [
    (1, 9831),
    (5, 9832),
    (7, 9833),
    (12, 9834),
    (14, 9835),
    (18, 9836),
    (21, 9837),
    (23, 9838),
    (26, 9839),
    (32, 9821),
    (35, 9840),
    (44, 9841),
    (46, 9851),
    (48, 9852),
    (51, 9853),
    (53, 9854),
    (56, 9855),
    (59, 9856),
    (61, 9857),
    (63, 9858),
    (65, 9859),
    (68, 9860),
    (71, 9861),
    (73, 9862),
    (74, 9863),
    (80, 9864),
    (85, 9865),
];

/// By the name alone, in EPSG's or Esri's spelling.
fn by_name(wkt: &str) -> Option<Crs> {
    let keyword = wkt.split(['[', '(']).next()?.trim().to_ascii_uppercase();
    let name = plain(wkt.split('"').nth(1)?);
    if keyword.starts_with("GEOG") || keyword.starts_with("GEODCRS") {
        let found = GEOGRAPHIC.iter().find(|(known, _)| *known == name);
        return found.map(|(_, code)| Crs::epsg(*code));
    }
    if !keyword.starts_with("PROJ") {
        return None;
    }
    projected(&name).map(Crs::epsg)
}

fn projected(name: &str) -> Option<u32> {
    if name == "wgs1984webmercatorauxiliarysphere" || name == "wgs84pseudomercator" {
        return Some(3857);
    }
    let after = |prefixes: &[&str]| prefixes.iter().find_map(|p| name.strip_prefix(p));
    let number = |text: &str| text.parse::<u32>().ok();
    if let Some(zone) = after(&["wgs1984utmzone", "wgs84utmzone"]) {
        let (zone, base) = match zone.strip_suffix('n') {
            Some(zone) => (zone, 32_600),
            None => (zone.strip_suffix('s')?, 32_700),
        };
        let zone = number(zone).filter(|z| (1..=60).contains(z))?;
        return Some(base + zone);
    }
    if let Some(zone) = after(&["pulkovo1942gkzone", "pulkovo1942gausskrugerzone"]) {
        let zone = number(zone).filter(|z| (2..=32).contains(z))?;
        return Some(28_400 + zone);
    }
    let ukraine = after(&["ucs2000", "ukraine2000"])?;
    let zone = |prefixes: &[&str]| prefixes.iter().find_map(|p| ukraine.strip_prefix(p));
    if let Some(zone) = zone(&["ukrainetmzone", "tmzone"]) {
        let zone = number(zone).filter(|z| (7..=13).contains(z))?;
        return Some(6374 + zone);
    }
    if let Some(zone) = zone(&["gkzone", "gausskrugerzone"]) {
        let zone = number(zone).filter(|z| (4..=7).contains(z))?;
        return Some(5558 + zone);
    }
    if let Some(meridian) = zone(&["gkcm", "gausskrugercm"]) {
        let meridian = number(meridian.strip_suffix('e')?)?;
        return [(21, 5566), (27, 5567), (33, 5568), (39, 5569)]
            .into_iter()
            .find_map(|(m, code)| (m == meridian).then_some(code));
    }
    let region = number(zone(&["lcs"])?.get(..2)?)?;
    let found = REGIONS.iter().find(|(r, _)| *r == region);
    found.map(|(_, code)| *code)
}

/// Lower case, letters and digits only.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(wkt: &str) -> Option<u32> {
        read(wkt).map(Crs::code)
    }

    #[test]
    fn the_outermost_authority_is_the_crs() {
        let wkt1 = r#"PROJCS["x",GEOGCS["y",DATUM["z",AUTHORITY["EPSG","1"]],AUTHORITY["EPSG","4326"]],AUTHORITY["EPSG","6382"]]"#;
        assert_eq!(code(wkt1), Some(6382));
        let wkt2 = r#"PROJCRS["x (a]",BASEGEOGCRS["y",ID["EPSG",5561]],USAGE[AREA["[\"]],ID["EPSG",6381]]"#;
        assert_eq!(code(wkt2), Some(6381));
        // The code of a part is not that of the whole.
        let part = r#"PROJCS["local",GEOGCS["y",AUTHORITY["EPSG","4326"]]]"#;
        assert_eq!(code(part), None);
        assert_eq!(code(r#"PROJCS["x",AUTHORITY["ESRI","102100"]]"#), None);
    }

    #[test]
    fn names_that_have_one_meaning() {
        for (name, expected) in [
            ("Ukraine_2000_TM_Zone_8", 6382),
            ("UCS-2000 / Ukraine TM zone 13", 6387),
            ("Ukraine_2000_GK_Zone_4", 5562),
            ("Ukraine_2000_GK_CM_39E", 5569),
            ("UCS-2000_LCS-26_Ivano-Frankivsk", 9839),
            ("Pulkovo_1942_GK_Zone_5", 28405),
            ("WGS_1984_UTM_Zone_35N", 32635),
            ("WGS 84 / UTM zone 1S", 32701),
            ("WGS_1984_Web_Mercator_Auxiliary_Sphere", 3857),
        ] {
            assert_eq!(
                code(&format!("PROJCS[\"{name}\",UNIT[]]")),
                Some(expected),
                "{name}"
            );
            assert_eq!(code(&format!("GEOGCS[\"{name}\"]")), None, "{name}");
        }
        assert_eq!(code(r#"GEOGCS["GCS_WGS_1984",DATUM[]]"#), Some(4326));
        assert_eq!(code(r#"GEOGCS["GCS_Ukraine_2000"]"#), Some(5561));
        for wkt in [
            "",
            "x",
            r#"LOCAL_CS["WGS 84"]"#,
            r#"PROJCS["WGS 84"]"#,
            r#"PROJCS["Ukraine_2000_TM_Zone_99"]"#,
            r#"PROJCS["UCS-2000_LCS-99_Nowhere"]"#,
            r#"PROJCS["UCS-2000_LCS-є"]"#,
        ] {
            assert_eq!(code(wkt), None, "{wkt}");
        }
    }
}
