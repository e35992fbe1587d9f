//! What a server knows: its commands and their categories, from `COMMAND`.

use crate::server::{Reply, Server};
use std::collections::{BTreeMap, BTreeSet};

/// Every command and subcommand (`container|sub`), with its categories, without `@`.
pub(crate) struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    /// Asks the server.
    pub(crate) fn of(server: &mut Server) -> Self {
        let mut known = Self(BTreeMap::new());
        known.collect(&server.ask(&["COMMAND"]));
        assert!(
            known.0.len() > 300,
            "{} told of {} commands only",
            server.name,
            known.0.len()
        );
        known
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The categories of a command, or of its container, which counts for its subcommands.
    pub(crate) fn categories(&self, name: &str) -> BTreeSet<&str> {
        let container = name.split('|').next();
        let rows = [Some(name), container]
            .into_iter()
            .flatten()
            .filter_map(|name| self.0.get(name));
        rows.flatten().map(String::as_str).collect()
    }

    fn collect(&mut self, rows: &Reply) {
        for row in items(rows) {
            let fields = items(row);
            let categories = items(&fields[6])
                .iter()
                .map(|name| text(name).trim_start_matches('@').to_owned());
            self.0
                .insert(text(&fields[0]).to_lowercase(), categories.collect());
            self.collect(&fields[9]);
        }
    }
}

fn items(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::Array(items) => items,
        other => panic!("no array: {other:?}"),
    }
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) => text.clone(),
        Reply::Bulk(Some(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}
