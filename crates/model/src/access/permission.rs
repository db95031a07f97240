//! What a role may allow.

use crate::Message;

/// Something that somebody may be allowed to do. Its name stands in tokens, tables and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Reads collections of the class `staff`.
    ReadStaff,
    /// Reads collections of the class `unit` that belong to the unit of the assignment, or to one below it.
    ReadUnit,
    /// Reads collections of the class `restricted`.
    ReadRestricted,
    /// Reads properties that hold personal data; each such read is audited.
    ReadPersonal,
    Create,
    Change,
    Delete,
    /// Takes whole collections out as files.
    Export,
    /// Decides who may see a collection.
    Publish,
    /// Takes calls and registers tickets.
    RegisterTicket,
    /// Gives tickets to units and people.
    DispatchTicket,
    /// Works on tickets and answers them.
    ExecuteTicket,
    /// Checks work on the spot.
    InspectTicket,
    /// Decides what of a ticket is public.
    ModerateTicket,
    ReadDocument,
    RegisterDocument,
    /// Writes resolutions.
    ResolveDocument,
    /// Keeps an eye on deadlines.
    ControlDocument,
    /// Keeps what is finished, and destroys it when its time has come.
    ArchiveDocument,
    /// Makes accounts, gives roles, ends sessions and tokens.
    ManagePeople,
    ReadAudit,
    /// Reads figures of the running server.
    Operate,
}

impl Permission {
    pub const ALL: [Self; 22] = [
        Self::ReadStaff,
        Self::ReadUnit,
        Self::ReadRestricted,
        Self::ReadPersonal,
        Self::Create,
        Self::Change,
        Self::Delete,
        Self::Export,
        Self::Publish,
        Self::RegisterTicket,
        Self::DispatchTicket,
        Self::ExecuteTicket,
        Self::InspectTicket,
        Self::ModerateTicket,
        Self::ReadDocument,
        Self::RegisterDocument,
        Self::ResolveDocument,
        Self::ControlDocument,
        Self::ArchiveDocument,
        Self::ManagePeople,
        Self::ReadAudit,
        Self::Operate,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ReadStaff => "read-staff",
            Self::ReadUnit => "read-unit",
            Self::ReadRestricted => "read-restricted",
            Self::ReadPersonal => "read-personal",
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Export => "export",
            Self::Publish => "publish",
            Self::RegisterTicket => "register-ticket",
            Self::DispatchTicket => "dispatch-ticket",
            Self::ExecuteTicket => "execute-ticket",
            Self::InspectTicket => "inspect-ticket",
            Self::ModerateTicket => "moderate-ticket",
            Self::ReadDocument => "read-document",
            Self::RegisterDocument => "register-document",
            Self::ResolveDocument => "resolve-document",
            Self::ControlDocument => "control-document",
            Self::ArchiveDocument => "archive-document",
            Self::ManagePeople => "manage-people",
            Self::ReadAudit => "read-audit",
            Self::Operate => "operate",
        }
    }

    /// What people call it.
    pub fn title(self) -> Message {
        Message::new(match self {
            Self::ReadStaff => "access.may-read-staff",
            Self::ReadUnit => "access.may-read-unit",
            Self::ReadRestricted => "access.may-read-restricted",
            Self::ReadPersonal => "access.may-read-personal",
            Self::Create => "access.may-create",
            Self::Change => "access.may-change",
            Self::Delete => "access.may-delete",
            Self::Export => "access.may-export",
            Self::Publish => "access.may-publish",
            Self::RegisterTicket => "access.may-register-ticket",
            Self::DispatchTicket => "access.may-dispatch-ticket",
            Self::ExecuteTicket => "access.may-execute-ticket",
            Self::InspectTicket => "access.may-inspect-ticket",
            Self::ModerateTicket => "access.may-moderate-ticket",
            Self::ReadDocument => "access.may-read-document",
            Self::RegisterDocument => "access.may-register-document",
            Self::ResolveDocument => "access.may-resolve-document",
            Self::ControlDocument => "access.may-control-document",
            Self::ArchiveDocument => "access.may-archive-document",
            Self::ManagePeople => "access.may-manage-people",
            Self::ReadAudit => "access.may-read-audit",
            Self::Operate => "access.may-operate",
        })
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}
