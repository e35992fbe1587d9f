//! `redwall hash-password`: a password's hash, in the form that ACL rules take.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Longest password in bytes: what a client may send in AUTH before it is logged in.
const MAX_BYTES: usize = 16 * 1024;

/// Prints a password's SHA-256 in the form of ACL rules (`#` and 64 hexadecimal digits).
///
/// Asks for the password on a terminal, twice and without echo; otherwise reads it from standard input, where one line
/// break at its end doesn't count.
#[derive(Args, Debug)]
pub struct HashPasswordArgs {}

/// Why there is no hash.
#[derive(Debug)]
enum HashFault {
    Empty,
    TooLong,
    SeveralLines,
    Different,
    Io(io::Error),
}

impl std::fmt::Display for HashFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("the password is empty"),
            Self::TooLong => write!(
                f,
                "the password is longer than {MAX_BYTES} bytes, which no client may send"
            ),
            Self::SeveralLines => f.write_str("the password holds a line break, want one line"),
            Self::Different => f.write_str("the two passwords differ"),
            Self::Io(error) => write!(f, "the password can't be read: {error}"),
        }
    }
}

impl From<io::Error> for HashFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs the subcommand: exit code 0 with the hash on standard output, or 1 with the reason on standard error.
pub fn run(args: &HashPasswordArgs) -> ExitCode {
    let HashPasswordArgs {} = args;
    let hashed = if io::stdin().is_terminal() {
        ask().and_then(|password| hash(&password))
    } else {
        read(io::stdin().lock()).and_then(|password| hash(&password))
    };
    let written = hashed.and_then(|text| Ok(writeln!(io::stdout(), "{text}")?));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // Nothing is left to do where standard error is closed too.
            let _ = writeln!(io::stderr(), "error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn ask() -> Result<Zeroizing<Vec<u8>>, HashFault> {
    let first = Zeroizing::new(rpassword::prompt_password("Password: ")?);
    let second = Zeroizing::new(rpassword::prompt_password("Again: ")?);
    if *first != *second {
        return Err(HashFault::Different);
    }
    Ok(Zeroizing::new(first.as_bytes().to_vec()))
}

/// Reads one password up to the end of `source`, without growing: growing would leave copies behind.
fn read(source: impl Read) -> Result<Zeroizing<Vec<u8>>, HashFault> {
    let mut password = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 64));
    source
        .take(MAX_BYTES as u64 + 3)
        .read_to_end(&mut password)?;
    for ending in [b'\n', b'\r'] {
        if password.last() == Some(&ending) {
            password.pop();
        }
    }
    Ok(password)
}

fn hash(password: &[u8]) -> Result<String, HashFault> {
    if password.is_empty() {
        return Err(HashFault::Empty);
    }
    if password.len() > MAX_BYTES {
        return Err(HashFault::TooLong);
    }
    if password.contains(&b'\n') || password.contains(&b'\r') {
        return Err(HashFault::SeveralLines);
    }
    let digest = Sha256::digest(password);
    Ok(digest
        .iter()
        .fold("#".to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn hashed(input: &[u8]) -> Result<String, String> {
        read(input)
            .and_then(|password| hash(&password))
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_password_is_hashed_as_redis_hashes_it() {
        for input in ["secret", "secret\n", "secret\r\n"] {
            assert_eq!(hashed(input.as_bytes()).as_deref(), Ok(SECRET));
        }
        assert_ne!(hashed(b" secret").as_deref(), Ok(SECRET));
    }

    #[test]
    fn what_can_be_no_password_is_refused() {
        let longest = vec![b'x'; MAX_BYTES];
        assert!(hashed(&longest).is_ok());
        assert!(hashed(&[&longest[..], b"\r\n"].concat()).is_ok());
        assert!(
            hashed(&[&longest[..], b"x"].concat())
                .unwrap_err()
                .contains("longer")
        );
        for empty in ["", "\n", "\r\n"] {
            assert!(hashed(empty.as_bytes()).unwrap_err().contains("empty"));
        }
        assert!(hashed(b"two\nlines").unwrap_err().contains("line break"));
    }
}
