//! The crypto provider: whose code does what in TLS.
//!
//! - It is handed to every builder; no process-wide default decides.
//! - Key exchange, signatures and certificates are aws-lc-rs's, always. Key exchange begins with the post-quantum hybrid X25519MLKEM768.
//! - Records are encrypted by aws-lc-rs, or by ring where the processor has VAES without AVX-512 (AMD Zen 3, Intel desktops since Alder
//!   Lake): there ring has code for AES-GCM in registers of 256 bits, and aws-lc-rs only that for 128. Both have the same suites, and
//!   no peer can tell them apart. `cargo bench --bench record` compares them.
//! - In TLS 1.2 rustls ends a connection after 2^24 records under AES-GCM and can't renew its keys, so ChaCha20-Poly1305,
//!   which has no such limit, comes first. TLS 1.3 renews keys by itself.

use std::cmp::Reverse;

use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};

/// Whose cipher suites encrypt records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// aws-lc-rs's.
    AwsLc,
    /// ring's.
    Ring,
}

impl Records {
    /// Those that are the quicker on this machine's processor.
    #[must_use]
    pub fn of_this_machine() -> Self {
        match has_vaes_without_avx512() {
            true => Self::Ring,
            false => Self::AwsLc,
        }
    }

    /// The library's name, for the log.
    #[must_use]
    pub const fn library(self) -> &'static str {
        match self {
            Self::AwsLc => "aws-lc-rs",
            Self::Ring => "ring",
        }
    }

    /// The provider with these suites, in the order that is explained above.
    #[must_use]
    pub fn provider(self) -> CryptoProvider {
        let mut cipher_suites = match self {
            Self::AwsLc => aws_lc_rs::DEFAULT_CIPHER_SUITES,
            Self::Ring => ring::DEFAULT_CIPHER_SUITES,
        }
        .to_vec();
        // Stable: TLS 1.3 suites keep their place in front, and equals keep theirs.
        cipher_suites.sort_by_key(|suite| match suite {
            SupportedCipherSuite::Tls13(_) => (0, Reverse(0)),
            SupportedCipherSuite::Tls12(suite) => (1, Reverse(suite.common.confidentiality_limit)),
        });
        CryptoProvider {
            cipher_suites,
            ..aws_lc_rs::default_provider()
        }
    }
}

/// The provider on this machine.
#[must_use]
pub fn provider() -> CryptoProvider {
    Records::of_this_machine().provider()
}

#[cfg(target_arch = "x86_64")]
fn has_vaes_without_avx512() -> bool {
    is_x86_feature_detected!("vaes")
        && is_x86_feature_detected!("vpclmulqdq")
        && !is_x86_feature_detected!("avx512f")
}

#[cfg(not(target_arch = "x86_64"))]
const fn has_vaes_without_avx512() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_offer_the_same_suites_in_the_same_order_with_the_same_limits() {
        let [one, other] = [Records::AwsLc, Records::Ring].map(|records| {
            let suites = records.provider().cipher_suites;
            let facts = suites.into_iter().map(|suite| {
                let limit = match suite {
                    SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
                    SupportedCipherSuite::Tls12(suite) => suite.common.confidentiality_limit,
                };
                (suite.suite(), limit)
            });
            facts.collect::<Vec<_>>()
        });
        assert_eq!(one, other);
        assert_eq!(one.len(), 9);
    }

    #[test]
    fn key_exchange_is_the_same_and_begins_with_the_hybrid() {
        for records in [Records::AwsLc, Records::Ring] {
            let groups = records.provider().kx_groups;
            let names: Vec<_> = groups.iter().map(|group| group.name()).collect();
            assert_eq!(names[0], rustls::NamedGroup::X25519MLKEM768);
            assert_eq!(names.len(), aws_lc_rs::DEFAULT_KX_GROUPS.len());
        }
    }
}
