//! The file format of `allow_files` and `deny_files`: one network a line, comments after `#`.

use std::path::Path;

use ipnet::IpNet;

use super::fault::Fault;
use super::network::parse_network;
use super::position::At;

/// Reads a list of networks.
///
/// A line holds one network or address, white space round it, and a comment after `#`; it may be empty. The last line must
/// end with a line break: a file that lacks it may have been cut, and `10.0.0.0/1` is the beginning of `10.0.0.0/16`.
///
/// # Errors
/// Every fault of the text, in order, as faults of `file`.
pub fn cidr_list(file: &Path, text: &str) -> Result<Vec<IpNet>, Vec<Fault>> {
    let mut networks = Vec::new();
    let mut faults = Vec::new();
    let mut fault = |line: usize, column: usize, what: &str, expected: String| {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let (line, column) = (number(line), number(column));
        faults.push(Fault {
            file: file.to_owned(),
            at: At { line, column },
            what: what.to_owned(),
            expected,
        });
    };
    for (index, line) in text.lines().enumerate() {
        let entry = line.split_once('#').map_or(line, |(entry, _)| entry).trim();
        if entry.is_empty() {
            continue;
        }
        match parse_network(entry) {
            Ok(network) => networks.push(network),
            Err(refused) => {
                let indent = line.chars().take_while(|c| c.is_whitespace()).count();
                let what = format!("the line {}", refused.what());
                fault(index + 1, indent + 1, &what, refused.expected());
            }
        }
    }
    if let Some(last) = text.lines().last().filter(|_| !text.ends_with('\n')) {
        let what = "the last line has no line break: the file may have been cut";
        let column = last.chars().count() + 1;
        fault(
            text.lines().count(),
            column,
            what,
            "a line break".to_owned(),
        );
    }
    if faults.is_empty() {
        Ok(networks)
    } else {
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "# offices\n10.0.0.0/8\n\n  192.0.2.7   # the printer\n2001:db8::/32\r\n";

    fn read(text: &str) -> Result<Vec<String>, Vec<String>> {
        match cidr_list(Path::new("offices.txt"), text) {
            Ok(networks) => Ok(networks.iter().map(ToString::to_string).collect()),
            Err(faults) => Err(faults.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn comments_blank_lines_and_bare_addresses_are_read() {
        let expected = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"];
        assert_eq!(read(SOUND).unwrap(), expected);
        assert_eq!(read("").unwrap(), [""; 0]);
    }

    #[test]
    fn every_fault_of_a_list_is_told_with_its_place() {
        let expected = [
            "offices.txt:1:3: error: the line has bits set beyond its prefix, expected `10.0.0.0/8`",
            "offices.txt:2:1: error: the line is not a network, expected a network such as \"10.0.0.0/8\" or \
             \"2001:db8::/32\", or a single address",
            "offices.txt:2:13: error: the last line has no line break: the file may have been cut, expected a line break",
        ];
        assert_eq!(read("  10.1.2.3/8\nhunter2 x #y").unwrap_err(), expected);
    }

    #[test]
    fn a_list_cut_at_any_byte_never_admits_more() {
        let whole = read(SOUND).unwrap();
        for cut in (0..SOUND.len()).filter(|cut| SOUND.is_char_boundary(*cut)) {
            match read(&SOUND[..cut]) {
                Ok(networks) => assert!(whole.starts_with(&networks), "cut at {cut}"),
                Err(faults) => assert!(!faults.is_empty()),
            }
        }
    }
}
