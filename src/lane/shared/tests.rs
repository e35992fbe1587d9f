use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::backend::testing;
use crate::resp::encode;

/// A lane, and the backend at its other end.
async fn lane() -> (Shared<u8>, tokio::net::TcpStream) {
    let (connected, backend) = testing::connected().await;
    let lane = Shared::new(connected, Kept::Bytes, Instant::now());
    (lane, backend)
}

/// A client asks, and doesn't say what.
fn ask(lane: &mut Shared<u8>, owner: u8) {
    lane.queue.expect(&owner);
    lane.sending.put(b"*1\r\n$4\r\nTIME\r\n");
}

/// What was delivered: to whom, what, and how much of it belongs to a reply whose end hasn't come.
type Delivered = Vec<(u8, Vec<u8>, usize)>;

/// The backend sends `bytes`, and the lane delivers what it makes of them.
async fn hear(
    lane: &mut Shared<u8>,
    backend: &mut tokio::net::TcpStream,
    bytes: &[u8],
    delivered: &mut Delivered,
) {
    let (mut scratch, mut left) = (vec![0; 64 * 1024], bytes.len());
    backend.write_all(bytes).await.unwrap();
    while left > 0 {
        let received =
            std::future::poll_fn(|context| lane.poll_receive(context, &mut scratch)).await;
        let received = received.unwrap();
        left -= received.len();
        lane.pair(&scratch, received, Instant::now(), |owner, piece| {
            assert_eq!(piece.lens().sum::<usize>(), piece.ended().len());
            delivered.push((*owner, piece.bytes.to_vec(), piece.rest().len()));
            Taken::All
        })
        .unwrap();
    }
}

fn any_reply() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![
        8 => 0_usize..2_000,
        2 => 2_000..WHOLE as usize - 8,
        1 => WHOLE as usize..3 * WHOLE as usize,
    ];
    let bulk = len.prop_map(|len| {
        let mut bulk = Vec::new();
        encode::bulk(&mut bulk, vec![b'x'; len]);
        bulk
    });
    prop_oneof![
        bulk.clone(),
        vec(bulk, 0..4).prop_map(|items| {
            let mut array = format!("*{}\r\n", items.len()).into_bytes();
            array.extend(items.concat());
            array
        }),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        Just(b"+OK\r\n".to_vec()),
        Just(b"-ERR no\r\n".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn however_bytes_are_cut_each_hears_its_own_and_small_replies_whole(
        asked in vec((0_u8..3, any_reply()), 1..30),
        cuts in vec(prop_oneof![1_usize..100, 1_000_usize..30_000], 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let delivered = runtime.block_on(async {
            let (mut lane, mut backend) = lane().await;
            for (owner, _) in &asked {
                ask(&mut lane, *owner);
            }
            let all: Vec<u8> = asked.iter().flat_map(|(_, reply)| reply.clone()).collect();
            let (mut rest, mut cuts, mut delivered) = (&all[..], cuts.iter().cycle(), Vec::new());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                hear(&mut lane, &mut backend, piece, &mut delivered).await;
                rest = behind;
            }
            assert!(lane.queue.is_empty() && lane.begun.is_empty());
            assert_eq!(lane.sending.oldest(), None, "all are answered");
            delivered
        });
        let mut replies = asked.iter();
        // Whose the reply is that goes on, all of it, and how much has come.
        let mut current: Option<(u8, &[u8], usize)> = None;
        for (owner, bytes, begun) in &delivered {
            let mut bytes = &bytes[..];
            while !bytes.is_empty() {
                let (whose, reply, from) = match current.take() {
                    Some(current) => current,
                    None => replies.next().map(|(whose, reply)| (*whose, &reply[..], 0)).unwrap(),
                };
                let len = (reply.len() - from).min(bytes.len());
                prop_assert_eq!((whose, &reply[from..from + len]), (*owner, &bytes[..len]));
                bytes = &bytes[len..];
                if from + len < reply.len() {
                    prop_assert_eq!((bytes.len(), *begun), (0, len));
                    prop_assert!(reply.len() as u64 > WHOLE, "a small one in parts");
                    current = Some((whose, reply, from + len));
                }
            }
        }
        prop_assert!(current.is_none() && replies.next().is_none());
    }
}

#[tokio::test]
async fn the_beginning_of_a_large_reply_is_not_kept_from_its_client() {
    let (mut lane, mut backend) = lane().await;
    let mut delivered = Delivered::new();
    ask(&mut lane, 1);
    ask(&mut lane, 1);
    hear(&mut lane, &mut backend, b"$5\r\nwh", &mut delivered).await;
    assert_eq!(delivered, []);
    hear(
        &mut lane,
        &mut backend,
        b"ole\r\n$40000\r\nxx",
        &mut delivered,
    )
    .await;
    let bytes = b"$5\r\nwhole\r\n$40000\r\nxx".to_vec();
    assert_eq!(delivered, [(1, bytes, 10)]);
}

#[tokio::test]
async fn what_is_said_of_a_large_reply_doesn_t_depend_on_where_its_header_is_cut() {
    let header = b"$2000000\r\n";
    for cut in 1..header.len() {
        let (mut lane, mut backend) = lane().await;
        ask(&mut lane, 1);
        ask(&mut lane, 2);
        let mut delivered = Delivered::new();
        hear(&mut lane, &mut backend, &header[..cut], &mut delivered).await;
        assert_eq!(delivered, [], "{cut}");
        let (mut scratch, mut large) = (vec![0; 64 * 1024], None);
        backend.write_all(&header[cut..]).await.unwrap();
        let received =
            std::future::poll_fn(|context| lane.poll_receive(context, &mut scratch)).await;
        lane.pair(&scratch, received.unwrap(), Instant::now(), |_, piece| {
            large = piece.large.map(|large| large.least_len);
            Taken::All
        })
        .unwrap();
        assert_eq!(large, Some(2_000_000 + header.len() as u64 + 2), "{cut}");
    }
}

#[tokio::test]
async fn an_echo_that_comes_too_early_is_recognised_however_it_is_cut() {
    for cut in [1, 4, 20, 38] {
        let (mut lane, mut backend) = lane().await;
        ask(&mut lane, 1);
        let echo = fence(&mut lane);
        let mut delivered = Delivered::new();
        hear(&mut lane, &mut backend, &echo[..cut], &mut delivered).await;
        let mut scratch = vec![0; 64 * 1024];
        backend.write_all(&echo[cut..]).await.unwrap();
        let received =
            std::future::poll_fn(|context| lane.poll_receive(context, &mut scratch)).await;
        let paired = lane.pair(&scratch, received.unwrap(), Instant::now(), |_, piece| {
            panic!("{} was delivered", piece.bytes.escape_ascii())
        });
        assert_eq!(
            (paired, delivered),
            (Err(SharedFault::Fence), vec![]),
            "{cut}"
        );
    }
}

#[tokio::test]
async fn an_echo_that_comes_too_early_is_recognised_wherever_among_one_client_s_replies() {
    for before in 0..3 {
        let (mut lane, mut backend) = lane().await;
        (0..3).for_each(|_| ask(&mut lane, 1));
        let echo = fence(&mut lane);
        let bytes = [b"$1\r\nx\r\n".repeat(before), echo].concat();
        backend.write_all(&bytes).await.unwrap();
        let (mut scratch, mut paired) = (vec![0; 64 * 1024], Ok(()));
        let mut left = bytes.len();
        while left > 0 && paired.is_ok() {
            let received =
                std::future::poll_fn(|context| lane.poll_receive(context, &mut scratch)).await;
            let received = received.unwrap();
            left -= received.len();
            paired = lane.pair(&scratch, received, Instant::now(), |_, _| Taken::All);
        }
        assert_eq!(paired, Err(SharedFault::Fence), "behind {before}");
    }
}

/// The lane asks for an echo; what it will be.
fn fence(lane: &mut Shared<u8>) -> Vec<u8> {
    lane.used = Used::Yes;
    let before = lane.sending.unsent().len();
    lane.append_fence(Instant::now());
    let request = &lane.sending.unsent()[before..];
    request
        .strip_prefix(b"*2\r\n$4\r\nECHO\r\n")
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn requests_leave_in_their_order_whether_they_are_written_at_once_or_wait() {
    for kept in [Kept::Nothing, Kept::Bytes] {
        let (connected, mut backend) = testing::connected().await;
        let mut lane: Shared<u8> = Shared::new(connected, kept, Instant::now());
        let (mut wanted, mut read) = (Vec::new(), Vec::new());
        // More than the sockets hold, while the backend reads a little now and then.
        for number in 0..200_u32 {
            let len = [STRAIGHT_FROM, 14, STRAIGHT_FROM - 1, 300_000][number as usize % 4];
            let request: Vec<u8> = (0..len as u32).map(|at| (at / 7 + number) as u8).collect();
            lane.put(&request);
            wanted.extend_from_slice(&request);
            if number == 0 {
                assert_eq!(lane.unsent() == 0, kept == Kept::Nothing, "{kept:?}");
                let flushed = std::future::poll_fn(|context| lane.poll_flush(context)).await;
                flushed.unwrap();
            }
            if number % 10 == 0 {
                let _ = lane.poll_flush(&mut Context::from_waker(std::task::Waker::noop()));
                testing::read_some(&mut backend, &mut read).await;
            }
        }
        assert!(lane.unsent() > 0, "{kept:?}");
        let (flushed, ()) = tokio::join!(
            std::future::poll_fn(|context| lane.poll_flush(context)),
            testing::read_to(wanted.len(), &mut backend, &mut read)
        );
        flushed.unwrap();
        assert!(read == wanted, "{kept:?}");
    }
}

#[tokio::test]
async fn a_large_request_that_nothing_waits_before_is_not_copied() {
    let (connected, _backend) = testing::connected().await;
    let mut lane: Shared<u8> = Shared::new(connected, Kept::Nothing, Instant::now());
    lane.put(&vec![b'r'; STRAIGHT_FROM]);
    assert_eq!((lane.unsent(), lane.is_flushed), (0, true));
    // One that waits goes first.
    lane.put(b"small");
    lane.put(&vec![b'r'; STRAIGHT_FROM]);
    assert_eq!(lane.unsent(), 5 + STRAIGHT_FROM);
}
