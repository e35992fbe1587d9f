use super::*;
use crate::acl::source::{Identity, UserSource};

fn user(name: &str, passwords: &[&str], proofs: Proofs) -> UserSource {
    let identity = Identity {
        enabled: Enabled::On,
        nopass: NoPass::No,
        passwords: passwords
            .iter()
            .map(|plain| PasswordHash::of(plain.as_bytes()))
            .collect(),
    };
    UserSource {
        identity,
        proofs,
        ..UserSource::new(name)
    }
}

fn policy(users: &[UserSource]) -> Policy {
    Policy::compile(1, users, &[]).expect("the users are sound")
}

fn everyone() -> Vec<UserSource> {
    let mut off = user("off", &["p"], Proofs::Either);
    off.identity.enabled = Enabled::Off;
    let mut open = user("open", &[], Proofs::Password);
    open.identity.nopass = NoPass::Yes;
    vec![
        user("pass", &["one", "two"], Proofs::Password),
        user("cert", &[], Proofs::Certificate),
        user("both", &["p"], Proofs::Both),
        user("either", &["p"], Proofs::Either),
        user("none", &[], Proofs::Password),
        off,
        open,
    ]
}

#[test]
fn a_login_needs_the_proofs_that_its_user_asks_for() {
    let policy = policy(&everyone());
    let cases: [(&str, Option<&str>, &str, bool); 22] = [
        ("pass", None, "one", true),
        ("pass", None, "two", true),
        ("pass", None, "three", false),
        ("pass", None, "", false),
        ("pass", Some("cert"), "one", true),
        ("PASS", None, "one", false),
        ("nobody", None, "one", false),
        ("nobody", Some("nobody"), "one", false),
        ("none", None, "", false),
        ("off", None, "p", false),
        ("off", Some("off"), "p", false),
        ("open", None, "anything", true),
        ("open", None, "", true),
        ("both", None, "p", false),
        ("both", Some("both"), "p", true),
        ("both", Some("both"), "q", false),
        ("both", Some("either"), "p", false),
        ("either", None, "p", true),
        ("either", Some("either"), "q", false),
        ("cert", Some("cert"), "p", false),
        ("cert", Some("cert"), "", false),
        ("cert", Some("pass"), "p", false),
    ];
    for (name, certificate, password, allowed) in cases {
        let found = authenticate(&policy, certificate, name, password.as_bytes());
        assert_eq!(
            found.is_ok(),
            allowed,
            "{name}, certificate {certificate:?}, password {password:?}"
        );
        assert!(found.is_err() || found.is_ok_and(|principal| principal.user().name() == name));
    }
}

#[test]
fn a_certificate_alone_proves_only_users_who_take_it_alone() {
    let policy = policy(&everyone());
    let cases = [
        ("cert", true),
        ("either", true),
        ("both", false),
        ("pass", false),
        ("open", false),
        ("off", false),
        ("nobody", false),
    ];
    for (name, proved) in cases {
        assert_eq!(identify(&policy, name).is_some(), proved, "{name}");
    }
}

#[test]
fn a_decoy_hash_is_nobodys_password() {
    let decoy = PasswordHash::decoy();
    assert!(!bool::from(any_matches(&[], &decoy, 3)));
    assert!(bool::from(any_matches(&[PasswordHash::decoy()], &decoy, 3)));
}

#[test]
fn a_principal_outlives_a_new_policy_only_while_its_proof_holds() {
    let old = policy(&everyone());
    let by_password = authenticate(&old, None, "pass", b"one").unwrap();
    let by_certificate = identify(&old, "either").unwrap();
    let open = authenticate(&old, None, "open", b"x").unwrap();
    let both = authenticate(&old, Some("both"), "both", b"p").unwrap();

    let same = policy(&everyone());
    assert!(by_password.renewed(&same, None).is_some());
    assert!(by_certificate.renewed(&same, Some("either")).is_some());
    assert!(
        by_certificate.renewed(&same, None).is_none(),
        "the certificate proves nobody any longer"
    );
    assert!(open.renewed(&same, None).is_some());
    assert!(both.renewed(&same, Some("both")).is_some());
    assert!(both.renewed(&same, Some("pass")).is_none());

    let other = policy(&[
        user("pass", &["one"], Proofs::Password),
        user("open", &["x"], Proofs::Password),
    ]);
    assert!(
        by_password.renewed(&other, None).is_some(),
        "the other password was removed"
    );
    assert!(
        open.renewed(&other, None).is_none(),
        "any password no longer does"
    );
    assert!(
        by_certificate.renewed(&other, Some("either")).is_none(),
        "the user is gone"
    );
    let removed = policy(&[user("pass", &["two"], Proofs::Password)]);
    assert!(
        by_password.renewed(&removed, None).is_none(),
        "its own password was removed"
    );
    let stricter = policy(&[user("pass", &["one"], Proofs::Both)]);
    assert!(
        by_password.renewed(&stricter, None).is_none(),
        "a certificate is needed now"
    );
    let mut off = user("pass", &["one"], Proofs::Password);
    off.identity.enabled = Enabled::Off;
    assert!(by_password.renewed(&policy(&[off]), None).is_none());
}
