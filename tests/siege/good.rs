//! Good clients: each knows what every answer must be, and takes nothing else for one.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use redwall::config::Lanes;

use crate::bed::{PATIENCE, lanes_of_this_run};
use crate::field::from;
use crate::peer::{Peer, dial_for, is_timeout, request};
use crate::{Phase, Siege};

/// What a client does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// SET and GET, one after the other.
    Strings,
    /// Twenty requests at once.
    Pipeline,
    /// WATCH, MULTI, EXEC.
    Transaction,
    /// One blocks in BLPOP, another pushes.
    Queue,
    /// One subscribes, another publishes; messages come in order.
    Channel,
    /// Connects, logs in, works, and leaves.
    Newcomer,
    /// The same with a certificate, and all that it has to say comes with the end of its handshake.
    Hasty,
}

impl Habit {
    /// All, with how many clients have it in the short form; pairs count once.
    pub const ALL: [(Self, usize); 7] = [
        (Self::Strings, 12),
        (Self::Pipeline, 8),
        (Self::Transaction, 8),
        (Self::Queue, 3),
        (Self::Channel, 2),
        (Self::Newcomer, 1),
        (Self::Hasty, 1),
    ];

    /// Its connections that stay.
    fn connections(self) -> usize {
        match self {
            Self::Strings | Self::Pipeline | Self::Transaction => 1,
            Self::Queue | Self::Channel => 2,
            Self::Newcomer | Self::Hasty => 0,
        }
    }

    /// Whether it can't go on without a new connection, to Redwall or from there to the backend.
    fn needs_descriptors(self) -> bool {
        match self {
            Self::Newcomer | Self::Hasty => true,
            // A shared lane is exchanged for one that is lent.
            Self::Transaction | Self::Queue => lanes_of_this_run() == Lanes::Shared,
            Self::Strings | Self::Pipeline | Self::Channel => false,
        }
    }

    fn pause(self) -> Duration {
        match self {
            Self::Newcomer | Self::Hasty => Duration::from_millis(500),
            Self::Strings | Self::Pipeline | Self::Transaction | Self::Queue | Self::Channel => {
                Duration::from_millis(100)
            }
        }
    }
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug)]
enum Login {
    /// A user whose rights grow and shrink with the configurations; what it uses remains.
    Password,
    Certificate,
    Both,
}

/// How a client connects; each does it in the same way whenever it does.
#[derive(Clone, Copy, Debug)]
struct Manner {
    number: usize,
    login: Login,
    tls12: bool,
    resp3: bool,
}

/// A client, or a pair of them.
pub struct Client {
    habit: Habit,
    manner: Manner,
    peers: Vec<Peer>,
    /// Of the siege, and how long each round took, in microseconds.
    rounds: Vec<(Phase, u64)>,
    answers: u64,
}

/// What a client has to tell at the end.
pub struct Served {
    pub habit: Habit,
    pub peers: Vec<Peer>,
    pub rounds: Vec<(Phase, u64)>,
    pub answers: u64,
}

/// Connects all good clients, one after the other.
pub fn muster(siege: &Siege) -> Vec<Client> {
    let habits = Habit::ALL
        .iter()
        .flat_map(|(habit, some)| std::iter::repeat_n(*habit, some * siege.scale.good));
    let client = |(number, habit): (usize, Habit)| {
        let manner = Manner::of(number, habit);
        let mut peers: Vec<_> = (0..habit.connections())
            .map(|_| manner.connect(siege).unwrap())
            .collect();
        if habit == Habit::Channel {
            let heard = peers[0].ask(&["SUBSCRIBE", &manner.key("c")]).unwrap();
            assert!(heard.ends_with(b":1\r\n"));
        }
        Client {
            habit,
            manner,
            peers,
            rounds: Vec::new(),
            answers: 0,
        }
    };
    habits.enumerate().map(client).collect()
}

impl Manner {
    fn of(number: usize, habit: Habit) -> Self {
        let login = match (habit, number % 3) {
            // What is queued while rights change isn't carried out, whatever the change.
            (Habit::Transaction, 0) | (Habit::Hasty, _) | (_, 1) => Login::Certificate,
            (_, 2) => Login::Both,
            (_, _) => Login::Password,
        };
        Self {
            number,
            login,
            tls12: number.is_multiple_of(5),
            resp3: number.is_multiple_of(2),
        }
    }

    fn key(&self, what: &str) -> String {
        format!("app:{}:{what}", self.number)
    }

    fn config<'a>(&self, siege: &'a Siege) -> &'a Arc<ClientConfig> {
        let configs = &siege.field.configs;
        match (self.login, self.tls12) {
            (Login::Password, false) => &configs.plain,
            (Login::Password, true) => &configs.plain12,
            (Login::Certificate, false) => &configs.alice,
            (Login::Certificate, true) => &configs.alice12,
            (Login::Both, _) => &configs.bob,
        }
    }

    /// Shakes hands, and says `bytes` with the last of them.
    fn shake(&self, siege: &Siege, bytes: &[u8]) -> Result<Peer, String> {
        let from = from(0, (self.number % 4) as u8);
        let socket = dial_for(PATIENCE, from, siege.field.address());
        let socket = socket.map_err(|error| format!("couldn't connect: {error}"))?;
        let shaken = Peer::shake_and_say(socket, self.config(siege), bytes);
        shaken.map_err(|error| format!("couldn't shake hands: {error}"))
    }

    fn connect(&self, siege: &Siege) -> Result<Peer, String> {
        let mut peer = self.shake(siege, &[])?;
        let user = match self.login {
            Login::Password => "app",
            Login::Certificate => "alice",
            Login::Both => "bob",
        };
        if !matches!(self.login, Login::Certificate) {
            ask(&mut peer, &["AUTH", user, user], "+OK\r\n")?;
        }
        ask(&mut peer, &["ACL", "WHOAMI"], &bulk(user))?;
        if self.resp3 {
            let told = peer.ask(&["HELLO", "3"]);
            let told = told.map_err(|error| missing(&["HELLO", "3"], &error))?;
            if told.first() != Some(&b'%') {
                return Err(wrong("HELLO 3", &told, "%..."));
            }
        }
        Ok(peer)
    }
}

impl Client {
    /// Works until the siege is over, or until an answer isn't what it must be.
    pub fn work(mut self, siege: &Siege) -> Served {
        let mut round = 0;
        // Not all at the same moment.
        siege.pause(self.habit.pause() * (self.manner.number % 16) as u32 / 16);
        while !siege.is_over() {
            round += 1;
            let phase = siege.phase();
            match self.once(siege, round) {
                Ok(took) => self.rounds.push((phase, took.as_micros() as u64)),
                Err(fault) => siege.fault(format!(
                    "{:?} in round {round}, {:?}: {fault}",
                    self.habit, self.manner
                )),
            }
            siege.pause(self.habit.pause());
        }
        let Self {
            habit,
            peers,
            rounds,
            answers,
            ..
        } = self;
        Served {
            habit,
            peers,
            rounds,
            answers,
        }
    }

    /// Does once what is its habit; says how long the answers took.
    fn once(&mut self, siege: &Siege, round: u64) -> Result<Duration, String> {
        let _while_there_are_descriptors = self
            .habit
            .needs_descriptors()
            .then(|| siege.descriptors.read().unwrap());
        match self.habit {
            Habit::Strings => self.strings(round),
            Habit::Pipeline => self.pipeline(round),
            Habit::Transaction => self.transaction(round),
            Habit::Queue => self.queue(round),
            Habit::Channel => self.channel(round),
            Habit::Newcomer => self.come_and_go(siege, round),
            Habit::Hasty => self.say_all_at_once(siege, round),
        }
    }

    fn value(&self, round: u64) -> String {
        format!("{}/{round}", self.manner.number)
    }

    /// The time is that of the slower of the two.
    fn strings(&mut self, round: u64) -> Result<Duration, String> {
        let (key, value) = (self.manner.key("s"), self.value(round));
        let set = timed(|| ask(&mut self.peers[0], &["SET", &key, &value], "+OK\r\n"))?;
        let get = timed(|| ask(&mut self.peers[0], &["GET", &key], &bulk(&value)))?;
        self.answers += 2;
        Ok(set.max(get))
    }

    fn pipeline(&mut self, round: u64) -> Result<Duration, String> {
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for step in 0..10 {
            let (key, value) = (self.manner.key(&step.to_string()), self.value(round));
            bytes.extend(request(&["SET", &key, &value]));
            bytes.extend(request(&["GET", &key]));
            wanted.extend(["+OK\r\n".to_owned(), bulk(&value)]);
        }
        let peer = &mut self.peers[0];
        let took = timed(|| {
            send(peer, &bytes)?;
            wanted
                .iter()
                .try_for_each(|wanted| hear(peer, "a pipeline", wanted))
        })?;
        self.answers += wanted.len() as u64;
        Ok(took)
    }

    fn transaction(&mut self, round: u64) -> Result<Duration, String> {
        let (key, count, value) = (
            self.manner.key("t"),
            self.manner.key("n"),
            self.value(round),
        );
        let peer = &mut self.peers[0];
        let took = timed(|| {
            ask(peer, &["WATCH", &key], "+OK\r\n")?;
            ask(peer, &["MULTI"], "+OK\r\n")?;
            ask(peer, &["SET", &key, &value], "+QUEUED\r\n")?;
            ask(peer, &["INCR", &count], "+QUEUED\r\n")?;
            ask(peer, &["GET", &key], "+QUEUED\r\n")?;
            let all = format!("*3\r\n+OK\r\n:{round}\r\n{}", bulk(&value));
            ask(peer, &["EXEC"], &all)
        })?;
        self.answers += 6;
        Ok(took)
    }

    fn queue(&mut self, round: u64) -> Result<Duration, String> {
        let (key, value) = (self.manner.key("q"), self.value(round));
        let [waiting, pushing] = &mut self.peers[..] else {
            return Err("a pair is two".to_owned());
        };
        let took = timed(|| {
            send(waiting, &request(&["BLPOP", &key, "30"]))?;
            ask(pushing, &["RPUSH", &key, &value], ":1\r\n")?;
            let popped = format!("*2\r\n{}{}", bulk(&key), bulk(&value));
            hear(waiting, "BLPOP", &popped)
        })?;
        self.answers += 2;
        Ok(took)
    }

    fn channel(&mut self, round: u64) -> Result<Duration, String> {
        let channel = self.manner.key("c");
        let messages: Vec<_> = (0..5)
            .map(|step| format!("{}/{step}", self.value(round)))
            .collect();
        let bytes: Vec<_> = messages
            .iter()
            .flat_map(|message| request(&["PUBLISH", &channel, message]))
            .collect();
        let mark = if self.manner.resp3 { '>' } else { '*' };
        let [hearing, telling] = &mut self.peers[..] else {
            return Err("a pair is two".to_owned());
        };
        let took = timed(|| {
            send(telling, &bytes)?;
            for message in &messages {
                hear(telling, "PUBLISH", ":1\r\n")?;
                let wanted = format!(
                    "{mark}3\r\n{}{}{}",
                    bulk("message"),
                    bulk(&channel),
                    bulk(message)
                );
                hear(hearing, "a subscription", &wanted)?;
            }
            Ok(())
        })?;
        self.answers += 10;
        Ok(took)
    }

    fn come_and_go(&mut self, siege: &Siege, round: u64) -> Result<Duration, String> {
        let (key, value) = (self.manner.key("s"), self.value(round));
        let took = timed(|| {
            let mut peer = self.manner.connect(siege)?;
            ask(&mut peer, &["SET", &key, &value], "+OK\r\n")?;
            ask(&mut peer, &["GET", &key], &bulk(&value))?;
            ask(&mut peer, &["QUIT"], "+OK\r\n")
        })?;
        self.answers += 5;
        Ok(took)
    }

    fn say_all_at_once(&mut self, siege: &Siege, round: u64) -> Result<Duration, String> {
        let (key, value) = (self.manner.key("h"), self.value(round).repeat(12_000));
        let mut bytes = request(&["SET", &key, &value]);
        bytes.extend(request(&["GET", &key]));
        bytes.extend(request(&["QUIT"]));
        let took = timed(|| {
            let mut peer = self.manner.shake(siege, &bytes)?;
            for (asked, wanted) in [
                ("SET", "+OK\r\n"),
                ("GET", &bulk(&value)),
                ("QUIT", "+OK\r\n"),
            ] {
                hear(&mut peer, asked, wanted)?;
            }
            Ok(())
        })?;
        self.answers += 3;
        Ok(took)
    }
}

fn timed(work: impl FnOnce() -> Result<(), String>) -> Result<Duration, String> {
    let start = Instant::now();
    work().map(|()| start.elapsed())
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn ask(peer: &mut Peer, words: &[&str], wanted: &str) -> Result<(), String> {
    send(peer, &request(words))?;
    hear(peer, &words.join(" "), wanted)
}

fn send(peer: &mut Peer, bytes: &[u8]) -> Result<(), String> {
    let sent = peer.send(bytes);
    sent.map_err(|error| format!("a request wasn't taken: {error}"))
}

fn hear(peer: &mut Peer, asked: &str, wanted: &str) -> Result<(), String> {
    match peer.answer() {
        Ok(answer) if answer == wanted.as_bytes() => Ok(()),
        Ok(answer) => Err(wrong(asked, &answer, wanted)),
        Err(error) => Err(missing(&[asked], &error)),
    }
}

fn wrong(asked: &str, answer: &[u8], wanted: &str) -> String {
    let answer = String::from_utf8_lossy(answer);
    format!("{asked:?} was answered {answer:.300?}, not {wanted:.300?}")
}

fn missing(asked: &[&str], error: &io::Error) -> String {
    let how = match is_timeout(error) {
        true => "in time".to_owned(),
        false => format!("before the end: {error}"),
    };
    format!("{:?} was not answered {how}", asked.join(" "))
}
