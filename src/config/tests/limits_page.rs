//! LIMITS.md says what the program does: the defaults of what can be configured, and the constants of what is built in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;

const PAGE: &str = include_str!("../../../LIMITS.md");

/// A limit of the configuration: its table and its key.
type Key = (String, String);

/// The cells of a table's row; `None` for other lines, headings and rules.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<_> = inner.split(" | ").map(str::trim).collect();
    (!matches!(cells.first(), Some(&("key" | "what")))).then_some(cells)
}

/// What stands between backquotes, if that is all.
fn quoted(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// The page's configurable limits with their defaults.
fn configurable() -> BTreeMap<Key, String> {
    let mut section = None;
    let mut found = BTreeMap::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.split(": ").nth(1).and_then(quoted);
        }
        if let (Some(section), Some(cells)) = (section, cells(line)) {
            let key = quoted(cells[0]).unwrap().to_owned();
            let before = found.insert((section.to_owned(), key), cells[1].to_owned());
            assert_eq!(before, None, "{line}");
            assert_eq!(cells.len(), 4, "{line}");
        }
    }
    found
}

/// A size, a duration or a count in its smallest unit; `None` for any other text.
fn quantity(text: &str) -> Option<u128> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" | "B" | "ms" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(number.parse::<u128>().ok()? * factor)
}

/// Every number, size and duration of the configuration in force.
fn in_force() -> BTreeMap<Key, String> {
    let printed = parse(MINIMAL).unwrap().to_toml();
    let table: toml::Table = printed.parse().unwrap();
    let database = table["database"][0].as_table().unwrap();
    let mut found = BTreeMap::new();
    for (section, table) in [
        ("[server]", table["server"].as_table().unwrap()),
        ("[[database]]", database),
        ("[database.tls]", database["tls"].as_table().unwrap()),
        ("[database.limits]", database["limits"].as_table().unwrap()),
        (
            "[database.backend]",
            database["backend"].as_table().unwrap(),
        ),
    ] {
        for (key, value) in table {
            let text = match value {
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::String(text) => text.clone(),
                _ => continue,
            };
            if quantity(&text).is_some() {
                found.insert((section.to_owned(), key.clone()), text);
            }
        }
    }
    found
}

#[test]
fn the_page_of_limits_has_every_limit_of_the_configuration_with_its_default() {
    let (page, program) = (configurable(), in_force());
    assert!(program.len() > 20, "{program:?}");
    assert_eq!(page, program, "left: LIMITS.md, right: the program");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The value of an expression of whole numbers, sizes and durations.
fn value(expression: &str) -> Option<u128> {
    let expression = expression.trim();
    for (name, factor) in [
        ("Duration::from_secs(", 1_000),
        ("Duration::from_millis(", 1),
        ("ByteSize::mebibytes(", 1 << 20),
        ("ByteSize::kibibytes(", 1 << 10),
    ] {
        if let Some(inner) = expression.strip_prefix(name) {
            return Some(value(inner.strip_suffix(')')?)? * factor);
        }
    }
    if let Some((left, right)) = expression.split_once(" + ") {
        return Some(value(left)? + value(right)?);
    }
    if let Some((left, right)) = expression.split_once(" * ") {
        return Some(value(left)? * value(right)?);
    }
    if let Some((left, right)) = expression.split_once(" << ") {
        return Some(value(left)? << value(right)?);
    }
    match expression {
        "u32::MAX as u64" => Some(u32::MAX.into()),
        digits => digits.replace('_', "").parse().ok(),
    }
}

/// The constant, or the field of one, that a row of the page names.
fn constant(place: &str) -> Option<u128> {
    let (file, name) = place.split_once(": ")?;
    let text = std::fs::read_to_string(source().join(file)).ok()?;
    let (name, field) = name.split_once('.').unwrap_or((name, ""));
    let (_, rest) = text.split_once(&format!("const {name}: "))?;
    if field.is_empty() {
        let (expression, _) = rest.split_once(" = ")?.1.split_once(';')?;
        return value(expression);
    }
    let (_, rest) = rest.split_once(&format!(" {field}: "))?;
    value(rest.split_once(',')?.0)
}

/// The page's built-in limits: each one's place in the code, and its value.
fn built_in() -> BTreeMap<String, String> {
    let rows = PAGE
        .lines()
        .filter_map(cells)
        .filter(|cells| cells.len() == 5);
    rows.map(|cells| (quoted(cells[2]).unwrap().to_owned(), cells[1].to_owned()))
        .collect()
}

#[test]
fn the_page_of_limits_says_of_each_constant_what_the_code_says() {
    let rows = built_in();
    assert!(rows.len() > 50, "{rows:?}");
    for (place, written) in rows {
        let found = constant(&place);
        assert!(found.is_some(), "{place} isn't in the code");
        assert_eq!(
            quantity(&written),
            found,
            "{place} is {written} in LIMITS.md"
        );
    }
}

/// Constants whose names or types say that they bound something, by file and name.
fn bounds(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                bounds(&path, found);
            }
            continue;
        }
        let file = path.strip_prefix(source()).unwrap().display().to_string();
        if file.ends_with("tests.rs") || file.ends_with("testing.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines() {
            let Some((before, rest)) = line.split_once("const ") else {
                continue;
            };
            let Some((name, kind)) = rest.split_once(": ") else {
                continue;
            };
            let is_item = before.trim().is_empty() || before.trim().starts_with("pub");
            let is_bound = ["MAX_", "MOST"].iter().any(|start| name.starts_with(start));
            if is_item && (is_bound || kind.starts_with("Duration")) {
                found.insert(format!("{file}: {name}"));
            }
        }
    }
}

/// Defaults of what can be configured, which stand in the page under their keys, one bound of a parser's own, and the length of a rest, of
/// which the page says what the kernel makes of it.
const NOT_BUILT_IN: [&str; 6] = [
    "config/backend.rs: CONNECT_TIMEOUT",
    "config/backend.rs: MAX_CONNECTS_PER_SECOND",
    "config/backend.rs: REQUEST_TIMEOUT",
    "config/tls.rs: HANDSHAKE_TIMEOUT",
    "proxy/gathering.rs: REST",
    "resp/decimal.rs: MAX_DIGITS",
];

#[test]
fn the_page_of_limits_has_every_constant_that_bounds_something() {
    let mut code = BTreeSet::new();
    bounds(&source(), &mut code);
    assert!(code.len() > 30, "{code:?}");
    let page = built_in();
    let missing = code
        .iter()
        .filter(|place| !page.contains_key(*place) && !NOT_BUILT_IN.contains(&place.as_str()));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
}
