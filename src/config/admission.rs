//! Who may connect to a database, by address. An empty list admits nobody.

use ipnet::IpNet;

use super::document::Table;
use super::network::network_list;
use super::reference::{FileRef, file};
use crate::admission::PrivateOnly;

/// The addresses that may connect to a database: those that `allow` has and `deny` has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Networks that may connect.
    pub allow: Vec<IpNet>,
    /// Files with more of them.
    pub allow_files: Vec<FileRef>,
    /// Networks that may not, whatever `allow` says.
    pub deny: Vec<IpNet>,
    /// Files with more of them.
    pub deny_files: Vec<FileRef>,
    /// Whether an address must be private too (RFC 1918, RFC 4193, loopback). Grants nothing by itself.
    pub private_only: PrivateOnly,
}

impl Admission {
    pub(crate) fn parse(table: &Table<'_>) -> Option<Self> {
        let files = "the paths of files with one network a line";
        let allow = network_list(table, "allow");
        let allow_files = table.list("allow_files", files, file);
        let deny = network_list(table, "deny");
        let deny_files = table.list("deny_files", files, file);
        let private_only = table.or("private_only", PrivateOnly::Off, |value| {
            value.switch(PrivateOnly::On, PrivateOnly::Off)
        });
        Some(Self {
            allow: allow?,
            allow_files: allow_files?,
            deny: deny?,
            deny_files: deny_files?,
            private_only: private_only?,
        })
    }

    /// Whether nobody may connect, because no network is allowed.
    pub fn admits_nobody(&self) -> bool {
        self.allow.is_empty() && self.allow_files.is_empty()
    }
}
