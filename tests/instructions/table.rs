//! The table of counts.

use std::process::Command;

/// How many times its count a work may take: libraries choose their loops by the processor they run on.
pub(crate) const TOLERANCE: f64 = 1.05;

const TEXT: &str = include_str!("counts.txt");

/// `counts.txt`.
pub(crate) struct Table(Vec<(String, [f64; 2])>);

impl Table {
    pub(crate) fn read() -> Self {
        let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
        let rows = lines.map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [work, dev, release] = words[..] else {
                panic!("want a work and two counts: {line:?}");
            };
            (
                work.to_owned(),
                [dev, release].map(|count| count.parse().unwrap()),
            )
        });
        Self(rows.collect())
    }

    /// The count of a work in the profile that this is built with.
    pub(crate) fn count(&self, work: &str) -> f64 {
        let found = self.0.iter().find(|(name, _)| name == work);
        let (_, [dev, release]) = found.unwrap_or_else(|| panic!("{work} isn't in the table"));
        if cfg!(debug_assertions) {
            *dev
        } else {
            *release
        }
    }

    /// Why the table says nothing here, if it doesn't.
    pub(crate) fn does_not_hold_here(&self) -> Option<String> {
        if !cfg!(target_arch = "x86_64") {
            return Some("the table is of x86-64".to_owned());
        }
        let here = compiler();
        let there = TEXT.lines().find_map(|line| line.strip_prefix("# rustc "));
        let there = there.unwrap().trim();
        (here != there).then(|| format!("the table is of rustc {there}, this is {here}"))
    }
}

/// The compiler's version, without what stands behind it.
fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    said.split(' ').nth(1).unwrap().to_owned()
}
