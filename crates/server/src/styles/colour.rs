//! Colours as CSS writes them (CSS Color Module Level 4 §4–§7), in the extent that map styles allow: names, hex, and
//! `rgb()` and `hsl()` with commas or spaces; angles in degrees only.

/// A colour; channels from 0 to 255, opacity from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour {
    pub(super) red: f64,
    pub(super) green: f64,
    pub(super) blue: f64,
    pub(super) opacity: f64,
}

impl Colour {
    pub(super) const BLACK: Self = Self {
        red: 0.0,
        green: 0.0,
        blue: 0.0,
        opacity: 1.0,
    };

    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        if text == "transparent" {
            return Some(Self {
                opacity: 0.0,
                ..Self::BLACK
            });
        }
        if let Some(hex) = text.strip_prefix('#') {
            return Self::from_hex(hex);
        }
        if let Some(rest) = text.strip_prefix("rgb") {
            return Self::from_rgb(rest);
        }
        if let Some(rest) = text.strip_prefix("hsl") {
            return Self::from_hsl(rest);
        }
        let (_, rgb) = NAMES.iter().find(|(name, _)| *name == text)?;
        Some(Self::from_bytes(*rgb, 1.0))
    }

    fn from_bytes(rgb: u32, opacity: f64) -> Self {
        let [_, red, green, blue] = rgb.to_be_bytes().map(f64::from);
        Self {
            red,
            green,
            blue,
            opacity,
        }
    }

    fn from_hex(hex: &str) -> Option<Self> {
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let full: String = match hex.len() {
            3 | 4 => hex.chars().flat_map(|c| [c, c]).collect(),
            6 | 8 => hex.to_owned(),
            _ => return None,
        };
        let (rgb, opacity) = full.split_at_checked(6)?;
        let opacity = match opacity {
            "" => 255,
            digits => u8::from_str_radix(digits, 16).ok()?,
        };
        Some(Self::from_bytes(
            u32::from_str_radix(rgb, 16).ok()?,
            f64::from(opacity) / 255.0,
        ))
    }

    fn from_rgb(rest: &str) -> Option<Self> {
        let parts = arguments(rest)?;
        let [red, green, blue, opacity] = parts;
        let percent = red.percent;
        if parts.iter().any(|p| p.degrees) || green.percent != percent || blue.percent != percent {
            return None;
        }
        let scale = if percent { 100.0 / 255.0 } else { 1.0 };
        let channel = |part: Part| (part.number / scale).clamp(0.0, 255.0);
        Some(Self {
            red: channel(red),
            green: channel(green),
            blue: channel(blue),
            opacity: opacity.opacity(),
        })
    }

    fn from_hsl(rest: &str) -> Option<Self> {
        let parts = arguments(rest)?;
        let [hue, saturation, lightness, opacity] = parts;
        if parts.iter().skip(1).any(|p| p.degrees)
            || hue.percent
            || !saturation.percent
            || !lightness.percent
        {
            return None;
        }
        let s = saturation.number.clamp(0.0, 100.0) / 100.0;
        let l = lightness.number.clamp(0.0, 100.0) / 100.0;
        let amplitude = s * l.min(1.0 - l);
        // CSS Color 4 §7.1.
        let channel = |n: f64| {
            let k = (n + hue.number / 30.0).rem_euclid(12.0);
            (l - amplitude * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)) * 255.0
        };
        Some(Self {
            red: channel(0.0),
            green: channel(8.0),
            blue: channel(4.0),
            opacity: opacity.opacity(),
        })
    }
}

#[derive(Clone, Copy)]
struct Part {
    number: f64,
    degrees: bool,
    percent: bool,
}

impl Part {
    fn opacity(self) -> f64 {
        let scale = if self.percent { 100.0 } else { 1.0 };
        (self.number / scale).clamp(0.0, 1.0)
    }
}

/// `(1 2 3)`, `(1 2 3 / 4)`, `(1, 2, 3)` or `(1, 2, 3, 4)`, after the name of the function and its `a`.
fn arguments(rest: &str) -> Option<[Part; 4]> {
    let rest = rest.strip_prefix('a').unwrap_or(rest);
    let mut rest = rest.strip_prefix('(')?.strip_suffix(')')?.trim();
    let first = part(&mut rest)?;
    let commas = separator(&mut rest)?;
    let second = part(&mut rest)?;
    if separator(&mut rest)? != commas {
        return None;
    }
    let third = part(&mut rest)?;
    rest = rest.trim_start();
    let fourth = if rest.is_empty() {
        Part {
            number: 1.0,
            degrees: false,
            percent: false,
        }
    } else {
        rest = rest
            .strip_prefix(if commas { ',' } else { '/' })?
            .trim_start();
        part(&mut rest)?
    };
    rest.is_empty().then_some([first, second, third, fourth])
}

fn part(rest: &mut &str) -> Option<Part> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, 'e' | '.' | '+' | '-'))
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at_checked(end)?;
    let number = number.parse().ok()?;
    let degrees = after.strip_prefix("deg");
    let after = degrees.unwrap_or(after);
    let percent = after.strip_prefix('%');
    *rest = percent.unwrap_or(after);
    Some(Part {
        number,
        degrees: degrees.is_some(),
        percent: percent.is_some(),
    })
}

/// `true` for a comma, `false` for spaces.
fn separator(rest: &mut &str) -> Option<bool> {
    let after = rest.trim_start();
    if let Some(after) = after.strip_prefix(',') {
        *rest = after.trim_start();
        return Some(true);
    }
    let spaced = after.len() < rest.len();
    *rest = after;
    spaced.then_some(false)
}

/// CSS Color 4 §6.1.
const NAMES: [(&str, u32); 148] = [
    ("aliceblue", 0x00f0_f8ff),
    ("antiquewhite", 0x00fa_ebd7),
    ("aqua", 0x0000_ffff),
    ("aquamarine", 0x007f_ffd4),
    ("azure", 0x00f0_ffff),
    ("beige", 0x00f5_f5dc),
    ("bisque", 0x00ff_e4c4),
    ("black", 0x0000_0000),
    ("blanchedalmond", 0x00ff_ebcd),
    ("blue", 0x0000_00ff),
    ("blueviolet", 0x008a_2be2),
    ("brown", 0x00a5_2a2a),
    ("burlywood", 0x00de_b887),
    ("cadetblue", 0x005f_9ea0),
    ("chartreuse", 0x007f_ff00),
    ("chocolate", 0x00d2_691e),
    ("coral", 0x00ff_7f50),
    ("cornflowerblue", 0x0064_95ed),
    ("cornsilk", 0x00ff_f8dc),
    ("crimson", 0x00dc_143c),
    ("cyan", 0x0000_ffff),
    ("darkblue", 0x0000_008b),
    ("darkcyan", 0x0000_8b8b),
    ("darkgoldenrod", 0x00b8_860b),
    ("darkgray", 0x00a9_a9a9),
    ("darkgreen", 0x0000_6400),
    ("darkgrey", 0x00a9_a9a9),
    ("darkkhaki", 0x00bd_b76b),
    ("darkmagenta", 0x008b_008b),
    ("darkolivegreen", 0x0055_6b2f),
    ("darkorange", 0x00ff_8c00),
    ("darkorchid", 0x0099_32cc),
    ("darkred", 0x008b_0000),
    ("darksalmon", 0x00e9_967a),
    ("darkseagreen", 0x008f_bc8f),
    ("darkslateblue", 0x0048_3d8b),
    ("darkslategray", 0x002f_4f4f),
    ("darkslategrey", 0x002f_4f4f),
    ("darkturquoise", 0x0000_ced1),
    ("darkviolet", 0x0094_00d3),
    ("deeppink", 0x00ff_1493),
    ("deepskyblue", 0x0000_bfff),
    ("dimgray", 0x0069_6969),
    ("dimgrey", 0x0069_6969),
    ("dodgerblue", 0x001e_90ff),
    ("firebrick", 0x00b2_2222),
    ("floralwhite", 0x00ff_faf0),
    ("forestgreen", 0x0022_8b22),
    ("fuchsia", 0x00ff_00ff),
    ("gainsboro", 0x00dc_dcdc),
    ("ghostwhite", 0x00f8_f8ff),
    ("gold", 0x00ff_d700),
    ("goldenrod", 0x00da_a520),
    ("gray", 0x0080_8080),
    ("green", 0x0000_8000),
    ("greenyellow", 0x00ad_ff2f),
    ("grey", 0x0080_8080),
    ("honeydew", 0x00f0_fff0),
    ("hotpink", 0x00ff_69b4),
    ("indianred", 0x00cd_5c5c),
    ("indigo", 0x004b_0082),
    ("ivory", 0x00ff_fff0),
    ("khaki", 0x00f0_e68c),
    ("lavender", 0x00e6_e6fa),
    ("lavenderblush", 0x00ff_f0f5),
    ("lawngreen", 0x007c_fc00),
    ("lemonchiffon", 0x00ff_facd),
    ("lightblue", 0x00ad_d8e6),
    ("lightcoral", 0x00f0_8080),
    ("lightcyan", 0x00e0_ffff),
    ("lightgoldenrodyellow", 0x00fa_fad2),
    ("lightgray", 0x00d3_d3d3),
    ("lightgreen", 0x0090_ee90),
    ("lightgrey", 0x00d3_d3d3),
    ("lightpink", 0x00ff_b6c1),
    ("lightsalmon", 0x00ff_a07a),
    ("lightseagreen", 0x0020_b2aa),
    ("lightskyblue", 0x0087_cefa),
    ("lightslategray", 0x0077_8899),
    ("lightslategrey", 0x0077_8899),
    ("lightsteelblue", 0x00b0_c4de),
    ("lightyellow", 0x00ff_ffe0),
    ("lime", 0x0000_ff00),
    ("limegreen", 0x0032_cd32),
    ("linen", 0x00fa_f0e6),
    ("magenta", 0x00ff_00ff),
    ("maroon", 0x0080_0000),
    ("mediumaquamarine", 0x0066_cdaa),
    ("mediumblue", 0x0000_00cd),
    ("mediumorchid", 0x00ba_55d3),
    ("mediumpurple", 0x0093_70db),
    ("mediumseagreen", 0x003c_b371),
    ("mediumslateblue", 0x007b_68ee),
    ("mediumspringgreen", 0x0000_fa9a),
    ("mediumturquoise", 0x0048_d1cc),
    ("mediumvioletred", 0x00c7_1585),
    ("midnightblue", 0x0019_1970),
    ("mintcream", 0x00f5_fffa),
    ("mistyrose", 0x00ff_e4e1),
    ("moccasin", 0x00ff_e4b5),
    ("navajowhite", 0x00ff_dead),
    ("navy", 0x0000_0080),
    ("oldlace", 0x00fd_f5e6),
    ("olive", 0x0080_8000),
    ("olivedrab", 0x006b_8e23),
    ("orange", 0x00ff_a500),
    ("orangered", 0x00ff_4500),
    ("orchid", 0x00da_70d6),
    ("palegoldenrod", 0x00ee_e8aa),
    ("palegreen", 0x0098_fb98),
    ("paleturquoise", 0x00af_eeee),
    ("palevioletred", 0x00db_7093),
    ("papayawhip", 0x00ff_efd5),
    ("peachpuff", 0x00ff_dab9),
    ("peru", 0x00cd_853f),
    ("pink", 0x00ff_c0cb),
    ("plum", 0x00dd_a0dd),
    ("powderblue", 0x00b0_e0e6),
    ("purple", 0x0080_0080),
    ("rebeccapurple", 0x0066_3399),
    ("red", 0x00ff_0000),
    ("rosybrown", 0x00bc_8f8f),
    ("royalblue", 0x0041_69e1),
    ("saddlebrown", 0x008b_4513),
    ("salmon", 0x00fa_8072),
    ("sandybrown", 0x00f4_a460),
    ("seagreen", 0x002e_8b57),
    ("seashell", 0x00ff_f5ee),
    ("sienna", 0x00a0_522d),
    ("silver", 0x00c0_c0c0),
    ("skyblue", 0x0087_ceeb),
    ("slateblue", 0x006a_5acd),
    ("slategray", 0x0070_8090),
    ("slategrey", 0x0070_8090),
    ("snow", 0x00ff_fafa),
    ("springgreen", 0x0000_ff7f),
    ("steelblue", 0x0046_82b4),
    ("tan", 0x00d2_b48c),
    ("teal", 0x0000_8080),
    ("thistle", 0x00d8_bfd8),
    ("tomato", 0x00ff_6347),
    ("turquoise", 0x0040_e0d0),
    ("violet", 0x00ee_82ee),
    ("wheat", 0x00f5_deb3),
    ("white", 0x00ff_ffff),
    ("whitesmoke", 0x00f5_f5f5),
    ("yellow", 0x00ff_ff00),
    ("yellowgreen", 0x009a_cd32),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(c: Colour) -> String {
        let [red, green, blue] = [c.red, c.green, c.blue].map(f64::round);
        format!("#{:02x}{:02x}{:02x}", red as u8, green as u8, blue as u8)
    }

    fn check(text: &str, expected: Option<(&str, f64)>) {
        let found = Colour::parse(text).map(|c| (hex(c), (c.opacity * 100.0).round() / 100.0));
        assert_eq!(
            found,
            expected.map(|(hex, opacity)| (hex.to_owned(), opacity)),
            "{text}"
        );
    }

    #[test]
    fn colours_of_css_are_read() {
        check("red", Some(("#ff0000", 1.0)));
        check(" RebeccaPurple ", Some(("#663399", 1.0)));
        check("transparent", Some(("#000000", 0.0)));
        check("#1af", Some(("#11aaff", 1.0)));
        check("#1af8", Some(("#11aaff", 0.53)));
        check("#11AAFF80", Some(("#11aaff", 0.5)));
        check("rgb(1,2,3)", Some(("#010203", 1.0)));
        check("rgba( 255 0 255 / 60% )", Some(("#ff00ff", 0.6)));
        check("rgb(50%,0%,100%)", Some(("#8000ff", 1.0)));
        check("rgb(300 -5 0)", Some(("#ff0000", 1.0)));
        check("hsl(120deg 100% 25%)", Some(("#008000", 1.0)));
        check("hsla(-120, 100%, 50%, .25)", Some(("#0000ff", 0.25)));
    }

    #[test]
    fn what_is_no_colour_is_told() {
        for text in [
            "",
            "#",
            "#12",
            "#12345",
            "#ggg",
            "reddish",
            "rgb()",
            "rgb(1,2)",
            "rgb(1,2,3",
            "rgb(1,2 3)",
        ] {
            check(text, None);
        }
        for text in [
            "rgb(1%,2,3)",
            "hsl(1,2,3)",
            "rgb(1,2,3/4)",
            "rgb(1-2,3,4)",
            "#ééé",
            "hsl(1turn 1% 1%)",
            "rgb (1,2,3)",
        ] {
            check(text, None);
        }
    }
}
