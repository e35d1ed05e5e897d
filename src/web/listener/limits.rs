//! The limits of a listener.

use tokio::time::Duration;

/// The resources that the clients of a listener may use, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// From connecting to the end of the TLS handshake, where TLS is spoken.
    pub handshake: Duration,
    /// From connecting (or the end of the handshake), or from a request's first byte, to the end of
    /// its header.
    pub header: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// Time for a request's body to arrive.
    pub body: Duration,
    /// The size of a request's body.
    pub body_bytes: usize,
    /// Time without the client taking any byte of an answer.
    pub write: Duration,
    /// Bytes of answers that clients have not taken yet, over all connections.
    pub unsent_bytes: u64,
    /// Time after which an idle connection gives way if another client needs its place.
    pub patience: Duration,
    /// Time for answers under way when the listener closes.
    pub drain: Duration,
}

impl Limits {
    /// The limits of the public listener: scrapers and people.
    pub const PUBLIC: Self = Self {
        // Every Prometheus of a large company, and as many people.
        connections: 256,
        // Three round trips, even over a satellite.
        handshake: Duration::from_secs(5),
        // A header comes in one packet; this is for the worst networks.
        header: Duration::from_secs(5),
        // The usual scrape interval is a minute: a scraper keeps its connection.
        idle: Duration::from_secs(90),
        // 64 KiB in 10 s is the pace of a modem.
        body: Duration::from_secs(10),
        // Five times the longest request that there is: 200 ports of an endpoint service.
        body_bytes: 64 * 1024,
        // Three times the usual scrape timeout: the scraper has given up by then.
        write: Duration::from_secs(30),
        // A few of the largest pages, or hundreds of usual ones.
        unsent_bytes: 64 * 1024 * 1024,
        // Longer than a round trip around the earth, and short enough to replace 1,000 silent connections in 2 s.
        patience: Duration::from_millis(500),
        // Shorter than the stop timeout of any service manager.
        drain: Duration::from_secs(3),
    };

    /// The limits of the admin listener: a few people.
    pub const ADMIN: Self = Self { connections: 16, ..Self::PUBLIC };
}
