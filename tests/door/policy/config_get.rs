//! CONFIG GET, which tells a server's passwords in plain text.

use super::{House, user, words};
use crate::bed::Server;

const SECRETS: [&str; 14] = [
    "CONFIG GET masterauth",
    "CONFIG GET MASTERAUTH",
    "CONFIG GET primaryauth",
    "CONFIG GET requirepass",
    "CONFIG GET tls-key-file-pass",
    "CONFIG GET *",
    "CONFIG GET master*",
    "CONFIG GET maxmemory*",
    "CONFIG GET [m]axmemory",
    "CONFIG GET maxmemor?",
    "CONFIG GET maxmemory masterauth",
    "CONFIG GET masterauth maxmemory",
    "CONFIG GET timeout \\masterauth",
    "config get dir",
];

const PUBLIC: [&str; 5] = [
    "maxmemory",
    "maxmemory-policy",
    "notify-keyspace-events",
    "databases",
    "timeout",
];

#[test]
fn a_tenant_learns_no_password_from_config_get() {
    let users = user("cfg", "rules = \"+config|get +multi +exec ~cfg:*\"")
        + &user("op", "rules = \"+@all ~* &*\"\noperator = true");
    for server in Server::ALL {
        let house = House::new(server, &["masterauth topsecret"], &users);
        for who in ["app", "cfg", "root"] {
            house.denies(who, &SECRETS);
            let mut client = house.login(who);
            for name in PUBLIC {
                for name in [name, &name.to_uppercase()] {
                    let reply = client.ask(&["CONFIG", "GET", name]);
                    let told = reply.starts_with("*2\r\n")
                        && reply.to_lowercase().contains(&name.to_lowercase());
                    assert!(told, "{server:?}: {who}: {name}: {reply:?}");
                }
            }
            let both = client.ask(&["CONFIG", "GET", "maxmemory", "timeout"]);
            assert!(both.starts_with("*4\r\n"), "{both:?}");
            assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
            assert!(
                client
                    .ask(&words("CONFIG GET masterauth"))
                    .starts_with("-NOPERM")
            );
            assert!(client.ask(&["EXEC"]).starts_with("-EXECABORT"));
        }
        let mut op = house.login("op");
        let told = op.ask(&words("CONFIG GET masterauth"));
        assert!(told.contains("topsecret"), "{told:?}");
    }
}
