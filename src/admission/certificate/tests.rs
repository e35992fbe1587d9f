use super::NameField::{Cn, SanDns, SanEmail, SanUri};
use super::*;

const ONE_CA: Anchor<'_> = Anchor {
    ca: "corp",
    client_cas: 1,
    constraints: NameConstraints::Absent,
};

fn texts(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::of_text(name)).collect()
}

fn rule(field: NameField, template: &str, ca: Option<&str>) -> CertificateMapping {
    CertificateMapping {
        field,
        pattern: Pattern::template(template).unwrap(),
        ca: ca.map(str::to_owned),
    }
}

fn exact(field: NameField, value: &str, user: &str) -> CertificateMapping {
    CertificateMapping {
        field,
        pattern: Pattern::Exact {
            value: value.to_owned(),
            user: user.to_owned(),
        },
        ca: None,
    }
}

fn common(names: &[&str]) -> CertificateNames {
    CertificateNames {
        common: texts(names),
        ..CertificateNames::default()
    }
}

fn uris(names: &[&str]) -> CertificateNames {
    CertificateNames {
        uris: texts(names),
        ..CertificateNames::default()
    }
}

type Mapped = Result<Option<String>, MapFault>;

fn proves(user: &str) -> Mapped {
    Ok(Some(user.to_owned()))
}

/// Field, template, name, and the user that it proves; empty: none.
#[rustfmt::skip]
const TEMPLATES: [(NameField, &str, &str, &str); 25] = [
    (Cn, "{user}", "b\u{f6}b", ""),
    (Cn, "{user}", "a@b.c-d_e", "a@b.c-d_e"),
    (Cn, "{user}.svc", "a.b.svc", ""),
    (Cn, "{user}-x", "a-b-x", ""),
    (Cn, "x-{user}-x", "x-x", ""),
    (SanUri, "spiffe://corp/{user}", "spiffe://corp/a:b", ""),
    (Cn, "{user}", "alice", "alice"),
    (Cn, "{user}", "alice smith", ""),
    (Cn, "svc-{user}", "svc-billing", "billing"),
    (Cn, "svc-{user}", "svc-", ""),
    (Cn, "svc-{user}", "SVC-billing", ""),
    (SanUri, "spiffe://corp/{user}", "spiffe://corp/alice", "alice"),
    (SanUri, "spiffe://corp/{user}", "spiffe://corp/team/alice", ""),
    (SanUri, "spiffe://corp/{user}", "spiffe://corp/alice?x", ""),
    (SanUri, "spiffe://corp/{user}", "spiffe://corp/%61lice", ""),
    (SanUri, "spiffe://corp/{user}", "spiffe://corp.evil/alice", ""),
    (SanUri, "spiffe://corp/ns/{user}/x", "spiffe://corp/ns/alice/x", "alice"),
    (SanUri, "ab{user}ba", "aba", ""),
    (SanUri, "spiffe://ä/{user}", "spiffe://corp/ä", ""),
    (SanDns, "{user}.clients.corp", "alice.clients.corp", "alice"),
    (SanDns, "{user}.clients.corp", "alice.CLIENTS.corp", "alice"),
    (SanDns, "{user}.clients.corp", "a.b.clients.corp", ""),
    (SanDns, "{user}.clients.corp", "*.clients.corp", ""),
    (SanEmail, "{user}@corp", "alice@corp", "alice"),
    (SanEmail, "{user}@corp", "alice@evil@corp", ""),
];

#[test]
fn a_template_takes_exactly_one_segment_of_the_name() {
    for (field, template, name, wanted) in TEMPLATES {
        let names = CertificateNames {
            common: texts(&[name]),
            dns: texts(&[name]),
            uris: texts(&[name]),
            emails: texts(&[name]),
        };
        let user = map(&[rule(field, template, None)], &names, &ONE_CA).unwrap();
        assert_eq!(user.unwrap_or_default(), wanted, "{template} over {name}");
    }
}

#[test]
fn a_certificate_without_a_matching_name_proves_nobody() {
    let rules = [exact(NameField::SanUri, "spiffe://corp/alice", "alice")];
    assert_eq!(
        map(&rules, &uris(&["spiffe://corp/bob"]), &ONE_CA),
        Ok(None)
    );
    assert_eq!(map(&rules, &CertificateNames::default(), &ONE_CA), Ok(None));
    assert_eq!(map(&[], &uris(&["spiffe://corp/alice"]), &ONE_CA), Ok(None));
}

#[test]
fn names_that_prove_two_users_prove_none() {
    let uri = rule(NameField::SanUri, "spiffe://corp/{user}", None);
    let both = uris(&["spiffe://corp/alice", "spiffe://corp/bob"]);
    assert_eq!(
        map(std::slice::from_ref(&uri), &both, &ONE_CA),
        Err(MapFault::Ambiguous)
    );

    let names = CertificateNames {
        common: texts(&["admin"]),
        ..uris(&["spiffe://corp/alice", "https://unrelated.example/"])
    };
    let two_rules = [uri.clone(), rule(NameField::Cn, "{user}", None)];
    assert_eq!(map(&two_rules, &names, &ONE_CA), Err(MapFault::Ambiguous));
    assert_eq!(
        map(std::slice::from_ref(&uri), &names, &ONE_CA),
        proves("alice")
    );

    let agreeing = [uri, exact(NameField::Cn, "admin", "alice")];
    assert_eq!(map(&agreeing, &names, &ONE_CA), proves("alice"));
}

#[test]
fn several_common_names_are_refused_also_where_only_one_matches() {
    let rules = [exact(NameField::Cn, "alice", "alice")];
    let fault = map(&rules, &common(&["alice", "x"]), &ONE_CA);
    assert_eq!(fault, Err(MapFault::SeveralCommonNames(2)));
}

#[test]
fn a_name_that_cant_be_compared_refuses_the_rules_that_read_its_field() {
    let mut names = uris(&["spiffe://corp/alice", "spiffe://corp/alice\0.evil"]);
    names.common = vec![Name::Unreadable(NameFault::StringType)];
    let by_uri = [rule(NameField::SanUri, "spiffe://corp/{user}", None)];
    let by_cn = [rule(NameField::Cn, "{user}", None)];
    let by_email = [rule(NameField::SanEmail, "{user}@corp", None)];
    let unreadable = |field, fault| Err(MapFault::Unreadable(field, fault));
    assert_eq!(
        map(&by_uri, &names, &ONE_CA),
        unreadable(NameField::SanUri, NameFault::Control)
    );
    assert_eq!(
        map(&by_cn, &names, &ONE_CA),
        unreadable(NameField::Cn, NameFault::StringType)
    );
    assert_eq!(map(&by_email, &names, &ONE_CA), Ok(None));
}

#[test]
fn a_mapping_bound_to_one_ca_ignores_certificates_of_another() {
    let rules = [rule(NameField::Cn, "{user}", Some("corp"))];
    let corp = Anchor {
        client_cas: 2,
        ..ONE_CA
    };
    let partner = Anchor {
        ca: "partner",
        ..corp
    };
    assert_eq!(map(&rules, &common(&["alice"]), &corp), proves("alice"));
    assert_eq!(map(&rules, &common(&["alice"]), &partner), Ok(None));
}

#[test]
fn a_common_name_counts_only_under_a_ca_that_was_meant() {
    use NameConstraints::{Absent, InAnchor, InIntermediate};
    let bound = Some("corp");
    let cases: [(Option<&str>, usize, NameConstraints, Mapped); 8] = [
        (None, 1, Absent, proves("admin")),
        (None, 2, Absent, Err(MapFault::UnboundCommonName)),
        (bound, 2, Absent, proves("admin")),
        (None, 1, InAnchor, Err(MapFault::UnconstrainedCommonName)),
        (bound, 1, InAnchor, proves("admin")),
        (bound, 2, InAnchor, proves("admin")),
        (
            None,
            1,
            InIntermediate,
            Err(MapFault::UnconstrainedCommonName),
        ),
        (
            bound,
            1,
            InIntermediate,
            Err(MapFault::UnconstrainedCommonName),
        ),
    ];
    for (ca, client_cas, constraints, wanted) in cases {
        let anchor = Anchor {
            ca: "corp",
            client_cas,
            constraints,
        };
        let found = map(
            &[rule(NameField::Cn, "{user}", ca)],
            &common(&["admin"]),
            &anchor,
        );
        assert_eq!(found, wanted, "{ca:?} {client_cas} {constraints:?}");
    }
}

#[test]
fn a_template_holds_its_place_exactly_once() {
    for text in [
        "",
        "alice",
        "{user}/{user}",
        "{name}",
        "{{user}}",
        "{user}{",
    ] {
        assert_eq!(Pattern::template(text), None, "{text}");
    }
    assert!(Pattern::template("spiffe://corp/{user}").is_some());
}
