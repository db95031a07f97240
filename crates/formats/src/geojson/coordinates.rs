//! How coordinates are written as text.

/// 2^53: from here on a double has no fraction.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Decimals beyond this are those of no double.
const MAX_DECIMALS: u8 = 15;

/// Axis order and rounding of coordinates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Coordinates {
    pub(crate) y_first: bool,
    /// `None` keeps all digits.
    decimals: Option<Decimals>,
}

#[derive(Debug, Clone, Copy)]
struct Decimals {
    count: usize,
    /// Ten to the power of the count, for doubles and for integers.
    scale: f64,
    one: u64,
}

impl Coordinates {
    pub(crate) fn new(y_first: bool, decimals: Option<u8>) -> Self {
        let decimals = decimals.map(|count| {
            let count = count.min(MAX_DECIMALS);
            Decimals {
                count: usize::from(count),
                scale: 10_f64.powi(i32::from(count)),
                one: 10_u64.pow(u32::from(count)),
            }
        });
        Self { y_first, decimals }
    }

    /// Appends a finite number: the shortest text that reads back to the same double, or one of so many decimals.
    pub(crate) fn put(self, out: &mut Vec<u8>, numbers: &mut zmij::Buffer, value: f64) {
        if let Some(decimals) = self.decimals {
            let units = value * decimals.scale;
            if units.abs() < WHOLE {
                // As `round` does, which takes a function call where the processor's baseline lacks it.
                decimals.put(out, (units + 0.5_f64.copysign(units)) as i64);
                return;
            }
        }
        let text = numbers.format_finite(value).as_bytes();
        // A whole number is as good without ".0", and shorter.
        out.extend_from_slice(text.strip_suffix(b".0").unwrap_or(text));
    }
}

impl Decimals {
    /// Appends so many units of the last decimal, without zeros at the end.
    fn put(self, out: &mut Vec<u8>, units: i64) {
        if units < 0 {
            out.push(b'-');
        }
        let units = units.unsigned_abs();
        let (whole, mut rest) = (units / self.one, units % self.one);
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(whole).as_bytes());
        if rest == 0 {
            return;
        }
        let mut width = self.count;
        while rest.is_multiple_of(10) {
            rest /= 10;
            width -= 1;
        }
        out.push(b'.');
        let digits = digits.format(rest).as_bytes();
        out.resize(out.len() + width - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::Coordinates;

    fn text(decimals: Option<u8>, value: f64) -> String {
        let mut out = Vec::new();
        Coordinates::new(false, decimals).put(&mut out, &mut zmij::Buffer::new(), value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_no_more_decimals_than_wanted() {
        for (decimals, value, expect) in [
            (None, 24.710_123_456_789_01, "24.71012345678901"),
            (None, 5.0, "5"),
            (Some(7), 24.710_123_456_789_01, "24.7101235"),
            (Some(7), -24.000_000_1, "-24.0000001"),
            (Some(0), 24.5, "25"),
            (Some(2), -0.001, "0"),
            (Some(2), -0.05, "-0.05"),
            (Some(2), 100.0, "100"),
            (Some(2), 0.999, "1"),
            (Some(2), 1e300, "1e+300"),
            (Some(255), 0.1, "0.1"),
            (Some(15), 180.123_456_789, "180.123456789"),
            (Some(3), 5_432_100.123_45, "5432100.123"),
        ] {
            assert_eq!(text(decimals, value), expect, "{decimals:?}");
        }
    }

    #[test]
    fn a_rounded_number_is_never_farther_than_half_of_its_last_decimal() {
        let mut seed = 1_u64;
        for decimals in 0..=10 {
            for _ in 0..1000 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let value = ((seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 360.0;
                let written = text(Some(decimals), value);
                let read: f64 = written.parse().unwrap();
                let half = 0.500_001 / 10_f64.powi(i32::from(decimals));
                assert!((read - value).abs() <= half, "{value} {written}");
                // No text of that number is shorter.
                assert_eq!(written, format!("{read}"));
            }
        }
    }
}
