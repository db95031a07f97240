//! Who may see and do what: people, roles, access rules, and the one place where they are decided upon.
//!
//! A [`Principal`] is whoever makes a request, with what their roles give them. [`Access`] says who may see a collection,
//! and in what form. [`decide`] holds the one against the other.

mod area;
mod check;
mod directory;
mod editing;
mod permission;
mod person;
mod policy;
mod principal;
mod retention;
mod role;
mod rule;
mod style;

pub use area::Area;
pub use check::{MAX_TITLE_LENGTH, check_title, is_plain};
pub use directory::Directory;
pub use editing::{AreaRule, Editing, IdPart, IdPattern, InvalidRule};
pub use permission::Permission;
pub use person::{
    ANONYMOUS, Assignment, Deputy, MAX_NAME_LENGTH, Person, PersonKind, Unit, is_name,
};
pub use policy::{Decision, Reach, View, decide};
pub use principal::{Grant, Principal, Scope, Who};
pub use retention::Retention;
pub use role::{BUILT_IN, Role, RoleId};
pub use rule::{Access, Class, PropertyRule, RowRule, Shown, Twin};
pub use style::{MAX_STYLE_ID, TownStyle, check_style_id};
