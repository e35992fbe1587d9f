//! The servers' script debugger.

use super::{House, user, words};
use crate::bed::Server;

const FORMS: [&str; 4] = [
    "SCRIPT DEBUG YES",
    "script debug sync",
    "Script Debug NO",
    "SCRIPT DEBUG YES YES",
];

#[test]
fn nobody_switches_the_servers_script_debugger_on() {
    for server in Server::ALL {
        let users = user("op", "rules = \"+@all ~* &*\"\noperator = true");
        let house = House::new(server, &[], &users);
        for who in ["root", "op", "app"] {
            house.denies(who, &FORMS);
            let mut client = house.login(who);
            client.send_raw(b"SCRIPT DEBUG YES\r\n");
            assert!(client.text().starts_with("-NOPERM"));
            assert_eq!(client.ask(&["MULTI"]), "+OK\r\n");
            for form in FORMS {
                assert!(client.ask(&words(form)).starts_with("-NOPERM"), "{form}");
            }
            assert!(client.ask(&["EXEC"]).starts_with("-EXECABORT"));
        }
        let heard = String::from_utf8_lossy(&house.tap.heard()).to_ascii_lowercase();
        assert!(!heard.contains("debug"), "{server:?}: {heard}");
        // Where the debugger was on and its client gone, anybody's next script crashed or stopped the server.
        let mut client = house.login("root");
        assert_eq!(client.ask(&["EVAL", "return 7", "0"]), ":7\r\n");
        assert_eq!(house.backend.admin(&["PING"]), "+PONG\r\n");
    }
}
