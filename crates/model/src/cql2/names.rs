//! Comparisons, operators and relations with their names.

/// A binary comparison (§6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

/// An operator of arithmetic (§7.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Plus,
    Minus,
    Times,
    Divide,
    /// What a whole division leaves.
    Modulo,
    /// Whole division.
    Div,
    Power,
}

/// How two geometries may lie (§7.7, DE-9IM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpatialRelation {
    Intersects,
    Equals,
    Disjoint,
    Touches,
    Within,
    Overlaps,
    Crosses,
    Contains,
}

/// How two times may lie (§7.8, OWL-Time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemporalRelation {
    After,
    Before,
    Contains,
    Disjoint,
    During,
    Equals,
    FinishedBy,
    Finishes,
    Intersects,
    Meets,
    MetBy,
    OverlappedBy,
    Overlaps,
    StartedBy,
    Starts,
}

/// How two sets may lie (§7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArrayRelation {
    Equals,
    Contains,
    ContainedBy,
    Overlaps,
}

impl Comparison {
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Equal, "="),
        (Self::NotEqual, "<>"),
        (Self::Less, "<"),
        (Self::Greater, ">"),
        (Self::AtMost, "<="),
        (Self::AtLeast, ">="),
    ];

    pub fn symbol(self) -> &'static str {
        named(&Self::ALL, self)
    }
}

impl Operator {
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Plus, "+"),
        (Self::Minus, "-"),
        (Self::Times, "*"),
        (Self::Divide, "/"),
        (Self::Modulo, "%"),
        (Self::Div, "div"),
        (Self::Power, "^"),
    ];

    pub fn symbol(self) -> &'static str {
        named(&Self::ALL, self)
    }

    /// How close it binds, from 0.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Plus | Self::Minus => 0,
            Self::Times | Self::Divide | Self::Modulo | Self::Div => 1,
            Self::Power => 2,
        }
    }
}

impl SpatialRelation {
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Intersects, "s_intersects"),
        (Self::Equals, "s_equals"),
        (Self::Disjoint, "s_disjoint"),
        (Self::Touches, "s_touches"),
        (Self::Within, "s_within"),
        (Self::Overlaps, "s_overlaps"),
        (Self::Crosses, "s_crosses"),
        (Self::Contains, "s_contains"),
    ];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        named(&Self::ALL, self)
    }
}

impl TemporalRelation {
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::After, "t_after"),
        (Self::Before, "t_before"),
        (Self::Contains, "t_contains"),
        (Self::Disjoint, "t_disjoint"),
        (Self::During, "t_during"),
        (Self::Equals, "t_equals"),
        (Self::FinishedBy, "t_finishedBy"),
        (Self::Finishes, "t_finishes"),
        (Self::Intersects, "t_intersects"),
        (Self::Meets, "t_meets"),
        (Self::MetBy, "t_metBy"),
        (Self::OverlappedBy, "t_overlappedBy"),
        (Self::Overlaps, "t_overlaps"),
        (Self::StartedBy, "t_startedBy"),
        (Self::Starts, "t_starts"),
    ];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        named(&Self::ALL, self)
    }
}

impl ArrayRelation {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Equals, "a_equals"),
        (Self::Contains, "a_contains"),
        (Self::ContainedBy, "a_containedBy"),
        (Self::Overlaps, "a_overlaps"),
    ];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        named(&Self::ALL, self)
    }
}

fn named<T: PartialEq + Copy>(all: &[(T, &'static str)], one: T) -> &'static str {
    let found = all.iter().find(|(each, _)| *each == one);
    found.map_or("", |(_, name)| name)
}

/// The member of a list that a name stands for, in any case.
pub(super) fn by_name<T: Copy>(all: &[(T, &'static str)], name: &str) -> Option<T> {
    let found = all.iter().find(|(_, each)| each.eq_ignore_ascii_case(name));
    found.map(|(one, _)| *one)
}

/// Whether a name is that of an operation in JSON, so that no function can have it.
pub(super) fn is_operation(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "and", "or", "not", "in", "like", "between", "isNull", "casei", "accenti",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
        || name == "!="
        || by_name(&Comparison::ALL, name).is_some()
        || by_name(&Operator::ALL, name).is_some()
        || by_name(&SpatialRelation::ALL, name).is_some()
        || by_name(&TemporalRelation::ALL, name).is_some()
        || by_name(&ArrayRelation::ALL, name).is_some()
}
