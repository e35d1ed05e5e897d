//! Certificates that change while connections are open.

use std::fs;

use tokio::time::{Instant, sleep};

use super::{
    LONG, Server,
    listener::{PATIENT, millis},
    tls::{Client, Pair, der, get, presented},
};
use crate::support::certificates::{Authority, Issued, place};

/// Waits until a new connection is shown this certificate; every one on the way must work.
async fn shown(client: &Client, server: &Server, issued: &Issued) {
    let deadline = Instant::now() + LONG;
    loop {
        let mut stream = client.connect(server).await.unwrap();
        get(&mut stream).await.unwrap();
        if presented(&stream) == der(issued) {
            return;
        }
        assert!(Instant::now() < deadline, "the new certificate is not seen");
        sleep(millis(50)).await;
    }
}

#[tokio::test]
async fn a_new_certificate_serves_the_next_and_the_old_connections_live() {
    let authority = Authority::new("a");
    let [first, second, third] = [(); 3].map(|()| authority.issue(&["localhost"]));
    let folder = Pair::new("rotation", &first);
    let server = folder.serve(&[], PATIENT).await;
    let client = Client::of(&authority);
    let mut old = client.connect(&server).await.unwrap();
    get(&mut old).await.unwrap();

    folder.put(&second);
    shown(&client, &server, &second).await;
    get(&mut old).await.expect("the old connection lives");
    assert_eq!(presented(&old), der(&first));

    // Half of a pair, something broken, nothing at all: what was good goes on.
    let broken: [&dyn Fn(); 3] = [
        &|| place(&folder.file("server.crt"), &third.certificate),
        &|| place(&folder.file("server.crt"), "canary"),
        &|| fs::remove_file(folder.file("server.crt")).unwrap(),
    ];
    for breaks in broken {
        breaks();
        let until = Instant::now() + millis(1500);
        while Instant::now() < until {
            let mut stream = client.connect(&server).await.unwrap();
            get(&mut stream).await.unwrap();
            assert_eq!(presented(&stream), der(&second));
            sleep(millis(100)).await;
        }
    }
    folder.put(&third);
    shown(&client, &server, &third).await;
}
