use super::*;
use crate::acl::rule::RuleFaultKind;

fn user(name: &str, roles: &[&str], prefix: Option<&str>) -> UserSource {
    UserSource {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        prefix: prefix.map(str::to_owned),
        ..UserSource::new(name)
    }
}

fn role(name: &str, inherits: &[&str], rules: &str) -> RoleSource {
    RoleSource {
        name: name.to_owned(),
        inherits: inherits.iter().map(|role| (*role).to_owned()).collect(),
        rules: RoleRules::parse(rules).unwrap(),
    }
}

fn faults(users: &[UserSource], roles: &[RoleSource]) -> Vec<PolicyFault> {
    Policy::compile(1, users, roles).err().unwrap_or_default()
}

#[test]
fn all_faults_are_told_at_once() {
    let users = [
        user("bob", &["nosuch"], None),
        user("bob", &[], None),
        user("a b", &[], None),
        user("", &[], None),
        user("a\r\nb", &[], None),
        user("worker", &["queue-worker"], None),
        user("worker2", &["queue-worker"], Some("a*")),
    ];
    let roles = [
        role("twice", &[], "+get"),
        role("twice", &[], "+get"),
        role("read-only", &[], "+@all"),
        role("orphan", &["nosuch"], "+get"),
        role("egg", &["hen"], "+get"),
        role("hen", &["egg"], "+get"),
    ];
    let of = |user: &str, fault| PolicyFault::Value {
        user: user.into(),
        role: "queue-worker".into(),
        fault,
    };
    let expected = [
        PolicyFault::DuplicateRole("twice".into()),
        PolicyFault::BuiltInRole("read-only".into()),
        PolicyFault::UnknownInherited {
            role: "orphan".into(),
            inherits: "nosuch".into(),
        },
        PolicyFault::InheritanceCycle("egg".into()),
        PolicyFault::InheritanceCycle("hen".into()),
        PolicyFault::UnknownRole {
            user: "bob".into(),
            role: "nosuch".into(),
        },
        PolicyFault::DuplicateUser("bob".into()),
        PolicyFault::UserName,
        PolicyFault::UserName,
        PolicyFault::UserName,
        of("worker", ValueFault::Missing),
        of("worker2", ValueFault::Character),
    ];
    assert_eq!(faults(&users, &roles), expected);
}

#[test]
fn ten_thousand_users_with_roles_compile() {
    let users: Vec<_> = (0..10_000)
        .map(|n| {
            user(
                &format!("u{n}"),
                &["queue-worker", "read-only"],
                Some("app"),
            )
        })
        .collect();
    let policy = Policy::compile(7, &users, &[]).unwrap();
    assert_eq!(policy.users().count(), 10_000);
    assert_eq!(policy.generation(), 7);
}

#[test]
fn a_deny_list_takes_names_of_commands_and_categories_only() {
    for word in ["get", "-get", "config|set", "@dangerous", "-@all"] {
        assert!(DenyRule::parse(word).is_ok(), "{word}");
    }
    for (word, kind) in [
        ("nosuch", RuleFaultKind::UnknownCommand),
        ("@nosuch", RuleFaultKind::UnknownCategory),
        ("+get", RuleFaultKind::UnknownCommand),
        ("~a", RuleFaultKind::UnknownCommand),
        ("get set", RuleFaultKind::UnknownRule),
        ("", RuleFaultKind::UnknownCommand),
    ] {
        assert_eq!(DenyRule::parse(word), Err(kind), "{word}");
    }
}
