//! Each signature of one path search is checked once.
//!
//! The certificate library goes every way through certificates of one name, and checks the same signatures again on each: four
//! certificates that a stranger has named after the CA make it check 65 times what are five signatures. So what came of a
//! check is remembered for as long as the search lasts.

use std::sync::{Mutex, PoisonError};

use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// What came of the checks of one search.
#[derive(Debug, Default)]
pub(super) struct Checked(Mutex<Vec<Check>>);

/// One check, whole: what is told apart must not be told apart by a digest or a place in memory.
#[derive(Debug)]
struct Check {
    algorithm: usize,
    key: Box<[u8]>,
    message: Box<[u8]>,
    signature: Box<[u8]>,
    outcome: Result<(), InvalidSignature>,
}

/// An algorithm that remembers in a [`Checked`].
#[derive(Debug)]
pub(super) struct Once<'a> {
    algorithm: &'a dyn SignatureVerificationAlgorithm,
    /// Its place among the algorithms of the search.
    place: usize,
    checked: &'a Checked,
}

impl Checked {
    /// `algorithms`, each with this memory.
    pub(super) fn with<'a>(
        &'a self,
        algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
    ) -> Vec<Once<'a>> {
        let once = |(place, algorithm): (usize, &&'a dyn SignatureVerificationAlgorithm)| Once {
            algorithm: *algorithm,
            place,
            checked: self,
        };
        algorithms.iter().enumerate().map(once).collect()
    }
}

impl SignatureVerificationAlgorithm for Once<'_> {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let mut checks = self
            .checked
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let same = |check: &&Check| {
            check.algorithm == self.place
                && *check.key == *key
                && *check.message == *message
                && *check.signature == *signature
        };
        if let Some(check) = checks.iter().find(same) {
            return check.outcome;
        }
        let outcome = self.algorithm.verify_signature(key, message, signature);
        checks.push(Check {
            algorithm: self.place,
            key: key.into(),
            message: message.into(),
            signature: signature.into(),
            outcome,
        });
        outcome
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}
