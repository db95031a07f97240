//! Whoever makes a request.

use std::collections::BTreeSet;

use super::{ANONYMOUS, Area, Permission};

/// Who a request comes from, and what their roles give them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    pub who: Who,
    pub grants: Vec<Grant>,
    /// Collections that a token is for; others it sees as everybody does. `None`: all.
    pub collections: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    Anonymous,
    Person {
        id: String,
        name: String,
    },
    /// Somebody at the machine itself, who has the store in their hands anyway; the name of the account there.
    Console(String),
}

/// What one assignment gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    pub permissions: BTreeSet<Permission>,
    /// The unit and those below it; `None`: for all units.
    pub units: Option<BTreeSet<String>>,
    /// `None`: everywhere.
    pub area: Option<Area>,
}

/// What a token may be used for, of what its owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Reading, without personal data.
    Read,
    Write,
    /// Reading personal data.
    Personal,
    /// People, access, audit, figures.
    Manage,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Personal, Self::Manage];

    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Personal => "personal",
            Self::Manage => "manage",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The scope that a permission belongs to.
    fn of(permission: Permission) -> Self {
        use Permission::*;
        match permission {
            ReadStaff | ReadUnit | ReadRestricted | Export | ReadDocument => Self::Read,
            ReadPersonal => Self::Personal,
            Create | Change | Delete | RegisterTicket | DispatchTicket | ExecuteTicket
            | InspectTicket | ModerateTicket | RegisterDocument | ResolveDocument
            | ControlDocument | ArchiveDocument => Self::Write,
            Publish | ManagePeople | ReadAudit | Operate => Self::Manage,
        }
    }
}

impl Principal {
    /// Whether they are the same as before, and have all that they had. A name may be another one.
    pub fn gives_all_of(&self, before: &Self) -> bool {
        let has = |grant: &Grant| {
            let covers = |own: &Grant| {
                let units = match (&own.units, &grant.units) {
                    (None, _) => true,
                    (Some(own), Some(before)) => own.is_superset(before),
                    (Some(_), None) => false,
                };
                units
                    && own.permissions.is_superset(&grant.permissions)
                    && (own.area.is_none() || own.area == grant.area)
            };
            self.grants.iter().any(covers)
        };
        self.actor() == before.actor()
            && self.collections == before.collections
            && before.grants.iter().all(has)
    }

    pub fn anonymous() -> Self {
        Self {
            who: Who::Anonymous,
            grants: Vec::new(),
            collections: None,
        }
    }

    pub fn is_anonymous(&self) -> bool {
        self.who == Who::Anonymous
    }

    /// The name in logs.
    pub fn actor(&self) -> &str {
        match &self.who {
            Who::Anonymous => ANONYMOUS,
            Who::Person { id, .. } => id,
            Who::Console(name) => name,
        }
    }

    /// Whether something that belongs to no collection is allowed: a grant for a unit or an area is none for the whole, nor
    /// is a token for some collections.
    pub fn may(&self, permission: Permission) -> bool {
        let is_whole = |grant: &&Grant| grant.units.is_none() && grant.area.is_none();
        self.collections.is_none()
            && self
                .grants
                .iter()
                .filter(is_whole)
                .any(|grant| grant.permissions.contains(&permission))
    }

    /// Whether something is allowed for one collection or another.
    pub fn may_somewhere(&self, permission: Permission) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.permissions.contains(&permission))
    }

    /// The same person with a token of some scopes, for some collections.
    #[must_use]
    pub fn narrowed(
        mut self,
        scopes: &BTreeSet<Scope>,
        collections: Option<BTreeSet<String>>,
    ) -> Self {
        for grant in &mut self.grants {
            grant
                .permissions
                .retain(|permission| scopes.contains(&Scope::of(*permission)));
        }
        self.collections = collections;
        self
    }
}
