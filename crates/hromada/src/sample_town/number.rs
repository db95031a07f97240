//! Numbers that are the same on every machine: a random generator and the sine, from basic arithmetic alone.

/// Splitmix64: each value is a mix of a counter, so a generator is made for any key at no cost.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The generator of one thing in the town, named by numbers: independent of the order in which things are made.
    pub(super) fn of(seed: u64, key: [u64; 3]) -> Self {
        let mut random = Self(seed);
        for part in key {
            random.0 = random.next() ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1, the end excluded.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn range(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// In 0..n, the end excluded; `n` above 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Sine of an angle in turns (1 = full circle), to about 1e-13. The platform's own sine may differ in the last bit
/// from machine to machine, which once in a while rounds a coordinate differently.
pub(super) fn sin(turns: f64) -> f64 {
    let nearest = turns - (turns + 0.5).floor();
    let folded = if nearest > 0.25 {
        0.5 - nearest
    } else if nearest < -0.25 {
        -0.5 - nearest
    } else {
        nearest
    };
    let x = folded * std::f64::consts::TAU;
    let square = x * x;
    // Taylor series from the smallest term: x - x3/3! + x5/5! - ... + x17/17!
    let mut sum = 1.0;
    for n in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        sum = 1.0 - sum * square / (n * (n + 1.0));
    }
    x * sum
}

pub(super) fn cos(turns: f64) -> f64 {
    sin(turns + 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_agrees_with_the_platform() {
        for step in -2000..2000 {
            let turns = f64::from(step) / 777.0;
            let radians = turns * std::f64::consts::TAU;
            assert!((sin(turns) - radians.sin()).abs() < 1e-11, "{turns}");
            assert!((cos(turns) - radians.cos()).abs() < 1e-11, "{turns}");
        }
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // First outputs for seed 1234567, as published with the algorithm.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
