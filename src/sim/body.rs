//! The body of an answer, sent as the fate of the answer wants it.

use std::{io, iter, time::Duration};

use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use tokio::time::sleep;

use super::reply::Fate;

const DRIP: Duration = Duration::from_secs(1);
/// Long enough for the bytes before it to leave.
const BEFORE_CUT: Duration = Duration::from_millis(50);

pub(super) type SimBody = UnsyncBoxBody<Bytes, io::Error>;

/// A pause, and the bytes that are sent after it; an error breaks the connection.
type Step = (Duration, io::Result<Bytes>);

/// The body for a fate, and the length to announce if it is not the body's own.
pub(super) fn body(fate: Fate, bytes: Vec<u8>) -> (SimBody, Option<usize>) {
    let length = bytes.len();
    let bytes = Bytes::from(bytes);
    match fate {
        Fate::Sent | Fate::Hangs | Fate::Resets => {
            (Full::new(bytes).map_err(|never| match never {}).boxed_unsync(), None)
        }
        Fate::CutShort => (cut(&bytes), Some(length.max(1))),
        Fate::CutInChunks => (cut(&bytes), None),
        Fate::Drips => {
            let drops = bytes.into_iter().map(|byte| (DRIP, Ok(Bytes::from(vec![byte]))));
            (stepwise(drops), Some(length))
        }
        Fate::Huge => {
            let begin = Bytes::from_static(b"{\"connections\":[],\"padding\":\"");
            let padding = iter::repeat_n(Bytes::from(vec![b'x'; 64 << 10]), 320);
            let all = iter::once(begin).chain(padding).chain([Bytes::from_static(b"\"}")]);
            (stepwise(all.map(|bytes| (Duration::ZERO, Ok(bytes)))), None)
        }
    }
}

/// The first half, and then the end of the connection.
fn cut(bytes: &Bytes) -> SimBody {
    let half = bytes.slice(..bytes.len() / 2);
    let broken = Err(io::Error::other("the body breaks off"));
    stepwise([(Duration::ZERO, Ok(half)), (BEFORE_CUT, broken)].into_iter())
}

fn stepwise(steps: impl Iterator<Item = Step> + Send + 'static) -> SimBody {
    let frames = stream::unfold(steps, async |mut steps| {
        let (pause, bytes) = steps.next()?;
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Some((bytes.map(Frame::data), steps))
    });
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use hyper::body::Body as _;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bodies_leave_as_their_fate_wants_it() {
        let begin = Instant::now();
        let (drips, length) = body(Fate::Drips, b"abc".to_vec());
        assert_eq!(&*drips.collect().await.expect("no error").to_bytes(), b"abc");
        assert_eq!((begin.elapsed().as_secs(), length), (3, Some(3)));
        let (mut short, length) = body(Fate::CutShort, b"abcd".to_vec());
        let first = short.frame().await.expect("a frame").expect("no error");
        assert_eq!((first.into_data().expect("bytes").as_ref(), length), (&b"ab"[..], Some(4)));
        assert!(short.frame().await.expect("an end").is_err());
        let (huge, _) = body(Fate::Huge, Vec::new());
        assert!(huge.collect().await.expect("no error").to_bytes().len() > 20 << 20);
        assert_eq!(body(Fate::Sent, b"abc".to_vec()).0.size_hint().exact(), Some(3));
    }
}
