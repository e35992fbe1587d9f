//! Who a session speaks for, and by what proof: made by a log-in or a certificate, asked again when the policy changes.

use super::password::PasswordHash;
use super::policy::{Policy, User};
use super::user::{Enabled, NoPass, Proofs};
use std::fmt;
use std::sync::Arc;
use subtle::Choice;

/// A user, proved.
#[derive(Clone, Debug)]
pub struct Principal {
    user: Arc<User>,
    proof: Proof,
}

/// What proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A certificate alone.
    Certificate,
    /// A password that the user has, with or without a certificate.
    Password(Box<PasswordHash>),
    /// Any password, since the user is `nopass`.
    NoPass,
}

/// A log-in that fails. There is one kind only: what was wrong is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthFault;

impl AuthFault {
    /// The error line for the client, without `-` and line end: Redis's own text.
    pub const WIRE_TEXT: &str = "WRONGPASS invalid username-password pair or user is disabled.";
}

impl fmt::Display for AuthFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong name or password, or the user is off or needs another proof")
    }
}

impl std::error::Error for AuthFault {}

impl Principal {
    /// The user.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// What proved it.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The same principal under a new policy; `None` if its proof no longer holds: the user is gone or off, the password
    /// was removed, another proof is needed now. `certificate_user` is whom the connection's certificate proves, as of now.
    pub fn renewed(&self, policy: &Policy, certificate_user: Option<&str>) -> Option<Self> {
        let user = policy.user(self.user.name())?;
        let proved_by_certificate = certificate_user == Some(user.name());
        let holds = user.enabled() == Enabled::On
            && match &self.proof {
                Proof::Certificate => proved_by_certificate && user.proofs().certificate_suffices(),
                Proof::Password(hash) => {
                    password_may_prove(user, certificate_user) && user.passwords().contains(hash)
                }
                Proof::NoPass => {
                    password_may_prove(user, certificate_user) && user.nopass() == NoPass::Yes
                }
            };
        holds.then(|| Self {
            user: Arc::clone(user),
            proof: self.proof.clone(),
        })
    }
}

/// The principal that a certificate alone proves: none if its user is unknown, off, or needs a password.
pub fn identify(policy: &Policy, certificate_user: &str) -> Option<Principal> {
    let user = policy.user(certificate_user)?;
    let suffices = user.enabled() == Enabled::On && user.proofs().certificate_suffices();
    suffices.then(|| Principal {
        user: Arc::clone(user),
        proof: Proof::Certificate,
    })
}

/// AUTH with a name and a password. `certificate_user` is whom the connection's certificate proves.
///
/// Takes the same time whether the user is unknown, off, or has few or many passwords: the password is hashed, and
/// compared with as many hashes as any user has.
///
/// # Errors
/// [`AuthFault`], for whatever reason. Nothing may change then.
pub fn authenticate(
    policy: &Policy,
    certificate_user: Option<&str>,
    name: &str,
    password: &[u8],
) -> Result<Principal, AuthFault> {
    let given = PasswordHash::of(password);
    let user = policy.user(name);
    let known = any_matches(
        user.map_or(&[], |user| user.passwords()),
        &given,
        policy.most_passwords,
    );
    let user = user.ok_or(AuthFault)?;
    if user.enabled() == Enabled::Off || !password_may_prove(user, certificate_user) {
        return Err(AuthFault);
    }
    let proof = match (user.nopass(), bool::from(known)) {
        (NoPass::Yes, _) => Proof::NoPass,
        (NoPass::No, true) => Proof::Password(Box::new(given)),
        (NoPass::No, false) => return Err(AuthFault),
    };
    Ok(Principal {
        user: Arc::clone(user),
        proof,
    })
}

/// Whether a right password is enough, given whom the certificate proves.
fn password_may_prove(user: &User, certificate_user: Option<&str>) -> bool {
    match user.proofs() {
        Proofs::Password | Proofs::Either => true,
        Proofs::Certificate | Proofs::Both => certificate_user == Some(user.name()),
    }
}

/// Whether `given` is one of `hashes`, found with `rounds` comparisons whatever the answer.
fn any_matches(hashes: &[PasswordHash], given: &PasswordHash, rounds: usize) -> Choice {
    let decoy = PasswordHash::decoy();
    let mut found = Choice::from(0);
    for round in 0..rounds {
        let exists = Choice::from(u8::from(round < hashes.len()));
        found |= exists & hashes.get(round).unwrap_or(&decoy).same(given);
    }
    found
}

#[cfg(test)]
mod tests;
