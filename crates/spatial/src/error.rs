use model::Message;

/// What can't be done, with a sentence that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The caller's input breaks a rule: a NaN envelope, a wrong number of values, a coordinate without an image.
    #[error("{0}")]
    Invalid(Message),
    /// The code names no CRS that can be used here.
    #[error("{0}")]
    UnknownCrs(Message),
    /// Both CRSs are known, but no transformation between them is good enough or usable without grid files.
    #[error("{0}")]
    NoTransformation(Message),
    /// A geometry library failed; nothing was changed.
    #[error("{0}")]
    Failed(Message),
}

impl Error {
    pub fn message(self) -> Message {
        match self {
            Self::Invalid(m)
            | Self::UnknownCrs(m)
            | Self::NoTransformation(m)
            | Self::Failed(m) => m,
        }
    }
}
