//! The change log's terms.

/// Position in the change log: strictly increasing within an epoch, gaps allowed. 0: nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChangeSeq(pub i64);

/// One life of a store: random, new when it is created or restored, so that an `ETag`, cursor or event
/// id of another life is never taken for one of this.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Epoch(pub Box<str>);

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Create,
    Replace,
    Delete,
}

impl Operation {
    pub const ALL: [Operation; 3] = [Self::Create, Self::Replace, Self::Delete];

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }
}
