//! Roles: sets of permissions under a name.

use super::Permission::{self, *};
use crate::Message;

/// The name of a role, as it stands in an assignment.
pub type RoleId = &'static str;

/// A set of permissions that people have together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    pub id: RoleId,
    /// Of the catalogue.
    title: &'static str,
    pub permissions: &'static [Permission],
}

/// The roles of a town hall. A registered citizen has an account without a role.
///
/// They are data of the program and not of the store: a role whose meaning somebody can change is one that nobody can
/// rely on when it is given. Several may be given to one person.
pub const BUILT_IN: [Role; 15] = [
    Role {
        id: "operator",
        title: "access.title-operator",
        permissions: &[ReadStaff, RegisterTicket],
    },
    Role {
        id: "dispatcher",
        title: "access.title-dispatcher",
        permissions: &[
            ReadStaff,
            ReadUnit,
            ReadPersonal,
            RegisterTicket,
            DispatchTicket,
        ],
    },
    Role {
        id: "executor",
        title: "access.title-executor",
        permissions: &[ReadStaff, ReadUnit, ExecuteTicket],
    },
    Role {
        id: "inspector",
        title: "access.title-inspector",
        permissions: &[ReadStaff, ReadUnit, InspectTicket],
    },
    Role {
        id: "moderator",
        title: "access.title-moderator",
        permissions: &[ReadStaff, ReadPersonal, ModerateTicket],
    },
    Role {
        id: "registrar",
        title: "access.title-registrar",
        permissions: &[ReadStaff, ReadPersonal, ReadDocument, RegisterDocument],
    },
    Role {
        id: "head",
        title: "access.title-head",
        permissions: &[
            ReadStaff,
            ReadUnit,
            ReadPersonal,
            ReadDocument,
            ResolveDocument,
        ],
    },
    Role {
        id: "controller",
        title: "access.title-controller",
        permissions: &[ReadStaff, ReadDocument, ControlDocument],
    },
    Role {
        id: "archivist",
        title: "access.title-archivist",
        permissions: &[ReadStaff, ReadDocument, ArchiveDocument],
    },
    Role {
        id: "planner",
        title: "access.title-planner",
        permissions: &[ReadStaff, ReadUnit, ReadRestricted, Export],
    },
    Role {
        id: "utility-owner",
        title: "access.title-utility-owner",
        permissions: &[ReadStaff, ReadUnit, Create, Change, Delete, Export],
    },
    Role {
        id: "gis-editor",
        title: "access.title-gis-editor",
        permissions: &[
            ReadStaff,
            ReadUnit,
            ReadRestricted,
            Create,
            Change,
            Delete,
            Export,
        ],
    },
    Role {
        id: "data-publisher",
        title: "access.title-data-publisher",
        permissions: &[ReadStaff, ReadUnit, Export, Publish],
    },
    Role {
        id: "auditor",
        title: "access.title-auditor",
        permissions: &[ReadStaff, ReadAudit],
    },
    // No data of the town beyond what everybody sees, and none about people: who keeps the accounts does not read the files.
    Role {
        id: "administrator",
        title: "access.title-administrator",
        permissions: &[Publish, ManagePeople, Operate],
    },
];

impl Role {
    pub fn named(id: &str) -> Option<Self> {
        BUILT_IN.into_iter().find(|role| role.id == id)
    }

    /// What people call it.
    pub fn title(&self) -> Message {
        Message::new(self.title)
    }

    pub fn has(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_the_accounts_reads_no_data_and_who_reads_the_log_writes_nothing() {
        let administrator = Role::named("administrator").unwrap();
        for permission in [ReadStaff, ReadUnit, ReadRestricted, ReadPersonal, ReadAudit] {
            assert!(!administrator.has(permission), "{}", permission.name());
        }
        let auditor = Role::named("auditor").unwrap();
        for permission in [Create, Change, Delete, Publish, ManagePeople] {
            assert!(!auditor.has(permission), "{}", permission.name());
        }
    }

    #[test]
    fn names_are_told_apart() {
        for (i, role) in BUILT_IN.iter().enumerate() {
            assert_eq!(Role::named(role.id), Some(BUILT_IN[i]));
        }
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(permission));
        }
    }
}
