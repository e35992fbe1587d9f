//! The configuration in force as TOML that can be read again: every value, defaults included, but no secret.
//!
//! Where the file holds a hash, the text names an environment variable that nobody sets: it can be read, but not run by mistake.

use std::fmt::{Display, Write};

use super::backend::LOST_REPLIES;
use super::certificate_name::FIELDS;
use super::database::LANES;
use super::server::{FORMATS, LEVELS};
use super::tls::{CLIENT_CERTIFICATES, VERSIONS};
use super::units::duration_text;
use super::user::REQUIRES;
use super::{
    Admission, Backend, CertificatePair, ClientCa, Config, Database, FileRef, Limits, Log, Name,
    PasswordSource, Placed, Role, RuleText, SecretSource, Server, Status, Tls, User, Workers,
};
use crate::acl::{Enabled, NoPass, Operator};
use crate::admission::PrivateOnly;
use crate::admission::certificate::CertificateMapping;
use crate::admission::slots::SlotLimits;

/// Stands in the place of a hash.
const HIDDEN: &str = "{ env = \"REDWALL_HIDDEN_HASH\" }";

impl Config {
    /// The values in force as TOML. Secrets are hidden, so that it can be shown to anyone who may know who may do what.
    pub fn to_toml(&self) -> String {
        let Self {
            file: _,
            server,
            status,
            log,
            roles,
            databases,
        } = self;
        let mut out = Printer::default();
        print_process(&mut out, server, status, log);
        for role in roles {
            print_role(&mut out, role);
        }
        for database in databases {
            print_database(&mut out, database);
        }
        out.text
    }
}

/// Lines of TOML.
#[derive(Default)]
struct Printer {
    text: String,
}

impl Printer {
    fn table(&mut self, header: impl Display) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.line(format_args!("{gap}{header}"));
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn optional(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn print_process(out: &mut Printer, server: &Server, status: &Status, log: &Log) {
    let Server {
        workers,
        drain_timeout,
        max_clients,
        max_memory,
    } = server;
    out.table("[server]");
    match workers {
        Workers::Auto => out.key("workers", quoted("auto")),
        Workers::Exactly(number) => out.key("workers", number),
    }
    out.key("drain_timeout", quoted(duration_text(*drain_timeout)));
    out.key("max_clients", max_clients.value);
    out.key("max_memory", quoted(max_memory));

    let Status { listen } = status;
    let off_loopback = listen
        .iter()
        .filter(|address| !address.value.ip().is_loopback());
    out.table("[status]");
    out.key(
        "listen",
        list(listen.iter().map(|address| quoted(address.value))),
    );
    out.key(
        "off_loopback",
        list(off_loopback.map(|address| quoted(address.value))),
    );

    let Log { format, level } = log;
    out.table("[log]");
    out.key("format", word(&FORMATS, *format));
    out.key("level", word(&LEVELS, *level));
}

fn print_role(out: &mut Printer, role: &Role) {
    let Role {
        name,
        rules,
        inherits,
    } = role;
    out.table(format_args!("[roles.{}]", quoted(&name.value)));
    out.key("rules", rule_list(rules.texts()));
    out.key("inherits", names(inherits));
}

fn print_database(out: &mut Printer, database: &Database) {
    let Database {
        name,
        at: _,
        listen,
        plaintext_listen,
        admission,
        connections,
        lanes,
        tls,
        certificate_users,
        limits,
        backend,
        acl,
        users,
    } = database;
    let off_loopback = plaintext_listen
        .iter()
        .filter(|address| !address.value.ip().is_loopback());
    out.table("[[database]]");
    out.key("name", quoted(&name.value));
    out.key(
        "listen",
        list(listen.iter().map(|address| quoted(address.value))),
    );
    out.key(
        "plaintext_listen",
        list(plaintext_listen.iter().map(|address| quoted(address.value))),
    );
    out.key(
        "plaintext_off_loopback",
        list(off_loopback.map(|address| quoted(address.value))),
    );
    print_admission(out, admission);
    print_connections(out, connections);
    out.key("lanes", word(&LANES, *lanes));
    if let Some(tls) = tls {
        print_tls(out, tls);
    }
    print_limits(out, limits);
    print_backend(out, backend);
    for template in certificate_users {
        out.table("[[database.certificate_users]]");
        out.key(word_of(&FIELDS, template.field), quoted(&template.pattern));
        out.optional("ca", template.ca.as_ref().map(quoted));
    }
    out.table("[database.acl]");
    out.optional("aclfile", acl.aclfile.as_ref().map(file));
    out.key("allow_nopass", acl.allow_nopass);
    for user in users {
        print_user(out, user);
    }
}

fn print_admission(out: &mut Printer, admission: &Admission) {
    let Admission {
        allow,
        allow_files,
        deny,
        deny_files,
        private_only,
    } = admission;
    out.key("allow", list(allow.iter().map(quoted)));
    out.key("allow_files", list(allow_files.iter().map(file)));
    out.key("deny", list(deny.iter().map(quoted)));
    out.key("deny_files", list(deny_files.iter().map(file)));
    out.key("private_only", *private_only == PrivateOnly::On);
}

fn print_connections(out: &mut Printer, limits: &SlotLimits) {
    let SlotLimits {
        connections,
        per_address,
        half_open,
        half_open_per_address,
        ipv6_prefix,
    } = limits;
    out.key("max_clients", connections);
    out.key("max_clients_per_address", per_address);
    out.key("max_half_open", half_open);
    out.key("max_half_open_per_address", half_open_per_address);
    out.key("ipv6_prefix", ipv6_prefix);
}

fn print_tls(out: &mut Printer, tls: &Tls) {
    let Tls {
        certificates,
        client_certificates,
        client_ca,
        min_version,
        handshake_timeout,
        crl_grace,
    } = tls;
    out.table("[database.tls]");
    out.key("certificates", list(certificates.iter().map(pair)));
    out.key(
        "client_certificates",
        word(&CLIENT_CERTIFICATES, *client_certificates),
    );
    out.key("client_ca", list(client_ca.iter().map(ca)));
    out.key("min_version", word(&VERSIONS, *min_version));
    out.key(
        "handshake_timeout",
        quoted(duration_text(*handshake_timeout)),
    );
    out.key("crl_grace", quoted(duration_text(*crl_grace)));
}

fn print_limits(out: &mut Printer, limits: &Limits) {
    let Limits {
        max_request,
        max_value,
        max_uploads,
        max_in_flight,
        max_subscriptions,
        output_soft_limit,
        output_hard_limit,
        output_timeout,
        upload_timeout,
        send_buffer,
    } = limits;
    out.table("[database.limits]");
    out.key("max_request", quoted(max_request));
    out.key("max_value", quoted(max_value));
    out.key("max_uploads", quoted(max_uploads));
    out.key("max_in_flight", max_in_flight);
    out.key("max_subscriptions", max_subscriptions);
    out.key("output_soft_limit", quoted(output_soft_limit));
    out.key("output_hard_limit", quoted(output_hard_limit));
    out.key("output_timeout", quoted(duration_text(*output_timeout)));
    out.key("upload_timeout", quoted(duration_text(*upload_timeout)));
    out.key("send_buffer", quoted(send_buffer.value));
}

fn print_backend(out: &mut Printer, backend: &Backend) {
    let Backend {
        address: _,
        tls,
        user,
        password,
        connect_timeout,
        max_connects_per_second,
        request_timeout,
        lost_replies,
    } = backend;
    out.table("[database.backend]");
    out.key("url", quoted(backend.url()));
    out.optional("user", user.as_ref().map(quoted));
    out.optional("password", password.as_ref().map(secret));
    if let Some(tls) = tls {
        out.key("ca", file(&tls.ca));
        out.optional("cert", tls.client.as_ref().map(|pair| file(&pair.cert)));
        out.optional("key", tls.client.as_ref().map(|pair| file(&pair.key)));
        out.key("server_name", quoted(&tls.server_name));
    }
    out.key("connect_timeout", quoted(duration_text(*connect_timeout)));
    out.key("max_connects_per_second", max_connects_per_second);
    out.key("request_timeout", quoted(duration_text(*request_timeout)));
    out.key("lost_replies", word(&LOST_REPLIES, *lost_replies));
}

fn print_user(out: &mut Printer, user: &User) {
    let User {
        name,
        enabled,
        roles,
        rules,
        deny,
        passwords,
        nopass,
        require,
        certificates,
        prefix,
        operator,
        max_value,
        max_uploads,
    } = user;
    out.table(format_args!("[database.users.{}]", quoted(&name.value)));
    out.key("enabled", *enabled == Enabled::On);
    out.key("deny", rule_list(deny.texts()));
    out.key("require", word(&REQUIRES, *require));
    out.key("passwords", list(passwords.iter().map(password)));
    out.key("nopass", *nopass == NoPass::Yes);
    out.key("certificates", list(certificates.iter().map(certificate)));
    out.key("roles", names(roles));
    out.key("rules", rule_list(rules.texts()));
    out.optional(
        "prefix",
        prefix.as_ref().map(|prefix| quoted(&prefix.value)),
    );
    out.key("operator", *operator == Operator::Yes);
    out.optional("max_value", max_value.map(quoted));
    out.optional("max_uploads", max_uploads.map(quoted));
}

/// A basic string. The file's strings have no control characters.
fn quoted(text: impl Display) -> String {
    let text = text.to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn names(names: &[Placed<Name>]) -> String {
    list(names.iter().map(|name| quoted(&name.value)))
}

fn rule_list(rules: &[RuleText]) -> String {
    list(rules.iter().map(|rule| quoted(rule.as_str())))
}

fn file(file: &FileRef) -> String {
    quoted(file.path.display())
}

fn pair(pair: &CertificatePair) -> String {
    format!(
        "{{ cert = {}, key = {} }}",
        file(&pair.cert),
        file(&pair.key)
    )
}

fn ca(ca: &ClientCa) -> String {
    let ClientCa {
        name,
        file: certificates,
        crl,
    } = ca;
    let (name, certificates) = (quoted(&name.value), file(certificates));
    let crl = list(crl.iter().map(file));
    format!("{{ name = {name}, file = {certificates}, crl = {crl} }}")
}

fn certificate(mapping: &CertificateMapping) -> String {
    let CertificateMapping { field, pattern, ca } = mapping;
    let field = word_of(&FIELDS, *field);
    let ca = ca.as_ref().map(|ca| format!(", ca = {}", quoted(ca)));
    format!(
        "{{ {field} = {}{} }}",
        quoted(pattern),
        ca.unwrap_or_default()
    )
}

fn secret(source: &SecretSource) -> String {
    match source {
        SecretSource::File(reference) => format!("{{ file = {} }}", file(reference)),
        SecretSource::Env(name) => format!("{{ env = {} }}", quoted(&name.value)),
    }
}

fn password(source: &PasswordSource) -> String {
    match source {
        PasswordSource::Secret(source) => secret(source),
        PasswordSource::Hash(_) => HIDDEN.to_owned(),
    }
}

/// The word by which the file writes `value`.
pub(crate) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map_or("", |(word, _)| word)
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> String {
    quoted(word_of(words, value))
}
