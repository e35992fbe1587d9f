//! What the kernel takes away without a word: it answers a backlog or a buffer that is too large with less, and no error.

use std::fs;
use std::path::Path;

use super::files::Files;
use crate::config::{At, Config};
use crate::snapshot::BACKLOG;

impl Files {
    /// Warns of what the kernel won't give. A bound that can't be read is no fault: not every container shows all of them.
    pub(super) fn compare_with_kernel(&mut self, config: &Config) {
        let core = Path::new("/proc/sys/net/core");
        if let Some(text) = number(&core.join("somaxconn")).and_then(backlog) {
            self.warn(At::START, text);
        }
        let Some(most) = number(&core.join("wmem_max")) else {
            return;
        };
        for database in &config.databases {
            let asked = database.limits.send_buffer;
            if let Some(text) = send_buffer(asked.value.bytes(), most) {
                self.warn(asked.at, text);
            }
        }
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn backlog(somaxconn: u64) -> Option<String> {
    (somaxconn < u64::from(BACKLOG.unsigned_abs())).then(|| {
        format!(
            "a burst of more than {somaxconn} connections will be answered a second late: \
             net.core.somaxconn is {somaxconn}, want {BACKLOG} or more"
        )
    })
}

fn send_buffer(asked: u64, wmem_max: u64) -> Option<String> {
    (wmem_max < asked).then(|| {
        format!(
            "send_buffer is {asked} bytes, but the kernel gives {wmem_max}: net.core.wmem_max is lower"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_gives_less_than_is_asked_is_told_of() {
        let (small, enough) = (backlog(128), backlog(4096));
        assert_eq!(
            small.as_deref(),
            Some(
                "a burst of more than 128 connections will be answered a second late: net.core.somaxconn is 128, want 4096 or more"
            )
        );
        assert_eq!(enough, None);
        let (small, enough) = (send_buffer(131_072, 65_536), send_buffer(131_072, 131_072));
        assert_eq!(
            small.as_deref(),
            Some(
                "send_buffer is 131072 bytes, but the kernel gives 65536: net.core.wmem_max is lower"
            )
        );
        assert_eq!(enough, None);
    }
}
