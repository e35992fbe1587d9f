//! From text to rules. White space separates rules; a selector runs from a word that begins with `(` to the first word
//! that ends with `)`, as in Redis's `ACLMergeSelectorArguments`.

use super::super::{glob::Glob, password::PasswordHash, table};
use super::{
    Change, IdentityRule, KeyRight, Placed, RightRule, Row, Rule, RuleFault, RuleFaultKind,
    RuleList, RuleWarning,
};

/// Which rules may stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// All of Redis's, as in an ACL file.
    Whole,
    /// Those about commands, keys and channels only: roles, and users whose passwords stand elsewhere.
    Rights,
}

type Parsed<T> = Result<T, RuleFaultKind>;

/// Parses all rules of `text`, going on after a fault.
pub(super) fn rules(text: &[u8], vocabulary: Vocabulary) -> Result<RuleList, Vec<RuleFault>> {
    let mut list = RuleList::default();
    let mut faults = Vec::new();
    for Placed { at, rule: word } in (Words { text, at: 0 }) {
        let parsed = match word {
            Word::Plain(word) => plain(word, vocabulary),
            Word::Selector(inner) => selector(inner, at + 1, &mut faults).map(Rule::Selector),
            Word::Unclosed => Err(RuleFaultKind::UnclosedSelector),
        };
        match parsed {
            Ok(rule) => {
                warn(&rule, at, &mut list.warnings);
                list.rules.push(Placed { at, rule });
            }
            Err(kind) => faults.push(RuleFault { at, kind }),
        }
    }
    if faults.is_empty() {
        Ok(list)
    } else {
        Err(faults)
    }
}

/// Parses what stands between `(` and `)`; `start` is where that begins in the whole text.
fn selector(
    inner: &[u8],
    start: usize,
    faults: &mut Vec<RuleFault>,
) -> Parsed<Vec<Placed<RightRule>>> {
    if inner.iter().any(|byte| matches!(byte, b'"' | b'\'')) {
        return Err(RuleFaultKind::QuoteInSelector);
    }
    let mut rules = Vec::new();
    let mut at = 0;
    for word in inner.split(is_blank) {
        let place = start + at;
        at += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        match right(word) {
            Ok(Some(rule)) => rules.push(Placed { at: place, rule }),
            Ok(None) => faults.push(RuleFault {
                at: place,
                kind: RuleFaultKind::NotInSelector,
            }),
            Err(kind) => faults.push(RuleFault { at: place, kind }),
        }
    }
    Ok(rules)
}

/// Parses a word outside selectors.
fn plain(word: &[u8], vocabulary: Vocabulary) -> Parsed<Rule> {
    if let Some(rule) = right(word)? {
        return Ok(Rule::Right(rule));
    }
    if is(word, "clearselectors") {
        return Ok(Rule::ClearSelectors);
    }
    let rule = if is(word, "reset") {
        Rule::Reset
    } else {
        Rule::Identity(identity(word)?)
    };
    match vocabulary {
        Vocabulary::Whole => Ok(rule),
        Vocabulary::Rights => Err(RuleFaultKind::IdentityRule),
    }
}

/// Parses a rule about who the user is.
fn identity(word: &[u8]) -> Parsed<IdentityRule> {
    let named = [
        ("on", IdentityRule::On),
        ("off", IdentityRule::Off),
        ("nopass", IdentityRule::NoPass),
        ("resetpass", IdentityRule::ResetPass),
        ("sanitize-payload", IdentityRule::SanitizePayload),
        ("skip-sanitize-payload", IdentityRule::SkipSanitizePayload),
    ];
    if let Some((_, rule)) = named.into_iter().find(|(name, _)| is(word, name)) {
        return Ok(rule);
    }
    match word {
        [b'>', plain @ ..] => password(plain).map(IdentityRule::AddPassword),
        [b'<', plain @ ..] => password(plain).map(IdentityRule::RemovePassword),
        [b'#', digits @ ..] => hash_to_add(digits).map(IdentityRule::AddPassword),
        [b'!', digits @ ..] => hash(digits).map(IdentityRule::RemovePassword),
        _ => Err(RuleFaultKind::UnknownRule),
    }
}

fn password(plain: &[u8]) -> Parsed<PasswordHash> {
    if plain.is_empty() {
        return Err(RuleFaultKind::EmptyPassword);
    }
    Ok(PasswordHash::of(plain))
}

/// A server lists the password that `>` alone gave like any other hash.
fn hash_to_add(digits: &[u8]) -> Parsed<PasswordHash> {
    let hash = hash(digits)?;
    if hash.is_of_nothing() {
        return Err(RuleFaultKind::EmptyPassword);
    }
    Ok(hash)
}

fn hash(digits: &[u8]) -> Parsed<PasswordHash> {
    PasswordHash::parse(digits).map_err(|_| RuleFaultKind::NotAHash)
}

/// Parses a rule about commands, keys or channels; `None` for any other word.
fn right(word: &[u8]) -> Parsed<Option<RightRule>> {
    let rule = match word {
        b"~*" => RightRule::AllKeys,
        b"&*" => RightRule::AllChannels,
        [b'~', pattern @ ..] => RightRule::Keys(KeyRight::ReadWrite, glob(pattern)?),
        [b'%', rest @ ..] => keys_with_right(rest)?,
        [b'&', pattern @ ..] => RightRule::Channels(glob(pattern)?),
        [b'+', name @ ..] => commands(Change::Grant, name)?,
        [b'-', name @ ..] => commands(Change::Withdraw, name)?,
        _ => return named_right(word),
    };
    Ok(Some(rule))
}

fn named_right(word: &[u8]) -> Parsed<Option<RightRule>> {
    if is(word, "alldbs")
        || is(word, "resetdbs")
        || word.get(..3).is_some_and(|start| is(start, "db="))
    {
        return Err(RuleFaultKind::DatabaseRule);
    }
    let named = [
        ("allkeys", RightRule::AllKeys),
        ("resetkeys", RightRule::ResetKeys),
        ("allchannels", RightRule::AllChannels),
        ("resetchannels", RightRule::ResetChannels),
        ("allcommands", RightRule::AllCommands),
        ("nocommands", RightRule::NoCommands),
    ];
    Ok(named
        .into_iter()
        .find(|(name, _)| is(word, name))
        .map(|(_, rule)| rule))
}

/// Parses what follows `%`.
fn keys_with_right(rest: &[u8]) -> Parsed<RightRule> {
    let tilde = rest
        .iter()
        .position(|byte| *byte == b'~')
        .ok_or(RuleFaultKind::KeyRight)?;
    let right = match rest[..tilde].to_ascii_uppercase().as_slice() {
        b"R" => KeyRight::Read,
        b"W" => KeyRight::Write,
        b"RW" | b"WR" => KeyRight::ReadWrite,
        _ => return Err(RuleFaultKind::KeyRight),
    };
    Ok(RightRule::Keys(right, glob(&rest[tilde + 1..])?))
}

fn glob(pattern: &[u8]) -> Parsed<Glob> {
    // Redis's `isspace`, and NUL, at which servers cut the text.
    if pattern
        .iter()
        .any(|byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0))
    {
        return Err(RuleFaultKind::BlankInPattern);
    }
    Glob::compile(pattern).map_err(RuleFaultKind::Pattern)
}

/// Parses what follows `+` or `-`.
fn commands(change: Change, name: &[u8]) -> Parsed<RightRule> {
    if let [b'@', category @ ..] = name {
        return categories(change, category);
    }
    if let Some(row) = table::row(name) {
        return Ok(RightRule::Command(change, Row(row)));
    }
    Err(match name.iter().position(|byte| *byte == b'|') {
        Some(bar) => match table::row(&name[..bar]) {
            Some(row) if row.is_container() => RuleFaultKind::UnknownSubcommand,
            Some(_) => RuleFaultKind::FirstArgument,
            None => RuleFaultKind::UnknownCommand,
        },
        None => RuleFaultKind::UnknownCommand,
    })
}

fn categories(change: Change, name: &[u8]) -> Parsed<RightRule> {
    if is(name, "all") {
        return Ok(match change {
            Change::Grant => RightRule::AllCommands,
            Change::Withdraw => RightRule::NoCommands,
        });
    }
    let category = table::category(name).ok_or(RuleFaultKind::UnknownCategory)?;
    Ok(RightRule::Category(change, category))
}

/// Notes what is legal and surely not meant.
fn warn(rule: &Rule, at: usize, warnings: &mut Vec<Placed<RuleWarning>>) {
    let mut bang = |at, right: &RightRule| {
        if let RightRule::Keys(_, glob) | RightRule::Channels(glob) = right
            && glob.has_bang_class()
        {
            warnings.push(Placed {
                at,
                rule: RuleWarning::BangClass,
            });
        }
    };
    match rule {
        Rule::Right(right) => bang(at, right),
        Rule::Selector(rights) => rights
            .iter()
            .for_each(|placed| bang(placed.at, &placed.rule)),
        // `sanitize-payload` is Redis's default and written by its `ACL LIST`: it isn't worth a word.
        Rule::Identity(IdentityRule::SkipSanitizePayload) => {
            warnings.push(Placed {
                at,
                rule: RuleWarning::SanitizePayload,
            });
        }
        Rule::Identity(_) | Rule::ClearSelectors | Rule::Reset => {}
    }
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

enum Word<'a> {
    /// A rule outside selectors.
    Plain(&'a [u8]),
    /// What stands between the parentheses.
    Selector(&'a [u8]),
    /// A selector without an end.
    Unclosed,
}

/// The words of a text, a selector being one word.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// End of the word that begins at `from`.
    fn end(&self, from: usize) -> usize {
        let len = self.text[from..].iter().position(is_blank);
        len.map_or(self.text.len(), |len| from + len)
    }

    /// Start of the next word from `from` on.
    fn start(&self, from: usize) -> Option<usize> {
        let skipped = self
            .text
            .get(from..)?
            .iter()
            .position(|byte| !is_blank(byte))?;
        Some(from + skipped)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Placed<Word<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.start(self.at)?;
        let mut end = self.end(at);
        if self.text[at] == b'(' {
            while self.text[end - 1] != b')' {
                match self.start(end) {
                    Some(next) => end = self.end(next),
                    None => {
                        self.at = self.text.len();
                        return Some(Placed {
                            at,
                            rule: Word::Unclosed,
                        });
                    }
                }
            }
            self.at = end;
            return Some(Placed {
                at,
                rule: Word::Selector(&self.text[at + 1..end - 1]),
            });
        }
        self.at = end;
        Some(Placed {
            at,
            rule: Word::Plain(&self.text[at..end]),
        })
    }
}
