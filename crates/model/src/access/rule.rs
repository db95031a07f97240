//! Who may see a collection, and in what form.

use std::collections::BTreeMap;

use super::{Editing, Retention};

/// How open something is. Each class takes in all that are before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Everybody.
    Public,
    /// Whoever has an account, citizens included.
    Registered,
    /// Whoever works for the town.
    Staff,
    /// The unit that the collection belongs to.
    Unit,
    /// Those with a permission for it.
    Restricted,
}

impl Class {
    pub const ALL: [Self; 5] = [
        Self::Public,
        Self::Registered,
        Self::Staff,
        Self::Unit,
        Self::Restricted,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Registered => "registered",
            Self::Staff => "staff",
            Self::Unit => "unit",
            Self::Restricted => "restricted",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// The rules of one collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Who sees it.
    pub class: Class,
    /// The unit that it belongs to.
    pub unit: Option<String>,
    /// Properties that fewer people see than the collection.
    pub properties: BTreeMap<String, PropertyRule>,
    /// Features that fewer people see.
    pub rows: Vec<RowRule>,
    /// What those see who do not see the collection itself.
    pub twin: Option<Twin>,
    pub editing: Editing,
    /// Who sees what its features were, and what is gone: a value that was taken back is there still.
    pub history: Class,
    /// How long what its features were is kept; for ever when nothing is said.
    pub retention: Option<Retention>,
}

/// A property that not all readers of a collection see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyRule {
    /// Who sees it.
    pub from: Class,
    /// Whether it is about a person: then [`super::Permission::ReadPersonal`] is needed too.
    pub is_personal: bool,
    /// What others see.
    pub otherwise: Shown,
}

/// In what form somebody sees a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Not at all: as if it did not exist.
    Not,
    /// The first characters, and a mark for the rest.
    Masked { keep: u8 },
}

/// Features that not all readers of a collection see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRule {
    /// Whoever is below this class sees only the features for which the filter holds.
    pub below: Class,
    /// CQL2 text.
    pub filter: String,
}

/// A coarser form of a collection for more people.
#[derive(Debug, Clone, PartialEq)]
pub struct Twin {
    /// Who sees it.
    pub class: Class,
    /// The only properties that it has.
    pub properties: Vec<String>,
    /// Width in metres of the grid to whose cells places are rounded.
    pub grid: u32,
    /// CQL2 text: the only features that it has.
    pub filter: Option<String>,
}

impl Access {
    pub fn of(class: Class) -> Self {
        Self {
            class,
            unit: None,
            properties: BTreeMap::new(),
            rows: Vec::new(),
            twin: None,
            editing: Editing::default(),
            history: Class::Staff,
            retention: None,
        }
    }
}

/// What nobody has said anything about is for those who work with it.
impl Default for Access {
    fn default() -> Self {
        Self::of(Class::Staff)
    }
}
