//! The moment that a request asks for: `as-of` (transaction time).

use model::{ChangeSeq, Message};

use crate::app::App;
use crate::problem::{Problem, shown};

/// A moment of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The fixed form of [`model::normalise_date_time`], or to the microsecond.
    pub(crate) at: String,
    /// The last change that it holds.
    pub(crate) seq: ChangeSeq,
}

/// The time that a text names; a date is its end, in UTC, so that what was recorded on the day is in it.
pub(crate) fn instant(text: &str) -> Result<String, Problem> {
    const LAST: i64 = 86_400_000_000 - 1;
    let named = match model::days_of_date(text) {
        Some(days) => model::date_time_of(days, LAST),
        None => model::normalise_date_time(text),
    };
    named.ok_or_else(|| {
        let detail = Message::new("server.as-of-unreadable").with("value", shown(text));
        Problem::bad_request(detail)
    })
}

impl App {
    /// The moment that a parameter names.
    ///
    /// # Errors
    /// 400 for a text that is no time.
    pub(crate) async fn moment(&self, text: Option<&str>) -> Result<Option<Moment>, Problem> {
        let Some(text) = text else {
            return Ok(None);
        };
        let at = instant(text)?;
        let seq = self.store.seq_at(&at).await?;
        Ok(Some(Moment { at, seq }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_all_of_its_day() {
        let check = |text: &str, expect: &str| assert_eq!(instant(text).unwrap(), expect);
        check("2014-03-01", "2014-03-01T23:59:59.999999Z");
        check("2014-03-01T12:00:00+02:00", "2014-03-01T10:00:00.000Z");
        assert!(instant("yesterday").is_err());
        assert!(instant("2014-02-30").is_err());
    }
}
