//! The cases of `tests/data/credentials` with the official SDK for Python: the same environment and files make it
//! send the same requests, and end the same way.

use std::fs;

use super::{
    parts::{python, said},
    support::{here, process::run},
};

#[tokio::test]
async fn the_sdk_sends_what_the_cases_of_credentials_say() {
    let mut program = python("credentials.py");
    let mut cases = 0;
    for folder in fs::read_dir(here("tests/data/credentials")).expect("a folder") {
        let folder = folder.expect("an entry").path();
        let case = fs::read_to_string(folder.join("case.json")).expect("a case");
        if case.contains("\"sdk\":") {
            program.arg(folder);
            cases += 1;
        }
    }
    assert!(cases >= 15, "only {cases}");
    let ended = run(program).await;
    assert!(ended.code == Some(0), "{}", said(&ended));
}
