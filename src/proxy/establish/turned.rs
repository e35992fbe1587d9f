//! A newcomer that isn't served: it is counted and told of in the log, and may read why. Nothing here admits anybody.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::Newcomer;
use crate::client::fault::utc;
use crate::client::{Client, HandshakeFault, Seen, TlsFault};
use crate::proxy::plaintext;
use crate::telemetry::HandshakeOutcome;

/// How long a refused client may take to read why.
const LINGER: Duration = Duration::from_millis(500);

/// What to do about a client that speaks in the clear.
const SPEAK_TLS: &str =
    "let the client use rediss:// (redis-cli --tls), or give it a plaintext_listen address";

/// Why a newcomer is not served.
pub(super) enum Turned {
    Abandoned,
    Timeout,
    Evicted,
    Drained,
    Withdrawn,
    /// It speaks in the clear.
    Plaintext,
    Failed {
        outcome: HandshakeOutcome,
        why: String,
        remedy: &'static str,
    },
}

impl Turned {
    pub(super) fn unmapped(why: String) -> Self {
        Self::Failed {
            outcome: HandshakeOutcome::Unmapped,
            why,
            remedy: "",
        }
    }
}

impl Newcomer {
    /// Says what went wrong in a handshake, and what to do about it.
    pub(super) fn explain(&self, fault: &TlsFault) -> Turned {
        let seen = self.seen.borrow();
        let certificate = seen.as_ref().and_then(Seen::fault);
        match fault {
            TlsFault::Rustls(error) => {
                let explained = HandshakeFault::explain(error, certificate);
                let outcome = match (certificate, error) {
                    (Some(_), _) => HandshakeOutcome::BadCertificate,
                    (None, rustls::Error::NoCertificatesPresented) => {
                        HandshakeOutcome::NoCertificate
                    }
                    (None, rustls::Error::InvalidCertificate(_)) => {
                        HandshakeOutcome::BadCertificate
                    }
                    (None, rustls::Error::InvalidMessage(_)) => HandshakeOutcome::NotTls,
                    (None, _) => HandshakeOutcome::Protocol,
                };
                Turned::Failed {
                    outcome,
                    why: explained.cause,
                    remedy: explained.remedy,
                }
            }
            TlsFault::NotTls => Turned::Plaintext,
            TlsFault::HandshakeTooLarge => Turned::Failed {
                outcome: HandshakeOutcome::Protocol,
                why: fault.to_string(),
                remedy: "let the client send its certificate and the intermediates of its own path only",
            },
            TlsFault::MessageTooLarge | TlsFault::Failed | TlsFault::UnexpectedState => {
                Turned::Failed {
                    outcome: HandshakeOutcome::Protocol,
                    why: fault.to_string(),
                    remedy: "",
                }
            }
        }
    }

    /// Counts and logs why a newcomer is not served, and lets it read the alert, or what `said` in the clear is answered.
    pub(super) async fn turn_away(&self, mut client: Box<Client>, said: Vec<u8>, turned: Turned) {
        let (outcome, why) = match turned {
            Turned::Abandoned => (HandshakeOutcome::Abandoned, None),
            Turned::Timeout => (HandshakeOutcome::Timeout, None),
            Turned::Evicted => (HandshakeOutcome::Evicted, None),
            Turned::Drained => (HandshakeOutcome::Drained, None),
            Turned::Withdrawn => (HandshakeOutcome::Withdrawn, None),
            Turned::Plaintext => {
                let why = TlsFault::NotTls.to_string();
                (HandshakeOutcome::Plaintext, Some((why, SPEAK_TLS)))
            }
            Turned::Failed {
                outcome,
                why,
                remedy,
            } => (outcome, Some((why, remedy))),
        };
        self.count(outcome);
        let Some((why, remedy)) = why else { return };
        self.log(outcome, &why, remedy);
        let last_words = async {
            if outcome == HandshakeOutcome::Plaintext {
                return plaintext::refuse(client.into_socket(), said).await;
            }
            let _ = std::future::poll_fn(|context| client.poll_flush(context)).await;
            client.linger().await;
        };
        // A peer that doesn't read its alert in time misses it, and so does one whose place is needed.
        tokio::select! {
            biased;
            () = last_words => {}
            () = tokio::time::sleep(LINGER) => {}
            () = self.unwanted() => {}
        }
    }

    /// Waits until another connection needs this one's place, or Redwall ends.
    async fn unwanted(&self) {
        std::future::poll_fn(
            |_| match self.seat.is_evicted() || self.worker.is_draining() {
                // The seat's waker is this task's.
                true => Poll::Ready(()),
                false => Poll::Pending,
            },
        )
        .await;
    }

    /// One line a failed handshake: who, why, and what the certificate says of itself, bounded and escaped.
    fn log(&self, outcome: HandshakeOutcome, why: &str, remedy: &str) {
        let peer = self.peer.ip().to_canonical();
        if !self.worker.may_log(&self.database, peer, Instant::now()) {
            return;
        }
        let database = self.database.name.as_str();
        match self.seen.borrow().as_ref().and_then(Seen::facts) {
            Some(facts) => tracing::info!(
                %peer, database, outcome = outcome.text(), reason = %why, remedy,
                subject = %facts.subject, issuer = %facts.issuer, expires = %expiry(facts.not_after),
                "TLS handshake failed"
            ),
            None => tracing::info!(
                %peer, database, outcome = outcome.text(), reason = %why, remedy, "TLS handshake failed"
            ),
        }
    }
}

fn expiry(not_after: i64) -> String {
    utc(u64::try_from(not_after).unwrap_or_default())
}
