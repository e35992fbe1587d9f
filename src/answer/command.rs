//! COMMAND and its subcommands: a client sees the rows that it may use, and no others.
//!
//! Shapes are those of Redis 7.0 and later. Tips and key specs stay empty: they steer clients of a cluster, and the specs of
//! servers are known to mislead. First key, last key and step are there.

use crate::acl::Glob;
use crate::command::{
    Access, Call, Categories, CommandSpec, KeyGrammar, classify, keys, lookup, rows,
};
use crate::resp::{OwnedRequest, Protocol, Request, encode};

/// Redis's text where a filter isn't understood.
const SYNTAX: &str = "ERR syntax error";

const HELP: [&str; 16] = [
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all commands that the user may run.",
    "COUNT",
    "    Return the number of these commands.",
    "LIST [FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>]",
    "    Return their names.",
    "INFO [<command-name> ...]",
    "    Return details about the named commands, or about all.",
    "DOCS [<command-name> ...]",
    "    Return the groups of the named commands, or of all.",
    "GETKEYS <full-command>",
    "    Return the keys of a full command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys of a full command, and how it uses them.",
    "HELP",
];

/// Writes the answer to `call`, which must be COMMAND or one of its subcommands; `allowed` says whether the user may use a row.
pub fn write(
    out: &mut Vec<u8>,
    call: &Call<'_>,
    protocol: Protocol,
    allowed: &dyn Fn(&CommandSpec) -> bool,
) {
    let mut answer = Answer {
        out,
        protocol,
        allowed,
    };
    let request = &call.request;
    match call.spec.name {
        "command|count" => answer.count(),
        "command|list" => answer.list(request),
        "command|info" if request.len() > 2 => answer.info(request),
        "command|docs" => answer.docs(request),
        "command|getkeys" => answer.keys(request, Shown::Names),
        "command|getkeysandflags" => answer.keys(request, Shown::NamesAndFlags),
        "command|help" => answer.help(),
        _ => answer.all(),
    }
}

/// What is told of each key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Names,
    NamesAndFlags,
}

struct Answer<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
    allowed: &'a dyn Fn(&CommandSpec) -> bool,
}

impl Answer<'_> {
    /// Whether the user may use the row, or anything in a container.
    fn visible(&self, spec: &CommandSpec) -> bool {
        if spec.is_container() {
            spec.subcommand_rows().iter().any(self.allowed)
        } else {
            (self.allowed)(spec)
        }
    }

    /// The visible commands, without subcommands.
    fn commands(&self) -> Vec<&'static CommandSpec> {
        let top_level = rows().iter().filter(|spec| spec.parent.is_none());
        top_level.filter(|spec| self.visible(spec)).collect()
    }

    fn named(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        lookup(name).filter(|spec| self.visible(spec))
    }

    fn count(&mut self) {
        let count = self.commands().len() as i64;
        encode::integer(self.out, count);
    }

    fn all(&mut self) {
        let commands = self.commands();
        encode::array(self.out, commands.len());
        for spec in commands {
            self.row(spec);
        }
    }

    fn info(&mut self, request: &Request<'_>) {
        encode::array(self.out, request.len() - 2);
        for name in request.iter().skip(2) {
            match self.named(name) {
                Some(spec) => self.row(spec),
                None => encode::null(self.out, self.protocol),
            }
        }
    }

    /// Ten elements: name, arity, flags, first key, last key, step, categories, tips, key specs, subcommands.
    fn row(&mut self, spec: &CommandSpec) {
        encode::array(self.out, 10);
        encode::bulk(self.out, spec.name);
        encode::integer(self.out, i64::from(spec.arity));
        self.words(&spec.flags.names().map(str::to_owned).collect::<Vec<_>>());
        let (first, last, step) = spec.keys.plain_range();
        for number in [first, last, step] {
            encode::integer(self.out, number);
        }
        let categories = spec.withdrawn_by.names().map(|name| format!("@{name}"));
        self.words(&categories.collect::<Vec<_>>());
        self.words(&[]);
        self.words(&[]);
        let subcommands = self.subcommands(spec);
        encode::array(self.out, subcommands.len());
        for sub in subcommands {
            self.row(sub);
        }
    }

    fn subcommands(&self, spec: &CommandSpec) -> Vec<&'static CommandSpec> {
        let all = spec.subcommand_rows().iter();
        all.filter(|sub| (self.allowed)(sub)).collect()
    }

    /// A set of simple strings.
    fn words(&mut self, words: &[String]) {
        encode::set(self.out, words.len(), self.protocol);
        for word in words {
            encode::simple(self.out, word);
        }
    }

    fn list(&mut self, request: &Request<'_>) {
        match self.listed(request) {
            Ok(found) => {
                encode::array(self.out, found.len());
                for spec in found {
                    encode::bulk(self.out, spec.name);
                }
            }
            Err(text) => encode::error(self.out, text),
        }
    }

    /// Without a filter commands alone, with one subcommands too, as in Redis.
    fn listed(&self, request: &Request<'_>) -> Result<Vec<&'static CommandSpec>, String> {
        if request.len() == 2 {
            return Ok(self.commands());
        }
        let (Some(word), Some(kind), Some(value), 5) = (
            request.arg(2),
            request.arg(3),
            request.arg(4),
            request.len(),
        ) else {
            return Err(SYNTAX.to_owned());
        };
        if !word.eq_ignore_ascii_case(b"filterby") {
            return Err(SYNTAX.to_owned());
        }
        let matches = filter(kind, value)?;
        let visible = rows().iter().filter(|spec| self.visible(spec));
        Ok(visible.filter(|spec| matches(spec)).collect())
    }

    fn docs(&mut self, request: &Request<'_>) {
        let mut found = self.commands();
        if request.len() > 2 {
            let names = request.iter().skip(2);
            found = names.filter_map(|name| self.named(name)).collect();
        }
        self.docs_of(&found);
    }

    fn docs_of(&mut self, found: &[&'static CommandSpec]) {
        encode::map(self.out, found.len(), self.protocol);
        for spec in found {
            encode::bulk(self.out, spec.name);
            let subcommands = self.subcommands(spec);
            let fields = if subcommands.is_empty() { 1 } else { 2 };
            encode::map(self.out, fields, self.protocol);
            encode::bulk(self.out, "group");
            encode::bulk(self.out, spec.group);
            if !subcommands.is_empty() {
                encode::bulk(self.out, "subcommands");
                self.docs_of(&subcommands);
            }
        }
    }

    fn keys(&mut self, request: &Request<'_>, shown: Shown) {
        let words: Vec<&[u8]> = request.iter().skip(2).collect();
        let owned = OwnedRequest::new(&words);
        let found = match self.keys_of(owned.as_request()) {
            Ok(found) => found,
            Err(text) => return encode::error(self.out, text),
        };
        encode::array(self.out, found.len());
        for (key, access) in found {
            if shown == Shown::NamesAndFlags {
                encode::array(self.out, 2);
            }
            encode::bulk(self.out, key);
            if shown == Shown::NamesAndFlags {
                let flags = key_flags(access).iter().map(|flag| (*flag).to_owned());
                self.words(&flags.collect::<Vec<_>>());
            }
        }
    }

    /// The keys by our own grammar, or Redis's text.
    fn keys_of<'r>(&self, request: Request<'r>) -> Result<Vec<(&'r [u8], Access)>, &'static str> {
        const UNKNOWN: &str = "ERR Invalid command specified";
        let call = match classify(request) {
            Ok(call) if self.visible(call.spec) => call,
            Ok(_) => return Err(UNKNOWN),
            Err(crate::command::ClassifyFault::WrongArity { spec }) if self.visible(spec) => {
                return Err("ERR Invalid number of arguments specified for command");
            }
            Err(_) => return Err(UNKNOWN),
        };
        if call.spec.keys == KeyGrammar::None {
            return Err("ERR The command has no key arguments");
        }
        let mut found = Vec::new();
        // Like servers, this tells only the keys that are named.
        let keys::Extracted { all_keys_read: _ } = keys::extract(&call, &mut |key| {
            found.push((request.arg(key.index).unwrap_or(&[]), key.access));
        })
        .map_err(|_| "ERR Invalid arguments specified for command")?;
        Ok(found)
    }

    fn help(&mut self) {
        encode::array(self.out, HELP.len() + 1);
        for line in HELP {
            encode::simple(self.out, line);
        }
        encode::simple(self.out, "    Print this help.");
    }
}

/// Whether a row passes.
type Filter = Box<dyn Fn(&CommandSpec) -> bool>;

/// The test of `FILTERBY kind value`. An unknown category matches nothing, as in Redis; there are no modules.
fn filter(kind: &[u8], value: &[u8]) -> Result<Filter, String> {
    if kind.eq_ignore_ascii_case(b"module") {
        Ok(Box::new(|_| false))
    } else if kind.eq_ignore_ascii_case(b"aclcat") {
        let wanted = Categories::parse(value).unwrap_or(Categories::NONE);
        Ok(Box::new(move |spec| spec.withdrawn_by.intersects(wanted)))
    } else if kind.eq_ignore_ascii_case(b"pattern") {
        let pattern = Glob::compile(&value.to_ascii_lowercase());
        let pattern = pattern.map_err(|fault| format!("ERR {fault}"))?;
        Ok(Box::new(move |spec| pattern.matches(spec.name.as_bytes())))
    } else {
        Err(SYNTAX.to_owned())
    }
}

/// Redis's words for what is done with a key.
fn key_flags(access: Access) -> &'static [&'static str] {
    match access {
        Access::Metadata => &["RO"],
        Access::Read => &["RO", "access"],
        Access::Write => &["OW", "update"],
        Access::ReadWrite => &["RW", "access", "update"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str, protocol: Protocol, allowed: &[&str]) -> String {
        let owned = OwnedRequest::new(&line.split(' ').collect::<Vec<_>>());
        let call = classify(owned.as_request()).unwrap();
        let mut out = Vec::new();
        write(&mut out, &call, protocol, &|spec| {
            allowed.contains(&spec.name)
        });
        String::from_utf8(out).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn a_user_sees_its_own_rows_and_no_others() {
        let allowed = ["get", "config|get"];
        let ask = |line| answer(line, Protocol::Resp2, &allowed);
        assert_eq!(ask("COMMAND COUNT"), ":2 ");
        assert_eq!(ask("COMMAND LIST"), "*2 $6 config $3 get ");
        assert_eq!(ask("COMMAND INFO set config|set"), "*2 $-1 $-1 ");
        assert_eq!(
            ask("COMMAND INFO GET"),
            "*1 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *0 *0 "
        );
        let config = ask("COMMAND INFO config");
        assert!(config.contains("*1 *10 $10 config|get"), "{config}");
        assert!(!config.contains("config|set"), "{config}");
        assert!(ask("COMMAND").starts_with("*2 *10 $6 config "));
    }

    #[test]
    fn resp3_has_sets_maps_and_a_null_of_its_own() {
        let ask = |line| answer(line, Protocol::Resp3, &["get"]);
        assert_eq!(
            ask("COMMAND INFO get nosuch"),
            "*2 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 ~0 *0 _ "
        );
        assert_eq!(
            ask("COMMAND DOCS get nosuch"),
            "%1 $3 get %1 $5 group $6 string "
        );
        assert_eq!(
            ask("COMMAND GETKEYSANDFLAGS GET k"),
            "*1 *2 $1 k ~2 +RO +access "
        );
    }

    #[test]
    fn a_list_is_filtered_by_category_pattern_or_module() {
        let allowed = ["get", "set", "xadd", "config|get", "config|set"];
        let ask = |line| answer(line, Protocol::Resp2, &allowed);
        assert_eq!(ask("COMMAND LIST FILTERBY ACLCAT STREAM"), "*1 $4 xadd ");
        assert_eq!(ask("COMMAND LIST FILTERBY ACLCAT nosuch"), "*0 ");
        assert_eq!(ask("COMMAND LIST FILTERBY MODULE x"), "*0 ");
        assert_eq!(
            ask("COMMAND LIST filterby pattern CONFIG*"),
            "*3 $6 config $10 config|get $10 config|set "
        );
        for line in [
            "COMMAND LIST x",
            "COMMAND LIST FILTERBY PATTERN",
            "COMMAND LIST FILTERBY x y",
            "COMMAND LIST x PATTERN *",
        ] {
            assert_eq!(ask(line), "-ERR syntax error ", "{line}");
        }
    }

    #[test]
    fn keys_are_told_by_our_own_grammar() {
        let allowed = ["mset", "sort", "ping"];
        let ask = |line| answer(line, Protocol::Resp2, &allowed);
        assert_eq!(ask("COMMAND GETKEYS MSET a 1 b 2"), "*2 $1 a $1 b ");
        assert_eq!(
            ask("COMMAND GETKEYSANDFLAGS SORT a STORE b"),
            "*2 *2 $1 a *2 +RO +access *2 $1 b *2 +OW +update "
        );
        for (line, text) in [
            ("COMMAND GETKEYS FOO a", "Invalid command specified"),
            ("COMMAND GETKEYS GET a", "Invalid command specified"),
            (
                "COMMAND GETKEYS MSET",
                "Invalid number of arguments specified for command",
            ),
            (
                "COMMAND GETKEYS MSET a 1 b",
                "Invalid arguments specified for command",
            ),
            ("COMMAND GETKEYS PING", "The command has no key arguments"),
        ] {
            assert_eq!(ask(line), format!("-ERR {text} "), "{line}");
        }
    }
}
