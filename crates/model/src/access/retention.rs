//! How long it is kept what the features of a collection were.

/// For how long the states are kept that features had before. What they are now is kept anyway, and so is it that they were
/// changed, by whom, when and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days, from [`Retention::LEAST`] to [`Retention::MOST`].
    days: u32,
}

impl Retention {
    /// What is let go does not come back, and a shorter time is rather a typing error than a wish.
    pub const LEAST: u32 = 30;
    /// A hundred years.
    pub const MOST: u32 = 36_525;

    /// `None` for a number of days that is none to keep a history for.
    pub fn of_days(days: u64) -> Option<Self> {
        let days = u32::try_from(days).ok()?;
        (Self::LEAST..=Self::MOST)
            .contains(&days)
            .then_some(Self { days })
    }

    pub fn days(self) -> u32 {
        self.days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_does_not_let_a_history_go() {
        let days = |days| Retention::of_days(days).map(Retention::days);
        assert_eq!(days(30), Some(30));
        assert_eq!(days(36_525), Some(36_525));
        for bad in [0, 1, 29, 36_526, u64::MAX] {
            assert_eq!(days(bad), None, "{bad}");
        }
    }
}
