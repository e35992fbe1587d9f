//! Names that the operator chooses: of databases, roles, client CAs and users.

use std::fmt;

use super::document::Value;
use super::position::Placed;

const NAME_SHAPE: &str = "1 to 64 of the characters a-z, A-Z, 0-9, `_`, `-` and `.`";
const USER_SHAPE: &str = "1 to 128 characters, none of them a space or a control character";

/// The name of a database, a role or a client CA: at most 64 ASCII letters, digits, `_`, `-` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `text`, if it has the shape of a name.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a user, as AUTH takes it: at most 128 characters, no white space, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `text`, if it has the shape of a user's name.
    pub fn parse(text: &str) -> Option<Self> {
        let refused = |c: char| c.is_control() || c.is_whitespace();
        let fits = (1..=128).contains(&text.chars().count()) && !text.contains(refused);
        fits.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that stands as a value.
pub(crate) fn name(value: &Value<'_>) -> Option<Placed<Name>> {
    let text = value.text(NAME_SHAPE)?;
    match Name::parse(text) {
        Some(name) => Some(Placed::new(name, value.at())),
        None => value.refuse("is not a name", NAME_SHAPE),
    }
}

/// A name that stands as the key of `value`.
pub(crate) fn key_name(key: Placed<&str>, value: &Value<'_>) -> Option<Placed<Name>> {
    let name = Name::parse(key.value);
    if name.is_none() {
        value
            .document()
            .fault(key.at, "a key that is not a name", NAME_SHAPE);
    }
    Some(Placed::new(name?, key.at))
}

/// The name of a user that stands as the key of `value`.
pub(crate) fn user_name(key: Placed<&str>, value: &Value<'_>) -> Option<Placed<UserName>> {
    let name = UserName::parse(key.value);
    if name.is_none() {
        value
            .document()
            .fault(key.at, "a key that is not a user's name", USER_SHAPE);
    }
    Some(Placed::new(name?, key.at))
}
