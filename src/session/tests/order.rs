//! Replies never shift: through a session a client hears, frame by frame, what a server that keeps the same rights itself would
//! have said, however requests, replies and messages fall together.

use proptest::prelude::*;

use super::model::{Model, Nesting, Rights};
use super::*;
use crate::resp::{RequestScanner, Scan};

/// The requests that a pipeline is made of, some in groups that are rarely thrown together; `#` stands for a number.
const REQUESTS: [&str; 34] = [
    "MULTI;SELECT 3;EXEC;SELECT 0;GET a:#",
    "MULTI;GET a:failing;SELECT 99;EXEC;SELECT 99;GET a:#",
    "HELLO 3;SUBSCRIBE a:c;LRANGE a:# 0 -1;HELLO 2;PING",
    "WATCH a:changing;MULTI;SELECT 3;EXEC;GET a:#",
    "GET a:#",
    "GET a:#",
    "GET a:#",
    "GET a:failing",
    "GET x:#",
    "GET",
    "NOSUCH #",
    "LRANGE a:# 0 -1",
    "BLPOP a:# 0",
    "PING",
    "PING #",
    "SELECT 0",
    "SELECT 3",
    "SELECT 99",
    "SELECT 05",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC x",
    "DISCARD",
    "WATCH a:k",
    "WATCH a:changing",
    "UNWATCH",
    "HELLO 2",
    "HELLO 3",
    "SUBSCRIBE a:c a:#",
    "UNSUBSCRIBE",
    "PSUBSCRIBE a:*",
    "RESET",
];

/// Requests without which a client that has subscribed in RESP2 gets nowhere.
const LEAVES: [&str; 3] = ["UNSUBSCRIBE", "PUNSUBSCRIBE", "UNSUBSCRIBE a:c #"];

fn requests(choices: &[usize]) -> Vec<String> {
    let all: Vec<&str> = REQUESTS.iter().chain(&LEAVES).copied().collect();
    let numbered = choices.iter().enumerate();
    numbered
        .map(|(number, choice)| all[choice % all.len()].replace('#', &number.to_string()))
        .flat_map(|group| group.split(';').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// The frames in `bytes` without messages, which come when they like; of an error only its first word.
fn replies(mut bytes: &[u8]) -> Vec<String> {
    let mut scanner = ReplyScanner::new();
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let step = scanner.advance(bytes).unwrap();
        let (piece, rest) = bytes.split_at(step.consumed);
        let frame = step.end.expect("nothing is cut off");
        if frame.is_error() {
            found.push(format!("-{}", String::from_utf8_lossy(frame.label())));
        } else if frame.label() != b"message" || frame.count() != Some(3) {
            found.push(String::from_utf8_lossy(piece).replace("\r\n", " "));
        }
        bytes = rest;
    }
    found
}

/// Bytes at the end of `bytes` that belong to a frame which isn't whole.
fn cut_off(mut bytes: &[u8]) -> usize {
    let mut scanner = ReplyScanner::new();
    loop {
        let step = scanner.advance(bytes).unwrap();
        if step.end.is_none() {
            return bytes.len();
        }
        bytes = &bytes[step.consumed..];
    }
}

/// Steps from here on let time go by.
const OVERDUE: u8 = 236;

/// A client that speaks through a session to a server that relies on it.
struct Through {
    bed: Bed,
    model: Model,
    nesting: Nesting,
    /// Requests that haven't been dealt with.
    requests: std::collections::VecDeque<String>,
    /// What the server has said and the session hasn't heard.
    said: Vec<u8>,
    /// All that the client has heard.
    heard: Vec<u8>,
}

impl Through {
    fn new(requests: &[String], nesting: Nesting) -> Self {
        let mut bed = Bed::stranger(APP);
        bed.policy = Policy::compile(1, &[user("default", APP)], &[]).unwrap();
        bed.session = Session::new(beginning(), &bed.policy);
        Self {
            bed,
            model: Model::new(Rights::Assumed, nesting, Protocol::Resp2, 0),
            nesting,
            requests: requests.iter().cloned().collect(),
            said: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Offers the next request; a session that isn't ready for it must not have done anything.
    fn offer(&mut self) {
        let Some(line) = self.requests.front().cloned() else {
            return;
        };
        match self.bed.offer(&line) {
            "wait" => return,
            "reset" => {
                self.model = Model::new(Rights::Assumed, self.nesting, Protocol::Resp2, 0);
                assert!(self.bed.wire.is_empty() && !self.bed.session.turns.is_inside_frame());
                // Nothing but messages, which go down with their connection.
                assert!(replies(&self.said).is_empty());
                self.said.clear();
            }
            _ => {}
        }
        self.requests.pop_front();
    }

    /// The server carries out one request.
    fn serve(&mut self) {
        let mut scanner = RequestScanner::default();
        if let Ok(Scan::Complete { len }) = scanner.scan(&self.bed.wire, &Limits::DEFAULT) {
            let request = scanner.request(&self.bed.wire);
            let words: Vec<_> = request
                .iter()
                .map(|word| String::from_utf8(word.to_vec()).unwrap())
                .collect();
            self.bed.wire.drain(..len);
            self.model.on(&words, &mut self.said);
        }
    }

    /// Some of what the server has said arrives.
    fn deliver(&mut self, bytes: usize) -> Result<(), PairingFault> {
        let bytes = bytes.min(self.said.len());
        let arrived: Vec<u8> = self.said.drain(..bytes).collect();
        let result = self.bed.try_reply(&arrived);
        self.heard.append(&mut self.bed.out);
        result
    }

    /// One step of whatever kind; they fall together in any order.
    fn step(&mut self, choice: u8) -> Result<(), PairingFault> {
        match choice % 8 {
            0..3 => self.offer(),
            3..5 => self.serve(),
            5 => self.model.publish(&mut self.said),
            6 => return self.deliver(usize::from(choice / 8)),
            _ => return self.deliver(usize::MAX),
        }
        self.heard.append(&mut self.bed.out);
        Ok(())
    }

    /// Whatever is outstanding is overdue. False if the client can't go on.
    fn time_out(&mut self) -> bool {
        let (session, heard) = (&mut self.bed.session, &mut self.heard);
        session
            .answer_overdue("TIMEOUT x", Duration::ZERO, Instant::now(), heard)
            .is_ok()
    }

    fn is_done(&self) -> bool {
        self.requests.is_empty() && self.bed.wire.is_empty() && self.said.is_empty()
    }
}

/// What a server that keeps rights itself says to the same requests.
fn direct(requests: &[String], nesting: Nesting) -> Vec<String> {
    let mut model = Model::new(Rights::Kept, nesting, Protocol::Resp2, 0);
    let mut said = Vec::new();
    for line in requests {
        model.on(&words(line), &mut said);
    }
    replies(&said)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_reply_comes_in_the_place_of_its_request(
        choices in prop::collection::vec(0..usize::MAX, 1..40),
        steps in prop::collection::vec(any::<u8>(), 0..120),
        aborts in any::<bool>(),
    ) {
        let nesting = if aborts { Nesting::Aborts } else { Nesting::IsAnError };
        let requests = requests(&choices);
        let expected = direct(&requests, nesting);
        let mut through = Through::new(&requests, nesting);
        let rest = [0_u8, 3, 7].into_iter().cycle().take(2_000);
        for choice in steps.into_iter().chain(rest) {
            if let Err(fault) = through.step(choice) {
                prop_assert_eq!(fault, PairingFault::OutOfStep);
                prop_assert!(through.model.ambiguous, "{:?}", requests);
                let heard = replies(&through.heard);
                prop_assert_eq!(&heard, &expected[..heard.len()]);
                return Ok(());
            }
        }
        prop_assert!(through.is_done(), "{:?}", requests);
        prop_assert_eq!(through.bed.session.outstanding(), (0, 0));
        prop_assert_eq!(replies(&through.heard), expected, "{:?}", requests);
    }

    #[test]
    fn an_error_stands_in_the_place_of_a_reply_that_comes_too_late(
        choices in prop::collection::vec(0..usize::MAX, 1..40),
        steps in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let requests = requests(&choices);
        let expected = direct(&requests, Nesting::IsAnError);
        let mut through = Through::new(&requests, Nesting::IsAnError);
        let rest = [0_u8, 3, 7].into_iter().cycle().take(2_000);
        let mut goes_on = true;
        for choice in steps.into_iter().chain(rest) {
            goes_on = match choice {
                OVERDUE.. => through.time_out(),
                _ => through.step(choice).is_ok(),
            };
            if !goes_on {
                break;
            }
        }
        let whole = through.heard.len() - if goes_on { 0 } else { cut_off(&through.heard) };
        let heard = replies(&through.heard[..whole]);
        let expected = &expected[..if goes_on { expected.len() } else { heard.len() }];
        prop_assert_eq!(heard.len(), expected.len(), "{:?}", requests);
        for (heard, expected) in heard.iter().zip(expected) {
            prop_assert!(heard == "-TIMEOUT" || heard == expected, "{heard} for {expected}: {requests:?}");
        }
        if goes_on {
            prop_assert_eq!(through.bed.session.outstanding(), (0, 0));
        }
    }

    #[test]
    fn a_client_that_is_given_up_has_heard_a_beginning_of_its_replies_and_then_the_error(
        choices in prop::collection::vec(0..usize::MAX, 1..40),
        steps in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let requests = requests(&choices);
        let expected = direct(&requests, Nesting::IsAnError);
        let mut through = Through::new(&requests, Nesting::IsAnError);
        for choice in steps {
            if through.step(choice).is_err() {
                return Ok(());
            }
        }
        let cut = through.bed.session.turns.is_inside_frame();
        let told = !cut && !through.bed.session.is_answered();
        through.bed.session.give_up("TIMEOUT x", &mut through.heard);
        let whole = through.heard.len() - if cut { cut_off(&through.heard) } else { 0 };
        let mut heard = replies(&through.heard[..whole]);
        if told {
            prop_assert_eq!(heard.pop(), Some("-TIMEOUT".to_owned()));
        }
        prop_assert_eq!(&heard, &expected[..heard.len()], "{:?}", requests);
        prop_assert_eq!(through.bed.session.outstanding(), (0, 0));
    }
}
