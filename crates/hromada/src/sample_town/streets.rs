//! Which street is which: every ring street has a name in each sector, every radial street one from where it begins to the edge.

use super::number::Random;
use super::plan::{MAIN, Plan};
use super::street_list::{EMBANKMENTS, MAIN_STREETS, STREETS};

pub(super) struct Streets {
    /// Index of the first street of each ring, and of the radial streets that a level of doubling adds.
    rings: Vec<usize>,
    levels: Vec<usize>,
    order: Vec<&'static str>,
}

impl Streets {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut order = STREETS.to_vec();
        let mut random = Random::of(plan.seed, [7, 0, 0]);
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i as u64 + 1) as usize);
        }
        let order = [MAIN_STREETS.as_slice(), &order].concat();
        let (mut rings, mut levels, mut next) = (Vec::new(), vec![0], MAIN);
        for band in &plan.bands {
            if levels.len() == band.level {
                levels.push(next);
                next += band.sectors / 2;
            }
            rings.push(next);
            next += MAIN;
        }
        Self {
            rings,
            levels,
            order,
        }
    }

    /// Ring street `r` in the main sector `s`.
    pub(super) fn ring(&self, plan: &Plan, r: usize, s: usize) -> String {
        if r == 0 {
            return "пл. Ринок".to_owned();
        }
        match plan.river {
            Some(k) if (r == k || r == k + 1) && (s == 1 || s == 2) => {
                EMBANKMENTS[(r - k) * 2 + s - 1].to_owned()
            }
            _ => self.name(self.rings[r] + s),
        }
    }

    pub(super) fn radial(&self, plan: &Plan, k: usize, i: usize) -> String {
        let (mut level, mut i) = (plan.bands[k].level, i);
        while level > 0 && i.is_multiple_of(2) {
            (level, i) = (level - 1, i / 2);
        }
        self.name(self.levels[level] + if level == 0 { i } else { i / 2 })
    }

    /// When the names run out they come again, by district.
    fn name(&self, index: usize) -> String {
        let (round, name) = (
            index / self.order.len(),
            self.order[index % self.order.len()],
        );
        if round == 0 {
            name.to_owned()
        } else {
            format!("{name} ({}-й р-н)", round + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn streets_have_names_of_their_own() {
        let all: HashSet<&str> = MAIN_STREETS
            .iter()
            .chain(&EMBANKMENTS)
            .chain(&STREETS)
            .copied()
            .collect();
        assert_eq!(
            all.len(),
            MAIN_STREETS.len() + EMBANKMENTS.len() + STREETS.len()
        );
        assert!(all.len() >= 300, "{}", all.len());
        let plan = Plan::new(60_000, 5);
        let streets = Streets::new(&plan);
        let mut seen = HashSet::new();
        for r in 1..plan.bands.len() {
            assert!(
                (0..MAIN).all(|s| seen.insert(streets.ring(&plan, r, s))),
                "ring {r}"
            );
        }
        let k = plan.bands.len() - 1;
        assert!((0..plan.bands[k].sectors).all(|i| seen.insert(streets.radial(&plan, k, i))));
    }

    #[test]
    fn a_radial_street_keeps_its_name_where_others_join() {
        let plan = Plan::new(60_000, 5);
        let streets = Streets::new(&plan);
        for k in 1..plan.bands.len() {
            let factor = plan.factor(k);
            for i in 0..plan.bands[k - 1].sectors {
                assert_eq!(
                    streets.radial(&plan, k - 1, i),
                    streets.radial(&plan, k, i * factor)
                );
            }
        }
    }
}
