//! A database's allow and deny lists: those of the configuration, and those of the files that it names.

use ipnet::IpNet;

use super::files::Files;
use crate::config::{Admission, FileRef, cidr_list};

/// The networks of a database, from everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks {
    /// Networks that may connect.
    pub allow: Vec<IpNet>,
    /// Networks that may not, whatever `allow` says.
    pub deny: Vec<IpNet>,
}

impl Files {
    /// The networks of `admission` and of its files; `None`: a fault has been noted.
    pub fn networks(&mut self, admission: &Admission) -> Option<Networks> {
        let allow = self.network_lists(&admission.allow, &admission.allow_files);
        let deny = self.network_lists(&admission.deny, &admission.deny_files);
        Some(Networks {
            allow: allow?,
            deny: deny?,
        })
    }

    fn network_lists(&mut self, written: &[IpNet], files: &[FileRef]) -> Option<Vec<IpNet>> {
        let lists: Vec<Option<Vec<IpNet>>> =
            files.iter().map(|file| self.network_list(file)).collect();
        let lists: Vec<Vec<IpNet>> = lists.into_iter().collect::<Option<_>>()?;
        Some(
            [written.to_vec()]
                .into_iter()
                .chain(lists)
                .flatten()
                .collect(),
        )
    }

    fn network_list(&mut self, file: &FileRef) -> Option<Vec<IpNet>> {
        let text = self.text(file)?;
        match cidr_list(&self.path(file), &text) {
            Ok(networks) => Some(networks),
            Err(faults) => {
                for fault in faults {
                    self.faulty::<()>(fault);
                }
                None
            }
        }
    }
}
