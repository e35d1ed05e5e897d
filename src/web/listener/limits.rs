//! The limits of a listener.

use tokio::time::Duration;

/// What the clients of a listener may use, and for how long.
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
    /// For a request's body to arrive.
    pub body: Duration,
    /// The size of a request's body.
    pub body_bytes: usize,
    /// Without the client taking anything of an answer.
    pub write: Duration,
    /// The answers that clients have not taken yet, all together.
    pub unsent_bytes: u64,
    /// A connection with nothing happening gives way after this long, if its place is needed.
    pub patience: Duration,
    /// At the end, for answers under way.
    pub drain: Duration,
}

impl Limits {
    /// For scrapers and for people.
    pub const PUBLIC: Self = Self {
        // Every Prometheus of a large company, and as many people.
        connections: 256,
        // Three ways there and back, even through a satellite.
        handshake: Duration::from_secs(5),
        // A header comes in one piece; this is for the worst of networks.
        header: Duration::from_secs(5),
        // The usual scrape interval is a minute: a scraper keeps its connection.
        idle: Duration::from_secs(90),
        // 64 KiB in 10 s is the pace of a modem.
        body: Duration::from_secs(10),
        // Five times the longest request that there is: 200 ports of an endpoint service.
        body_bytes: 64 * 1024,
        // Three times the usual scrape timeout: nobody waits for this answer any more.
        write: Duration::from_secs(30),
        // A few of the largest pages, or hundreds of usual ones.
        unsent_bytes: 64 * 1024 * 1024,
        // Longer than the way around the earth; and 1,000 silent connections are dealt with in 2 s.
        patience: Duration::from_millis(500),
        // Shorter than what any service manager grants.
        drain: Duration::from_secs(3),
    };

    /// For a few people, who change things.
    pub const ADMIN: Self = Self { connections: 16, ..Self::PUBLIC };
}
