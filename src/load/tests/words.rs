//! Every fault says in real words what was expected. A kind of fault that is new doesn't compile before it stands in its table.

use std::fmt::Display;
use std::path::Path;

use crate::acl::aclfile::AclFileFaultKind;
use crate::acl::{GlobFault, PolicyFault, RoleFault, RuleFault, RuleFaultKind, ValueFault};
use crate::client::authority::Problem;
use crate::config::{At, Fault};
use crate::load::tls_fault::{TlsFault, TlsProblem};

fn text() -> String {
    "CN=x".to_owned()
}

/// All values of an enum whose variants are listed: as many as the match beside them has.
macro_rules! all {
    ($of:ty: $($pattern:pat => $value:expr),+ $(,)?) => {{
        fn listed(value: &$of) {
            match value {
                $($pattern => {})+
            }
        }
        let all: Vec<$of> = vec![$($value),+];
        all.iter().for_each(listed);
        all
    }};
}

fn authority_problems() -> Vec<Problem> {
    use Problem as P;
    all! { P:
        P::NoCertificate => P::NoCertificate,
        P::Malformed => P::Malformed,
        P::NotACa => P::NotACa,
        P::MayNotSign => P::MayNotSign,
        P::Key(_) => P::Key(text()),
        P::InTwoCas { .. } => P::InTwoCas { other: text() },
        P::CrlMalformed(_) => P::CrlMalformed(text()),
        P::CrlOfAnother { .. } => P::CrlOfAnother { issuer: text() },
        P::CrlSignature { .. } => P::CrlSignature { issuer: text() },
        P::CrlNotAllowed { .. } => P::CrlNotAllowed { issuer: text() },
    }
}

fn tls_problems() -> Vec<TlsProblem> {
    use TlsProblem as P;
    let mut all = all! { P:
        P::Empty => P::Empty,
        P::NotPem => P::NotPem,
        P::NoBlock { .. } => P::NoBlock { wanted: "PRIVATE KEY", found: vec![text()] },
        P::BrokenPem(_) => P::BrokenPem("it ends within a block"),
        P::EncryptedKey => P::EncryptedKey,
        P::SeveralKeys(_) => P::SeveralKeys(2),
        P::KeyUnreadable => P::KeyUnreadable,
        P::KeyUnsupported(_) => P::KeyUnsupported(text()),
        P::KeyMismatch { .. } => P::KeyMismatch { key: text() },
        P::LeafNotFirst { .. } => P::LeafNotFirst { place: 2 },
        P::ChainOrder { .. } => P::ChainOrder { issuer: text(), next: text() },
        P::Malformed => P::Malformed,
        P::OldVersion => P::OldVersion,
        P::WrongPurpose { .. } => P::WrongPurpose { lacks: "clientAuth" },
        P::NoCertificate => P::NoCertificate,
        P::NoClientCa => P::NoClientCa,
        P::CaNameTwice => P::CaNameTwice,
        P::Authority(_) => P::Authority(Problem::NotACa),
        P::ServerName => P::ServerName,
        P::Library(_) => P::Library(text()),
    };
    all.extend(authority_problems().into_iter().map(P::Authority));
    all
}

fn rule_faults() -> Vec<RuleFaultKind> {
    use RuleFaultKind as K;
    let mut all = all! { K:
        K::UnknownRule => K::UnknownRule,
        K::UnknownCommand => K::UnknownCommand,
        K::UnknownSubcommand => K::UnknownSubcommand,
        K::UnknownCategory => K::UnknownCategory,
        K::FirstArgument => K::FirstArgument,
        K::KeyRight => K::KeyRight,
        K::BlankInPattern => K::BlankInPattern,
        K::Pattern(_) => K::Pattern(GlobFault::Empty),
        K::EmptyPassword => K::EmptyPassword,
        K::NotAHash => K::NotAHash,
        K::NoSuchPassword => K::NoSuchPassword,
        K::UnclosedSelector => K::UnclosedSelector,
        K::NotInSelector => K::NotInSelector,
        K::QuoteInSelector => K::QuoteInSelector,
        K::DatabaseRule => K::DatabaseRule,
        K::IdentityRule => K::IdentityRule,
    };
    let globs = all! { GlobFault:
        GlobFault::Empty => GlobFault::Empty,
        GlobFault::UnclosedClass => GlobFault::UnclosedClass,
        GlobFault::EmptyClass => GlobFault::EmptyClass,
        GlobFault::RangeBeyondAscii => GlobFault::RangeBeyondAscii,
        GlobFault::TooManyStars => GlobFault::TooManyStars,
    };
    all.extend(globs.into_iter().map(K::Pattern));
    all
}

fn value_faults() -> Vec<ValueFault> {
    use ValueFault as V;
    all! { V:
        V::Missing => V::Missing,
        V::Empty => V::Empty,
        V::Character => V::Character,
        V::HoldsNext(_) => V::HoldsNext('.'),
    }
}

fn role_faults() -> Vec<RoleFault> {
    use RoleFault as F;
    all! { F:
        F::Rule(_) => F::Rule(RuleFault { at: 0, kind: RuleFaultKind::UnknownRule }),
        F::UnknownVariable { .. } => F::UnknownVariable { at: 0 },
        F::SingleBrace { .. } => F::SingleBrace { at: 0 },
        F::VariableOutsidePattern { .. } => F::VariableOutsidePattern { at: 0 },
        F::VariableAfterVariable { .. } => F::VariableAfterVariable { at: 0 },
    }
}

fn policy_faults() -> Vec<PolicyFault> {
    use PolicyFault as F;
    let (user, role) = ("u".to_owned(), "r".to_owned());
    let mut all = all! { F:
        F::DuplicateUser(_) => F::DuplicateUser(text()),
        F::UserName => F::UserName,
        F::DuplicateRole(_) => F::DuplicateRole(text()),
        F::BuiltInRole(_) => F::BuiltInRole(text()),
        F::UnknownRole { .. } => F::UnknownRole { user: text(), role: text() },
        F::UnknownInherited { .. } => F::UnknownInherited { role: text(), inherits: text() },
        F::InheritanceCycle(_) => F::InheritanceCycle(text()),
        F::Value { .. } => F::Value { user: text(), role: text(), fault: ValueFault::Empty },
        F::Rule { .. } => F::Rule {
            user: text(),
            role: text(),
            fault: RuleFault { at: 0, kind: RuleFaultKind::UnknownRule },
        },
    };
    all.extend(value_faults().into_iter().map(|fault| F::Value {
        user: user.clone(),
        role: role.clone(),
        fault,
    }));
    all
}

fn file_faults() -> Vec<AclFileFaultKind> {
    use AclFileFaultKind as K;
    all! { K:
        K::ByteOrderMark => K::ByteOrderMark,
        K::Nul => K::Nul,
        K::ControlCharacter => K::ControlCharacter,
        K::Truncated => K::Truncated,
        K::NoUser => K::NoUser,
        K::NotAUser => K::NotAUser,
        K::NoName => K::NoName,
        K::Name => K::Name,
        K::Duplicate { .. } => K::Duplicate { first: 1 },
        K::NoPass => K::NoPass,
        K::Rule(_) => K::Rule(RuleFaultKind::UnknownRule),
    }
}

fn texts<T: Display>(faults: impl IntoIterator<Item = T>) -> Vec<String> {
    faults.into_iter().map(|fault| fault.to_string()).collect()
}

#[test]
fn every_fault_says_in_real_words_what_was_expected() {
    let tls = tls_problems();
    let tls = tls
        .into_iter()
        .map(|problem| TlsFault::new("a.pem", problem));
    let all = [
        texts(tls),
        texts(rule_faults()),
        texts(value_faults()),
        texts(role_faults()),
        texts(policy_faults()),
        texts(file_faults()),
    ];
    for text in all.concat() {
        let Fault { what, expected, .. } = Fault::of_text(Path::new("r.toml"), At::START, &text);
        assert_ne!(expected, "otherwise", "{text}");
        assert!(expected.len() > 2 && what.len() > 2, "{text}");
    }
}
