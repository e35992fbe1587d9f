//! The log: where tracing's events go, and how often one cause may write a line.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::admission::Place;
use crate::config::{Log, LogFormat};

/// Changes the level of a log that is open.
pub struct LevelHandle(Box<dyn Fn(EnvFilter) + Send>);

impl LevelHandle {
    /// Takes the level of `log`, unless `RUST_LOG` says otherwise.
    pub fn set(&self, log: &Log) {
        // What could be read at the start can be read now.
        if let Ok(filter) = filter(log) {
            (self.0)(filter);
        }
    }
}

/// Sends events of the configured level and above to standard error. `RUST_LOG` wins over it; `NO_COLOR` is honoured.
///
/// # Errors
/// A text, if the process has a log already or `RUST_LOG` can't be read.
pub fn install(log: &Log) -> Result<LevelHandle, String> {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr())
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let writer = BoxMakeWriter::new(std::io::stderr);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(log)?)
        .with_target(false)
        .with_writer(writer);
    match log.format {
        LogFormat::Text => {
            let builder = builder.with_ansi(colour).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(|error| error.to_string())?;
            // The subscriber lives as long as the process.
            Ok(LevelHandle(Box::new(move |filter| {
                drop(handle.reload(filter))
            })))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(|error| error.to_string())?;
            Ok(LevelHandle(Box::new(move |filter| {
                drop(handle.reload(filter))
            })))
        }
    }
}

fn filter(log: &Log) -> Result<EnvFilter, String> {
    match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(directives),
        Ok(_) | Err(_) => EnvFilter::try_new(log.level.text()),
    }
    .map_err(|error| error.to_string())
}

/// How long one address's count of lines is kept.
const WINDOW: Duration = Duration::from_secs(60);

/// Lines that one address may cause in a window.
const LINES_PER_ADDRESS: u32 = 5;

/// Addresses that are told apart; all others share one count.
const MAX_ADDRESSES: usize = 4096;

/// Decides whether an address may cause one more log line, so that a scanner can't fill the disk.
///
/// IPv6 addresses count by their leading bits, as connections do. The table is bounded: beyond 4,096 addresses a window the
/// rest share one count.
#[derive(Debug, Default)]
pub struct LineLimiter {
    counts: HashMap<Place, u32>,
    others: u32,
    window_start: Option<Instant>,
    suppressed: u64,
}

/// What [`LineLimiter::permit`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Write it; so many lines were withheld in the window before, to be mentioned once.
    Write {
        /// Lines withheld since this was last said.
        suppressed_before: u64,
    },
    /// Don't.
    Withhold,
}

impl LineLimiter {
    /// Counts one line that an address which counts as `place` causes at `now`.
    pub fn permit(&mut self, place: Place, now: Instant) -> Line {
        let mut suppressed_before = 0;
        if self
            .window_start
            .is_none_or(|start| now.duration_since(start) >= WINDOW)
        {
            self.window_start = Some(now);
            self.counts.clear();
            self.others = 0;
            suppressed_before = std::mem::take(&mut self.suppressed);
        }
        let full = self.counts.len() >= MAX_ADDRESSES;
        let count = match self.counts.get_mut(&place) {
            Some(count) => count,
            None if full => &mut self.others,
            None => self.counts.entry(place).or_insert(0),
        };
        *count += 1;
        if *count <= LINES_PER_ADDRESS {
            Line::Write { suppressed_before }
        } else {
            self.suppressed += 1 + suppressed_before;
            Line::Withhold
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::config::CONNECTIONS;

    fn place(address: impl Into<IpAddr>) -> Place {
        CONNECTIONS.place(address.into())
    }

    #[test]
    fn an_address_that_fails_again_and_again_writes_five_lines_a_minute() {
        let mut limiter = LineLimiter::default();
        let start = Instant::now();
        let address = place([192, 0, 2, 1]);
        let written = (0..1000)
            .filter(|_| limiter.permit(address, start) != Line::Withhold)
            .count();
        assert_eq!(written, 5);
        assert_eq!(
            limiter.permit(address, start + WINDOW),
            Line::Write {
                suppressed_before: 995
            }
        );
    }

    #[test]
    fn addresses_of_one_ipv6_site_share_their_lines_and_others_do_not() {
        let mut limiter = LineLimiter::default();
        let start = Instant::now();
        let site = |last: u128| place(std::net::Ipv6Addr::from(0x2001_0db8_u128 << 96 | last));
        let written = (0..1000)
            .filter(|last| limiter.permit(site(*last), start) != Line::Withhold)
            .count();
        assert_eq!(written, 5);
        assert_ne!(limiter.permit(site(1 << 64), start), Line::Withhold);
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let mut limiter = LineLimiter::default();
        let start = Instant::now();
        for address in 0..100_000_u32 {
            let _ = limiter.permit(place(std::net::Ipv4Addr::from(address)), start);
        }
        assert_eq!(limiter.counts.len(), MAX_ADDRESSES);
    }
}
